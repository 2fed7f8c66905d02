#include "ops/verify_report.h"
#include "base/loop.h"
#include "base/memory.h"
#include "ops/json.h"

#include <stdlib.h>
#include <string.h>

static const char *const states[] = {"idle", "running", "done", "failed"};
static const char *const kinds[] = {"missing", "extra", "differs", "undecided", "object-missing",
        "object-extra", "orphans", "counter", "unchecked", "check"};

const char *verify_state_name(enum verify_state s)
{
        return states[s];
}

const char *verify_kind_name(enum verify_kind k)
{
        return kinds[k];
}

int verify_kind_of(const char *name)
{
        for (int i = 0; i < VERIFY_KINDS; i++)
                if (!strcmp(kinds[i], name))
                        return i;
        return -1;
}

struct verify_report *verify_report_new(void)
{
        struct verify_report *r = memory_new_of(struct verify_report);

        pthread_mutex_init(&r->lock, NULL);
        r->sample = 100;
        return r;
}

void verify_report_clear(struct verify_report *r)
{
        for (unsigned i = 0; i < r->lines_n; i++) {
                free(r->lines[i].schema);
                free(r->lines[i].name);
        }
        for (unsigned i = 0; i < r->items_n; i++) {
                free(r->items[i].key);
                free(r->items[i].columns);
        }
        free(r->lines);
        free(r->items);
        r->lines = NULL;
        r->items = NULL;
        r->lines_n = r->items_n = 0;
        r->items_bytes = 0;
        r->truncated = false;
        r->started = r->finished = r->resumed = 0;
        r->seen_before = 0;
        r->at = r->verified = POSITION_NONE;
        r->continuous = false;
        r->changed = 0;
        *r->message = '\0';
}

struct verify_report *verify_report_free(struct verify_report *r)
{
        if (!r)
                return NULL;
        verify_report_clear(r);
        pthread_mutex_destroy(&r->lock);
        free(r);
        return NULL;
}

struct verify_line *verify_report_line(
        struct verify_report *r, const char *schema, const char *name)
{
        struct verify_line *l;

        r->lines = memory_grow(r->lines, (r->lines_n + 1) * sizeof *r->lines);
        l = &r->lines[r->lines_n++];
        *l = (struct verify_line){.schema = memory_string(schema),
                .name = memory_string(name),
                .state = "waiting",
                .total = -1};
        return l;
}

void verify_report_item(struct verify_report *r, unsigned table, enum verify_kind kind,
        const char *key, const char *columns)
{
        size_t bytes = strlen(key) + strlen(columns);

        unsigned share = kind > VERIFY_UNDECIDED ? 2 : 1; /* notes come last, and have room left */

        if (r->items_n >= share * VERIFY_ITEMS_MAX ||
                r->items_bytes + bytes > share * VERIFY_ITEMS_BYTES) {
                r->truncated = true;
                return;
        }
        r->items = memory_grow(r->items, (r->items_n + 1) * sizeof *r->items);
        r->items[r->items_n++] =
                (struct verify_item){table, kind, memory_string(key), memory_string(columns)};
        r->items_bytes += bytes;
}

void verify_report_forget(struct verify_report *r, unsigned table, const char *key)
{
        unsigned n = 0;

        for (unsigned i = 0; i < r->items_n; i++) {
                struct verify_item *x = &r->items[i];

                if (x->table != table || x->kind > VERIFY_UNDECIDED ||
                        (key && strcmp(key, x->key) != 0)) {
                        r->items[n++] = *x;
                        continue;
                }
                r->items_bytes -= strlen(x->key) + strlen(x->columns);
                free(x->key);
                free(x->columns);
        }
        r->items_n = n;
}

static double coverage_of(const struct verify_report *r, const struct verify_sums *s)
{
        double percent;
        uint64_t rows = 0;

        if (r->lines_n == 0)
                return 0;
        if (s->total < 0)
                return -1;
        for (unsigned i = 0; i < r->lines_n; i++)
                rows += r->lines[i].stale ? 0 : r->lines[i].rows;
        percent = s->total ? 100.0 * (double)rows / (double)s->total : 100;
        /* Estimates may be too small; it is whole when it is done. */
        if (r->state != VERIFY_DONE && percent > 99.9)
                return 99.9;
        return percent > 100 ? 100 : percent;
}

