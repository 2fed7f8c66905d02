#include "flow/pipeline.h"
#include "base/backoff.h"
#include "base/loop.h"
#include "base/memory.h"
#include "flow/queue.h"
#include "flow/tally.h"
#include "flow/times.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE_MAX (1024 * 1024)
#define IDLE_INTERVAL (10 * SECOND)   /* how often an idle position is stored on the target */
#define IDLE_BYTES (16 * 1024 * 1024) /* or when the log has moved on by so much */
#define SNAPSHOT_XIDS (1 << 20)       /* how long the copy's snapshot is compared with the stream */
#define PUSH_ROUND 256                /* pieces handed on before other callbacks get their turn */

struct pipeline {
        struct loop *loop;
        struct pipeline_events events;
        void *context;
        const struct config *config;
        struct route *route;
        const struct source_ops *source_ops;
        const struct sink_ops *sink_ops;
        struct source *source;
        struct sink *sink;

        bool running, paused, sink_ready, source_started, source_ready;
        struct source_identity identity;
        struct checkpoint checkpoint;
        struct queue queue;
        struct times times;
        struct tally tally;
        struct position until; /* where the stream ends; none: nowhere */
        bool ended;            /* it has come there; what follows is not taken */
        bool sink_partial;     /* the sink holds the beginning of a transaction */
        struct snapshot *snapshot;
        struct position log_end, idle_asked;
        int64_t heard, answered; /* when source and target last said something */
        struct position
                goal;   /* end of the log when the stream was connected; none: not heard yet */
        unsigned marks; /* asked of the source and not answered */

        struct backoff sink_backoff, source_backoff;
        struct timer sink_retry, source_retry, idle;
        struct task push, stop, end;
        struct error error; /* being retried, or what stopped it */
        struct error stopping;
        struct error last;         /* ends the stream when what came before it is committed */
        struct position failed_at; /* where the last transient failure of a transaction was */
        unsigned failed_times;

        uint64_t transactions, rows;
        struct timer grace;
        bool last_stored; /* while shutting down: the last position is where readers see it */
        void (*shutdown_done)(void *context);
        void *shutdown_context;
};

static void changed(struct pipeline *p)
{
        p->events.changed(p->context);
}

/* ---- queue to sink ---- */

static void update_reading(struct pipeline *p)
{
        if (!p->source_started)
                return;
        if (queue_is_high(&p->queue))
                p->source_ops->read(p->source, false);
        else if (queue_is_low(&p->queue))
                p->source_ops->read(p->source, true);
}

/* A pause takes effect between two transactions: an open one on the target would hold its locks. */
static bool may_push(const struct pipeline *p)
{
        return p->sink_ready && (p->sink_partial || (!p->paused && !p->shutdown_done));
}

static bool in_sink(const struct pipeline *p)
{
        return p->checkpoint.pending > p->queue.transactions || p->sink_partial;
}

/* Does the target owe an answer: a commit, or word that one is durable? */
static bool is_owed(const struct pipeline *p)
{
        return p->sink_ready &&
               (in_sink(p) || position_compare(p->checkpoint.durable, p->checkpoint.stored) != 0);
}

