/*
 * When what arrives goes to disk, and what the source may forget because it is there.
 *
 * To disk: while memory is full; while the target cannot be reached (its last durable position is
 * where the source begins again then); always with acknowledge = queued; with `auto` once the
 * source holds more than acknowledge_above, until all was taken from disk again. What is under way
 * to the target by then is not on disk: if the target stands still, both begin again behind what it
 * has durably. What is on disk without a gap behind what the target has durably is acknowledged
 * under the last two, and what the target has under all.
 */
#include "flow/pipeline_private.h"

#include <stdio.h>

#define OUTAGE (10 * SECOND) /* of the target, before the source is read to disk */
#define STILL (10 * SECOND)  /* it owes an answer for so long: it stands still */
#define LOOK SECOND

bool pipeline_saves(const struct pipeline *p)
{
        return p->config->queue.acknowledge == ACKNOWLEDGE_QUEUED || p->save;
}

void pipeline_acknowledge(struct pipeline *p)
{
        struct position durable = checkpoint_acknowledge(&p->checkpoint);

        if (pipeline_saves(p) && queue_covers(&p->queue, durable))
                durable = position_max(durable, p->queue.durable);
        p->acknowledged = position_max(p->acknowledged, durable);
        p->forgotten = position_max(p->forgotten, p->acknowledged);
        if (p->source_started)
                p->source_ops->acknowledge(p->source, p->acknowledged);
}

static void divert(struct pipeline *p, struct position begin, struct queue_point now)
{
        const struct queue_point from = {begin, trail_at(&p->trail, begin)};
        char source[IDENTITY_TEXT];

        queue_divert(&p->queue, from, now, identity_format(&p->identity, source));
}

/* It begins where the last transaction with work for the target ended, not where the source is by
 * now: the target is never durably past that one while it has nothing else to do. */
void pipeline_choose_way(struct pipeline *p)
{
        struct queue *q = &p->queue;
        const struct checkpoint *c = &p->checkpoint;
        const struct queue_point now = {c->delivered, p->gtids.len ? buf_text(&p->gtids) : NULL};

        if ((!pipeline_saves(p) && q->bytes < q->high) || !queue_may_divert(q))
                return;
        divert(p, position_max(c->last, c->durable), now);
        pipeline_uncount(p);
}

/* ---- the target is away ---- */

void pipeline_watch_outage(struct pipeline *p)
{
        if (queue_has_disk(&p->queue) && !timer_pending(&p->outage))
                timer_set(&p->outage, OUTAGE);
}

/* What is not durable on the target comes again, to disk, unless it is there already. */
static void read_to_disk(struct pipeline *p)
{
        struct position durable = p->checkpoint.durable;

        if (!queue_covers(&p->queue, durable))
                divert(p, durable, (struct queue_point){durable, trail_at(&p->trail, durable)});
        checkpoint_kept(&p->checkpoint, durable, p->queue.end);
        pipeline_set_gtids(p, p->queue.state);
        pipeline_start_source(p);
}

void pipeline_on_outage(void *context)
{
        struct pipeline *p = context;

        if (!p->running || p->draining || p->sink_ready || p->source_started || p->shutdown_done ||
                p->stopping.class != ERROR_NONE || p->last.class != ERROR_NONE ||
                position_is_none(p->checkpoint.durable) || !queue_has_disk(&p->queue))
                return;
        p->events.note(p->context, true, NULL,
                "the target cannot be reached: what the source sends is kept on disk meanwhile");
        read_to_disk(p);
}

/* ---- the disk's own life ---- */

void pipeline_start_sink(struct pipeline *p)
{
        if (p->disk_failed) {
                p->disk_failed = false;
                queue_reopen(&p->queue);
        }
        p->start_wanted = !queue_is_open(&p->queue);
        if (!p->start_wanted)
                p->sink_ops->start(p->sink);
}

void pipeline_lose_disk(struct pipeline *p, const struct error *e)
{
        p->disk_error = *e;
        p->disk_failed = true;
        loop_defer(p->loop, &p->reopen);
}

/* What was durable is there when it is opened again, the rest comes from the source. */
void pipeline_run_reopen(void *context)
{
        struct pipeline *p = context;
        struct error e = p->disk_error;

        if (!p->running || p->stopping.class != ERROR_NONE)
                return;
        if (e.class != ERROR_RETRY || p->shutdown_done) {
                pipeline_stop_on(p, &e);
                return;
        }
        pipeline_drop_all(p);
        pipeline_retry_later(p, &e, &p->sink_backoff, &p->sink_retry);
}

