#include "ops/complete_command.h"
#include "ops/json.h"
#include "ops/migration.h"

static void on_gone(void *context)
{
        struct complete_command *c = context;

        c->call = NULL;
}

static void answer(struct complete_command *c, cJSON *o)
{
        if (c->call)
                control_call_answer(c->call, CONTROL_DONE, o);
        else
                cJSON_Delete(o);
        c->call = NULL;
}

static void fail(struct complete_command *c, const struct error *failed)
{
        if (c->call)
                control_call_refuse(c->call, CONTROL_FAILED, "%s", failed->message);
        c->call = NULL;
}

static void on_listed(void *context, const char *lines, const struct error *failed)
{
        struct complete_command *c = context;
        cJSON *o;

        if (failed) {
                fail(c, failed);
                return;
        }
        o = json_object();
        json_text(o, "text", lines);
        answer(c, o);
}

static void on_completed(void *context, const char *lines, const struct error *failed)
{
        struct complete_command *c = context;
        cJSON *o;

        (void)lines;
        if (failed) {
                fail(c, failed);
                return;
        }
        o = json_object();
        json_text(o, "text", "the migration is complete\n");
        answer(c, o);
        c->stop(c->context);
}

void complete_command_start(
        struct complete_command *c, struct migration *m, struct control_call *call)
{
        struct migration_complete_request q = {.list = control_call_argument(call, "list") != NULL,
                .purge = control_call_argument(call, "purge") != NULL};
        struct error e = ERROR_INIT;

        if (migration_complete(m, &q, q.list ? on_listed : on_completed, c, &e) < 0) {
                control_call_refuse(call, CONTROL_REFUSED, "%s", e.message);
                return;
        }
        c->call = call;
        control_call_on_gone(call, on_gone, c);
}

void complete_command_cancel(struct complete_command *c)
{
        if (c->call)
                control_call_refuse(c->call, CONTROL_NO_DAEMON, "the daemon ends");
        c->call = NULL;
}
