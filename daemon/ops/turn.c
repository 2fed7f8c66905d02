#include "ops/turn.h"
#include "base/log.h"
#include "base/memory.h"
#include "model/config_reverse.h"
#include "ops/checks.h"
#include "ops/counters.h"
#include "ops/turn_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STOP_GRACE (10 * SECOND)
#define CHECKS_SECONDS 30        /* of one query, while nobody writes */
#define RETRY_AFTER (2 * SECOND) /* of what must not be left half done */

static void undo(struct turn *t, enum turn_end end, const char *why);

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

static void set_why(struct turn *t, const char *why)
{
        if (why != t->why)
                snprintf(t->why, sizeof t->why, "%s", why);
}

/* Whatever waits, waits no more. */
static void quiet(struct turn *t)
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

static void end(struct turn *t, enum turn_end how, const char *why)
{
        struct migration *m = t->migration;
        void (*ended)(void *context, enum turn_end end) = t->events.ended;

        quiet(t);
        turn_end_step(t);
        t->over = true;
        t->walking = false;
        t->end = how;
        t->ended = loop_wall(t->loop);
        set_why(t, why);
        log_event(how == TURN_DONE ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, LOG_STATE, NULL,
                "%s%s%s%s", t->back ? "rollback" : "cutover", t->rehearse ? " rehearsal" : "",
                how == TURN_DONE ? ": done" : ": ", how == TURN_DONE ? "" : t->why);
        migration_refresh(m);
        if (ended)
                ended(t->context, how);
        if (m->shutdown_done)
                migration_shutdown_step(m);
}

/* ---- undoing ---- */

/* The slot that the proof has made holds the log back until it is gone. */
static void drop_proof(struct turn *t, struct halt *h)
{
        struct error e = ERROR_INIT;

        if (t->proof.begun && turn_drop_slot(t->to, h, &e) < 0)
                log_failure(LOG_LEVEL_WARNING, LOG_PLAIN, &e,
                        "the slot of the other direction stays until the next start");
}

static int work_leave(void *context, struct halt *h, struct error *e)
{
        (void)e;
        drop_proof(context, h);
        return 0;
}

static void on_left(struct turn *t, const struct error *failed)
{
        (void)failed;
        end(t, t->end, t->why);
}

/* Nothing was walked. */
static void leave(struct turn *t, enum turn_end how, const char *why)
{
        t->end = how;
        set_why(t, why);
        quiet(t);
        if (t->proof.begun)
                turn_job(t, work_leave, on_left);
        else
                end(t, how, t->why);
}

static int work_undo(void *context, struct halt *h, struct error *e)
{
        struct turn *t = context;
        struct fence_request q;

        turn_fence_request(t, h, &q);
        if (t->fenced && t->from->cutover.fence == FENCE_READ_ONLY && fence_lower(&q, e) < 0)
                return -1;
        if (t->fenced && t->from->cutover.fence == FENCE_HOOK &&
                turn_hook(t, t->from->cutover.hook_before, "release", h, e) < 0)
                return -1;
        t->journal = (struct journal_entry){.state = t->back ? STATE_REVERSED : STATE_STREAMING,
                .phase = t->back ? STATE_REVERSED : STATE_STREAMING,
                .reversed = t->back};
        if (journal_write(t->from, h, &t->journal, e) < 0)
                return -1;
        drop_proof(t, h);
        return 0;
}

static void on_undone(struct turn *t, const struct error *failed);

static void undo_again(void *context)
{
        struct turn *t = context;

        if (t->undoing)
                turn_job(t, work_undo, on_undone);
        else
                turn_look(t);
}

static void on_undone(struct turn *t, const struct error *failed)
{
        struct migration *m = t->migration;

        if (failed && !m->shutdown_done) {
                log_failure(LOG_LEVEL_ERROR, LOG_RETRY, failed,
                        t->fenced ? "writes may still be refused: the fence could not be undone, "
                                    "trying again"
                                  : "the journal could not be written, trying again");
                timer_set(&t->again, RETRY_AFTER);
                return;
        }
        if (failed)
                log_failure(LOG_LEVEL_ERROR, LOG_PLAIN, failed,
                        "the fence could not be undone; the next start does it");
        t->undoing = false;
        state_row_release(m->row);
        if (t->silent && !m->shutdown_done && !m->stopped)
                migration_start_prepare(m);
        end(t, t->end, t->why);
}

