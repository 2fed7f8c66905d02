/* From the queue to the sink, and what the sink says of it. */
#include "flow/pipeline_private.h"
#include "sinks/careful.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define IDLE_INTERVAL (10 * SECOND) /* how often an idle position is stored on the target */
#define OVERWRITTEN_INTERVAL (60 * SECOND)
#define PUSH_ROUND 256 /* pieces handed on before other callbacks get their turn */

/* ---- queue to sink ---- */

void pipeline_update_reading(struct pipeline *p)
{
        if (!p->source_started)
                return;
        p->source_ops->read(p->source, queue_wants(&p->queue) && !p->draining);
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
        if (p->see)
                p->see(p->see_context, t);
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

/* The sink has taken it, and it is the last of a transaction. */
static void note_taken(struct pipeline *p, struct position end)
{
        p->taken = end;
        checkpoint_taken(&p->checkpoint);
}

/* False: the sink is full, and `room` comes. */
static bool push_piece(struct pipeline *p, struct queue_item *item)
{
        struct txn *t = item->piece;
        struct position end = t->end;
        bool last = t->last;

        if (item->from_disk && last)
                trail_push(&p->trail, end, t->gtids);
        count(p, t);
        if (p->sink_ops->push(p->sink, &t) == SINK_FULL) {
                queue_unpop(&p->queue, &t);
                return false;
        }
        p->counted = false;
        p->sink_partial = !last;
        if (last)
                note_taken(p, end);
        return true;
}

/* The target rolls back what it has of a transaction whose rest will not come. The source goes on
 * to disk meanwhile: it may be sending that transaction again, and must come to its end. */
static void begin_again(struct pipeline *p)
{
        pipeline_stop_sink(p);
        pipeline_start_sink(p);
}

/* Or the disk is full of such. */
static bool no_more_comes(const struct pipeline *p)
{
        return p->draining || !p->source_started || p->queue.disk_is_full;
}

/* All was taken that is here. A transaction without an end, of which no more will come now, must
 * not stay open on the target: it may be long until the source sends it again. */
static void rest(struct pipeline *p)
{
        if (p->sink_partial && no_more_comes(p) && queue_is_drained(&p->queue)) {
                queue_abandon(&p->queue);
                begin_again(p);
                return;
        }
        pipeline_settle(p);
        pipeline_drained_step(p);
}

/* One step; false: no more for now. */
static bool push_next(struct pipeline *p)
{
        struct error e = ERROR_INIT;
        struct queue_item item;

        switch (queue_pop(&p->queue, &item, &e)) {
        case QUEUE_PIECE:
                return push_piece(p, &item);
        case QUEUE_PASSED:
                trail_push(&p->trail, item.passed, item.state);
                return true;
        case QUEUE_AGAIN:
                return true;
        case QUEUE_ABANDONED:
                begin_again(p);
                return false;
        case QUEUE_NOTHING:
                rest(p);
                return false;
        default:
                pipeline_lose_disk(p, &e);
                return false;
        }
}

void pipeline_push(void *context)
{
        struct pipeline *p = context;
        bool more = true;

        if (!pipeline_is_owed(p))
                p->answered = loop_now(p->loop);
        for (int i = 0; more && i < PUSH_ROUND && may_push(p); i++)
                more = push_next(p);
        pipeline_update_reading(p);
        if (more && may_push(p))
                loop_defer(p->loop, &p->push);
}

/* ---- events ---- */

/* What follows the target's position comes from disk, if it is there, else from the source. */
static void place(struct pipeline *p, const struct sink_start *start)
{
        char source[IDENTITY_TEXT];
        bool kept =
                queue_rewind(&p->queue, start->position, identity_format(&start->identity, source));

        p->identity = start->identity;
        p->taken = start->position;
        trail_start(&p->trail, start->gtids);
        if (kept)
                checkpoint_kept(&p->checkpoint, start->position,
                        p->source_started ? p->checkpoint.delivered : p->queue.end);
        else
                checkpoint_start(&p->checkpoint, start->position);
        if (!kept || !p->source_started)
                pipeline_set_gtids(p, kept ? p->queue.state : start->gtids);
        /* a queue that was found may have been acknowledged to its end, if not under this policy */
        p->forgotten = kept ? position_max(p->forgotten, p->queue.durable) : start->position;
        if (!kept)
                p->acknowledged = start->position;
        else if (pipeline_saves(p))
                p->acknowledged = p->forgotten;
        else
                p->acknowledged = position_max(p->acknowledged, start->position);
        if (p->source_started && !kept) {
                pipeline_stop_source(p);
                queue_drop(&p->queue);
        }
}

static void sink_ready(void *context, const struct sink_start *start)
{
        struct pipeline *p = context;

        p->sink_ready = true;
        p->answered = loop_now(p->loop);
        timer_cancel(&p->outage);
        place(p, start);
        tally_durable(&p->tally, start->position); /* commits whose answer was lost */
        tally_clear(&p->tally);
        if (!timer_pending(&p->idle))
                timer_set(&p->idle, IDLE_INTERVAL);
        if (!p->source_started && !p->draining && p->last.class == ERROR_NONE)
                pipeline_start_source(p);
        loop_defer(p->loop, &p->push);
        pipeline_connected(p);
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

/* What came before a statement is not on the target: to accept it now would be to accept it for
 * that, too. The stream comes to it again. */
static void defer_statement(struct pipeline *p)
{
        if (strcmp(p->last.code, ROUTE_STATEMENT_CODE) != 0 &&
                strcmp(p->last.code, ROUTE_WRITE_CODE) != 0)
                return;
        *p->last.code = '\0';
        error_context(&p->last,
                "changes before this are not on the target yet, resume applies them and stops here "
                "again");
}

/* All that was delivered is on the target, which keeps it: a crash of the target behind the stop
 * would take back what the operator has acted upon. */
static bool is_settled(const struct pipeline *p)
{
        return !checkpoint_pending(&p->checkpoint) &&
               position_compare(p->checkpoint.durable, p->checkpoint.stored) == 0;
}

/* A transaction whose rest will not come cannot be waited for, and a pause holds what is here. */
void pipeline_last_step(struct pipeline *p)
{
        bool stuck = !p->sink_ready || (p->sink_partial && queue_is_drained(&p->queue)) ||
                     (p->paused && checkpoint_pending(&p->checkpoint));

        if (p->last.class == ERROR_NONE || (!stuck && !is_settled(p)))
                return;
        if (!is_settled(p))
                defer_statement(p);
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

static void pause_on_threshold(struct pipeline *p)
{
        struct error e = ERROR_INIT;

        error_set(&e, ERROR_DATA,
                "%" PRIu64 " of the last %d changed rows went to quarantine, which is more than "
                "apply.error_threshold (%s): see culvertctl quarantine list, then resume",
                p->threshold.quarantined, THRESHOLD_ROWS, p->config->apply.error_threshold);
        threshold_clear(&p->threshold);
        pipeline_pause(p, true);
        p->events.overcome(p->context, &e);
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
        threshold_add(&p->threshold, rows, p->set_aside);
        if (p->set_aside && !p->paused &&
                threshold_passed(&p->threshold, config_error_threshold(p->config)))
                pause_on_threshold(p);
        p->set_aside = 0;
        backoff_reset(&p->sink_backoff);
        pipeline_changed(p);
        pipeline_last_step(p);
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
        trail_durable(&p->trail, end);
        p->answered = loop_now(p->loop);
        pipeline_settle(p);
        queue_applied(&p->queue, end);
        pipeline_acknowledge(p);
        pipeline_last_step(p);
        pipeline_shutdown_step(p);
        pipeline_drained_step(p);
}

/* What was refused comes again, and then each row by itself: it cannot be refused for this again.
 */
static void begin_carefully(struct pipeline *p, const struct error *e)
{
        p->events.note(p->context, false, e, "the target has refused a row: again, row by row");
        begin_again(p);
}

/* The target itself, not what it was to do. */
static bool is_lost(const struct error *e)
{
        return e->class == ERROR_RETRY && strncmp(e->code, "40", 2) != 0 &&
               strcmp(e->code, SINK_CAREFUL_CODE) != 0;
}

static void sink_failed(void *context, const struct error *why)
{
        struct pipeline *p = context;
        struct error e = *why;
        bool was_ready = p->sink_ready;

        p->sink_ready = false;
        if (p->stopping.class != ERROR_NONE) /* the stop is on its way, a retry would undo it */
                return;
        if (p->last.class != ERROR_NONE && is_lost(&e)) {
                pipeline_last_step(p);
                return;
        }
        error_clear(&p->last); /* the stream comes to it again: this is in front of it */
        if (p->shutdown_done || pipeline_gives_up(p, &e)) {
                pipeline_stop_on(p, &e);
                return;
        }
        if (!strcmp(e.code, SINK_CAREFUL_CODE)) {
                begin_carefully(p, &e);
                return;
        }
        if (!was_ready && p->source_started) { /* the source is read to disk meanwhile */
                pipeline_retry_later(p, &e, &p->sink_backoff, &p->sink_retry);
                return;
        }
        pipeline_drop_all(p);
        pipeline_retry_later(p, &e, &p->sink_backoff, &p->sink_retry);
        pipeline_watch_outage(p);
}

static void sink_warning(void *context, const char *text)
{
        struct pipeline *p = context;

        p->events.note(p->context, true, NULL, text);
}

static void sink_quarantined(void *context, uint64_t rows, uint64_t changes)
{
        struct pipeline *p = context;

        p->quarantined = (int64_t)changes;
        p->set_aside = rows;
}

/* The first is told at once, those of the next minute together. */
void pipeline_on_overwritten(void *context)
{
        struct pipeline *p = context;
        char text[200];

        if (!p->overwritten_untold)
                return;
        snprintf(text, sizeof text,
                "%" PRIu64 " changes met other rows on the target than the source had, and "
                "overwrote them (on_conflict = overwrite); the first",
                p->overwritten_untold);
        p->overwritten_untold = 0;
        timer_set(&p->tell_overwritten, OVERWRITTEN_INTERVAL);
        p->events.note(p->context, true, &p->overwritten_why, text);
}

static void sink_overwritten(void *context, uint64_t changes, const struct error *why)
{
        struct pipeline *p = context;

        if (!p->overwritten_untold)
                p->overwritten_why = *why;
        p->overwritten += changes;
        p->overwritten_untold += changes;
        if (!timer_pending(&p->tell_overwritten))
                timer_set(&p->tell_overwritten, 0);
}

/* ---- draining ---- */

static bool has_nothing(const struct pipeline *p)
{
        return p->draining && p->sink_ready && !pipeline_is_owed(p) &&
               !checkpoint_pending(&p->checkpoint) && queue_is_drained(&p->queue);
}

bool pipeline_is_drained(const struct pipeline *p)
{
        return has_nothing(p) && position_compare(p->forgotten, p->checkpoint.durable) <= 0;
}

void pipeline_drained_step(struct pipeline *p)
{
        if (!has_nothing(p))
                return;
        if (pipeline_is_drained(p))
                pipeline_changed(p);
        else if (position_compare(p->idle_asked, checkpoint_idle(&p->checkpoint)) < 0)
                timer_set(&p->idle, 0);
}

/* ---- idle positions ---- */

void pipeline_on_idle(void *context)
{
        struct pipeline *p = context;
        struct position idle = checkpoint_idle(&p->checkpoint);

        timer_set(&p->idle, IDLE_INTERVAL);
        /* the pieces of a transaction whose end has not come are not counted as pending */
        if (!p->sink_ready || p->sink_partial || !queue_is_drained(&p->queue) ||
                position_is_none(idle))
                return;
        p->idle_asked = idle;
        p->sink_ops->idle(p->sink, idle, buf_text(&p->gtids));
}

const struct sink_events pipeline_from_sink = {sink_ready, sink_room, sink_committed, sink_durable,
        sink_failed, sink_warning, sink_quarantined, sink_overwritten};
