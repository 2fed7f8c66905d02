/*
 * PostgreSQL sink: applies transactions in libpq's pipeline mode through prepared statements.
 *
 * A batch is one target transaction that holds a run of whole source transactions:
 *
 *   begin, checkpoint, row changes ... | all answers seen | commit, sync
 *
 * The commit goes out only after every answer of the batch has been seen, because an update that
 * finds no row is no error to the server. The next batch's statements follow the commit at once,
 * so the server waits for us only between a batch's last row and its commit. While a batch is on
 * the wire, what arrives gathers for the next: a lone transaction goes out at once, and under load
 * batches grow by themselves.
 *
 * The first statement moves the checkpoint and proves the epoch. A transaction that arrives in
 * pieces has no known end then: its checkpoint statement keeps the position, and a second one
 * before the commit moves it. With a replication origin the position is part of the commit record:
 * then the first statement locks the row to prove the epoch, and moves it once a second only, so
 * that it does not bloat under a long snapshot (HAZARDS B3, C1). Without one it does, and takes
 * turns (sinks/pg_turn.h).
 */
#include "base/memory.h"
#include "sinks/careful.h"
#include "sinks/pg_marker.h"
#include "sinks/pg_session.h"
#include "sinks/pg_silence.h"
#include "sinks/pg_wire.h"
#include "sinks/sink.h"

#include <stdlib.h>

/* Rows that most transactions touch (a counter, a balance) get a version each time, and versions of
 * an open transaction cannot be pruned: the chain that each update walks grows with the batch.
 * 2,500 TPC-B transactions a batch cost the target 2.5 times the CPU of 250. */
#define BATCH_TRANSACTIONS 250
#define ROW_INTERVAL SECOND
#define TURNS_LOOK 100 /* of the checkpoint row: some thousands of updates that were not pruned */

struct batch {
        struct position end;
        char *gtids;          /* state there; NULL: not known */
        int64_t committed_at; /* of its last transaction, on the source */
        uint64_t transactions, rows;
        uint64_t quarantined, in_quarantine; /* of its rows; all that are there after it */
        uint64_t overwritten;
        struct error overwritten_why; /* the first of them */
        bool moves_row;
        bool whole; /* its end is known; else it is one transaction that arrives in pieces */
};

struct sink {
        struct loop *loop;
        struct sink_events events;
        void *context;
        const struct config *config;
        char *pipeline;
        struct pg_params *params;
        uint64_t batch_rows, batch_bytes;
        int64_t batch_delay;

        struct pg_link *link;
        struct pg_silence *silence; /* NULL: the link is not up */
        struct pg_session *session;
        struct pg_wire *wire; /* not NULL: up */
        struct pg_marker *marker;
        bool marker_up;
        struct pg_session_result facts;
        bool session_up;
        struct pg_session_backend former;
        uint64_t generation;

        struct txn *pending, **pending_tail; /* not on the wire yet */
        uint64_t pending_bytes, wire_bytes;
        bool full;
        struct timer delay;
        bool delay_over;

        bool open;              /* a batch is on the wire: begin was sent */
        bool closing;           /* every change of it was sent; the commit waits for answers */
        struct txn *last_piece; /* a whole batch ends with this pending piece */
        bool piece_started;
        struct change *next; /* next change of the first pending piece */
        struct batch now, committing;

        struct position committed;
        struct position in_row; /* what readers of the checkpoint row see */
        struct position idle_wanted;
        char *gtids, *idle_gtids; /* state at `committed`; at `idle_wanted`, NULL: as before */
        struct timer row;
        int64_t row_moved; /* loop time of the row's last update */
        struct quarantine quarantine;
        struct careful careful;
        uint64_t looked; /* pg_wire_turns when the marker was last asked to look */
};

/* ---- batches ---- */

/* How far the next batch goes: whole transactions of `pending` up to the limits, at least one; or
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
                if (s->now.whole &&
                        (rows > s->batch_rows || s->now.transactions == BATCH_TRANSACTIONS))
                        break;
                s->last_piece = t;
                s->now.whole = true;
                s->now.end = t->end;
                s->now.committed_at = t->committed_at;
                s->now.transactions++;
                s->now.rows = rows;
        }
        if (s->last_piece)
                s->now.gtids = memory_string(s->last_piece->gtids);
}

/* With an origin, the row follows once a second, for those who read it. */
static bool row_is_due(struct sink *s)
{
        int64_t now = loop_now(s->loop);

        if (s->facts.origin && s->row_moved && now - s->row_moved < ROW_INTERVAL)
                return false;
        s->row_moved = now;
        return true;
}

