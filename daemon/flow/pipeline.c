/* Begins, stops, tries again, and is asked. */
#include "flow/pipeline_private.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE_MAX (1024 * 1024)

void pipeline_changed(struct pipeline *p)
{
        p->events.changed(p->context);
}

void pipeline_connected(struct pipeline *p)
{
        bool both = p->sink_ready && p->source_ready;

        if (both && p->error.class != ERROR_NONE)
                p->events.note(p->context, false, NULL, "connected again");
        if (both)
                error_clear(&p->error);
        pipeline_changed(p);
}

/* ---- stopping ---- */

/* A stopped source answers no mark. */
static void fail_marks(struct pipeline *p)
{
        struct error e = ERROR_INIT;

        error_set(&e, ERROR_RETRY, "the stream was interrupted");
        for (; p->marks; p->marks--)
                p->events.marked(p->context, POSITION_NONE, &e);
}

void pipeline_stop_source(struct pipeline *p)
{
        p->source_ops->stop(p->source);
        p->source_started = p->source_ready = false;
        timer_cancel(&p->source_retry);
        timer_cancel(&p->look);
        fail_marks(p);
}

void pipeline_stop_sink(struct pipeline *p)
{
        p->sink_ops->stop(p->sink);
        p->sink_ready = p->sink_partial = p->counted = p->start_wanted = false;
        timer_cancel(&p->sink_retry);
        timer_cancel(&p->idle);
        task_cancel(p->loop, &p->push);
        times_clear(&p->times);
        checkpoint_kept(&p->checkpoint, p->checkpoint.durable, p->checkpoint.delivered);
        p->idle_asked = POSITION_NONE;
}

void pipeline_drop_all(struct pipeline *p)
{
        pipeline_stop_source(p);
        pipeline_stop_sink(p);
        task_cancel(p->loop, &p->stop);
        task_cancel(p->loop, &p->end);
        task_cancel(p->loop, &p->reopen);
        p->ended = false;
        queue_drop(&p->queue);
        checkpoint_lost(&p->checkpoint);
        error_clear(&p->last);
        p->stopping = (struct error)ERROR_INIT;
}

void pipeline_stop_on(struct pipeline *p, const struct error *e)
{
        if (p->stopping.class != ERROR_NONE)
                return;
        p->stopping = *e;
        loop_defer(p->loop, &p->stop);
}

static void shutdown_finish(struct pipeline *p)
{
        void (*done)(void *context) = p->shutdown_done;

        if (!done)
                return;
        p->shutdown_done = NULL;
        timer_cancel(&p->grace);
        pipeline_stop(p);
        done(p->shutdown_context);
}

static void run_stop(void *context)
{
        struct pipeline *p = context;
        struct error e = p->stopping;

        p->stopping = (struct error)ERROR_INIT;
        if (p->shutdown_done) {
                shutdown_finish(p);
                return;
        }
        pipeline_stop(p);
        p->error = e;
        p->events.stopped(p->context, &e);
}

/* ---- failures into policy ---- */

bool pipeline_gives_up(struct pipeline *p, struct error *e)
{
        if (e->class != ERROR_RETRY)
                return true;
        if (strncmp(e->code, "40", 2) != 0)
                return false;
        if (position_compare(p->failed_at, p->checkpoint.stored) != 0)
                p->failed_times = 0;
        p->failed_at = p->checkpoint.stored;
        if ((int64_t)++p->failed_times <= p->config->apply.retry_attempts)
                return false;
        error_context(e, "given up after %u attempts", p->failed_times);
        e->class = ERROR_DATA;
        return true;
}

void pipeline_retry_later(
        struct pipeline *p, const struct error *e, struct backoff *b, struct timer *t)
{
        int64_t delay = backoff_next(b);
        char text[64];

        /* one line when it begins; repeats show in `status` */
        if (p->error.class == ERROR_NONE || strcmp(p->error.message, e->message) != 0) {
                snprintf(text, sizeof text, "%s, next try in %.1f s",
                        strcmp(e->code, DISK_FULL_CODE) ? "connection lost" : "the disk is full",
                        (double)delay / SECOND);
                p->events.note(p->context, true, e, text);
        }
        p->error = *e;
        timer_set(t, delay);
        pipeline_changed(p);
}