/* Back to memory where nothing that the source may have forgotten is needed from disk. A disk that
 * is full then has beginnings of transactions that came again, and is emptied that way. */
void pipeline_settle(struct pipeline *p)
{
        if (!queue_is_drained(&p->queue))
                return;
        checkpoint_settled(&p->checkpoint, p->taken);
        p->save = false;
        if (p->queue.diverted && (!pipeline_saves(p) || p->queue.disk_is_full) &&
                position_compare(p->forgotten, p->checkpoint.durable) <= 0)
                queue_leave(&p->queue);
}

/* ---- looking after it ---- */

static void look_at_source(struct pipeline *p)
{
        int64_t held = p->source_ops->retention(p->source)->held;

        if (held <= p->config->queue.acknowledge_above / 2)
                p->save_noted = false;
        if (p->config->queue.acknowledge != ACKNOWLEDGE_AUTO || p->save ||
                held <= p->config->queue.acknowledge_above)
                return;
        p->save = true;
        if (p->save_noted)
                return;
        p->save_noted = true;
        p->events.note(p->context, false, NULL,
                "the source holds more than queue.acknowledge_above for us: what is on disk here "
                "is acknowledged");
}

/* While the source holds too much, and what is under way to the target is not on disk. */
static bool stands_still(const struct pipeline *p)
{
        return p->save && p->sink_ready && !queue_covers(&p->queue, p->checkpoint.durable) &&
               p->last.class == ERROR_NONE && p->stopping.class == ERROR_NONE &&
               !p->shutdown_done && !p->ended && loop_now(p->loop) - p->answered > STILL;
}

static void begin_again_to_disk(struct pipeline *p)
{
        p->events.note(p->context, true, NULL,
                "the target stands still: what it has not made durable is read again, to disk");
        pipeline_drop_all(p);
        read_to_disk(p);
        pipeline_start_sink(p);
}

static void look_at_disk(struct pipeline *p)
{
        uint64_t bytes = queue_disk_bytes(&p->queue), limit = (uint64_t)p->config->queue.disk;
        unsigned level = bytes >= limit - limit / 8 ? 2 : bytes >= limit / 2 ? 1 : 0;
        char text[200];

        if (level > p->disk_level && bytes > 0) {
                snprintf(text, sizeof text,
                        "the queue on disk has %.1f of %.1f GiB (queue.disk); when it is full, the "
                        "source is not read any more",
                        (double)bytes / (1 << 30), (double)limit / (1 << 30));
                p->events.note(p->context, true, NULL, text);
        }
        if (level != 1 || bytes < limit / 4 || level > p->disk_level)
                p->disk_level = level;
}

/* Seen twice, a second apart: what is durable was deleted by then. The first time asks for it,
 * since pieces of the same transaction from before a restart become deletable with no word of the
 * target. */
static bool stop_if_choked(struct pipeline *p)
{
        bool choked = queue_is_choked(&p->queue) &&
                      position_compare(p->checkpoint.durable, p->taken) >= 0;
        bool again = p->choked;
        struct error e = ERROR_INIT;

        p->choked = choked;
        if (!choked || p->shutdown_done)
                return false;
        if (!again) {
                queue_applied(&p->queue, p->checkpoint.durable);
                return false;
        }
        error_set(&e, ERROR_CONFIG,
                "the disk queue is full of one transaction that has not ended: queue.disk must "
                "have "
                "room for the largest transaction; raise it, restart and resume");
        pipeline_stop_on(p, &e);
        return true;
}

void pipeline_on_look(void *context)
{
        struct pipeline *p = context;

        timer_set(&p->look, LOOK);
        if (!p->source_started)
                return;
        look_at_source(p);
        if (stands_still(p)) {
                begin_again_to_disk(p);
                return;
        }
        look_at_disk(p);
        pipeline_update_reading(p);
        if (stop_if_choked(p))
                return;
        queue_passed(&p->queue, p->checkpoint.delivered, buf_text(&p->gtids));
}

/* ---- what the queue says ---- */

static void queue_opened(void *context)
{
        struct pipeline *p = context;

        if (p->start_wanted)
                pipeline_start_sink(p);
}

static void queue_more(void *context)
{
        struct pipeline *p = context;

        loop_defer(p->loop, &p->push);
}

static void queue_room(void *context)
{
        pipeline_update_reading(context);
}

static void queue_durable(void *context, struct position position)
{
        (void)position;
        pipeline_acknowledge(context);
}

static void queue_failed(void *context, const struct error *e)
{
        pipeline_lose_disk(context, e);
}

const struct queue_events pipeline_from_queue = {
        queue_opened, queue_more, queue_room, queue_durable, queue_failed};
