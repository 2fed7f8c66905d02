#include "ops/quarantine_command.h"
#include "model/pattern.h"
#include "ops/json.h"
#include "ops/migration.h"

#include <inttypes.h>

static cJSON *body_of(const struct quarantine_command *c, struct quarantine_result *r)
{
        cJSON *o = r->body;

        r->body = NULL;
        if (o)
                return o;
        o = json_object();
        json_count(o, c->action == QUARANTINE_RETRY ? "applied" : "discarded", r->done);
        json_known(o, "changes", r->changes);
        return o;
}

static void refuse_again(
        struct control_call *call, const struct quarantine_result *r, const char *why)
{
        control_call_refuse(call, CONTROL_FAILED,
                "%" PRIu64 " changes applied, %" PRIu64 " refused again, %" PRIu64
                " wait behind earlier ones of their rows%s%s",
                r->done, r->refused, r->left, *why ? "; " : "", why);
}

static void on_done(void *context, struct quarantine_result *r)
{
        struct quarantine_command *c = context;
        struct control_call *call = c->call;

        c->call = NULL;
        if (!call)
                return;
        if (r->failed)
                control_call_refuse(call, CONTROL_FAILED, "%s%s", r->error.message,
                        r->done ? " (what came before it is done)" : "");
        else if (r->missing)
                control_call_refuse(call, CONTROL_REFUSED,
                        "change %" PRIu64 " is not there; nothing was done", r->missing);
        else if (r->refused || r->left)
                refuse_again(call, r, r->refused ? r->error.message : "");
        else
                control_call_answer(call, CONTROL_DONE, body_of(c, r));
}

static void on_gone(void *context)
{
        struct quarantine_command *c = context;

        c->call = NULL;
}

static int parse(struct control_call *call, struct quarantine_request *q, struct error *e)
{
        const char *table = control_call_argument(call, "table");
        const char *ids = control_call_argument(call, "ids");

        if (table && pattern_name(table, &q->schema, &q->table, e) < 0)
                return error_context(e, "--table");
        if (table && !q->schema)
                return error_set(e, ERROR_CONFIG, "--table takes schema.table");
        return ids ? quarantine_ids(ids, q, e) : 0;
}

void quarantine_command_start(struct quarantine_command *c, struct migration *m,
        struct control_call *call, enum quarantine_action action)
{
        struct quarantine_request q = {.action = action};
        struct error e = ERROR_INIT;

        if (parse(call, &q, &e) < 0) {
                control_call_refuse(call, CONTROL_USAGE, "%s", e.message);
        } else if (migration_quarantine(m, &q, on_done, c, &e) < 0) {
                control_call_refuse(call, CONTROL_REFUSED, "%s", e.message);
        } else {
                c->call = call;
                c->action = action;
                control_call_on_gone(call, on_gone, c);
        }
        quarantine_request_done(&q);
}

void quarantine_command_cancel(struct quarantine_command *c)
{
        if (c->call)
                control_call_refuse(c->call, CONTROL_NO_DAEMON, "the daemon ends");
        c->call = NULL;
}