static void undo(struct turn *t, enum turn_end how, const char *why)
{
        t->end = how;
        set_why(t, why);
        quiet(t);
        if (!t->walking) {
                leave(t, how, t->why);
                return;
        }
        log_event(LOG_LEVEL_WARNING, LOG_STATE, NULL, "%s: undoing it: %s",
                t->back ? "rollback" : "cutover", why);
        turn_begin_step(t, "undo", true);
        t->undoing = true;
        turn_job(t, work_undo, on_undone);
}

/* An error of a step, which may be what halting it made. */
static void give_up(struct turn *t, const struct error *failed)
{
        if (t->late)
                undo(t, TURN_LATE, "the time is over (--timeout)");
        else if (t->aborted)
                undo(t, TURN_FAILED, t->abort_why);
        else
                undo(t, TURN_FAILED, failed->message);
}

/* What is under way is to end soon. */
static void interrupt(struct turn *t)
{
        struct error none = ERROR_INIT;

        if (t->job)
                job_stop(t->job);
        else if (t->proof.prepare)
                prepare_stop(t->proof.prepare);
        else if (t->resting || t->holding)
                give_up(t, &none);
        else
                turn_look(t);
}

static bool gone(struct turn *t)
{
        struct error none = ERROR_INIT;

        if (!t->late && !t->aborted)
                return false;
        give_up(t, &none);
        return true;
}

/* ---- behind the point of no return ---- */

static void finish(struct turn *t)
{
        state_row_release(t->migration->row);
        end(t, TURN_DONE, "");
}

/* Done is it when the changes of the new leader come to the old one. */
static void stage_stream(struct turn *t)
{
        struct migration *m = t->migration;
        struct pipeline_status s = {0};

        if (m->streaming)
                pipeline_status(m->pipeline, &s);
        if (m->stopped || m->shutdown_done || (s.source_connected && s.sink_connected))
                finish(t);
        else
                timer_set(&t->again, SECOND / 10);
}

static int work_settle(void *context, struct halt *h, struct error *e)
{
        struct turn *t = context;
        struct migration *m = t->migration;

        return turn_settle(m->forward, m->reverse, !t->back, h, e);
}

static void on_settled(struct turn *t, const struct error *failed)
{
        struct migration *m = t->migration;
        struct error e = ERROR_INIT;

        if (failed && !m->shutdown_done) {
                log_failure(LOG_LEVEL_ERROR, LOG_RETRY, failed,
                        "the new side leads, but is not open yet: trying again");
                timer_set(&t->again, RETRY_AFTER);
                t->stage = NULL;
                return;
        }
        t->turned = true;
        if (failed || m->shutdown_done) { /* the next start does the rest */
                finish(t);
                return;
        }
        turn_begin_step(t, "stream", false);
        if (migration_turn_to(m, !t->back, &e) < 0)
                migration_stop_with(m, &e);
        else
                migration_start_prepare(m);
        t->stage = stage_stream;
        turn_look(t);
}

static void settle(struct turn *t)
{
        turn_begin_step(t, "release", true);
        turn_job(t, work_settle, on_settled);
}

/* ---- counters, position, journal ---- */

/* Nobody has lifted it, and nobody has written past it. */
static int prove_fence(struct turn *t, struct halt *h, struct error *e)
{
        struct fence_request q;
        bool holds = true;

        if (t->strays)
                return error_set(e, ERROR_CONFIG,
                        "%" PRIu64 " rows of migrated tables were written behind the fence",
                        t->strays);
        if (t->from->cutover.fence != FENCE_READ_ONLY)
                return 0;
        turn_fence_request(t, h, &q);
        if (fence_prove(&q, &holds, e) < 0)
                return -1;
        return holds ? 0 : error_context(e, "the fence does not hold");
}

static int work_counters(void *context, struct halt *h, struct error *e)
{
        struct turn *t = context;

        return counters_pass(t->from, h, t->fence_tables, t->tables.n, &t->counters, e);
}

