#include "base/log.h"
#include "base/memory.h"
#include "ops/json.h"
#include "ops/repair_private.h"
#include "ops/row_key.h"

#include <string.h>

static const char *const actions[] = {"none", "insert", "update", "delete"};
static const char *const ends[] = {"open", "equal", "repaired", "planned", "refused", "undecided"};

void repair_say(
        const struct repair *r, const struct verify_progress *p, const struct repair_row *row)
{
        AUTO_STRING table = memory_printf("%s.%s", p->schema, p->name);
        const struct log_fields fields = {.position = "", .table = table};
        AUTO_BUF key = BUF_INIT;

        row_key_for_log(&key, r->verify->config, row->key);
        log_event(LOG_LEVEL_INFO, LOG_PLAIN, &fields, "repair: %s, table %s%s",
                actions[row->action], table, buf_text(&key));
}

static void say_refused(const struct repair *r, const char *table, const struct repair_row *row)
{
        const struct log_fields fields = {.position = "", .table = table};
        AUTO_BUF key = BUF_INIT;

        row_key_for_log(&key, r->verify->config, row->key);
        log_event(LOG_LEVEL_WARNING, LOG_PLAIN, &fields, "repair: refused, table %s%s: %s", table,
                buf_text(&key), row->why.message);
}

static void add_item(struct repair *r, const char *table, const struct repair_row *row)
{
        cJSON *o, *key;

        if (cJSON_GetArraySize(r->items) >= VERIFY_ITEMS_MAX ||
                r->items_bytes + strlen(row->key) > VERIFY_ITEMS_BYTES) {
                r->truncated = true;
                return;
        }
        r->items_bytes += strlen(row->key) + strlen(row->why.message);
        o = cJSON_CreateObject();
        key = cJSON_Parse(row->key);
        json_text(o, "table", table);
        json_text(o, "kind", verify_kind_name(row->kind));
        json_text(o, "action", row->action == REPAIR_NOTHING ? NULL : actions[row->action]);
        json_text(o, "result", ends[row->end]);
        cJSON_AddItemToObject(o, "key", key ? key : cJSON_CreateNull());
        json_text(o, "error", row->end == REPAIR_REFUSED ? row->why.message : NULL);
        cJSON_AddItemToArray(r->items, o);
}

void repair_report(struct repair *r, const struct verify_progress *p, const struct repair_row *row)
{
        uint64_t *const counts[] = {
                NULL, &r->equal, &r->repaired, &r->planned, &r->refused, &r->undecided};
        AUTO_STRING table = memory_printf("%s.%s", p->schema, p->name);

        if (row->end == REPAIR_OPEN)
                return;
        ++*counts[row->end];
        add_item(r, table, row);
        if (row->end == REPAIR_REFUSED && !r->dry_run)
                say_refused(r, table, row);
}

cJSON *repair_body(struct repair *r)
{
        cJSON *o = json_object();

        json_bool(o, "dry_run", r->dry_run);
        json_count(o, "repaired", r->repaired);
        json_count(o, "planned", r->planned);
        json_count(o, "equal", r->equal);
        json_count(o, "refused", r->refused);
        json_count(o, "undecided", r->undecided);
        cJSON_AddItemToObject(o, "items", r->items);
        r->items = NULL;
        json_bool(o, "items_truncated", r->truncated);
        return o;
}

bool repair_is_whole(const struct repair *r)
{
        return r->refused + r->undecided == 0;
}

const struct error *repair_error(const struct repair *r)
{
        return r->failed ? &r->error : NULL;
}

void repair_fail(struct repair *r, const struct error *e)
{
        r->failed = true;
        r->error = *e;
}
