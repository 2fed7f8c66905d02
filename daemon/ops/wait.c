/*
 * Every event (a change of the pipeline, a second gone, the mark) queues one task, and the task
 * alone decides. So a wait never ends inside a callback of the migration.
 *
 * `--lag 0` needs a mark: the source's end position when the command started. While the pipeline is
 * still copying there is nobody to ask for one, and a later mark covers more, so it is asked for
 * once the stream runs.
 */
#include "ops/wait.h"
#include "base/loop.h"
#include "base/memory.h"
#include "ops/json.h"
#include "ops/migration.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct wait {
        struct loop *loop;
        struct migration *migration;
        struct control_call *call;
        struct wait *next, **back;

        int state;                      /* -1: any */
        double lag;                     /* seconds; negative: any */
        double timeout;                 /* seconds; negative: none */
        bool settle;                    /* instead: until nothing is being committed any more */
        bool drain;                     /* instead: until all that is queued is on the target; */
        void (*drained)(void *context); /* then */
        void *context;

        struct migration_listener listener;
        struct task task;
        struct timer tick, deadline;
        bool timed_out;

        struct migration_mark *asked; /* on its way */
        bool asking;
        struct position mark; /* none: not known */
        int64_t ask_again;    /* not before, after a failure */
};

static struct wait *wait_free(struct wait *w)
{
        struct error ignored = ERROR_INIT;

        if (!w)
                return NULL;
        if (w->asked)
                migration_mark_cancel(w->asked);
        if (w->drain)
                migration_drain(w->migration, false, &ignored);
        migration_unlisten(w->migration, &w->listener);
        task_cancel(w->loop, &w->task);
        timer_cancel(&w->tick);
        timer_cancel(&w->deadline);
        *w->back = w->next;
        if (w->next)
                w->next->back = w->back;
        free(w);
        return NULL;
}

static void on_marked(void *context, struct position p, const struct error *e)
{
        struct wait *w = context;

        w->asking = false;
        w->asked = NULL;
        if (e || position_is_none(p))
                w->ask_again = loop_now(w->loop) + SECOND;
        else
                w->mark = p;
        loop_defer(w->loop, &w->task);
}

static void ask_for_mark(struct wait *w)
{
        struct migration_mark *asked;

        if (w->asking || !position_is_none(w->mark) || loop_now(w->loop) < w->ask_again)
                return;
        w->asking = true;
        asked = migration_mark(w->migration, on_marked, w);
        if (w->asking) /* else it was answered already */
                w->asked = asked;
}

static bool lag_holds(struct wait *w, const struct status *s)
{
        if (s->phase == STATE_STARTING || s->phase == STATE_COPYING)
                return false;
        if (w->lag > 0) /* the age is known while both ends answer only */
                return s->source.connected && s->target.connected && s->lag.seconds >= 0 &&
                       s->lag.seconds <= w->lag;
        ask_for_mark(w);
        return !position_is_none(w->mark) && position_compare(s->applied.position, w->mark) >= 0;
}

/* A stream that began again meanwhile, as for new tables, is drained from then on. */
static bool drain_holds(struct wait *w)
{
        struct error ignored = ERROR_INIT;

        if (!migration_is_draining(w->migration))
                migration_drain(w->migration, true, &ignored);
        return migration_is_drained(w->migration);
}

static bool all_hold(struct wait *w, const struct status *s)
{
        bool lag = w->lag < 0 || lag_holds(w, s);

        if (w->settle)
                return !s->settling;
        if (w->drain)
                return drain_holds(w);
        return lag && (w->state < 0 || (int)s->state == w->state);
}

static cJSON *answer_of(const struct wait *w, const struct status *s)
{
        cJSON *o = json_object();

        json_text(o, "pipeline", s->pipeline);
        json_text(o, "state", state_name(s->state));
        json_text(o, "phase", state_name(s->phase));
        json_position(o, "position", s->applied.position);
        json_seconds(o, "lag_seconds", s->lag.seconds);
        json_position(o, "waited_for", w->mark);
        return o;
}

static void time_out(struct wait *w, const struct status *s)
{
        if (s->lag.seconds >= 0)
                control_call_refuse(w->call, CONTROL_TIMEOUT,
                        "not reached within %g s: the pipeline is %s, lag %.1f s", w->timeout,
                        state_name(s->state), s->lag.seconds);
        else
                control_call_refuse(w->call, CONTROL_TIMEOUT,
                        "not reached within %g s: the pipeline is %s, lag unknown", w->timeout,
                        state_name(s->state));
        wait_free(w);
}

/* What was drained stays so. */
static void succeed(struct wait *w)
{
        void (*drained)(void *context) = w->drained;
        void *context_of_it = w->context;

        w->drain = false;
        wait_free(w);
        if (drained)
                drained(context_of_it);
}

