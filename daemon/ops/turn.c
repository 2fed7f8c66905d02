#include "ops/turn.h"
#include "base/log.h"
#include "base/memory.h"
#include "model/config_reverse.h"
#include "ops/counters.h"
#include "ops/turn_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- small pieces ---- */

void turn_changed(struct turn *t)
{
        migration_changed(t->migration);
        if (t->events.changed)
                t->events.changed(t->context);
}

void turn_begin_step(struct turn *t, const char *name, bool pauses)
{
        struct turn_step *s;

        turn_end_step(t);
        s = &t->steps[t->steps_n < STEPS_MAX ? t->steps_n++ : STEPS_MAX - 1];
        *s = (struct turn_step){
                .name = name, .began = loop_now(t->loop), .took = -1, .pauses = pauses};
        turn_changed(t);
}

void turn_end_step(struct turn *t)
{
        struct turn_step *s = t->steps_n ? &t->steps[t->steps_n - 1] : NULL;

        if (s && s->took < 0)
                s->took = loop_now(t->loop) - s->began;
}

static void on_job(void *context, const struct error *e)
{
        struct turn *t = context;
        void (*then)(struct turn * t, const struct error *e) = t->job_then;
        struct error copy = e ? *e : (struct error)ERROR_INIT;

        t->job = job_free(t->job);
        then(t, e ? &copy : NULL);
}

void turn_job(struct turn *t, job_work *work, void (*then)(struct turn *t, const struct error *e))
{
        t->job_then = then;
        t->job = job_new(t->loop, work, on_job, t);
}

void turn_set_why(struct turn *t, const char *why)
{
        if (why != t->why)
                snprintf(t->why, sizeof t->why, "%s", why);
}

void turn_quiet(struct turn *t)
{
        t->resting = t->holding = false;
        t->stage = NULL;
        timer_cancel(&t->again);
        timer_cancel(&t->deadline);
        task_cancel(t->loop, &t->look);
        if (t->mark)
                migration_mark_cancel(t->mark);
        t->mark = NULL;
        if (t->tapped && t->migration->pipeline) {
                t->tapped = false;
                migration_tap(t->migration);
        }
}

void turn_end(struct turn *t, enum turn_end how, const char *why)
{
        struct migration *m = t->migration;
        void (*ended)(void *context, enum turn_end end) = t->events.ended;

        turn_quiet(t);
        turn_end_step(t);
        t->over = true;
        t->walking = false;
        t->end = how;
        t->ended = loop_wall(t->loop);
        turn_set_why(t, why);
        log_event(how == TURN_DONE ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, LOG_STATE, NULL,
                "%s%s%s%s", t->back ? "rollback" : "cutover", t->rehearse ? " rehearsal" : "",
                how == TURN_DONE ? ": done" : ": ", how == TURN_DONE ? "" : t->why);
        migration_refresh(m);
        if (ended)
                ended(t->context, how);
        if (m->shutdown_done)
                migration_shutdown_step(m);
}

void turn_drop_proof(struct turn *t, struct halt *h)
{
        struct error e = ERROR_INIT;

        if (t->proof.begun && turn_drop_slot(t->to, h, &e) < 0)
                log_failure(LOG_LEVEL_WARNING, LOG_PLAIN, &e,
                        "the slot of the other direction stays until the next start");
}

static int work_leave(void *context, struct halt *h, struct error *e)
{
        (void)e;
        turn_drop_proof(context, h);
        return 0;
}

static void on_left(struct turn *t, const struct error *failed)
{
        (void)failed;
        turn_end(t, t->end, t->why);
}

void turn_leave(struct turn *t, enum turn_end how, const char *why)
{
        t->end = how;
        turn_set_why(t, why);
        turn_quiet(t);
        if (t->proof.begun)
                turn_job(t, work_leave, on_left);
        else
                turn_end(t, how, t->why);
}

/* ---- what rehearsal and walk have both ---- */

static void on_drain_mark(void *context, struct position at, const struct error *e)
{
        struct turn *t = context;

        t->mark = NULL;
        if (e)
                t->marked = false;
        else
                t->drained = at;
        turn_look(t);
}