static bool begin_batch(struct sink *s)
{
        choose_batch(s);
        s->open = true;
        s->closing = s->piece_started = false;
        if (!pg_wire_begin(s->wire))
                return false;
        if (!s->now.whole) {
                s->now.moves_row = !s->facts.origin;
                return s->facts.origin ? pg_wire_proof(s->wire)
                                       : pg_wire_checkpoint(s->wire, s->committed, s->gtids);
        }
        s->now.moves_row = row_is_due(s);
        if (!(s->now.moves_row ? pg_wire_checkpoint(s->wire, s->now.end, s->now.gtids)
                               : pg_wire_proof(s->wire)))
                return false;
        return !s->facts.origin || pg_wire_origin(s->wire, s->now.end, s->now.committed_at);
}

static bool close_batch(struct sink *s)
{
        bool ok = true;

        s->closing = true;
        if (!s->now.whole)
                ok = s->facts.origin ? pg_wire_origin(s->wire, s->now.end, s->now.committed_at)
                                     : pg_wire_checkpoint(s->wire, s->now.end, s->now.gtids);
        return ok && pg_wire_answers(s->wire);
}

/* The first pending piece is wholly on the wire. */
static bool finish_piece(struct sink *s)
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
                s->now.committed_at = t->committed_at;
        }
        s->pending_bytes -= txn_bytes(t);
        s->wire_bytes += txn_bytes(t);
        pg_wire_keep(s->wire, t);
        if (ends)
                return close_batch(s);
        /* The server keeps some kilobytes of answers back until it is asked, and what they would
         * release may be the room that the rest of the transaction waits for. */
        return s->now.whole || pg_wire_answers(s->wire);
}

/* Sends one step of the open batch. False: nothing can be sent now. */
static bool send_step(struct sink *s)
{
        if (!s->pending || s->closing || !pg_wire_ready(s->wire))
                return false;
        if (!s->piece_started) {
                s->piece_started = true;
                s->next = s->pending->changes;
        }
        if (!s->next)
                return finish_piece(s);
        if (pg_wire_change(s->wire, s->pending, s->next) != WIRE_SENT)
                return false;
        s->next = s->next->next;
        return true;
}

static bool commit_batch(struct sink *s)
{
        free(s->committing.gtids);
        s->committing = s->now;
        s->committing.in_quarantine = s->quarantine.changes;
        s->now.gtids = NULL;
        s->open = s->closing = false;
        return pg_wire_commit(s->wire);
}

/* A position that no transaction carries travels as a batch without rows. */
static bool begin_idle(struct sink *s)
{
        if (position_compare(s->idle_wanted, s->in_row) <= 0 || !pg_wire_idle(s->wire))
                return false;
        free(s->now.gtids);
        s->now = (struct batch){.end = position_max(s->idle_wanted, s->committed),
                .gtids = memory_string(s->idle_gtids ? s->idle_gtids : s->gtids),
                .moves_row = true,
                .whole = true};
        s->open = true;
        return pg_wire_begin(s->wire) && pg_wire_checkpoint(s->wire, s->now.end, s->now.gtids) &&
               close_batch(s);
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
        return begin_batch(s);
}

static void pump(struct sink *s)
{
        bool more = true;

        if (!s->wire)
                return;
        while (more && pg_wire_ok(s->wire) && !pg_wire_full(s->wire)) {
                if (!s->open)
                        more = begin_something(s);
                else if (s->closing && pg_wire_answered(s->wire))
                        more = commit_batch(s);
                else
                        more = send_step(s);
        }
        pg_wire_flush(s->wire);
}

static void on_delay(void *context)
{
        struct sink *s = context;

        s->delay_over = true;
        pump(s);
}