static void evaluate(void *context)
{
        struct wait *w = context;
        struct status s = {0};

        migration_status(w->migration, &s);
        if (s.state == STATE_STOPPED && w->state != STATE_STOPPED) {
                control_call_refuse(w->call, CONTROL_FAILED, "the pipeline is stopped-on-error: %s",
                        s.error ? s.error->message : "the reason is not known");
                wait_free(w);
        } else if (all_hold(w, &s)) {
                control_call_answer(w->call, CONTROL_DONE, answer_of(w, &s));
                succeed(w);
        } else if (w->timed_out) {
                time_out(w, &s);
        } else if (!timer_pending(&w->tick)) {
                timer_set(&w->tick, SECOND);
        }
}

static void on_change(void *context)
{
        struct wait *w = context;

        w->ask_again = 0;
        loop_defer(w->loop, &w->task);
}

static void on_tick(void *context)
{
        struct wait *w = context;

        loop_defer(w->loop, &w->task);
}

static void on_deadline(void *context)
{
        struct wait *w = context;

        w->timed_out = true;
        loop_defer(w->loop, &w->task);
}

static void on_gone(void *context)
{
        wait_free(context);
}

/* Absent: stays as it is. */
static int seconds_argument(
        const struct control_call *call, const char *name, double *seconds, struct error *e)
{
        const char *text = control_call_argument(call, name);
        char *end;
        double v;

        if (!text)
                return 0;
        v = strtod(text, &end);
        if (end == text || *end != '\0' || !isfinite(v) || v < 0 || v > 1e9)
                return error_set(e, ERROR_CONFIG, "--%s takes seconds, not '%.64s'", name, text);
        *seconds = v;
        return 0;
}

static int parse(struct wait *w, struct error *e)
{
        const char *state = control_call_argument(w->call, "state");

        if (state && (w->state = state_of(state)) < 0)
                return error_set(e, ERROR_CONFIG, "there is no state '%.64s'", state);
        if (seconds_argument(w->call, "lag", &w->lag, e) < 0 ||
                seconds_argument(w->call, "timeout", &w->timeout, e) < 0)
                return -1;
        if (w->state < 0 && w->lag < 0)
                return error_set(e, ERROR_CONFIG, "wait needs --state or --lag");
        return 0;
}

static struct wait *wait_new(struct loop *l, struct migration *m, struct control_call *call)
{
        struct wait *w = memory_new_of(struct wait);

        *w = (struct wait){.loop = l,
                .migration = m,
                .call = call,
                .state = -1,
                .lag = -1,
                .timeout = -1,
                .listener = {.changed = on_change, .context = w}};
        return w;
}

static void begin(struct wait *w, struct wait **list)
{
        w->next = *list;
        w->back = list;
        if (w->next)
                w->next->back = &w->next;
        *list = w;
        task_init(&w->task, evaluate, w);
        timer_init(&w->tick, w->loop, on_tick, w);
        timer_init(&w->deadline, w->loop, on_deadline, w);
        if (w->timeout >= 0)
                timer_set(&w->deadline, (int64_t)(w->timeout * 1e6));
        migration_listen(w->migration, &w->listener);
        control_call_on_gone(w->call, on_gone, w);
        loop_defer(w->loop, &w->task);
}

void wait_start(struct loop *l, struct migration *m, struct control_call *call, struct wait **list)
{
        struct wait *w = wait_new(l, m, call);
        struct error e = ERROR_INIT;

        if (parse(w, &e) < 0) {
                control_call_refuse(call, CONTROL_USAGE, "%s", e.message);
                free(w);
                return;
        }
        begin(w, list);
}

void wait_settled(
        struct loop *l, struct migration *m, struct control_call *call, struct wait **list)
{
        struct wait *w = wait_new(l, m, call);

        w->settle = true;
        begin(w, list);
}

void wait_drained(struct loop *l, struct migration *m, struct control_call *call,
        struct wait **list, void (*done)(void *context), void *context)
{
        struct wait *w = wait_new(l, m, call);
        struct error e = ERROR_INIT;

        if (seconds_argument(call, "timeout", &w->timeout, &e) < 0) {
                control_call_refuse(call, CONTROL_USAGE, "%s", e.message);
        } else if (migration_is_draining(m)) {
                control_call_refuse(call, CONTROL_REFUSED, "it is being drained already");
        } else if (migration_drain(m, true, &e) < 0) {
                control_call_refuse(call, CONTROL_REFUSED, "%s", e.message);
        } else {
                w->drain = true;
                w->drained = done;
                w->context = context;
                begin(w, list);
                return;
        }
        free(w);
}

void wait_cancel(struct wait *w)
{
        control_call_refuse(w->call, CONTROL_NO_DAEMON, "the daemon ends");
        wait_free(w);
}
