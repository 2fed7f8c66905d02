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
 * that it does not bloat under a long snapshot (HAZARDS B3, C1).
 *
 * Commits are asynchronous. What is durable is learned from a second connection (the marker),
 * which commits a tiny write synchronously: everything whose commit had returned before it was
 * sent is durable, on synchronous standbys too (HAZARDS B2).
 */
#include "base/memory.h"
#include "db/pg_link.h"
#include "db/pg_meta.h"
#include "sinks/pg_binding.h"
#include "sinks/pg_session.h"
#include "sinks/sink.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARK_INTERVAL (150 * MILLISECOND)
/* Rows that most transactions touch (a counter, a balance) get a version each time, and versions of
 * an open transaction cannot be pruned: the chain that each update walks grows with the batch.
 * 2,500 TPC-B transactions a batch cost the target 2.5 times the CPU of 250. */
#define BATCH_TRANSACTIONS 250
#define ROW_INTERVAL SECOND
#define UNSENT_MAX (1024 * 1024) /* bytes handed to libpq while its socket is full */

/* What an answer on the wire belongs to, in order of sending. */
enum op_kind {
        OP_BEGIN,
        OP_PREPARE,
        OP_CHECKPOINT, /* the update or the lock of the checkpoint row */
        OP_ORIGIN,
        OP_CHANGE,
        OP_TRUNCATE,
        OP_BIND,
        OP_COMMIT,
        OP_SYNC
};

struct op {
        enum op_kind kind;
        struct change *change;
        const struct relation *relation; /* OP_BIND */
        struct txn *done;                /* the piece that ends with this answer */
};

struct batch {
        struct position end;
        int64_t committed_at; /* of its last transaction, on the source */
        uint64_t transactions, rows;
        bool moves_row;
};

struct sink {
        struct loop *loop;
        struct sink_events events;
        void *context;
        char *pipeline;
        struct pg_params *params;
        uint64_t batch_rows, batch_bytes;
        int64_t batch_delay;

        struct pg_link *link, *marker;
        struct pg_session *session;
        struct pg_session_result facts;
        struct pg_session_backend former;
        uint64_t generation, bindings;
        bool session_up, marker_up, up;

        struct txn *pending, **pending_tail; /* not on the wire yet */
        uint64_t pending_bytes, wire_bytes;
        bool full;
        struct timer delay;
        bool delay_over;

        /* the batch on the wire */
        bool open;              /* begin was sent */
        bool closing;           /* every change was sent; the commit waits for answers */
        bool streaming_piece;   /* it is one transaction that arrives in pieces */
        struct txn *last_piece; /* the batch ends with this pending piece; NULL while streaming */
        struct change *next;    /* next change of the first pending piece */
        bool piece_started, binding;
        uint64_t unanswered;    /* answers of the open batch that are still to come */
        struct batch now;
        struct batch committing;
        size_t unsent;
        const char **values;
        int values_room;

        struct op *ops; /* ring */
        size_t ops_at, ops_n, ops_room;

        struct position idle_wanted;
        struct position committed, durable, marking;
        struct position in_row; /* what readers of the checkpoint row see */
        struct timer mark;
        bool mark_sent;
        struct timer row;
        int64_t row_moved; /* loop time of the checkpoint row's last update */
};

static void pump(struct sink *s);

static void fail(struct sink *s, const struct error *e)
{
        if (s->link)
                pg_link_fail(s->link, e);
}

static void fail_conn(struct sink *s, const PGresult *r)
{
        struct error e = ERROR_INIT;

        pg_error(&e, pg_link_conn(s->link), r, "target");
        fail(s, &e);
}

/* ---- answers that are awaited ---- */

static struct op *push_op(struct sink *s, enum op_kind kind)
{
        struct op *o;

        if (s->ops_n == s->ops_room) {
                size_t room = s->ops_room ? s->ops_room * 2 : 256;
                struct op *ops = memory_new(room * sizeof *ops);

                for (size_t i = 0; i < s->ops_n; i++)
                        ops[i] = s->ops[(s->ops_at + i) % s->ops_room];
                free(s->ops);
                s->ops = ops;
                s->ops_at = 0;
                s->ops_room = room;
        }
        o = &s->ops[(s->ops_at + s->ops_n++) % s->ops_room];
        *o = (struct op){.kind = kind};
        if (kind != OP_COMMIT && kind != OP_SYNC)
                s->unanswered++;
        return o;
}

