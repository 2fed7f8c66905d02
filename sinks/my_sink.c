/*
 * MySQL-family sink: applies transactions by statements that travel many to a text.
 *
 * A batch is one target transaction that holds a run of whole source transactions:
 *
 *   start transaction, checkpoint, row changes ... | all answers seen | commit
 *
 * The commit goes out only after every answer of the batch has been seen, because an update that
 * finds no row is no error to the server. The next batch's statements follow it in the same text.
 * While a batch is on its way, what arrives gathers for the next: a lone transaction goes out at
 * once, and under load batches grow by themselves.
 *
 * The first statement moves the checkpoint and proves the epoch. A transaction that arrives in
 * pieces has no known end then: its checkpoint statement keeps the position, and a second one
 * before the commit moves it; the counter rises with both (HAZARDS A7).
 *
 * The changes of a batch go in the order in which most travel in one statement (sinks/my_order.h).
 * Inserts and deletes travel many to a statement. When such a statement is refused, no row can be
 * named: the sink fails once in a way that is tried again, and is careful from there until it has
 * passed the place: then each row is its own statement, and the error names it.
 */
#include "base/memory.h"
#include "sinks/careful.h"
#include "sinks/my_silence.h"
#include "sinks/my_wire.h"

#include <stdlib.h>

/* The server hangs up on a connection that is silent for a minute (sinks/my_session.c). */
#define ALIVE_INTERVAL (20 * SECOND)

struct batch {
        struct position end;
        char *gtids; /* state there; NULL: not known */
        uint64_t transactions, rows;
        uint64_t quarantined, in_quarantine; /* of its rows; all that are there after it */
        uint64_t overwritten;
        struct error overwritten_why; /* the first of them */
        bool whole; /* its end is known; else it is one transaction that arrives in pieces */
};

struct sink {
        struct loop *loop;
        struct sink_events events;
        void *context;
        const struct config *config;
        char *pipeline;
        struct my_params *params;
        uint64_t batch_rows, batch_bytes;
        int64_t batch_delay;

        struct my_link *link;
        struct my_silence *silence; /* NULL: the link is not up */
        struct my_session *session;
        struct my_wire *wire; /* not NULL: up */
        struct my_session_result facts;
        uint64_t generation;
        struct timer alive;

        struct txn *pending, **pending_tail; /* not on the wire yet */
        uint64_t pending_bytes, wire_bytes;
        bool full;
        struct timer delay;
        bool delay_over;

        bool open;              /* a batch is on the wire: its begin was sent */
        bool closing;           /* every change of it was sent; the commit waits for answers */
        struct txn *last_piece; /* a whole batch ends with this pending piece */
        bool piece_started;
        struct change *next;   /* next change of the first pending piece, */
        struct my_order order; /* or, when it has any, of the whole batch */
        uint32_t order_at;
        struct batch now, committing;

        struct position committed;
        struct position idle_wanted;
        char *gtids, *idle_gtids; /* state at `committed`; at `idle_wanted`, NULL: as before */
        struct quarantine quarantine;
        struct careful careful;
};

/* ---- batches ---- */

/* How far the next batch goes: whole transactions of `pending` up to the limit, at least one; or
 * one transaction whose end has not arrived yet. */
static void choose_batch(struct sink *s)
{
        uint64_t rows = 0;

        free(s->now.gtids);
        s->now = (struct batch){0};
        s->last_piece = NULL;
        for (struct txn *t = s->pending; t; t = t->next) {
                rows += t->changes_n;
                if (!t->last)
                        continue;
                if (s->now.whole && rows > s->batch_rows)
                        break;
                s->last_piece = t;
                s->now.whole = true;
                s->now.end = t->end;
                s->now.transactions++;
                s->now.rows = rows;
        }
        if (s->last_piece)
                s->now.gtids = memory_string(s->last_piece->gtids);
}