static void sum(const struct verify_report *r, int64_t now, struct verify_sums *s)
{
        uint64_t seen = 0;
        double elapsed = (double)(now - r->resumed) / SECOND;

        *s = (struct verify_sums){.state = r->state,
                .finished = r->finished,
                .eta = -1,
                .continuous = r->continuous,
                .changed = r->changed};
        for (unsigned i = 0; i < r->lines_n; i++) {
                const struct verify_line *l = &r->lines[i];

                s->rows += l->rows;
                s->differences += l->differences;
                s->undecided += l->undecided;
                s->stale += l->stale;
                seen += l->seen;
                if (s->total >= 0)
                        s->total = l->total < 0 ? -1 : s->total + l->total;
        }
        if (r->lines_n == 0)
                s->total = -1;
        s->coverage = coverage_of(r, s);
        if (r->state == VERIFY_RUNNING && s->total >= 0 && seen > r->seen_before && elapsed > 0)
                s->eta = seen < (uint64_t)s->total ? elapsed * (double)((uint64_t)s->total - seen) /
                                                             (double)(seen - r->seen_before)
                                                   : 0;
}

void verify_report_sums(struct verify_report *r, int64_t now, struct verify_sums *s)
{
        pthread_mutex_lock(&r->lock);
        sum(r, now, s);
        pthread_mutex_unlock(&r->lock);
}

static void add_name(cJSON *o, const struct verify_line *l)
{
        AUTO_STRING name = memory_printf("%s.%s", l->schema, l->name);

        json_text(o, "table", name);
}

static void add_tables(cJSON *o, const struct verify_report *r)
{
        cJSON *tables = cJSON_AddArrayToObject(o, "tables");

        for (unsigned i = 0; i < r->lines_n; i++) {
                const struct verify_line *l = &r->lines[i];
                cJSON *t = cJSON_CreateObject();

                add_name(t, l);
                json_text(t, "state", l->state);
                json_count(t, "rows_compared", l->rows);
                json_known(t, "rows_total", l->total);
                json_count(t, "differences", l->differences);
                json_count(t, "undecided", l->undecided);
                json_count(t, "changed", l->changed);
                json_bool(t, "stale", l->stale);
                cJSON_AddItemToArray(tables, t);
        }
}

static void add_row(cJSON *o, const struct verify_item *x, cJSON *key, cJSON *columns)
{
        cJSON_AddItemToObject(o, "key", key ? key : cJSON_CreateNull());
        if (x->kind != VERIFY_UNDECIDED)
                cJSON_AddItemToObject(o, "columns", columns ? columns : cJSON_CreateArray());
        else
                cJSON_Delete(columns);
}

static void add_note(cJSON *o, cJSON *key, cJSON *columns)
{
        json_text(o, "name", cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(key, "name")));
        json_text(
                o, "detail", cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(key, "detail")));
        cJSON_Delete(key);
        cJSON_Delete(columns);
}

static void add_items(cJSON *o, const struct verify_report *r)
{
        cJSON *items = cJSON_AddArrayToObject(o, "items");
        cJSON *undecided = cJSON_AddArrayToObject(o, "undecided_items");
        cJSON *notes = cJSON_AddArrayToObject(o, "notes");

        for (unsigned i = 0; i < r->items_n; i++) {
                const struct verify_item *x = &r->items[i];
                cJSON *t = cJSON_CreateObject();
                cJSON *key = cJSON_Parse(x->key), *columns = cJSON_Parse(x->columns);

                if (x->table == VERIFY_NO_LINE)
                        json_text(t, "table", NULL);
                else
                        add_name(t, &r->lines[x->table]);
                if (x->kind != VERIFY_UNDECIDED)
                        json_text(t, "kind", kinds[x->kind]);
                if (x->kind > VERIFY_UNDECIDED)
                        add_note(t, key, columns);
                else
                        add_row(t, x, key, columns);
                cJSON_AddItemToArray(x->kind > VERIFY_UNDECIDED    ? notes
                                     : x->kind == VERIFY_UNDECIDED ? undecided
                                                                   : items,
                        t);
        }
        json_bool(o, "items_truncated", r->truncated);
}

cJSON *verify_report_json(struct verify_report *r, int64_t now)
{
        cJSON *o = json_object();
        struct verify_sums s;

        pthread_mutex_lock(&r->lock);
        sum(r, now, &s);
        json_text(o, "state", states[r->state]);
        json_count(o, "sample", r->sample);
        json_position(o, "position", r->at);
        json_time(o, "started_at", r->started);
        json_time(o, "finished_at", r->finished);
        json_count(o, "rows_compared", s.rows);
        json_known(o, "rows_total", s.total);
        json_seconds(o, "coverage", s.coverage);
        json_seconds(o, "eta_seconds", s.eta);
        json_count(o, "differences", s.differences);
        json_count(o, "undecided", s.undecided);
        json_bool(o, "continuous", r->continuous);
        json_known(o, "changed", r->continuous ? (int64_t)r->changed : -1);
        json_position(o, "verified_position", r->verified);
        json_text(o, "error", *r->message ? r->message : NULL);
        add_tables(o, r);
        add_items(o, r);
        pthread_mutex_unlock(&r->lock);
        return o;
}