static struct op *newest_op(struct sink *s)
{
        return s->ops_n ? &s->ops[(s->ops_at + s->ops_n - 1) % s->ops_room] : NULL;
}

static bool sent(struct sink *s, int ok, size_t bytes)
{
        if (!ok)
                fail_conn(s, NULL);
        s->unsent += bytes;
        return ok;
}

/* ---- sending ---- */

static bool send_plain(struct sink *s, enum op_kind kind, const char *sql)
{
        push_op(s, kind);
        return sent(s, PQsendQueryParams(pg_link_conn(s->link), sql, 0, NULL, NULL, NULL, NULL, 0),
                strlen(sql));
}

static bool send_checkpoint(struct sink *s, struct position p)
{
        char text[POSITION_TEXT], epoch[24];
        const char *values[] = {s->pipeline, epoch, position_format(p, text)};

        snprintf(epoch, sizeof epoch, "%" PRIu64, s->facts.start.epoch);
        push_op(s, OP_CHECKPOINT);
        return sent(s,
                PQsendQueryPrepared(pg_link_conn(s->link), "checkpoint", 3, values, NULL, NULL, 0),
                200);
}

static bool send_proof(struct sink *s)
{
        char epoch[24];
        const char *values[] = {s->pipeline, epoch};

        snprintf(epoch, sizeof epoch, "%" PRIu64, s->facts.start.epoch);
        push_op(s, OP_CHECKPOINT);
        return sent(s,
                PQsendQueryPrepared(pg_link_conn(s->link), "proof", 2, values, NULL, NULL, 0), 100);
}

static bool send_origin(struct sink *s)
{
        char text[POSITION_TEXT], when[32];
        const char *values[] = {position_format(s->now.end, text), when};

        snprintf(when, sizeof when, "%.6f", (double)s->now.committed_at / SECOND);
        push_op(s, OP_ORIGIN);
        return sent(s,
                PQsendQueryPrepared(pg_link_conn(s->link), "origin", 2, values, NULL, NULL, 0), 100);
}

/* Once a second the row follows the origin, for those who read it. */
static bool row_is_due(struct sink *s)
{
        int64_t now = loop_now(s->loop);

        if (s->facts.origin && s->row_moved && now - s->row_moved < ROW_INTERVAL)
                return false;
        s->row_moved = now;
        return true;
}

static void prepare_statements(struct sink *s)
{
        static const char *const statements[][2] = {
                {"checkpoint",
                        "update culvert.checkpoint set position = $3, counter = counter + 1, "
                        "updated_at = pg_catalog.clock_timestamp() where pipeline = $1 and "
                        "direction = 'forward' and lane = 0 and epoch = $2"},
                {"proof",
                        "select 1 from culvert.checkpoint where pipeline = $1 and direction = "
                        "'forward' and lane = 0 and epoch = $2 for share"},
                {"origin",
                        "select pg_catalog.pg_replication_origin_xact_setup($1, "
                        "pg_catalog.to_timestamp($2::float8))"},
        };

        for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
                push_op(s, OP_PREPARE);
                if (!sent(s,
                            PQsendPrepare(pg_link_conn(s->link), statements[i][0],
                                    statements[i][1], 0, NULL),
                            200))
                        return;
        }
}

static bool send_bind(struct sink *s, const struct relation *r)
{
        const char *values[] = {r->schema, r->name};

        push_op(s, OP_BIND)->relation = r;
        s->binding = true;
        return sent(s,
                       PQsendQueryParams(pg_link_conn(s->link), pg_binding_sql, 2, NULL, values, NULL,
                               NULL, 0),
                       sizeof(values)) &&
               sent(s, PQsendFlushRequest(pg_link_conn(s->link)), 5);
}

/* The first relation of the change that is not bound on this connection. */
static const struct relation *unbound(const struct sink *s, const struct change *c)
{
        if (c->op != CHANGE_TRUNCATE)
                return pg_binding_of(c->relation, s->generation) ? NULL : c->relation;
        for (uint32_t i = 0; i < c->truncated_n; i++)
                if (!pg_binding_of(c->truncated[i], s->generation))
                        return c->truncated[i];
        return NULL;
}