/* The row is behind the origin and no further batch has moved it. */
static void on_row_due(void *context)
{
        struct sink *s = context;

        s->idle_wanted = position_max(s->idle_wanted, s->committed);
        pump(s);
}

/* ---- events of the wire and the marker ---- */

static void on_released(void *context, size_t bytes)
{
        struct sink *s = context;

        s->wire_bytes -= bytes;
}

static void look_for_snapshots(struct sink *s)
{
        if (pg_wire_turns(s->wire) - s->looked < TURNS_LOOK)
                return;
        s->looked = pg_wire_turns(s->wire);
        pg_marker_look(s->marker);
}

static void on_committed(void *context)
{
        struct sink *s = context;

        s->committed = s->committing.end;
        free(s->gtids);
        s->gtids = s->committing.gtids;
        s->committing.gtids = NULL;
        if (s->committing.moves_row)
                s->in_row = s->committed;
        else if (!timer_pending(&s->row))
                timer_set(&s->row, ROW_INTERVAL);
        pg_marker_committed(s->marker, s->committed);
        look_for_snapshots(s);
        if (s->careful.on && !careful_goes_on(&s->careful, s->committed, s->committing.rows))
                pg_wire_careful(s->wire, false);
        s->events.quarantined(s->context, s->committing.quarantined, s->committing.in_quarantine);
        if (s->committing.overwritten)
                s->events.overwritten(
                        s->context, s->committing.overwritten, &s->committing.overwritten_why);
        s->events.committed(
                s->context, s->committing.end, s->committing.transactions, s->committing.rows);
}