void pipeline_set_gtids(struct pipeline *p, const char *gtids)
{
        buf_clear(&p->gtids);
        if (gtids)
                buf_str(&p->gtids, gtids);
}

void pipeline_start_source(struct pipeline *p)
{
        p->source_started = true;
        timer_cancel(&p->source_retry);
        p->source_ops->start(p->source, &p->identity, p->checkpoint.delivered,
                p->gtids.len ? buf_text(&p->gtids) : NULL, p->acknowledged);
        pipeline_update_reading(p);
        if (queue_has_disk(&p->queue))
                timer_set(&p->look, 0);
}

static void on_source_retry(void *context)
{
        pipeline_start_source(context);
}

static void on_sink_retry(void *context)
{
        pipeline_start_sink(context);
}

/* ---- public ---- */

static void open_queue(struct pipeline *p)
{
        const struct config *c = p->config;
        AUTO_STRING folder = memory_printf("%s/queue", c->pipeline.state_dir);
        const struct queue_setup setup = {.loop = p->loop,
                .memory = (uint64_t)c->queue.memory,
                .disk = (uint64_t)c->queue.disk,
                .folder = folder,
                .pipeline = c->pipeline.name};

        queue_init(&p->queue, &setup, &pipeline_from_queue, p);
}

struct pipeline *pipeline_new(struct loop *l, const struct pipeline_setup *setup, struct error *e)
{
        struct source_limits limits = {.piece_bytes = PIECE_MAX};
        struct pipeline *p = memory_new_of(struct pipeline);

        p->loop = l;
        p->events = *setup->events;
        p->context = setup->context;
        p->config = setup->config;
        p->route = setup->route;
        p->source_ops = setup->source;
        p->sink_ops = setup->sink;
        p->quarantined = -1;
        open_queue(p);
        if (limits.piece_bytes > p->queue.high / 8)
                limits.piece_bytes = p->queue.high / 8;
        limits.kept_bytes = (uint64_t)p->config->queue.memory;
        backoff_init(&p->sink_backoff, setup->seed);
        backoff_init(&p->source_backoff, setup->seed + 1);
        timer_init(&p->sink_retry, l, on_sink_retry, p);
        timer_init(&p->source_retry, l, on_source_retry, p);
        timer_init(&p->idle, l, pipeline_on_idle, p);
        timer_init(&p->outage, l, pipeline_on_outage, p);
        timer_init(&p->look, l, pipeline_on_look, p);
        timer_init(&p->tell_overwritten, l, pipeline_on_overwritten, p);
        task_init(&p->push, pipeline_push, p);
        task_init(&p->stop, run_stop, p);
        task_init(&p->end, pipeline_run_end, p);
        task_init(&p->reopen, pipeline_run_reopen, p);
        p->source = p->source_ops->create(l, p->config, &limits, &pipeline_from_source, p, e);
        p->sink = p->source ? p->sink_ops->create(l, p->config, &pipeline_from_sink, p, e) : NULL;
        return p->sink ? p : pipeline_free(p);
}

static void forget_snapshot(struct pipeline *p)
{
        if (p->snapshot)
                snapshot_done(p->snapshot);
        free(p->snapshot);
        p->snapshot = NULL;
}

struct pipeline *pipeline_free(struct pipeline *p)
{
        if (!p)
                return NULL;
        if (p->sink)
                pipeline_drop_all(p);
        timer_cancel(&p->grace);
        timer_cancel(&p->outage);
        timer_cancel(&p->tell_overwritten);
        p->source = p->source_ops->destroy(p->source);
        p->sink = p->sink_ops->destroy(p->sink);
        queue_done(&p->queue);
        times_done(&p->times);
        tally_done(&p->tally);
        trail_done(&p->trail);
        buf_done(&p->gtids);
        forget_snapshot(p);
        free(p);
        return NULL;
}