static int work_pass(void *context, struct halt *h, struct error *e)
{
        struct turn *t = context;

        if (prove_fence(t, h, e) < 0 || turn_pass(t->to, h, t->position, e) < 0)
                return -1;
        t->journal =
                (struct journal_entry){.state = t->back ? STATE_ROLLING_BACK : STATE_CUTTING_OVER,
                        .phase = t->back ? STATE_STREAMING : STATE_REVERSED,
                        .reversed = !t->back};
        if (halt_check(h, e) < 0)
                return -1;
        t->passing = true; /* from here on it is the journal that knows */
        return journal_write(t->from, h, &t->journal, e);
}

/* Whether it was written is not known when the answer is lost: the journal is asked. */
static int work_ask(void *context, struct halt *h, struct error *e)
{
        struct turn *t = context;

        return journal_read(t->from, h, &t->journal, e);
}

static void on_asked(struct turn *t, const struct error *failed)
{
        if (failed) {
                log_failure(LOG_LEVEL_ERROR, LOG_RETRY, failed,
                        "which side leads is not known, asking again");
                timer_set(&t->again, RETRY_AFTER);
                return;
        }
        t->asking = false;
        t->passing = false;
        if (t->journal.reversed == !t->back) {
                t->passed = true;
                settle(t);
        } else {
                undo(t, t->late ? TURN_LATE : TURN_FAILED, t->why);
        }
}

static void on_passed(struct turn *t, const struct error *failed)
{
        if (!failed) {
                t->passing = false;
                t->passed = true;
                timer_cancel(&t->deadline);
                log_event(LOG_LEVEL_INFO, LOG_STATE, &(struct log_fields){.position = t->position},
                        "the %s leads; the stream goes on at %s of its log, the other way",
                        t->back ? "source" : "target", t->position);
                settle(t);
        } else if (t->passing) {
                snprintf(t->why, sizeof t->why, "%s", failed->message);
                t->asking = true;
                turn_job(t, work_ask, on_asked);
        } else {
                give_up(t, failed);
        }
}

static void on_counters(struct turn *t, const struct error *failed)
{
        if (failed || gone(t)) {
                if (failed)
                        give_up(t, failed);
                return;
        }
        turn_begin_step(t, "position", true);
        turn_job(t, work_pass, on_passed);
}

/* ---- fence, drain, stop ---- */

static void on_shut(void *context)
{
        struct turn *t = context;
        struct error e = ERROR_INIT;

        t->migration->streaming = false;
        t->silent = true;
        if (t->migration->shutdown_done || gone(t))
                return;
        if (loop_now(t->loop) - t->steps[t->steps_n - 1].began >= STOP_GRACE) {
                error_set(&e, ERROR_RETRY, "the target did not make durable what it has");
                give_up(t, &e);
                return;
        }
        turn_begin_step(t, "counters", true);
        turn_job(t, work_counters, on_counters);
}

static void stop_stream(struct turn *t)
{
        struct migration *m = t->migration;

        t->stage = NULL;
        turn_begin_step(t, "stop", true);
        t->stopping = true;
        pipeline_shutdown(m->pipeline, STOP_GRACE, on_shut, t);
}

/* ---- the last look: what has changed since it was verified, and the operator's queries ---- */

static int work_checks(void *context, struct halt *h, struct error *e)
{
        struct turn *t = context;
        const struct config *c = journal_base(t->from);
        struct check_context x = {.config = c, .halt = h, .seconds = CHECKS_SECONDS};

        for (unsigned i = 0; i < c->checks_n; i++) {
                struct check_result r = {0};
                bool equal;

                if (check_run(&x, &c->checks[i], &r, e) < 0)
                        return -1;
                equal = r.verdict == CHECK_EQUAL;
                if (!equal)
                        error_set(e, ERROR_DATA, "check.%s: %s%s%.400s", r.name,
                                check_verdict_name(r.verdict), r.error || r.where ? ": " : "",
                                r.error   ? r.error
                                : r.where ? r.where
                                          : "");
                check_result_done(&r);
                if (!equal)
                        return -1;
        }
        return 0;
}

static void on_checks(struct turn *t, const struct error *failed)
{
        if (gone(t))
                return;
        if (failed && !turn_overrides(t, "checks")) {
                give_up(t, failed);
                return;
        }
        if (failed)
                log_failure(LOG_LEVEL_WARNING, LOG_PLAIN, failed, "overridden");
        stop_stream(t);
}

static void run_checks(struct turn *t)
{
        if (!journal_base(t->from)->checks_n) {
                stop_stream(t);
                return;
        }
        turn_begin_step(t, "checks", true);
        turn_job(t, work_checks, on_checks);
}

