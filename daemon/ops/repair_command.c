#include "ops/repair_command.h"
#include "base/memory.h"
#include "model/pattern.h"
#include "ops/migration.h"
#include "ops/repair.h"

#include <stdlib.h>

static void on_done(void *context, struct repair *r, const struct error *e)
{
        struct repair_command *c = context;
        struct control_call *call = c->call;

        c->call = NULL;
        if (!call)
                return;
        if (e)
                control_call_refuse(
                        call, CONTROL_FAILED, "%s (what came before it is done)", e->message);
        else
                control_call_answer(
                        call, repair_is_whole(r) ? CONTROL_DONE : CONTROL_FAILED, repair_body(r));
}

static void on_gone(void *context)
{
        struct repair_command *c = context;

        c->call = NULL;
}

void repair_command_start(struct repair_command *c, struct migration *m, struct control_call *call)
{
        const char *table = control_call_argument(call, "table");
        AUTO_STRING schema = NULL;
        AUTO_STRING name = NULL;
        struct migration_repair_request q = {
                .dry_run = control_call_argument(call, "dry-run") != NULL};
        struct error e = ERROR_INIT;

        if (table && pattern_name(table, &schema, &name, &e) < 0) {
                control_call_refuse(call, CONTROL_USAGE, "--table: %s", e.message);
                return;
        }
        if (table && !schema) {
                control_call_refuse(call, CONTROL_USAGE, "--table takes schema.table");
                return;
        }
        q.schema = schema;
        q.table = name;
        if (migration_repair(m, &q, on_done, c, &e) < 0) {
                control_call_refuse(call, CONTROL_REFUSED, "%s", e.message);
                return;
        }
        c->call = call;
        control_call_on_gone(call, on_gone, c);
}

void repair_command_cancel(struct repair_command *c)
{
        if (c->call)
                control_call_refuse(c->call, CONTROL_NO_DAEMON, "the daemon ends");
        c->call = NULL;
}
