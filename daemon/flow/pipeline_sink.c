/* From the queue to the sink, and what the sink says of it. */
#include "flow/pipeline_private.h"

#define IDLE_INTERVAL (10 * SECOND) /* how often an idle position is stored on the target */
#define PUSH_ROUND 256              /* pieces handed on before other callbacks get their turn */

/* ---- queue to sink ---- */

void pipeline_update_reading(struct pipeline *p)
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

bool pipeline_in_sink(const struct pipeline *p)
{
        return p->checkpoint.taken || p->sink_partial;
}

bool pipeline_is_owed(const struct pipeline *p)
{
        return p->sink_ready && (pipeline_in_sink(p) || position_compare(p->checkpoint.durable,
                                                                p->checkpoint.stored) != 0);
}

/* What the sink is about to take; once, though it may have no room. */
static void count(struct pipeline *p, const struct txn *t)
{
        if (p->counted)
                return;
        p->counted = true;
        tally_piece(&p->tally, p->route, t);
        if (t->last)
                times_push(&p->times, t->end, t->committed_at);
}

void pipeline_uncount(struct pipeline *p)
{
        if (!p->counted || p->queue.head)
                return;
        p->counted = false;
        tally_drop_open(&p->tally);
}

void pipeline_push(void *context)
{
        struct pipeline *p = context;

        if (!pipeline_is_owed(p))
                p->answered = loop_now(p->loop);
        for (int i = 0; i < PUSH_ROUND && may_push(p); i++) {
                struct txn *t = queue_pop(&p->queue);
                bool last;

                if (!t)
                        break;
                last = t->last;
                count(p, t);
                if (p->sink_ops->push(p->sink, &t) == SINK_FULL) {
                        queue_unpop(&p->queue, &t);
                        pipeline_update_reading(p);
                        return; /* `room` comes */
                }
                p->counted = false;
                p->sink_partial = !last;
                if (last)
                        checkpoint_taken(&p->checkpoint);
        }
        pipeline_update_reading(p);
        if (p->queue.head && may_push(p))
                loop_defer(p->loop, &p->push);
}

/* ---- events ---- */

static void sink_ready(void *context, const struct sink_start *start)
{
        struct pipeline *p = context;

        p->sink_ready = true;
        p->answered = loop_now(p->loop);
        p->identity = start->identity;
        checkpoint_start(&p->checkpoint, start->position);
        pipeline_set_gtids(p, start->gtids);
        tally_durable(&p->tally, start->position); /* commits whose answer was lost */
        tally_clear(&p->tally);
        if (!timer_pending(&p->idle))
                timer_set(&p->idle, IDLE_INTERVAL);
        pipeline_start_source(p);
        pipeline_changed(p);
}

static void sink_room(void *context)
{
        struct pipeline *p = context;

        p->answered = loop_now(p->loop);
        loop_defer(p->loop, &p->push);
}

static bool shutdown_ready(const struct pipeline *p)
{
        return !p->sink_ready || (!pipeline_in_sink(p) && position_compare(p->checkpoint.durable,
                                                                  p->checkpoint.stored) == 0);
}

/* A transaction whose rest will not come cannot be waited for, and a pause holds what is here. */
void pipeline_drain_step(struct pipeline *p)
{
        bool stuck = p->paused || !p->sink_ready || (p->sink_partial && !p->queue.head);

        if (p->last.class != ERROR_NONE && (stuck || !checkpoint_pending(&p->checkpoint)))
                pipeline_stop_on(p, &p->last);
}

/* Ends when nothing is on its way and all is durable, after one last write of the position. */
void pipeline_shutdown_step(struct pipeline *p)
{
        if (!p->shutdown_done || !shutdown_ready(p))
                return;
        if (p->sink_ready && !p->last_stored) {
                p->last_stored = true;
                if (p->sink_ops->idle(p->sink, p->checkpoint.stored, NULL))
                        return;
        }
        loop_defer(p->loop, &p->stop);
}

static void sink_committed(void *context, struct position end, uint64_t transactions, uint64_t rows)
{
        struct pipeline *p = context;
        struct error e = ERROR_INIT;

        if (checkpoint_committed(&p->checkpoint, end, transactions, &e) < 0) {
                pipeline_stop_on(p, &e);
                return;
        }
        tally_committed(&p->tally, end);
        times_pop_until(&p->times, end);
        p->answered = loop_now(p->loop);
        p->transactions += transactions;
        p->rows += rows;
        backoff_reset(&p->sink_backoff);
        pipeline_changed(p);
        pipeline_drain_step(p);
        pipeline_shutdown_step(p);
        if (p->ended)
                loop_defer(p->loop, &p->end);
}

static void sink_durable(void *context, struct position end)
{
        struct pipeline *p = context;
        struct error e = ERROR_INIT;

        if (checkpoint_durable(&p->checkpoint, end, &e) < 0) {
                pipeline_stop_on(p, &e);
                return;
        }
        tally_durable(&p->tally, end);
        p->answered = loop_now(p->loop);
        if (p->source_started)
                p->source_ops->acknowledge(p->source, checkpoint_acknowledge(&p->checkpoint));
        pipeline_shutdown_step(p);
}

static void sink_failed(void *context, const struct error *why)
{
        struct pipeline *p = context;
        struct error e = *why;

        p->sink_ready = false;
        if (p->stopping.class != ERROR_NONE) /* the stop is on its way, a retry would undo it */
                return;
        if (p->last.class != ERROR_NONE) {
                pipeline_drain_step(p);
                return;
        }
        if (p->shutdown_done || pipeline_gives_up(p, &e)) {
                pipeline_stop_on(p, &e);
                return;
        }
        pipeline_drop_all(p);
        pipeline_retry_later(p, &e, &p->sink_backoff, &p->sink_retry);
}

static void sink_warning(void *context, const char *text)
{
        struct pipeline *p = context;

        p->events.note(p->context, true, NULL, text);
}

/* ---- idle positions ---- */

void pipeline_on_idle(void *context)
{
        struct pipeline *p = context;
        struct position idle = checkpoint_idle(&p->checkpoint);

        timer_set(&p->idle, IDLE_INTERVAL);
        /* the pieces of a transaction whose end has not come are not counted as pending */
        if (!p->sink_ready || p->sink_partial || p->queue.head || position_is_none(idle))
                return;
        p->idle_asked = idle;
        p->sink_ops->idle(p->sink, idle, buf_text(&p->gtids));
}

const struct sink_events pipeline_from_sink = {
        sink_ready, sink_room, sink_committed, sink_durable, sink_failed, sink_warning};