static bool prepare(struct sink *s, struct pg_statement *st, struct change *c)
{
        if (st->prepared)
                return true;
        st->prepared = *st->name != '\0';
        push_op(s, OP_PREPARE)->change = c;
        return sent(s,
                PQsendPrepare(pg_link_conn(s->link), st->name, st->sql, st->n, st->types),
                strlen(st->sql));
}

static bool send_row(struct sink *s, struct change *c)
{
        struct error e = ERROR_INIT;
        struct pg_binding *b = pg_binding_of(c->relation, s->generation);
        struct pg_statement *st = pg_binding_statement(b, c, &e);

        if (!st) {
                pg_binding_blame(b, c, &e);
                fail(s, &e);
                return false;
        }
        if (c->op == CHANGE_UPDATE && st->n == 0)
                return true; /* only generated columns differ: nothing to write */
        if (st->n > s->values_room) {
                s->values_room = st->n;
                s->values = memory_grow(s->values, (size_t)st->n * sizeof *s->values);
        }
        if (!prepare(s, st, c))
                return false;
        pg_statement_values(st, c, s->values);
        push_op(s, OP_CHANGE)->change = c;
        return sent(s,
                PQsendQueryPrepared(pg_link_conn(s->link), st->name, st->n, s->values, NULL, NULL,
                        0),
                100);
}

static bool send_truncate(struct sink *s, struct change *c)
{
        AUTO_BUF sql = BUF_INIT;

        pg_binding_truncate(c, s->generation, &sql);
        if (!send_plain(s, OP_TRUNCATE, buf_text(&sql)))
                return false;
        newest_op(s)->change = c;
        return true;
}

/* ---- batches ---- */

/* How far the next batch goes: whole transactions of `pending` up to the limits, at least one; or
 * one transaction whose end has not arrived yet. */
static void choose_batch(struct sink *s)
{
        uint64_t rows = 0;

        s->now = (struct batch){0};
        s->last_piece = NULL;
        for (struct txn *t = s->pending; t; t = t->next) {
                rows += t->changes_n;
                if (!t->last)
                        continue;
                if (s->last_piece && (rows > s->batch_rows || s->now.transactions == BATCH_TRANSACTIONS))
                        break;
                s->last_piece = t;
                s->now.end = t->end;
                s->now.committed_at = t->committed_at;
                s->now.transactions++;
                s->now.rows = rows;
        }
        s->streaming_piece = !s->last_piece;
}

static bool begin_batch(struct sink *s)
{
        choose_batch(s);
        s->open = true;
        s->closing = false;
        s->piece_started = false;
        if (!send_plain(s, OP_BEGIN, "begin"))
                return false;
        if (s->streaming_piece) {
                s->now.moves_row = !s->facts.origin;
                return s->facts.origin ? send_proof(s) : send_checkpoint(s, s->committed);
        }
        s->now.moves_row = row_is_due(s);
        if (!(s->now.moves_row ? send_checkpoint(s, s->now.end) : send_proof(s)))
                return false;
        return !s->facts.origin || send_origin(s);
}

static void close_batch(struct sink *s)
{
        if (s->streaming_piece && !(s->facts.origin ? send_origin(s) : send_checkpoint(s, s->now.end)))
                return;
        s->closing = true;
        sent(s, PQsendFlushRequest(pg_link_conn(s->link)), 5);
}

/* Answers come in order, so a piece is done with when the newest one under way has come. */
static void keep_until_answered(struct sink *s, struct txn *t)
{
        struct op *o = newest_op(s);

        if (!o) { /* it had nothing to write */
                s->wire_bytes -= txn_bytes(t);
                txn_free(t);
                return;
        }
        t->next = o->done;
        o->done = t;
}