static void on_quarantined(void *context)
{
        struct sink *s = context;

        s->now.quarantined++;
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

static void on_warning(void *context, const char *text)
{
        struct sink *s = context;

        s->events.warning(s->context, text);
}

static void on_durable(void *context, struct position p)
{
        struct sink *s = context;

        s->events.durable(s->context, p);
}

static void on_held(void *context, const char *text)
{
        struct sink *s = context;

        s->events.warning(s->context, text);
}

static void on_input(void *context)
{
        struct sink *s = context;

        if (pg_wire_input(s->wire))
                pg_silence_heard(s->silence);
        pump(s);
        if (s->full && pg_wire_ok(s->wire) &&
                s->pending_bytes + s->wire_bytes <= s->batch_bytes / 2) {
                s->full = false;
                s->events.room(s->context);
        }
}

/* ---- connecting ---- */

static void maybe_up(struct sink *s)
{
        static const struct pg_wire_events events = {
                on_released, on_committed, on_quarantined, on_refused, on_warning, on_overwritten};
        const struct pg_wire_quarantine quarantine = {s->config, &s->quarantine, s->careful.on};

        if (s->wire || !s->session_up || !s->marker_up)
                return;
        /* the epoch's commit was synchronous, so what it stands on is durable */
        s->committed = s->facts.start.position;
        s->gtids = memory_string(s->facts.start.gtids);
        pg_marker_start(s->marker, s->committed);
        s->wire = pg_wire_new(s->link, s->pipeline, s->facts.start.epoch, s->facts.turn,
                ++s->generation, &quarantine, &events, s);
        s->looked = 0;
        pg_link_raw(s->link, on_input);
        pump(s);
        if (!s->facts.replica_role)
                s->events.warning(s->context,
                        "the target role may not set session_replication_role: triggers and "
                        "foreign "
                        "keys of the target stay on and fire a second time for every change that "
                        "arrives (grant set on parameter session_replication_role to the role)");
        s->events.ready(s->context, &s->facts.start);
        s->events.quarantined(s->context, 0, s->quarantine.changes);
}

static void on_session(void *context, const struct pg_session_result *r, const struct error *e)
{
        struct sink *s = context;

        pg_silence_heard(s->silence);
        if (!r) {
                pg_link_fail(s->link, e);
                return;
        }
        s->facts = *r;
        s->former = r->backend;
        s->session_up = true;
        maybe_up(s);
}

static bool owes_answer(void *context)
{
        const struct sink *s = context;

        return s->wire ? !pg_wire_idle(s->wire) : !s->session_up;
}

static void on_up(void *context)
{
        static const struct silence_events silence = {owes_answer, on_warning};
        struct sink *s = context;

        s->silence = pg_silence_new(
                s->loop, s->params, s->link, s->config->apply.answer_timeout, &silence, s);
        s->session =
                pg_session_new(s->link, s->pipeline, &s->former, &s->quarantine, on_session, s);
}

static void on_marker_up(void *context)
{
        struct sink *s = context;

        s->marker_up = true;
        maybe_up(s);
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

static void pg_sink_stop(struct sink *s)
{
        s->session = pg_session_free(s->session);
        s->wire = pg_wire_free(s->wire);
        s->silence = pg_silence_free(s->silence);
        s->link = pg_link_free(s->link);
        s->marker = pg_marker_free(s->marker);
        s->session_up = s->marker_up = false;
        timer_cancel(&s->delay);
        timer_cancel(&s->row);
        drop_pending(s);
        s->last_piece = NULL;
        s->wire_bytes = 0;
        s->full = s->open = s->closing = s->piece_started = s->delay_over = false;
        s->row_moved = 0;
        s->idle_wanted = s->committed = s->in_row = POSITION_NONE;
        forget_gtids(s);
}

static void on_down(void *context, const struct error *e)
{
        struct sink *s = context;
        struct error copy = *e;

        pg_sink_stop(s);
        s->events.failed(s->context, &copy);
}

static void pg_sink_reload(struct sink *s, const struct config *c)
{
        s->config = c;
        s->batch_rows = (uint64_t)c->apply.batch_rows;
        s->batch_bytes = (uint64_t)c->apply.batch_bytes;
        s->batch_delay = c->apply.batch_delay;
        pg_silence_limit(s->silence, c->apply.answer_timeout);
}

static struct sink *pg_sink_destroy(struct sink *s)
{
        if (!s)
                return NULL;
        pg_sink_stop(s);
        quarantine_clear(&s->quarantine);
        pg_params_free(s->params);
        free(s->pipeline);
        free(s);
        return NULL;
}

static struct sink *pg_sink_create(struct loop *l, const struct config *c,
        const struct sink_events *events, void *context, struct error *e)
{
        AUTO_STRING name = memory_printf("culvert %s", c->pipeline.name);
        struct sink *s = memory_new_of(struct sink);

        s->loop = l;
        s->events = *events;
        s->context = context;
        s->pipeline = memory_string(c->pipeline.name);
        s->pending_tail = &s->pending;
        s->quarantine = (struct quarantine)QUARANTINE_INIT;
        timer_init(&s->delay, l, on_delay, s);
        timer_init(&s->row, l, on_row_due, s);
        pg_sink_reload(s, c);
        if (!(s->params = pg_params_new(&c->target, "target", name, false, e)))
                return pg_sink_destroy(s);
        return s;
}

static void pg_sink_start(struct sink *s)
{
        static const struct pg_link_events apply = {on_up, on_down};
        static const struct pg_marker_events marker = {on_marker_up, on_durable, on_held, on_down};

        pg_sink_stop(s);
        s->link = pg_link_new(s->loop, s->params, &apply, s);
        s->marker = pg_marker_new(s->loop, s->params, s->config->apply.answer_timeout, &marker, s);
}

static enum sink_push pg_sink_push(struct sink *s, struct txn **piece)
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

static bool pg_sink_idle(struct sink *s, struct position p, const char *gtids)
{
        if (!s->wire || position_compare(p, s->in_row) <= 0)
                return false;
        s->idle_wanted = position_max(s->idle_wanted, p);
        free(s->idle_gtids);
        s->idle_gtids = memory_string(gtids);
        pump(s);
        return true;
}

static bool pg_sink_connected(const struct sink *s)
{
        return s->wire && pg_wire_ok(s->wire);
}

static const char *pg_sink_version(const struct sink *s)
{
        return *s->facts.version ? s->facts.version : NULL;
}

const struct sink_ops pg_sink_ops = {
        .kind = KIND_POSTGRESQL,
        .create = pg_sink_create,
        .destroy = pg_sink_destroy,
        .start = pg_sink_start,
        .stop = pg_sink_stop,
        .push = pg_sink_push,
        .idle = pg_sink_idle,
        .reload = pg_sink_reload,
        .connected = pg_sink_connected,
        .version = pg_sink_version,
};