static void begin_batch(struct sink *s)
{
        choose_batch(s);
        s->open = true;
        s->closing = s->piece_started = false;
        s->order_at = 0;
        if (!s->now.whole || !my_wire_order(s->wire, s->pending, s->last_piece, &s->order))
                my_order_done(&s->order);
        my_wire_begin(s->wire);
        if (s->now.whole)
                my_wire_checkpoint(s->wire, s->now.end, s->now.gtids);
        else
                my_wire_checkpoint(s->wire, s->committed, s->gtids);
}

static void close_batch(struct sink *s)
{
        s->closing = true;
        if (!s->now.whole)
                my_wire_checkpoint(s->wire, s->now.end, s->now.gtids);
}

/* The first pending piece is wholly on the wire. */
static void finish_piece(struct sink *s)
{
        struct txn *t = s->pending;
        bool ends = s->now.whole ? t == s->last_piece : t->last;

        s->pending = t->next;
        if (!s->pending)
                s->pending_tail = &s->pending;
        s->piece_started = false;
        if (!s->now.whole) {
                s->now.rows += t->changes_n;
                s->now.transactions = t->last;
                s->now.end = t->end;
                s->now.gtids = memory_string(t->gtids); /* the last piece has them */
        }
        s->pending_bytes -= txn_bytes(t);
        s->wire_bytes += txn_bytes(t);
        my_wire_keep(s->wire, t);
        if (ends)
                close_batch(s);
}

static bool send_ordered(struct sink *s)
{
        if (my_wire_change(s->wire, NULL, s->order.items[s->order_at]) != MY_WIRE_SENT)
                return false;
        if (++s->order_at < s->order.n)
                return true;
        my_order_done(&s->order);
        while (!s->closing)
                finish_piece(s);
        return true;
}

/* Sends one step of the open batch. False: nothing can be sent now. */
static bool send_step(struct sink *s)
{
        if (!s->pending || s->closing || !my_wire_ready(s->wire))
                return false;
        if (s->order.n)
                return send_ordered(s);
        if (!s->piece_started) {
                s->piece_started = true;
                s->next = s->pending->changes;
        }
        if (!s->next) {
                finish_piece(s);
                return true;
        }
        if (my_wire_change(s->wire, s->pending, s->next) != MY_WIRE_SENT)
                return false;
        s->next = s->next->next;
        return true;
}

static void commit_batch(struct sink *s)
{
        free(s->committing.gtids);
        s->committing = s->now;
        s->committing.in_quarantine = s->quarantine.changes;
        s->now.gtids = NULL;
        s->open = s->closing = false;
        my_wire_commit(s->wire);
}

/* A position that no transaction carries travels as a batch without rows. */
static bool begin_idle(struct sink *s)
{
        if (position_compare(s->idle_wanted, s->committed) <= 0 || !my_wire_idle(s->wire))
                return false;
        free(s->now.gtids);
        s->now = (struct batch){.end = s->idle_wanted, .whole = true};
        s->now.gtids = memory_string(s->idle_gtids ? s->idle_gtids : s->gtids);
        s->open = true;
        my_wire_begin(s->wire);
        my_wire_checkpoint(s->wire, s->now.end, s->now.gtids);
        close_batch(s);
        return true;
}

static bool begin_something(struct sink *s)
{
        if (!s->pending)
                return begin_idle(s);
        if (s->batch_delay > 0 && !s->delay_over && s->pending_bytes < s->batch_bytes / 2) {
                if (!timer_pending(&s->delay))
                        timer_set(&s->delay, s->batch_delay);
                return false;
        }
        s->delay_over = false;
        begin_batch(s);
        return true;
}

static bool step(struct sink *s)
{
        if (!s->open)
                return begin_something(s);
        if (!s->closing || !my_wire_answered(s->wire))
                return send_step(s);
        commit_batch(s);
        return true;
}

static void pump(struct sink *s)
{
        if (!s->wire)
                return;
        while (my_wire_ok(s->wire) && !my_wire_full(s->wire) && step(s))
                ;
        if (my_wire_ok(s->wire))
                my_wire_flush(s->wire);
}

static void on_delay(void *context)
{
        struct sink *s = context;

        s->delay_over = true;
        pump(s);
}