static void on_rested(void *context, const struct error *why)
{
        struct migration *m = context; /* the turn that asked may be gone */
        struct turn *t = m->turn;
        struct verify_sums s;
        struct error e = ERROR_INIT;

        if (!t || !t->resting)
                return;
        t->resting = false;
        if (gone(t))
                return;
        migration_verify_sums(t->migration, &s);
        if (why)
                e = *why;
        else if (s.differences || s.undecided || s.changed || s.stale)
                error_set(&e, ERROR_DATA,
                        "verification behind the fence: %" PRIu64 " differences, %" PRIu64
                        " undecided",
                        s.differences, s.undecided + s.changed);
        if (e.class != ERROR_NONE && !turn_overrides(t, "verification"))
                give_up(t, &e);
        else
                run_checks(t);
}

static void verify_rest(struct turn *t)
{
        struct verify_sums s;
        struct error e = ERROR_INIT;

        migration_verify_sums(t->migration, &s);
        if (!s.continuous || s.state != VERIFY_DONE) {
                run_checks(t);
                return;
        }
        turn_begin_step(t, "verify", true);
        t->resting = true;
        if (migration_verify_rest(t->migration, on_rested, t->migration, &e) < 0)
                on_rested(t->migration, &e);
}

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

static bool reaches_mark(struct turn *t)
{
        struct pipeline_status s;

        if (!t->marked) {
                t->marked = true;
                t->mark = migration_mark(t->migration, on_drain_mark, t);
        }
        pipeline_status(t->migration->pipeline, &s);
        return !position_is_none(t->drained) && position_compare(s.applied, t->drained) >= 0;
}