/* The first pending piece is wholly on the wire. */
static void finish_piece(struct sink *s)
{
        struct txn *t = s->pending;
        bool batch_ends = t == s->last_piece || (s->streaming_piece && t->last);

        s->pending = t->next;
        if (!s->pending)
                s->pending_tail = &s->pending;
        t->next = NULL;
        s->piece_started = false;
        if (s->streaming_piece) {
                s->now.rows += t->changes_n;
                if (t->last) {
                        s->now.end = t->end;
                        s->now.committed_at = t->committed_at;
                        s->now.transactions = 1;
                }
        }
        s->pending_bytes -= txn_bytes(t);
        s->wire_bytes += txn_bytes(t);
        keep_until_answered(s, t);
        if (batch_ends)
                close_batch(s);
}

/* Sends one step of the open batch. False: nothing can be sent now. */
static bool send_step(struct sink *s)
{
        struct txn *t = s->pending;
        struct change *c;
        const struct relation *r;

        if (!t || s->binding)
                return false;
        if (!s->piece_started) {
                s->piece_started = true;
                s->next = t->changes;
        }
        if (!(c = s->next)) {
                finish_piece(s);
                return true;
        }
        if ((r = unbound(s, c)))
                return send_bind(s, r);
        s->next = c->next;
        return c->op == CHANGE_TRUNCATE ? send_truncate(s, c) : send_row(s, c);
}

static void commit_batch(struct sink *s)
{
        s->committing = s->now;
        s->open = s->closing = false;
        s->streaming_piece = false;
        if (send_plain(s, OP_COMMIT, "commit")) {
                push_op(s, OP_SYNC);
                sent(s, PQpipelineSync(pg_link_conn(s->link)), 5);
        }
}

/* An idle position travels as a batch without rows. */
static bool begin_idle(struct sink *s)
{
        if (position_compare(s->idle_wanted, s->in_row) <= 0 || s->ops_n > 0)
                return false;
        s->now = (struct batch){
                .end = position_max(s->idle_wanted, s->committed), .moves_row = true};
        s->open = true;
        s->streaming_piece = false;
        if (!send_plain(s, OP_BEGIN, "begin") || !send_checkpoint(s, s->now.end))
                return false;
        close_batch(s);
        return true;
}

static bool may_begin(struct sink *s)
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

        if (!s->up)
                return;
        while (more && s->up && (s->unsent < UNSENT_MAX || !pg_link_blocked(s->link))) {
                if (s->unsent >= UNSENT_MAX / 8) {
                        pg_link_flush(s->link);
                        if (!pg_link_blocked(s->link))
                                s->unsent = 0;
                }
                if (!s->open)
                        more = may_begin(s);
                else if (s->closing && s->unanswered == 0)
                        commit_batch(s);
                else
                        more = !s->closing && send_step(s);
        }
        if (s->up) {
                pg_link_flush(s->link);
                if (!pg_link_blocked(s->link))
                        s->unsent = 0;
        }
}

static void on_delay(void *context)
{
        struct sink *s = context;

        s->delay_over = true;
        pump(s);
}

/* ---- answers ---- */

static void blame(struct sink *s, const struct op *o, struct error *e)
{
        struct change *c = o->change;

        if (!c)
                return;
        pg_binding_blame(pg_binding_of(c->relation, s->generation), c, e);
}

static int expect_one(const struct op *o, PGresult *r, struct error *e)
{
        static const char *const verbs[] = {"insert into", "update of", "delete from"};
        const struct change *c = o->change;
        long n = strtol(PQcmdTuples(r), NULL, 10);

        if (n == 1)
                return 0;
        if (n == 0)
                error_set(e, ERROR_DATA,
                        "conflict: %s %s.%s: the row is not there on the target", verbs[c->op],
                        c->relation->schema, c->relation->name);
        else
                error_set(e, ERROR_DATA, "conflict: %s %s.%s: %ld rows on the target have its key",
                        verbs[c->op], c->relation->schema, c->relation->name, n);
        return -1;
}

static void commit_answered(struct sink *s)
{
        s->committed = s->committing.end;
        if (s->committing.moves_row)
                s->in_row = s->committed;
        else if (!timer_pending(&s->row))
                timer_set(&s->row, ROW_INTERVAL);
        if (!timer_pending(&s->mark) && !s->mark_sent)
                timer_set(&s->mark, MARK_INTERVAL);
        s->events.committed(s->context, s->committing.end, s->committing.transactions,
                s->committing.rows);
}