static void on_alive(void *context)
{
        struct sink *s = context;

        if (s->wire && my_wire_ok(s->wire) && my_wire_idle(s->wire)) {
                my_wire_alive(s->wire);
                my_wire_flush(s->wire);
        }
        timer_set(&s->alive, ALIVE_INTERVAL);
}

/* ---- events of the wire ---- */

static void on_released(void *context, size_t bytes)
{
        struct sink *s = context;

        s->wire_bytes -= bytes;
}

static void end_careful(struct sink *s)
{
        if (s->careful.on && s->committing.transactions &&
                !careful_goes_on(&s->careful, s->committed, s->committing.rows))
                my_wire_careful(s->wire, false);
}

/* A commit that is answered is durable: the session refuses a target of which it is not true. */
static void on_committed(void *context)
{
        struct sink *s = context;

        s->committed = s->committing.end;
        free(s->gtids);
        s->gtids = s->committing.gtids;
        s->committing.gtids = NULL;
        end_careful(s);
        s->events.quarantined(s->context, s->committing.quarantined, s->committing.in_quarantine);
        if (s->committing.overwritten)
                s->events.overwritten(
                        s->context, s->committing.overwritten, &s->committing.overwritten_why);
        s->events.committed(
                s->context, s->committed, s->committing.transactions, s->committing.rows);
        s->events.durable(s->context, s->committed);
}

static void on_warning(void *context, const char *text)
{
        struct sink *s = context;

        s->events.warning(s->context, text);
}

static void on_overwritten(void *context, const struct error *why)
{
        struct sink *s = context;

        if (s->now.overwritten++ == 0)
                s->now.overwritten_why = *why;
}

static void on_refused(void *context)
{
        struct sink *s = context;

        careful_begin(&s->careful, s->now.whole ? s->now.end : POSITION_NONE, CAREFUL_ROWS);
}

static void on_quarantined(void *context)
{
        struct sink *s = context;

        s->now.quarantined++;
}

static void on_moved(void *context)
{
        struct sink *s = context;

        my_silence_heard(s->silence);
        pump(s);
        if (s->full && my_wire_ok(s->wire) &&
                s->pending_bytes + s->wire_bytes <= s->batch_bytes / 2) {
                s->full = false;
                s->events.room(s->context);
        }
}

/* ---- connecting ---- */

static void on_session(void *context, const struct my_session_result *r, const struct error *e)
{
        static const struct my_wire_events events = {on_released, on_committed, on_moved,
                on_warning, on_refused, on_quarantined, on_overwritten};
        struct sink *s = context;
        const struct my_wire_quarantine quarantine = {s->config, &s->quarantine, s->careful.on};

        my_silence_heard(s->silence);
        if (!r) {
                my_link_fail(s->link, e);
                return;
        }
        s->facts = *r;
        s->committed = r->start.position;
        s->gtids = memory_string(r->start.gtids);
        s->wire = my_wire_new(s->link, s->pipeline, r, ++s->generation, &quarantine, &events, s);
        timer_set(&s->alive, ALIVE_INTERVAL);
        s->events.ready(s->context, &s->facts.start);
        s->events.quarantined(s->context, 0, s->quarantine.changes);
}

static bool owes_answer(void *context)
{
        const struct sink *s = context;

        return !s->wire || !my_wire_idle(s->wire);
}

static void on_up(void *context)
{
        static const struct silence_events silence = {owes_answer, on_warning};
        struct sink *s = context;
        struct my_session_setup setup = {.pipeline = s->pipeline,
                .former = s->facts.connection,
                .quarantine = &s->quarantine};

        s->silence = my_silence_new(
                s->loop, s->params, s->link, s->config->apply.answer_timeout, &silence, s);
        s->session = my_session_new(s->link, &setup, on_session, s);
}

/* ---- the table ---- */

static void drop_pending(struct sink *s)
{
        while (s->pending) {
                struct txn *t = s->pending;

                s->pending = t->next;
                txn_free(t);
        }
        s->pending_tail = &s->pending;
        s->pending_bytes = 0;
}

static void forget_gtids(struct sink *s)
{
        memory_free_string(&s->gtids);
        memory_free_string(&s->idle_gtids);
        memory_free_string(&s->now.gtids);
        memory_free_string(&s->committing.gtids);
}