bool turn_reaches_mark(struct turn *t)
{
        struct pipeline_status s;

        if (!t->marked) {
                t->marked = true;
                t->mark = migration_mark(t->migration, on_drain_mark, t);
        }
        pipeline_status(t->migration->pipeline, &s);
        return !position_is_none(t->drained) && position_compare(s.applied, t->drained) >= 0;
}

int turn_work_counters(void *context, struct halt *h, struct error *e)
{
        struct turn *t = context;

        return counters_pass(t->from, h, t->tables, t->tables_n, NULL, e);
}

/* ---- ahead of the walk ---- */

/* Setting a counter may take an ALTER of its table: most of it is done while writes go on, and only
 * what has moved since is left behind the fence. */
static void on_counted_ahead(struct turn *t, const struct error *failed)
{
        if (t->aborted)
                turn_leave(t, TURN_FAILED, t->abort_why);
        else if (failed)
                turn_leave(t, TURN_FAILED, failed->message);
        else
                turn_walk(t);
}

static void count_ahead(struct turn *t)
{
        turn_begin_step(t, "counters ahead", false);
        turn_job(t, turn_work_counters, on_counted_ahead);
}

/* ---- rehearsal ---- */

static void on_rehearsed(struct turn *t, const struct error *failed)
{
        if (failed)
                turn_leave(t, TURN_FAILED, failed->message);
        else
                turn_leave(t, TURN_DONE, "");
}

static void stage_rehearse(struct turn *t)
{
        if (t->aborted) {
                turn_leave(t, TURN_FAILED, t->abort_why);
                return;
        }
        if (!turn_reaches_mark(t))
                return;
        t->stage = NULL;
        turn_begin_step(t, "counters", true);
        turn_job(t, turn_work_counters, on_rehearsed);
}

static void rehearse(struct turn *t)
{
        turn_begin_step(t, "drain", true);
        t->stage = stage_rehearse;
        turn_look(t);
}

/* ---- gates ---- */

static void refuse(struct turn *t)
{
        AUTO_BUF text = BUF_INIT;

        for (unsigned i = 0; i < t->gates_n; i++)
                if (t->gates[i].verdict == GATE_NO_GO)
                        buf_printf(&text, "%s%s (%s)",
                                text.len ? "; " : "no go: ", t->gates[i].name, t->gates[i].figure);
        turn_leave(t, TURN_REFUSED, buf_text(&text));
}

static void on_proved(struct turn *t)
{
        if (t->aborted)
                turn_leave(t, TURN_FAILED, t->abort_why);
        else if (!turn_gates_pass(t))
                refuse(t);
        else if (t->rehearse)
                rehearse(t);
        else
                count_ahead(t);
}

static void on_gates(struct turn *t)
{
        if (t->aborted)
                turn_leave(t, TURN_FAILED, t->abort_why);
        else if (t->gates[0].verdict == GATE_NO_GO) /* without a stream nothing can be proved */
                refuse(t);
        else
                turn_prove(t, on_proved);
}

static void begin(struct turn *t)
{
        t->stage = NULL;
        turn_begin_step(t, "gates", false);
        turn_gates_at_once(t);
        turn_gates_asked(t, on_gates);
}

/* ---- public ---- */

static void on_look(void *context)
{
        struct turn *t = context;

        if (t->stage)
                t->stage(t);
}

void turn_look(struct turn *t)
{
        if (t->stage)
                loop_defer(t->loop, &t->look);
}

static void on_again(void *context)
{
        turn_again(context);
}

static void on_deadline(void *context)
{
        struct turn *t = context;

        t->late = true;
        if (t->passing || t->passed || t->undoing)
                return;
        turn_interrupt(t);
}

static int check(struct migration *m, const struct turn_request *q, struct error *e)
{
        char unknown[64];

        if (m->turn && !turn_is_over(m->turn))
                return error_set(e, ERROR_CONFIG, "a %s is under way: cutover --attach shows it",
                        m->turn->back ? "rollback" : "cutover");
        if (q->back && !migration_is_reversed(m))
                return error_set(
                        e, ERROR_CONFIG, "the source leads: there is nothing to roll back");
        if (!q->back && migration_is_reversed(m))
                return error_set(e, ERROR_CONFIG,
                        "the target leads already; rollback goes back to the source");
        if (m->shutdown_done)
                return error_set(e, ERROR_CONFIG, "the daemon ends");
        if (m->quarantine.job || migration_is_repairing(m) || m->yielding)
                return error_set(e, ERROR_CONFIG,
                        "another command lets the stream stand: try again when it is done");
        if (!turn_override_is_known(q->override, unknown, sizeof unknown))
                return error_set(e, ERROR_CONFIG, "there is no gate '%s' to override", unknown);
        return 0;
}

