/* What the source says: transactions, positions, failures. */
#include "flow/pipeline_private.h"

#include <inttypes.h>
#include <stdlib.h>

#define IDLE_BYTES                                                                                 \
        (16 * 1024 * 1024) /* an idle position is stored when the log has moved on by so much */
#define SNAPSHOT_XIDS (1 << 20) /* how long the copy's snapshot is compared with the stream */

static void source_ready(void *context)
{
        struct pipeline *p = context;

        p->source_ready = true;
        p->goal = POSITION_NONE;
        p->heard = loop_now(p->loop);
        backoff_reset(&p->source_backoff);
        pipeline_connected(p);
}

/* What the source still sends is not for this run: the next one is told it again. */
static bool takes_no_more(const struct pipeline *p)
{
        return p->ended || p->draining;
}

static int source_relation(void *context, const struct relation *shape, struct error *e)
{
        struct pipeline *p = context;

        return takes_no_more(p) ? 0 : route_relation(p->route, shape, e);
}

static const struct relation *source_known(
        void *context, const char *schema, const char *name, unsigned which)
{
        struct pipeline *p = context;

        return route_known(p->route, schema, name, which);
}

static int source_statement(void *context, const struct statement *s, struct error *e)
{
        struct pipeline *p = context;

        return takes_no_more(p) ? 0 : route_statement(p->route, s, e);
}

static void passed(struct pipeline *p, struct position end)
{
        checkpoint_passed(&p->checkpoint, end);
        if (!checkpoint_pending(&p->checkpoint) &&
                position_distance(p->checkpoint.stored, end) > IDLE_BYTES &&
                position_distance(p->idle_asked, end) > IDLE_BYTES)
                timer_set(&p->idle, 0);
        pipeline_changed(p);
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
        pipeline_changed(p);
}

/* All is committed, and the position itself stored, before the end is told. */
static bool may_end(const struct pipeline *p)
{
        if (!p->ended || !p->sink_ready || p->shutdown_done)
                return false;
        if (p->stopping.class != ERROR_NONE || p->last.class != ERROR_NONE)
                return false;
        return !checkpoint_pending(&p->checkpoint) && !pipeline_in_sink(p);
}

void pipeline_run_end(void *context)
{
        struct pipeline *p = context;

        if (!may_end(p))
                return;
        if (position_compare(p->checkpoint.stored, p->until) < 0 &&
                p->sink_ops->idle(p->sink, p->until, buf_text(&p->gtids)))
                return;
        pipeline_stop(p);
        p->events.reached(p->context);
}

/* Delivered before, as after a reconnect? The server is asked from there on, so it should not. */
static bool is_repeat(const struct pipeline *p, const struct txn *t)
{
        return position_compare(t->commit, p->checkpoint.delivered) < 0;
}

/* Of interest to nobody but for its position. */
static bool is_empty(const struct txn *t)
{
        return t->first && t->last && t->changes_n == 0;
}

/* Needed where the stream may begin again before the target is back: with a disk. What goes there
 * is noted when it comes back. */
static void note_state(struct pipeline *p, const struct txn *t)
{
        pipeline_set_gtids(p, t->gtids);
        if (queue_has_disk(&p->queue) && !p->queue.diverted)
                trail_push(&p->trail, t->end, t->gtids);
}

static int source_piece(void *context, struct txn **piece, struct error *e)
{
        struct pipeline *p = context;
        struct txn *t = *piece;
        char text[POSITION_TEXT];

        if (takes_no_more(p) || is_repeat(p, t))
                return 0;
        if (is_beyond(p, t->commit)) {
                end_stream(p);
                return 0;
        }
        if (check_snapshot(p, t, e) < 0 || route_apply(p->route, t, e) < 0) {
                position_format(t->commit, e->position);
                return error_context(e, "at %s", position_format(t->commit, text));
        }
        if (!is_empty(t))
                pipeline_choose_way(p);
        if (t->last)
                note_state(p, t);
        if (is_empty(t)) {
                passed(p, t->end);
                return 0;
        }
        if (t->last) {
                if (checkpoint_delivered(&p->checkpoint, t->end, e) < 0)
                        return -1;
        }
        queue_push(&p->queue, piece);
        p->log_end = position_max(p->log_end, p->checkpoint.delivered);
        if (!queue_wants(&p->queue))
                pipeline_update_reading(p);
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
        if (takes_no_more(p))
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
        pipeline_uncount(p);
        loop_defer(p->loop, &p->push);
        if (p->draining)
                return;
        if (e.class != ERROR_RETRY) {
                p->last = e;
                pipeline_last_step(p);
                return;
        }
        if (p->sink_partial && !p->queue.head && !p->queue.diverted) {
                pipeline_drop_all(p);
                pipeline_retry_later(p, &e, &p->source_backoff, &p->sink_retry);
                return;
        }
        pipeline_retry_later(p, &e, &p->source_backoff, &p->source_retry);
}

static void source_marked(void *context, struct position end, const struct error *e)
{
        struct pipeline *p = context;

        if (!p->marks)
                return;
        p->marks--;
        p->events.marked(p->context, end, e);
}

const struct source_events pipeline_from_source = {
        .ready = source_ready,
        .relation = source_relation,
        .known = source_known,
        .statement = source_statement,
        .piece = source_piece,
        .passed = source_passed,
        .failed = source_failed,
        .marked = source_marked,
};