static void push(void *context)
{
        struct pipeline *p = context;

        if (!is_owed(p))
                p->answered = loop_now(p->loop);
        for (int i = 0; i < PUSH_ROUND && may_push(p); i++) {
                struct txn *t = queue_pop(&p->queue);
                bool last;

                if (!t)
                        break;
                last = t->last;
                if (p->sink_ops->push(p->sink, &t) == SINK_FULL) {
                        queue_unpop(&p->queue, &t);
                        update_reading(p);
                        return; /* `room` comes */
                }
                p->sink_partial = !last;
        }
        update_reading(p);
        if (p->queue.head && may_push(p))
                loop_defer(p->loop, &p->push);
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

static void drop_all(struct pipeline *p)
{
        p->source_ops->stop(p->source);
        fail_marks(p);
        p->sink_ops->stop(p->sink);
        p->sink_ready = p->source_started = p->source_ready = p->sink_partial = false;
        timer_cancel(&p->sink_retry);
        timer_cancel(&p->source_retry);
        timer_cancel(&p->idle);
        task_cancel(p->loop, &p->push);
        task_cancel(p->loop, &p->stop);
        task_cancel(p->loop, &p->end);
        p->ended = false;
        queue_done(&p->queue);
        queue_init(&p->queue, (uint64_t)p->config->queue.memory);
        times_clear(&p->times);
        checkpoint_lost(&p->checkpoint);
        p->idle_asked = POSITION_NONE;
        error_clear(&p->last);
        p->stopping = (struct error)ERROR_INIT;
}

/* Not from inside an event of source or sink: the stop is deferred. */
static void stop_on(struct pipeline *p, const struct error *e)
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

/* A lost connection is tried again for ever. A transaction that the target refuses for a passing
 * reason (deadlock, serialisation) is tried `retry_attempts` times in one place. */
static bool gives_up(struct pipeline *p, struct error *e)
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

static void retry_later(
        struct pipeline *p, const struct error *e, struct backoff *b, struct timer *t)
{
        int64_t delay = backoff_next(b);
        char text[64];

        /* one line when it begins; repeats show in `status` */
        if (p->error.class == ERROR_NONE || strcmp(p->error.message, e->message) != 0) {
                snprintf(text, sizeof text, "connection lost, next try in %.1f s",
                        (double)delay / SECOND);
                p->events.note(p->context, true, e, text);
        }
        p->error = *e;
        timer_set(t, delay);
        changed(p);
}

static void start_source(struct pipeline *p)
{
        p->source_started = true;
        p->source_ops->start(p->source, &p->identity, p->checkpoint.delivered,
                checkpoint_acknowledge(&p->checkpoint));
        p->source_ops->read(p->source, !queue_is_high(&p->queue));
}

static void on_source_retry(void *context)
{
        start_source(context);
}

static void on_sink_retry(void *context)
{
        struct pipeline *p = context;

        p->sink_ops->start(p->sink);
}

/* ---- events of the sink ---- */

static void sink_ready(void *context, const struct sink_start *start)
{
        struct pipeline *p = context;

        p->sink_ready = true;
        p->answered = loop_now(p->loop);
        p->identity = start->identity;
        checkpoint_start(&p->checkpoint, start->position);
        tally_durable(&p->tally, start->position); /* commits whose answer was lost */
        tally_clear(&p->tally);
        if (!timer_pending(&p->idle))
                timer_set(&p->idle, IDLE_INTERVAL);
        start_source(p);
        changed(p);
}

static void sink_room(void *context)
{
        struct pipeline *p = context;

        p->answered = loop_now(p->loop);
        loop_defer(p->loop, &p->push);
}

static bool shutdown_ready(const struct pipeline *p)
{
        return !p->sink_ready ||
               (!in_sink(p) && position_compare(p->checkpoint.durable, p->checkpoint.stored) == 0);
}

/* A transaction whose rest will not come cannot be waited for, and a pause holds what is here. */
static void drain_step(struct pipeline *p)
{
        bool stuck = p->paused || !p->sink_ready || (p->sink_partial && !p->queue.head);

        if (p->last.class != ERROR_NONE && (stuck || !p->checkpoint.pending))
                stop_on(p, &p->last);
}

/* Ends when nothing is on its way and all is durable, after one last write of the position. */
static void shutdown_step(struct pipeline *p)
{
        if (!p->shutdown_done || !shutdown_ready(p))
                return;
        if (p->sink_ready && !p->last_stored) {
                p->last_stored = true;
                if (p->sink_ops->idle(p->sink, p->checkpoint.stored))
                        return;
        }
        loop_defer(p->loop, &p->stop);
}

static void sink_committed(void *context, struct position end, uint64_t transactions, uint64_t rows)
{
        struct pipeline *p = context;
        struct error e = ERROR_INIT;

        if (checkpoint_committed(&p->checkpoint, end, transactions, &e) < 0) {
                stop_on(p, &e);
                return;
        }
        tally_committed(&p->tally, end);
        times_pop_until(&p->times, end);
        p->answered = loop_now(p->loop);
        p->transactions += transactions;
        p->rows += rows;
        backoff_reset(&p->sink_backoff);
        changed(p);
        drain_step(p);
        shutdown_step(p);
        if (p->ended)
                loop_defer(p->loop, &p->end);
}

static void sink_durable(void *context, struct position end)
{
        struct pipeline *p = context;
        struct error e = ERROR_INIT;

        if (checkpoint_durable(&p->checkpoint, end, &e) < 0) {
                stop_on(p, &e);
                return;
        }
        tally_durable(&p->tally, end);
        p->answered = loop_now(p->loop);
        if (p->source_started)
                p->source_ops->acknowledge(p->source, checkpoint_acknowledge(&p->checkpoint));
        shutdown_step(p);
}

static void sink_failed(void *context, const struct error *why)
{
        struct pipeline *p = context;
        struct error e = *why;

        p->sink_ready = false;
        if (p->stopping.class != ERROR_NONE) /* the stop is on its way, a retry would undo it */
                return;
        if (p->last.class != ERROR_NONE) {
                drain_step(p);
                return;
        }
        if (p->shutdown_done || gives_up(p, &e)) {
                stop_on(p, &e);
                return;
        }
        drop_all(p);
        retry_later(p, &e, &p->sink_backoff, &p->sink_retry);
}

static void sink_warning(void *context, const char *text)
{
        struct pipeline *p = context;

        p->events.note(p->context, true, NULL, text);
}

/* ---- events of the source ---- */

static void source_ready(void *context)
{
        struct pipeline *p = context;

        p->source_ready = true;
        p->goal = POSITION_NONE;
        p->heard = loop_now(p->loop);
        backoff_reset(&p->source_backoff);
        if (p->error.class != ERROR_NONE)
                p->events.note(p->context, false, NULL, "connected again");
        error_clear(&p->error);
        changed(p);
}

static int source_relation(void *context, const struct relation *shape, struct error *e)
{
        struct pipeline *p = context;

        return route_relation(p->route, shape, e);
}

static void passed(struct pipeline *p, struct position end)
{
        checkpoint_passed(&p->checkpoint, end);
        if (!p->checkpoint.pending && end.lsn - p->checkpoint.stored.lsn > IDLE_BYTES &&
                end.lsn - p->idle_asked.lsn > IDLE_BYTES)
                timer_set(&p->idle, 0);
        changed(p);
}

/* The copy's snapshot and the slot meet exactly; a transaction that the snapshot saw would be
 * applied twice. The comparison ends when ids have moved far past the snapshot. */
static int check_snapshot(struct pipeline *p, const struct txn *t, struct error *e)
{
        uint64_t xid;

        if (!p->snapshot || !t->first)
                return 0;
        xid = xid_widen(t->xid, p->snapshot->xmax);
        if (snapshot_sees(p->snapshot, xid))
                return error_set(e, ERROR_BUG,
                        "transaction %" PRIu64 " is in the stream and was in the copy already",
                        xid);
        if (xid > p->snapshot->xmax + SNAPSHOT_XIDS) {
                snapshot_done(p->snapshot);
                free(p->snapshot);
                p->snapshot = NULL;
        }
        return 0;
}

static bool is_beyond(const struct pipeline *p, struct position at)
{
        return !position_is_none(p->until) && position_compare(at, p->until) >= 0;
}

/* From inside an event of the source: the rest is deferred. */
static void end_stream(struct pipeline *p)
{
        p->ended = true;
        checkpoint_passed(&p->checkpoint, p->until);
        loop_defer(p->loop, &p->end);
        changed(p);
}

/* All is committed, and the position itself stored, before the end is told. */
static bool may_end(const struct pipeline *p)
{
        if (!p->ended || !p->sink_ready || p->shutdown_done)
                return false;
        if (p->stopping.class != ERROR_NONE || p->last.class != ERROR_NONE)
                return false;
        return !p->checkpoint.pending && !in_sink(p);
}

static void run_end(void *context)
{
        struct pipeline *p = context;

        if (!may_end(p))
                return;
        if (position_compare(p->checkpoint.stored, p->until) < 0 &&
                p->sink_ops->idle(p->sink, p->until))
                return;
        pipeline_stop(p);
        p->events.reached(p->context);
}

/* Delivered before, as after a reconnect? The server is asked from there on, so it should not. */
static bool is_repeat(const struct pipeline *p, const struct txn *t)
{
        return position_compare(t->commit, p->checkpoint.delivered) < 0;
}

static int source_piece(void *context, struct txn **piece, struct error *e)
{
        struct pipeline *p = context;
        struct txn *t = *piece;
        char text[POSITION_TEXT];

        if (p->ended || is_repeat(p, t))
                return 0;
        if (is_beyond(p, t->commit)) {
                end_stream(p);
                return 0;
        }
        if (check_snapshot(p, t, e) < 0 || route_apply(p->route, t, &p->tally, e) < 0) {
                position_format(t->commit, e->position);
                return error_context(e, "at %s", position_format(t->commit, text));
        }
        if (t->first && t->last && t->changes_n == 0) {
                passed(p, t->end);
                return 0;
        }
        if (t->last) {
                if (checkpoint_delivered(&p->checkpoint, t->end, e) < 0)
                        return -1;
                times_push(&p->times, t->end, t->committed_at);
                tally_close(&p->tally, t->end);
        }
        queue_push(&p->queue, piece);
        p->log_end = position_max(p->log_end, p->checkpoint.delivered);
        if (queue_is_high(&p->queue))
                update_reading(p);
        loop_defer(p->loop, &p->push);
        return 0;
}

static void source_passed(void *context, struct position end, struct position log_end)
{
        struct pipeline *p = context;

        p->heard = loop_now(p->loop);
        p->log_end = position_max(p->log_end, log_end);
        if (position_is_none(p->goal))
                p->goal = log_end;
        if (p->ended)
                return;
        if (is_beyond(p, end))
                end_stream(p);
        else
                passed(p, end);
}

/* Whole transactions stay. If the sink has taken the beginning of one whose end is lost, it must
 * roll back, and then all is read again. */
static void source_failed(void *context, const struct error *why)
{
        struct pipeline *p = context;
        struct error e = *why;

        p->source_started = p->source_ready = false;
        if (p->shutdown_done || p->stopping.class != ERROR_NONE)
                return;
        queue_drop_partial(&p->queue);
        tally_drop_open(&p->tally);
        if (e.class != ERROR_RETRY) {
                p->last = e;
                drain_step(p);
                return;
        }
        if (p->sink_partial && !p->queue.head) {
                drop_all(p);
                retry_later(p, &e, &p->source_backoff, &p->sink_retry);
                return;
        }
        retry_later(p, &e, &p->source_backoff, &p->source_retry);
}

static void source_marked(void *context, struct position end, const struct error *e)
{
        struct pipeline *p = context;

        if (!p->marks)
                return;
        p->marks--;
        p->events.marked(p->context, end, e);
}

/* ---- idle positions ---- */

static void on_idle(void *context)
{
        struct pipeline *p = context;
        struct position idle = checkpoint_idle(&p->checkpoint);

        timer_set(&p->idle, IDLE_INTERVAL);
        /* the pieces of a transaction whose end has not come are not counted as pending */
        if (!p->sink_ready || p->sink_partial || p->queue.head || position_is_none(idle))
                return;
        p->idle_asked = idle;
        p->sink_ops->idle(p->sink, idle);
}

/* ---- public ---- */

struct pipeline *pipeline_new(struct loop *l, const struct pipeline_setup *setup, struct error *e)
{
        static const struct source_events from_source = {source_ready, source_relation,
                source_piece, source_passed, source_failed, source_marked};
        static const struct sink_events from_sink = {
                sink_ready, sink_room, sink_committed, sink_durable, sink_failed, sink_warning};
        struct source_limits limits = {.piece_bytes = PIECE_MAX};
        struct pipeline *p = memory_new_of(struct pipeline);

        p->loop = l;
        p->events = *setup->events;
        p->context = setup->context;
        p->config = setup->config;
        p->route = setup->route;
        p->source_ops = setup->source;
        p->sink_ops = setup->sink;
        queue_init(&p->queue, (uint64_t)p->config->queue.memory);
        if (limits.piece_bytes > p->queue.high / 8)
                limits.piece_bytes = p->queue.high / 8;
        backoff_init(&p->sink_backoff, setup->seed);
        backoff_init(&p->source_backoff, setup->seed + 1);
        timer_init(&p->sink_retry, l, on_sink_retry, p);
        timer_init(&p->source_retry, l, on_source_retry, p);
        timer_init(&p->idle, l, on_idle, p);
        task_init(&p->push, push, p);
        task_init(&p->stop, run_stop, p);
        task_init(&p->end, run_end, p);
        p->source = p->source_ops->create(l, p->config, &limits, &from_source, p, e);
        p->sink = p->source ? p->sink_ops->create(l, p->config, &from_sink, p, e) : NULL;
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
                drop_all(p);
        timer_cancel(&p->grace);
        p->source = p->source_ops->destroy(p->source);
        p->sink = p->sink_ops->destroy(p->sink);
        queue_done(&p->queue);
        times_done(&p->times);
        tally_done(&p->tally);
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
        error_clear(&p->error);
        p->sink_ops->start(p->sink);
}

void pipeline_until(struct pipeline *p, struct position until)
{
        p->until = until;
}

void pipeline_stop(struct pipeline *p)
{
        p->running = false;
        error_clear(&p->error);
        drop_all(p);
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
        shutdown_step(p);
}

void pipeline_pause(struct pipeline *p, bool paused)
{
        p->paused = paused;
        drain_step(p);
        if (!paused)
                loop_defer(p->loop, &p->push);
}

void pipeline_reload(struct pipeline *p, const struct config *c)
{
        p->config = c;
        p->sink_ops->reload(p->sink, c);
}

void pipeline_mark(struct pipeline *p)
{
        p->marks++;
        p->source_ops->mark(p->source);
}

void pipeline_status(const struct pipeline *p, struct pipeline_status *s)
{
        *s = (struct pipeline_status){
                .source_connected = p->source_ready && p->source_ops->connected(p->source),
                .sink_connected = p->sink_ops->connected(p->sink),
                .in_sink = in_sink(p),
                .caught_up = !position_is_none(p->goal) &&
                             position_compare(p->checkpoint.delivered, p->goal) >= 0,
                .log_end = position_max(p->log_end, p->checkpoint.delivered),
                .applied = checkpoint_applied(&p->checkpoint),
                .acknowledged = checkpoint_acknowledge(&p->checkpoint),
                .transactions = p->transactions,
                .rows = p->rows,
                .pending = p->checkpoint.pending,
                .queue_bytes = p->queue.bytes,
                .queue_transactions = p->queue.transactions,
                .oldest = times_oldest(&p->times),
                .heard = p->heard,
                .owed = is_owed(p) ? p->answered : 0,
                .held = p->source_ops->held(p->source),
                .error = p->error.class == ERROR_NONE ? NULL : &p->error,
                .target_version = p->sink_ops->version(p->sink),
        };
}
