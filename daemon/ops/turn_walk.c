/* The walk itself: from the announcement in the journal to the stream that goes the other way, and
 * back where a step fails. */
#include "base/log.h"
#include "ops/checks.h"
#include "ops/turn_private.h"

#include <inttypes.h>
#include <stdio.h>

#define STOP_GRACE (10 * SECOND)
#define CHECKS_SECONDS 30        /* of one query, while nobody writes */
#define RETRY_AFTER (2 * SECOND) /* of what must not be left half done */

/* ---- undoing ---- */

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
        t->journal = journal_leads(t->back);
        if (journal_write(t->from, h, &t->journal, e) < 0)
                return -1;
        turn_drop_proof(t, h);
        return 0;
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
        turn_end(t, t->end, t->why);
}

static void undo(struct turn *t, enum turn_end how, const char *why)
{
        t->end = how;
        turn_set_why(t, why);
        turn_quiet(t);
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

void turn_interrupt(struct turn *t)
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
        turn_end(t, TURN_DONE, "");
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

static int work_pass(void *context, struct halt *h, struct error *e)
{
        struct turn *t = context;

        if (prove_fence(t, h, e) < 0 || turn_pass(t->to, h, t->position, e) < 0)
                return -1;
        t->journal = journal_walks(t->back, !t->back);
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
                turn_set_why(t, failed->message);
                t->asking = true;
                turn_job(t, work_ask, on_asked);
        } else {
                give_up(t, failed);
        }
}

static void on_counters(struct turn *t, const struct error *failed)
{
        if (failed) {
                give_up(t, failed);
        } else if (!gone(t)) {
                turn_begin_step(t, "position", true);
                turn_job(t, work_pass, on_passed);
        }
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
        turn_job(t, turn_work_counters, on_counters);
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
                int rc = check_run(&x, &c->checks[i], &r, e);
                const char *why = r.error ? r.error : r.where;

                if (rc == 0 && r.verdict != CHECK_EQUAL)
                        rc = error_set(e, ERROR_DATA, "check.%s: %s%s%.400s", r.name,
                                check_verdict_name(r.verdict), why ? ": " : "", why ? why : "");
                check_result_done(&r);
                if (rc < 0)
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

/* Where culvert did not raise the fence, two marks tell: nothing may come between them. */
static void stage_drain(struct turn *t)
{
        if (gone(t))
                return;
        if (!turn_reaches_mark(t))
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
        } else if (!gone(t)) {
                t->fence_known = t->from->cutover.fence == FENCE_READ_ONLY;
                drain(t);
        }
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
        } else if (!gone(t)) {
                turn_begin_step(t, "fence", true);
                t->fenced = true;
                turn_job(t, work_fence, on_fenced);
        }
}

static int work_announce(void *context, struct halt *h, struct error *e)
{
        struct turn *t = context;

        if (t->from->cutover.fence != FENCE_HOOK &&
                turn_hook(t, t->from->cutover.hook_before, "before", h, e) < 0)
                return -1;
        t->journal = journal_walks(t->back, t->back);
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

void turn_walk(struct turn *t)
{
        turn_begin_step(t, "announce", false);
        t->walking = true;
        timer_set(&t->deadline, t->timeout);
        migration_refresh(t->migration);
        t->holding = true;
        state_row_hold(t->migration->row, on_held, t);
}

void turn_again(struct turn *t)
{
        if (t->asking)
                turn_job(t, work_ask, on_asked);
        else if (t->undoing)
                turn_job(t, work_undo, on_undone);
        else if (t->passed && !t->turned)
                turn_job(t, work_settle, on_settled);
        else
                turn_look(t);
}
