#include "ops/verify_command.h"
#include "base/memory.h"
#include "model/pattern.h"
#include "ops/json.h"
#include "ops/migration.h"
#include "ops/verify_report.h"

#include <stdlib.h>

static int parse_sample(const char *text, unsigned *sample, struct error *e)
{
        char *end;
        long n = strtol(text, &end, 10);

        if (*text < '0' || *text > '9' || *end || n < 1 || n > 100)
                return error_set(e, ERROR_CONFIG,
                        "--sample takes a percentage from 1 to 100, not '%.40s'", text);
        *sample = (unsigned)n;
        return 0;
}

void verify_command_start(struct migration *m, struct control_call *call)
{
        const char *table = control_call_argument(call, "table");
        const char *percent = control_call_argument(call, "sample");
        AUTO_STRING schema = NULL;
        AUTO_STRING name = NULL;
        struct error e = ERROR_INIT;
        bool continuous = control_call_argument(call, "continuous") != NULL;
        unsigned sample = 0;

        if (table && pattern_name(table, &schema, &name, &e) < 0)
                control_call_refuse(call, CONTROL_USAGE, "--table: %s", e.message);
        else if (table && !schema)
                control_call_refuse(call, CONTROL_USAGE, "--table takes schema.table");
        else if (percent && parse_sample(percent, &sample, &e) < 0)
                control_call_refuse(call, CONTROL_USAGE, "%s", e.message);
        else if (percent && continuous)
                control_call_refuse(
                        call, CONTROL_USAGE, "--continuous compares all: not with --sample");
        else if (migration_verify_start(m, schema, name, sample, continuous, &e) < 0)
                control_call_refuse(call, CONTROL_REFUSED, "%s", e.message);
        else
                control_call_answer(call, CONTROL_DONE, migration_verify_status(m));
}

static void on_stopped(void *context)
{
        struct verify_command *c = context;
        struct control_call *call = c->call;

        c->call = NULL;
        if (call)
                control_call_answer(call, CONTROL_DONE, migration_verify_status(c->migration));
}

static void on_gone(void *context)
{
        struct verify_command *c = context;

        c->call = NULL;
}

static void on_values(void *context, cJSON *status, const struct error *why)
{
        struct verify_command *c = context;
        struct control_call *call = c->call;

        c->call = NULL;
        if (!call)
                cJSON_Delete(status);
        else if (why)
                control_call_refuse(call, CONTROL_FAILED, "%s", why->message);
        else
                control_call_answer(call, CONTROL_DONE, status);
}

void verify_command_status(struct verify_command *c, struct migration *m, struct control_call *call)
{
        struct error e = ERROR_INIT;

        if (!control_call_argument(call, "show-values")) {
                control_call_answer(call, CONTROL_DONE, migration_verify_status(m));
                return;
        }
        if (migration_verify_values(m, on_values, c, &e) < 0) {
                control_call_refuse(call, CONTROL_REFUSED, "%s", e.message);
                return;
        }
        c->migration = m;
        c->call = call;
        control_call_on_gone(call, on_gone, c);
}

void verify_command_stop(struct verify_command *c, struct migration *m, struct control_call *call)
{
        struct error e = ERROR_INIT;

        c->migration = m;
        if (migration_verify_stop(m, on_stopped, c, &e) < 0) {
                control_call_refuse(call, CONTROL_REFUSED, "%s", e.message);
                return;
        }
        c->call = call;
        control_call_on_gone(call, on_gone, c);
}

static void on_rested(void *context, const struct error *why)
{
        struct verify_command *c = context;
        struct control_call *call = c->call;
        struct verify_sums s;

        c->call = NULL;
        if (!call)
                return;
        migration_verify_sums(c->migration, &s);
        if (why)
                control_call_refuse(call, CONTROL_FAILED, "%s", why->message);
        else
                control_call_answer(call,
                        s.differences + s.undecided ? CONTROL_FAILED : CONTROL_DONE,
                        migration_verify_status(c->migration));
}

void verify_command_rest(struct verify_command *c, struct migration *m, struct control_call *call)
{
        struct error e = ERROR_INIT;

        c->migration = m;
        if (migration_verify_rest(m, on_rested, c, &e) < 0) {
                control_call_refuse(call, CONTROL_REFUSED, "%s", e.message);
                return;
        }
        c->call = call;
        control_call_on_gone(call, on_gone, c);
}

void verify_command_cancel(struct verify_command *c)
{
        if (c->call)
                control_call_refuse(c->call, CONTROL_NO_DAEMON, "the daemon ends");
        c->call = NULL;
}