void pipeline_start(struct pipeline *p, struct snapshot *snapshot)
{
        forget_snapshot(p);
        p->snapshot = snapshot;
        p->running = true;
        p->failed_times = 0;
        p->log_end = POSITION_NONE; /* it may be another server's log now */
        error_clear(&p->error);
        pipeline_start_sink(p);
}

void pipeline_until(struct pipeline *p, struct position until)
{
        p->until = until;
}

void pipeline_stop(struct pipeline *p)
{
        p->running = p->draining = false;
        error_clear(&p->error);
        timer_cancel(&p->outage);
        pipeline_drop_all(p);
}

static void on_grace(void *context)
{
        shutdown_finish(context);
}

void pipeline_shutdown(
        struct pipeline *p, int64_t grace, void (*done)(void *context), void *context)
{
        p->shutdown_done = done;
        p->shutdown_context = context;
        timer_init(&p->grace, p->loop, on_grace, p);
        timer_set(&p->grace, grace);
        p->last_stored = !p->running;
        pipeline_shutdown_step(p);
}

void pipeline_pause(struct pipeline *p, bool paused)
{
        p->paused = paused;
        pipeline_last_step(p);
        if (paused)
                return;
        threshold_clear(&p->threshold);
        loop_defer(p->loop, &p->push);
}

bool pipeline_is_draining(const struct pipeline *p)
{
        return p->draining;
}

void pipeline_drain(struct pipeline *p, bool draining)
{
        if (!p->running || p->draining == draining)
                return;
        p->draining = draining;
        if (draining) {
                queue_drop_partial(&p->queue);
                pipeline_uncount(p);
                timer_cancel(&p->source_retry);
                loop_defer(p->loop, &p->push);
                pipeline_update_reading(p);
        } else { /* what came meanwhile was not taken */
                pipeline_stop_source(p);
                if (p->sink_ready)
                        pipeline_start_source(p);
                else
                        pipeline_watch_outage(p);
        }
}

void pipeline_set_quarantined(struct pipeline *p, uint64_t changes)
{
        p->quarantined = (int64_t)changes;
}

void pipeline_tap(
        struct pipeline *p, void (*see)(void *context, const struct txn *piece), void *context)
{
        p->see = see;
        p->see_context = context;
}

void pipeline_reload(struct pipeline *p, const struct config *c)
{
        p->config = c;
        p->sink_ops->reload(p->sink, c);
}

void pipeline_watch(
        struct pipeline *p, const struct source_identity *identity, struct position from)
{
        p->source_ops->watch(p->source, identity, from);
}

void pipeline_mark(struct pipeline *p)
{
        p->marks++;
        p->source_ops->mark(p->source);
}

static int64_t oldest(const struct pipeline *p)
{
        int64_t in_sink = times_oldest(&p->times);

        return in_sink ? in_sink : queue_oldest(&p->queue);
}

void pipeline_status(const struct pipeline *p, struct pipeline_status *s)
{
        *s = (struct pipeline_status){
                .source_connected = p->source_ready && p->source_ops->connected(p->source),
                .sink_connected = p->sink_ops->connected(p->sink),
                .in_sink = pipeline_in_sink(p),
                .caught_up = !position_is_none(p->goal) &&
                             position_compare(p->checkpoint.delivered, p->goal) >= 0,
                .log_end = position_max(p->log_end, p->checkpoint.delivered),
                .applied = checkpoint_applied(&p->checkpoint),
                .acknowledged = p->acknowledged,
                .transactions = p->transactions,
                .rows = p->rows,
                .pending = p->checkpoint.taken + queue_transactions(&p->queue),
                .queue_bytes = p->queue.bytes,
                .queue_disk_bytes = queue_disk_bytes(&p->queue),
                .queue_transactions = queue_transactions(&p->queue),
                .oldest = oldest(p),
                .heard = p->heard,
                .owed = pipeline_is_owed(p) ? p->answered : 0,
                .source_started = p->source_started,
                .retention = p->source_ops->retention(p->source),
                .quarantined = p->quarantined,
                .overwritten = p->overwritten,
                .error = p->error.class == ERROR_NONE ? NULL : &p->error,
                .target_version = p->sink_ops->version(p->sink),
        };
}