/* Where culvert did not raise the fence, two marks tell: nothing may come between them. */
static void stage_drain(struct turn *t)
{
        if (gone(t))
                return;
        if (!reaches_mark(t))
                return;
        if (!t->fence_known) {
                t->fence.at = t->drained;
                t->fence_known = true;
                t->marked = false;
                t->drained = POSITION_NONE;
                turn_look(t);
                return;
        }
        t->stage = NULL;
        verify_rest(t);
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

static void drain(struct turn *t)
{
        turn_begin_step(t, "drain", true);
        t->tapped = true;
        migration_tap(t->migration);
        t->stage = stage_drain;
        turn_look(t);
}

static void on_fenced(struct turn *t, const struct error *failed)
{
        if (failed) {
                give_up(t, failed);
                return;
        }
        if (gone(t))
                return;
        t->fence_known = t->from->cutover.fence == FENCE_READ_ONLY;
        drain(t);
}

static int work_fence(void *context, struct halt *h, struct error *e)
{
        struct turn *t = context;
        struct fence_request q;

        turn_fence_request(t, h, &q);
        switch (t->from->cutover.fence) {
        case FENCE_READ_ONLY:
                return fence_raise(&q, &t->fence, e);
        case FENCE_HOOK:
                return turn_hook(t, t->from->cutover.hook_before, "fence", h, e);
        default:
                return 0;
        }
}

static void on_announced(struct turn *t, const struct error *failed)
{
        if (failed) {
                give_up(t, failed);
                return;
        }
        if (gone(t))
                return;
        turn_begin_step(t, "fence", true);
        t->fenced = true;
        turn_job(t, work_fence, on_fenced);
}

static int work_announce(void *context, struct halt *h, struct error *e)
{
        struct turn *t = context;

        if (t->from->cutover.fence != FENCE_HOOK &&
                turn_hook(t, t->from->cutover.hook_before, "before", h, e) < 0)
                return -1;
        t->journal =
                (struct journal_entry){.state = t->back ? STATE_ROLLING_BACK : STATE_CUTTING_OVER,
                        .phase = t->back ? STATE_REVERSED : STATE_STREAMING,
                        .reversed = t->back};
        return journal_write(t->from, h, &t->journal, e);
}

static void on_held(void *context)
{
        struct turn *t = context;

        if (!t->holding)
                return;
        t->holding = false;
        if (!gone(t))
                turn_job(t, work_announce, on_announced);
}

static void on_deadline(void *context)
{
        struct turn *t = context;

        t->late = true;
        if (t->passing || t->passed || t->undoing)
                return;
        interrupt(t);
}

static void walk(struct turn *t)
{
        turn_begin_step(t, "announce", false);
        t->walking = true;
        timer_set(&t->deadline, t->timeout);
        migration_refresh(t->migration);
        t->holding = true;
        state_row_hold(t->migration->row, on_held, t);
}

/* Setting a counter may take an ALTER of its table: most of it is done while writes go on, and only
 * what has moved since is left behind the fence. */
static void on_counted_ahead(struct turn *t, const struct error *failed)
{
        if (t->aborted)
                leave(t, TURN_FAILED, t->abort_why);
        else if (failed)
                leave(t, TURN_FAILED, failed->message);
        else
                walk(t);
}

static void count_ahead(struct turn *t)
{
        turn_begin_step(t, "counters ahead", false);
        turn_job(t, work_counters, on_counted_ahead);
}

/* ---- rehearsal ---- */

static void on_rehearsed(struct turn *t, const struct error *failed)
{
        if (failed)
                leave(t, TURN_FAILED, failed->message);
        else
                leave(t, TURN_DONE, "");
}

static void stage_rehearse(struct turn *t)
{
        if (t->aborted) {
                leave(t, TURN_FAILED, t->abort_why);
                return;
        }
        if (!reaches_mark(t))
                return;
        t->stage = NULL;
        turn_begin_step(t, "counters", true);
        turn_job(t, work_counters, on_rehearsed);
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
        leave(t, TURN_REFUSED, buf_text(&text));
}

static void on_proved(struct turn *t, const struct error *e)
{
        (void)e;
        if (t->aborted)
                leave(t, TURN_FAILED, t->abort_why);
        else if (!turn_gates_pass(t))
                refuse(t);
        else if (t->rehearse)
                rehearse(t);
        else
                count_ahead(t);
}

static void on_gates(struct turn *t, const struct error *e)
{
        (void)e;
        if (t->aborted)
                leave(t, TURN_FAILED, t->abort_why);
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
        struct turn *t = context;

        if (t->asking)
                turn_job(t, work_ask, on_asked);
        else if (t->turned)
                turn_look(t);
        else if (t->passed)
                turn_job(t, work_settle, on_settled);
        else
                undo_again(t);
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

static void take_tables(struct turn *t)
{
        const struct prepare_progress *p = &t->migration->progress;

        t->tables.items = memory_new((p->tables_n + 1) * sizeof *t->tables.items);
        t->fence_tables = memory_new((p->tables_n + 1) * sizeof *t->fence_tables);
        for (unsigned i = 0; i < p->tables_n; i++) {
                const struct route_table *r = p->tables[i].route;

                t->tables.items[t->tables.n++] =
                        (struct turn_table){.schema = memory_string(r->source_schema),
                                .name = memory_string(r->source_name),
                                .target_schema = memory_string(r->schema),
                                .target_name = memory_string(r->name)};
                t->fence_tables[i] =
                        (struct fence_table){t->tables.items[i].schema, t->tables.items[i].name};
        }
}

/* The way back is of the tables that are migrated, whatever else is on the target. */
static void limit_tables(struct turn *t)
{
        const char **names = memory_new((t->tables.n + 1) * 2 * sizeof *names);

        for (unsigned i = 0; i < t->tables.n; i++) {
                names[2 * i] = t->tables.items[i].target_schema;
                names[2 * i + 1] = t->tables.items[i].target_name;
        }
        config_reverse_only(t->migration->reverse, names, t->tables.n);
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
        quiet(t);
        turn_proof_done(t);
        t->job = job_free(t->job);
        turn_tables_done(&t->tables);
        free(t->fence_tables);
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
                interrupt(t);
}

void turn_stream_failed(struct turn *t, const struct error *e)
{
        if (t->over || !t->walking || t->stopping || t->undoing || t->passed)
                return;
        turn_abort(t, e->message);
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

bool turn_is_rehearsal(const struct turn *t)
{
        return t->rehearse;
}

const char *turn_why(const struct turn *t)
{
        return t->why;
}

void turn_fence_request(const struct turn *t, struct halt *h, struct fence_request *q)
{
        *q = (struct fence_request){.config = t->from,
                .halt = h,
                .tables = t->fence_tables,
                .n = t->tables.n,
                .timeout = t->timeout};
}