static void my_sink_stop(struct sink *s)
{
        s->session = my_session_free(s->session);
        s->wire = my_wire_free(s->wire);
        s->silence = my_silence_free(s->silence);
        s->link = my_link_free(s->link);
        timer_cancel(&s->delay);
        timer_cancel(&s->alive);
        drop_pending(s);
        s->last_piece = NULL;
        my_order_done(&s->order);
        s->wire_bytes = 0;
        s->full = s->open = s->closing = s->piece_started = s->delay_over = false;
        s->idle_wanted = s->committed = POSITION_NONE;
        forget_gtids(s);
}

static void on_down(void *context, const struct error *e)
{
        struct sink *s = context;
        struct error copy = *e;

        my_sink_stop(s);
        s->events.failed(s->context, &copy);
}

static void my_sink_reload(struct sink *s, const struct config *c)
{
        s->config = c;
        s->batch_rows = (uint64_t)c->apply.batch_rows;
        s->batch_bytes = (uint64_t)c->apply.batch_bytes;
        s->batch_delay = c->apply.batch_delay;
        my_silence_limit(s->silence, c->apply.answer_timeout);
}

static struct sink *my_sink_destroy(struct sink *s)
{
        if (!s)
                return NULL;
        my_sink_stop(s);
        quarantine_clear(&s->quarantine);
        my_params_free(s->params);
        free(s->pipeline);
        free(s);
        return NULL;
}

static struct sink *my_sink_create(struct loop *l, const struct config *c,
        const struct sink_events *events, void *context, struct error *e)
{
        struct sink *s = memory_new_of(struct sink);

        s->loop = l;
        s->events = *events;
        s->context = context;
        s->pipeline = memory_string(c->pipeline.name);
        s->pending_tail = &s->pending;
        s->quarantine = (struct quarantine)QUARANTINE_INIT;
        timer_init(&s->delay, l, on_delay, s);
        timer_init(&s->alive, l, on_alive, s);
        my_sink_reload(s, c);
        if (!(s->params = my_params_new(&c->target, "target", e)))
                return my_sink_destroy(s);
        return s;
}

static void my_sink_start(struct sink *s)
{
        static const struct my_link_events events = {on_up, on_down};

        my_sink_stop(s);
        s->link = my_link_new(s->loop, s->params, &events, s);
}

static enum sink_push my_sink_push(struct sink *s, struct txn **piece)
{
        struct txn *t = *piece;

        if (!s->wire)
                return SINK_FULL;
        if (s->pending_bytes + s->wire_bytes >= s->batch_bytes) {
                s->full = true;
                return SINK_FULL;
        }
        *piece = NULL;
        t->next = NULL;
        *s->pending_tail = t;
        s->pending_tail = &t->next;
        s->pending_bytes += txn_bytes(t);
        pump(s);
        return SINK_TAKEN;
}

static bool my_sink_idle(struct sink *s, struct position p, const char *gtids)
{
        if (!s->wire || position_compare(p, s->committed) <= 0)
                return false;
        s->idle_wanted = position_max(s->idle_wanted, p);
        free(s->idle_gtids);
        s->idle_gtids = memory_string(gtids);
        pump(s);
        return true;
}

static bool my_sink_connected(const struct sink *s)
{
        return s->wire && my_wire_ok(s->wire);
}

static const char *my_sink_version(const struct sink *s)
{
        return *s->facts.version ? s->facts.version : NULL;
}

#define MY_SINK(its_kind)                                                                          \
        {                                                                                          \
                .kind = its_kind, .create = my_sink_create, .destroy = my_sink_destroy,            \
                .start = my_sink_start, .stop = my_sink_stop, .push = my_sink_push,                \
                .idle = my_sink_idle, .reload = my_sink_reload, .connected = my_sink_connected,    \
                .version = my_sink_version,                                                        \
        }

const struct sink_ops my_sink_ops = MY_SINK(KIND_MYSQL);
const struct sink_ops mariadb_sink_ops = MY_SINK(KIND_MARIADB);