static int take_answer(struct sink *s, const struct op *o, PGresult *r, struct error *e)
{
        switch (o->kind) {
        case OP_CHANGE:
                return expect_one(o, r, e);
        case OP_CHECKPOINT:
                if (strcmp(PQcmdTuples(r), "1") != 0)
                        return error_set(e, ERROR_BUG,
                                "fenced: another culvertd has taken over pipeline %s on the target",
                                s->pipeline);
                return 0;
        case OP_BIND:
                s->binding = false;
                return pg_binding_new(o->relation, s->generation, s->bindings++, r, e) ? 0 : -1;
        case OP_COMMIT:
                /* a transaction that was already broken answers ROLLBACK without an error */
                if (strcmp(PQcmdStatus(r), "COMMIT") != 0)
                        return error_set(e, ERROR_BUG, "target: the commit was answered by %s",
                                PQcmdStatus(r));
                return 0;
        default:
                return 0;
        }
}

static void answered(struct sink *s, PGresult *r)
{
        struct op o = s->ops[s->ops_at];
        struct error e = ERROR_INIT;
        ExecStatusType status = PQresultStatus(r);

        if (status == PGRES_FATAL_ERROR || status == PGRES_PIPELINE_ABORTED)
                pg_error(&e, pg_link_conn(s->link), r, "target");
        else if (take_answer(s, &o, r, &e) == 0)
                error_clear(&e);
        if (e.class != ERROR_NONE) {
                blame(s, &o, &e);
                s->up = false;
                fail(s, &e);
                return;
        }
        s->ops_at = (s->ops_at + 1) % s->ops_room;
        s->ops_n--;
        if (o.kind != OP_COMMIT && o.kind != OP_SYNC)
                s->unanswered--;
        while (o.done) {
                struct txn *t = o.done;

                o.done = t->next;
                s->wire_bytes -= txn_bytes(t);
                txn_free(t);
        }
        if (o.kind == OP_COMMIT)
                commit_answered(s);
}

static void tell_room(struct sink *s)
{
        if (!s->full || s->pending_bytes + s->wire_bytes > s->batch_bytes / 2)
                return;
        s->full = false;
        s->events.room(s->context);
}

static void on_input(void *context)
{
        struct sink *s = context;
        PGconn *c = pg_link_conn(s->link);

        /* One NULL ends one statement's results; two in a row: there is nothing to be had. */
        for (int nulls = 0; nulls < 2 && s->up && s->ops_n > 0 && !PQisBusy(c);) {
                AUTO_RESULT r = PQgetResult(c);

                nulls = r ? 0 : nulls + 1;
                if (r)
                        answered(s, r);
        }
        pump(s);
        if (s->up)
                tell_room(s);
}

/* The row is behind the origin and no further batch has moved it. */
static void on_row_due(void *context)
{
        struct sink *s = context;

        s->idle_wanted = position_max(s->idle_wanted, s->committed);
        pump(s);
}

/* ---- the durability marker ---- */

static void on_marked(void *context, PGresult *r, const struct error *e)
{
        struct sink *s = context;

        s->mark_sent = false;
        if (!r) {
                fail(s, e);
                return;
        }
        s->durable = s->marking;
        s->events.durable(s->context, s->durable);
        if (position_compare(s->durable, s->committed) < 0)
                timer_set(&s->mark, MARK_INTERVAL);
}

static void on_mark_due(void *context)
{
        struct sink *s = context;
        const char *values[] = {s->pipeline};

        if (!s->up || s->mark_sent || position_compare(s->durable, s->committed) >= 0)
                return;
        s->mark_sent = true;
        s->marking = s->committed;
        pg_link_query(s->marker, on_marked, s,
                "insert into culvert.heartbeat as h (pipeline, beat) values ($1, 1) on conflict "
                "(pipeline) do update set beat = h.beat + 1",
                1, values);
}

