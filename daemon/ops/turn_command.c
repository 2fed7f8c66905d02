#include "ops/turn_command.h"
#include "base/loop.h"
#include "ops/json.h"
#include "ops/migration.h"
#include "ops/turn.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MAX 86400.0

static void on_changed(void *context)
{
        struct turn_command *c = context;
        if (c->call)
                control_call_progress(c->call, migration_turn_body(c->migration));
}

static enum control_code code_of(enum turn_end end)
{
        switch (end) {
        case TURN_DONE:
                return CONTROL_DONE;
        case TURN_REFUSED:
                return CONTROL_REFUSED;
        case TURN_LATE:
                return CONTROL_TIMEOUT;
        default:
                return CONTROL_FAILED;
        }
}

static void on_ended(void *context, enum turn_end end)
{
        struct turn_command *c = context;
        struct control_call *call = c->call;

        c->call = NULL;
        if (call)
                control_call_answer(call, code_of(end), migration_turn_body(c->migration));
}

static void on_gone(void *context)
{
        struct turn_command *c = context;

        c->call = NULL;
}

static const struct turn_events events = {on_changed, on_ended};

/* The one that was told before is told no more. */
static void take_call(struct turn_command *c, struct migration *m, struct control_call *call)
{
        if (c->call)
                control_call_refuse(
                        c->call, CONTROL_FAILED, "another client is attached to it from now on");
        c->migration = m;
        c->call = call;
        control_call_on_gone(call, on_gone, c);
}

static void attach(struct turn_command *c, struct migration *m, struct control_call *call)
{
        if (!migration_is_turning(m)) {
                control_call_refuse(call, CONTROL_REFUSED, "no cutover or rollback is under way");
                return;
        }
        take_call(c, m, call);
        migration_turn_attach(m, &events, c);
        on_changed(c);
}

static int timeout_of(struct control_call *call, int64_t *timeout)
{
        const char *text = control_call_argument(call, "timeout");
        double seconds;
        char *end;

        *timeout = TURN_TIMEOUT_DEFAULT;
        if (!text)
                return 0;
        errno = 0;
        seconds = strtod(text, &end);
        if (errno || end == text || *end || !isfinite(seconds) || seconds <= 0 ||
                seconds > TIMEOUT_MAX) {
                control_call_refuse(call, CONTROL_USAGE,
                        "--timeout takes seconds, above 0 and at most %.0f", TIMEOUT_MAX);
                return -1;
        }
        *timeout = (int64_t)(seconds * (double)SECOND);
        return 0;
}

void turn_command_start(
        struct turn_command *c, struct migration *m, struct control_call *call, bool back)
{
        struct turn_request q = {.back = back,
                .rehearse = control_call_argument(call, "rehearse") != NULL,
                .force = control_call_argument(call, "force") != NULL,
                .stopped = control_call_argument(call, "stopped") != NULL,
                .override = control_call_argument(call, "override")};
        struct error e = ERROR_INIT;

        if (control_call_argument(call, "attach")) {
                attach(c, m, call);
                return;
        }
        if (timeout_of(call, &q.timeout) < 0)
                return;
        if (migration_turn(m, &q, &events, c, &e) < 0) {
                control_call_refuse(call, CONTROL_REFUSED, "%s", e.message);
                return;
        }
        take_call(c, m, call);
}

void turn_command_abort(struct migration *m, struct control_call *call)
{
        cJSON *o;

        if (!migration_is_turning(m)) {
                control_call_refuse(call, CONTROL_REFUSED, "no cutover or rollback is under way");
                return;
        }
        migration_turn_abort(m, "interrupted by the operator");
        o = json_object();
        json_text(o, "result", "undoing");
        control_call_answer(call, CONTROL_DONE, o);
}

void turn_command_cancel(struct turn_command *c)
{
        if (c->call)
                control_call_refuse(c->call, CONTROL_NO_DAEMON, "the daemon ends");
        c->call = NULL;
}