/* The names are the route's, which lives until the stream has turned. */
static void take_tables(struct turn *t)
{
        const struct prepare_progress *p = &t->migration->progress;

        t->tables = memory_new((p->tables_n + 1) * sizeof *t->tables);
        t->tables_n = p->tables_n;
        for (unsigned i = 0; i < p->tables_n; i++)
                t->tables[i] = (struct fence_table){
                        p->tables[i].route->source_schema, p->tables[i].route->source_name};
}

/* The way back is of the tables that are migrated, whatever else is on the target. */
static void limit_tables(struct turn *t)
{
        const struct prepare_progress *p = &t->migration->progress;
        const char **names = memory_new((p->tables_n + 1) * 2 * sizeof *names);

        for (unsigned i = 0; i < p->tables_n; i++) {
                names[2 * i] = p->tables[i].route->schema;
                names[2 * i + 1] = p->tables[i].route->name;
        }
        config_reverse_only(t->migration->reverse, names, p->tables_n);
        free(names);
}

struct turn *turn_new(struct migration *m, const struct turn_request *q,
        const struct turn_events *events, void *context, struct error *e)
{
        const struct config *to;
        struct turn *t;

        if (check(m, q, e) < 0 || !(to = migration_opposite(m, e)))
                return NULL;
        m->turn = turn_free(m->turn);
        t = memory_new_of(struct turn);
        *t = (struct turn){.migration = m,
                .loop = m->loop,
                .from = m->config,
                .to = to,
                .back = q->back,
                .rehearse = q->rehearse,
                .force = q->force,
                .stopped = q->stopped,
                .timeout = q->timeout,
                .override = memory_string(q->override ? q->override : ""),
                .began = loop_wall(m->loop),
                .stage = begin};
        if (events)
                turn_attach(t, events, context);
        task_init(&t->look, on_look, t);
        timer_init(&t->deadline, t->loop, on_deadline, t);
        timer_init(&t->again, t->loop, on_again, t);
        take_tables(t);
        if (!q->back)
                limit_tables(t);
        m->turn = t;
        turn_look(t);
        return t;
}

struct turn *turn_free(struct turn *t)
{
        if (!t)
                return NULL;
        turn_quiet(t);
        turn_proof_done(t);
        t->job = job_free(t->job);
        free(t->tables);
        checks_done(&t->checks);
        free(t->override);
        free(t);
        return NULL;
}

void turn_attach(struct turn *t, const struct turn_events *events, void *context)
{
        t->events = events ? *events : (struct turn_events){NULL, NULL};
        t->context = context;
}

void turn_abort(struct turn *t, const char *why)
{
        if (t->over || t->aborted)
                return;
        t->aborted = true;
        snprintf(t->abort_why, sizeof t->abort_why, "%s", why);
        if (!t->passing && !t->passed && !t->undoing)
                turn_interrupt(t);
}

void turn_stream_failed(struct turn *t, const struct error *e)
{
        if (t->over || !t->walking || t->stopping || t->undoing || t->passed)
                return;
        turn_abort(t, e->message);
}

bool turn_sees(const struct turn *t)
{
        return t->tapped;
}

void turn_see(struct turn *t, const struct txn *piece)
{
        if (t->tapped && t->fence_known && piece->changes_n &&
                position_compare(piece->commit, t->fence.at) >= 0)
                t->strays += piece->changes_n;
}

bool turn_is_over(const struct turn *t)
{
        return t->over;
}

bool turn_is_walking(const struct turn *t)
{
        return t->walking;
}

bool turn_is_back(const struct turn *t)
{
        return t->back;
}

void turn_fence_request(const struct turn *t, struct halt *h, struct fence_request *q)
{
        *q = (struct fence_request){.config = t->from,
                .halt = h,
                .tables = t->tables,
                .n = t->tables_n,
                .timeout = t->timeout};
}