static void maybe_up(struct sink *s)
{
        if (s->up || !s->session_up || !s->marker_up)
                return;
        if (!PQenterPipelineMode(pg_link_conn(s->link))) {
                fail_conn(s, NULL);
                return;
        }
        s->up = true;
        s->generation++;
        /* the epoch's commit was synchronous */
        s->committed = s->durable = s->facts.start.position;
        pg_link_raw(s->link, on_input);
        prepare_statements(s);
        push_op(s, OP_SYNC);
        sent(s, PQpipelineSync(pg_link_conn(s->link)), 5);
        pump(s);
        if (!s->facts.replica_role)
                s->events.warning(s->context,
                        "the target role may not set session_replication_role: triggers and foreign "
                        "keys of the target stay on and fire a second time for every change that "
                        "arrives (grant set on parameter session_replication_role to the role)");
        s->events.ready(s->context, &s->facts.start);
}

static void on_session(void *context, const struct pg_session_result *r, const struct error *e)
{
        struct sink *s = context;

        if (!r) {
                fail(s, e);
                return;
        }
        s->facts = *r;
        s->former = r->backend;
        s->session_up = true;
        maybe_up(s);
}

static void on_up(void *context)
{
        struct sink *s = context;

        s->session = pg_session_new(s->link, s->pipeline, &s->former, on_session, s);
}

static void on_marker_set(void *context, PGresult *r, const struct error *e)
{
        struct sink *s = context;

        if (!r) {
                fail(s, e);
                return;
        }
        s->marker_up = true;
        maybe_up(s);
}

static void on_marker_up(void *context)
{
        struct sink *s = context;

        pg_link_query(s->marker, on_marker_set, s, "set synchronous_commit = on", 0, NULL);
}

/* ---- the table ---- */

static void free_pieces(struct txn *t)
{
        while (t) {
                struct txn *next = t->next;

                txn_free(t);
                t = next;
        }
}

static void pg_sink_stop(struct sink *s)
{
        s->session = pg_session_free(s->session);
        s->link = pg_link_free(s->link);
        s->marker = pg_link_free(s->marker);
        s->session_up = s->marker_up = s->up = false;
        timer_cancel(&s->delay);
        timer_cancel(&s->mark);
        timer_cancel(&s->row);
        free_pieces(s->pending);
        for (size_t i = 0; i < s->ops_n; i++)
                free_pieces(s->ops[(s->ops_at + i) % s->ops_room].done);
        s->pending = s->last_piece = NULL;
        s->pending_tail = &s->pending;
        s->pending_bytes = s->wire_bytes = s->unanswered = 0;
        s->ops_n = s->ops_at = 0;
        s->unsent = 0;
        s->full = s->open = s->closing = s->binding = s->streaming_piece = s->mark_sent = false;
        s->piece_started = s->delay_over = false;
        s->row_moved = 0;
        s->idle_wanted = s->committed = s->durable = s->in_row = POSITION_NONE;
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
        s->batch_rows = (uint64_t)c->apply.batch_rows;
        s->batch_bytes = (uint64_t)c->apply.batch_bytes;
        s->batch_delay = c->apply.batch_delay;
}

static struct sink *pg_sink_destroy(struct sink *s)
{
        if (!s)
                return NULL;
        pg_sink_stop(s);
        pg_params_free(s->params);
        free(s->ops);
        free(s->values);
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
        timer_init(&s->delay, l, on_delay, s);
        timer_init(&s->mark, l, on_mark_due, s);
        timer_init(&s->row, l, on_row_due, s);
        pg_sink_reload(s, c);
        if (!(s->params = pg_params_new(&c->target, "target", name, false, e)))
                return pg_sink_destroy(s);
        return s;
}

static void pg_sink_start(struct sink *s)
{
        static const struct pg_link_events apply = {on_up, on_down};
        static const struct pg_link_events marker = {on_marker_up, on_down};

        pg_sink_stop(s);
        s->link = pg_link_new(s->loop, s->params, &apply, s);
        s->marker = pg_link_new(s->loop, s->params, &marker, s);
}

static enum sink_push pg_sink_push(struct sink *s, struct txn **piece)
{
        struct txn *t = *piece;

        if (!s->up)
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

static bool pg_sink_idle(struct sink *s, struct position p)
{
        if (!s->up || position_compare(p, s->in_row) <= 0)
                return false;
        s->idle_wanted = position_max(s->idle_wanted, p);
        pump(s);
        return true;
}

static bool pg_sink_connected(const struct sink *s)
{
        return s->up;
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
