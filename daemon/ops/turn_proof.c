/* The proof of the opposite direction: everything that its stream needs is made ready and tried,
 * and a mark travels from the new leader to the old one by it, and back by the stream that runs. */
#include "base/log.h"
#include "base/memory.h"
#include "model/config_reverse.h"
#include "ops/turn_private.h"

#include <stdlib.h>
#include <string.h>

#define PATIENCE (60 * SECOND)

static void finish(struct turn *t, const struct error *failed)
{
        struct turn_proof *p = &t->proof;

        t->stage = NULL;
        timer_cancel(&t->again);
        turn_gate(t, "reverse", !failed, "%.500s",
                failed ? failed->message : "a mark went there and back");
        turn_proof_done(t);
        p->then(t);
}

static void fail(struct turn *t, const char *text)
{
        struct error e = ERROR_INIT;

        error_set(&e, ERROR_RETRY, "%s", text);
        finish(t, &e);
}

/* ---- the marks ---- */

static void proof_changed(void *context)
{
        turn_look(context);
}

static void proof_stopped(void *context, const struct error *e)
{
        struct turn *t = context;

        t->proof.failed = *e;
        turn_look(t);
}

static void proof_note(void *context, bool warning, const struct error *e, const char *text)
{
        (void)context;
        if (e)
                log_failure(warning ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, LOG_RETRY, e, text);
        else
                log_event(warning ? LOG_LEVEL_WARNING : LOG_LEVEL_DEBUG, LOG_PLAIN, NULL,
                        "the opposite direction: %s", text);
}

static void proof_marked(void *context, struct position at, const struct error *e)
{
        struct turn *t = context;

        t->proof.asked_there = e->class == ERROR_NONE && !position_is_none(at);
        t->proof.there = at;
        turn_look(t);
}

static void proof_reached(void *context)
{
        (void)context;
}

static void proof_overcome(void *context, const struct error *e)
{
        (void)context;
        (void)e;
}

static void on_back(void *context, struct position at, const struct error *e)
{
        struct turn *t = context;

        t->proof.mark = NULL;
        if (e)
                t->proof.asked_back = false;
        else
                t->proof.back = at;
        turn_look(t);
}

static bool is_there(struct turn *t)
{
        struct turn_proof *p = &t->proof;
        struct pipeline_status s;

        pipeline_status(p->pipeline, &s);
        if (!s.source_connected || !s.sink_connected)
                return false;
        if (!p->asked_there) {
                p->asked_there = true;
                pipeline_mark(p->pipeline);
        }
        return !position_is_none(p->there) && position_compare(s.applied, p->there) >= 0;
}

static bool is_back(struct turn *t)
{
        struct turn_proof *p = &t->proof;
        struct pipeline_status s;

        if (!p->asked_back) {
                p->asked_back = true;
                p->mark = migration_mark(t->migration, on_back, t);
        }
        pipeline_status(t->migration->pipeline, &s);
        return !position_is_none(p->back) && position_compare(s.applied, p->back) >= 0;
}

static void on_shut(void *context)
{
        finish(context, NULL);
}

static void stage_marks(struct turn *t)
{
        struct turn_proof *p = &t->proof;

        if (p->stopping)
                return;
        if (t->aborted) {
                fail(t, "given up");
        } else if (p->failed.class != ERROR_NONE) {
                finish(t, &p->failed);
        } else if (loop_now(t->loop) - p->began > PATIENCE) {
                struct pipeline_status s;

                pipeline_status(p->pipeline, &s);
                if (s.error)
                        finish(t, s.error);
                else
                        fail(t, "no mark came through within 60 s");
        } else if (is_there(t) && is_back(t)) {
                p->stopping = true;
                pipeline_shutdown(p->pipeline, 5 * SECOND, on_shut, t);
        } else {
                timer_set(&t->again, SECOND / 10);
        }
}

static int start_pipeline(struct turn *t, struct error *e)
{
        static const struct pipeline_events events = {proof_changed, proof_stopped, proof_note,
                proof_marked, proof_reached, proof_overcome};
        struct pipeline_setup setup = {.config = t->to,
                .source = source_ops_of(t->to->source.kind),
                .sink = sink_ops_of(t->to->target.kind),
                .route = t->proof.route,
                .seed = (uint64_t)loop_wall(t->loop),
                .events = &events,
                .context = t};

        t->proof.pipeline = pipeline_new(t->loop, &setup, e);
        return t->proof.pipeline ? 0 : -1;
}

/* ---- preparing ---- */

static void on_preparing(void *context)
{
        (void)context;
}

static void on_prepared(void *context, struct prepare_result *r, const struct error *e)
{
        struct turn *t = context;
        struct turn_proof *p = &t->proof;
        struct error failed = e ? *e : (struct error)ERROR_INIT;

        p->prepare = prepare_free(p->prepare);
        prepare_result_free(r);
        if (!r || t->aborted || start_pipeline(t, &failed) < 0) {
                if (failed.class == ERROR_NONE)
                        error_set(&failed, ERROR_RETRY, "given up");
                finish(t, &failed);
                return;
        }
        p->began = loop_now(t->loop);
        t->stage = stage_marks;
        pipeline_start(p->pipeline, NULL);
}

/* With a fresh route that is never told to expect a table: what the running stream has written to
 * the new leader is in its log, and goes nowhere. */
static void on_cleared(struct turn *t, const struct error *failed)
{
        static const struct prepare_events events = {on_preparing, on_prepared};
        struct prepare_accept accept = {.ahead = true};

        if (failed) {
                finish(t, failed);
                return;
        }
        t->proof.equal = config_equal(t->to);
        t->proof.route = route_new(t->proof.equal);
        t->proof.prepare =
                prepare_new(t->loop, t->proof.equal, t->proof.route, &accept, &events, t);
}

static int work_clear(void *context, struct halt *h, struct error *e)
{
        struct turn *t = context;

        return turn_clear(t->to, h, e);
}

void turn_prove(struct turn *t, void (*then)(struct turn *t))
{
        t->proof.then = then;
        t->proof.begun = true;
        turn_job(t, work_clear, on_cleared);
}

void turn_proof_done(struct turn *t)
{
        struct turn_proof *p = &t->proof;

        if (p->mark)
                migration_mark_cancel(p->mark);
        p->mark = NULL;
        p->pipeline = pipeline_free(p->pipeline);
        if (p->prepare)
                prepare_stop(p->prepare);
        p->prepare = prepare_free(p->prepare);
        p->route = route_free(p->route);
        p->equal = config_free(p->equal);
}
