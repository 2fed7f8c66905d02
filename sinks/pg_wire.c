#include "sinks/pg_wire.h"
#include "base/memory.h"
#include "model/cascade.h"
#include "sinks/careful.h"
#include "sinks/overwrite.h"
#include "sinks/pg_cascade.h"
#include "sinks/pg_turn.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNSENT_MAX (1024 * 1024) /* bytes handed to libpq while its socket is full */
#define UNSENT_FLUSH (UNSENT_MAX / 8)

/* What an answer belongs to. */
enum op_kind {
        OP_BEGIN,
        OP_PREPARE,
        OP_PROOF,      /* the lock of the checkpoint row */
        OP_CHECKPOINT, /* its update */
        OP_ORIGIN,
        OP_CHANGE,
        OP_CASCADE, /* what follows from a change by foreign keys; finds any number of rows */
        OP_TRUNCATE,
        OP_BIND,
        OP_PLAIN,   /* nothing is expected of it but that it works */
        OP_GUARDED, /* a change behind a savepoint */
        OP_GUARD,   /* the sync behind it */
        OP_FORGET,  /* a table's quarantine ends */
        OP_COMMIT,
        OP_SYNC
};

struct op {
        enum op_kind kind;
        struct change *change;           /* to be named when it is refused */
        const struct relation *relation; /* OP_BIND, OP_FORGET */
        struct txn *done;                /* pieces that end with this answer */
};

struct pg_wire {
        struct pg_link *link;
        char *pipeline, epoch[24];
        struct pg_turn turn;
        uint64_t generation, bindings;
        struct pg_wire_events events;
        void *context;
        bool failed, binding;
        struct pg_wire_quarantine quarantine;
        struct {                       /* the row whose own answer is awaited */
                struct change *change; /* NULL: none is */
                const struct txn *piece;
                struct error why; /* it was refused */
        } guard;
        struct overwrite overwrite; /* of that row */
        uint64_t unanswered;        /* answers of the open transaction that are still to come */
        size_t unsent;
        const char **values;
        int values_room;
        struct op *ops; /* ring, in order of sending */
        size_t ops_at, ops_n, ops_room;
};

static PGconn *conn(const struct pg_wire *w)
{
        return pg_link_conn(w->link);
}

static void fail(struct pg_wire *w, const struct error *e)
{
        w->failed = true;
        pg_link_fail(w->link, e);
}

/* ---- answers that are awaited ---- */

static struct op *op_at(const struct pg_wire *w, size_t i)
{
        return &w->ops[(w->ops_at + i) % w->ops_room];
}

static void grow_ops(struct pg_wire *w)
{
        size_t room = w->ops_room ? w->ops_room * 2 : 256;
        struct op *ops = memory_new(room * sizeof *ops);

        for (size_t i = 0; i < w->ops_n; i++)
                ops[i] = *op_at(w, i);
        free(w->ops);
        w->ops = ops;
        w->ops_at = 0;
        w->ops_room = room;
}

static struct op *push_op(struct pg_wire *w, enum op_kind kind)
{
        struct op *o;

        if (w->ops_n == w->ops_room)
                grow_ops(w);
        o = op_at(w, w->ops_n++);
        *o = (struct op){.kind = kind};
        if (kind != OP_COMMIT && kind != OP_SYNC)
                w->unanswered++;
        return o;
}

static bool sent(struct pg_wire *w, int ok, size_t bytes)
{
        struct error e = ERROR_INIT;

        w->unsent += bytes;
        if (ok)
                return true;
        pg_error(&e, conn(w), NULL, "target");
        fail(w, &e);
        return false;
}

/* ---- statements ---- */

static bool send_plain(struct pg_wire *w, enum op_kind kind, const char *sql)
{
        push_op(w, kind);
        return sent(w, PQsendQueryParams(conn(w), sql, 0, NULL, NULL, NULL, NULL, 0), strlen(sql));
}

static bool send_prepared(
        struct pg_wire *w, enum op_kind kind, const char *name, int n, const char *const *values)
{
        push_op(w, kind);
        return sent(w, PQsendQueryPrepared(conn(w), name, n, values, NULL, NULL, 0), 100);
}

static bool prepare(struct pg_wire *w, struct change *c, const char *name, const char *sql, int n,
        const Oid *types)
{
        push_op(w, OP_PREPARE)->change = c;
        return sent(w, PQsendPrepare(conn(w), name, sql, n, types), strlen(sql));
}

static void prepare_own(struct pg_wire *w)
{
        static const char *const own[][2] = {
                {"checkpoint",
                        "update culvert.checkpoint set position = $3, turn = $5::bigint, "
                        "counter = counter + 1, updated_at = pg_catalog.clock_timestamp() where "
                        "pipeline = $1 and direction = 'forward' and lane = 0 and turn = "
                        "$4::bigint and epoch = $2 returning ctid"},
                {"proof", "select 1 from culvert.checkpoint where pipeline = $1 and direction = "
                          "'forward' and lane = 0 and epoch = $2 for share"},
                {"origin", "select pg_catalog.pg_replication_origin_xact_setup($1, "
                           "pg_catalog.to_timestamp($2::float8))"},
                {"quarantine",
                        "insert into culvert.quarantine (pipeline, table_schema, table_name, "
                        "operation, row_key, old_row, new_row, old_full, shape, position, xid, "
                        "committed_at, code, message, row_id, row_to, source) values ($1, $2, $3, "
                        "$4, $5, $6, $7, $8, $9, $10, $11, "
                        "pg_catalog.to_timestamp($12::float8), $13, $14, $15, $16, $17)"},
                {"forget", "delete from culvert.quarantine where pipeline = $1 and table_schema = "
                           "$2 and table_name = $3"},
        };

        for (size_t i = 0; i < sizeof own / sizeof *own; i++)
                if (!prepare(w, NULL, own[i][0], own[i][1], 0, NULL))
                        return;
        push_op(w, OP_SYNC);
        sent(w, PQpipelineSync(conn(w)), 5);
}

bool pg_wire_begin(struct pg_wire *w)
{
        return send_plain(w, OP_BEGIN, "begin");
}

bool pg_wire_proof(struct pg_wire *w)
{
        const char *values[] = {w->pipeline, w->epoch};

        return send_prepared(w, OP_PROOF, "proof", 2, values);
}

bool pg_wire_checkpoint(struct pg_wire *w, struct position end, const char *gtids)
{
        AUTO_BUF text = BUF_INIT;
        char now[24], next[24];
        const char *values[] = {w->pipeline, w->epoch, NULL, now, next};

        position_write(&text, end, gtids);
        values[2] = buf_text(&text);
        snprintf(now, sizeof now, "%" PRIu64, w->turn.now);
        snprintf(next, sizeof next, "%" PRIu64, w->turn.next);
        pg_turn_sent(&w->turn);
        return send_prepared(w, OP_CHECKPOINT, "checkpoint", 5, values);
}

bool pg_wire_origin(struct pg_wire *w, struct position end, int64_t committed_at)
{
        char text[POSITION_TEXT], when[32];
        const char *values[] = {position_format(end, text), when};

        snprintf(when, sizeof when, "%.6f", (double)committed_at / SECOND);
        return send_prepared(w, OP_ORIGIN, "origin", 2, values);
}

bool pg_wire_commit(struct pg_wire *w)
{
        if (!send_plain(w, OP_COMMIT, "commit"))
                return false;
        push_op(w, OP_SYNC);
        return sent(w, PQpipelineSync(conn(w)), 5);
}

bool pg_wire_answers(struct pg_wire *w)
{
        return sent(w, PQsendFlushRequest(conn(w)), 5);
}

/* ---- changes ---- */

/* Is any relation of the change not bound on this connection? `*which`: the first. */
static bool unbound(const struct pg_wire *w, const struct change *c, const struct relation **which)
{
        bool truncate = c->op == CHANGE_TRUNCATE;
        uint32_t n = truncate ? c->truncated_n : 1;

        for (uint32_t i = 0; i < n; i++) {
                *which = truncate ? c->truncated[i] : c->relation;
                if (!pg_binding_of(*which, w->generation))
                        return true;
        }
        return false;
}

static bool send_bind(struct pg_wire *w, const struct relation *r)
{
        const char *values[] = {r->schema, r->name};

        push_op(w, OP_BIND)->relation = r;
        w->binding = true;
        return sent(w, PQsendQueryParams(conn(w), pg_binding_sql, 2, NULL, values, NULL, NULL, 0),
                       1000) &&
               pg_wire_answers(w);
}

static const char **values_room(struct pg_wire *w, int n)
{
        if (n > w->values_room) {
                w->values_room = n;
                w->values = memory_grow(w->values, (size_t)n * sizeof *w->values);
        }
        return w->values;
}

/* Instead of the change; `why` NULL: one before it is in quarantine. */
static bool set_aside(
        struct pg_wire *w, const struct txn *piece, const struct change *c, const struct error *why)
{
        const struct pg_binding *b = pg_binding_of(c->relation, w->generation);
        struct quarantine_entry n;
        struct error e = ERROR_INIT;
        char position[POSITION_TEXT], xid[16], at[32], ids[2][24];
        bool ok;

        quarantine_entry_init(&n, pg_binding_quarantine(b), c, why);
        snprintf(xid, sizeof xid, "%" PRIu32, piece->xid);
        snprintf(at, sizeof at, "%.6f", (double)piece->committed_at / SECOND);
        for (unsigned i = 0; i < n.rows.n; i++)
                snprintf(ids[i], sizeof ids[i], "%" PRId64, (int64_t)n.rows.keys[i].row);
        ok = quarantine_add_all(w->quarantine.rows, &n.rows, &e) == 0;
        if (ok) {
                const char *values[] = {w->pipeline, c->relation->schema, c->relation->name,
                        n.operation, buf_text(&n.key), c->old ? buf_text(&n.old) : NULL,
                        c->new ? buf_text(&n.new) : NULL, c->old_full ? "t" : "f",
                        buf_text(&n.shape), position_format(piece->commit, position), xid, at,
                        n.code, n.message, ids[0], n.rows.n > 1 ? ids[1] : NULL, n.source};

                ok = send_prepared(
                        w, OP_PLAIN, "quarantine", sizeof values / sizeof *values, values);
                w->unsent += n.old.len + n.new.len + n.shape.len;
                w->quarantine.rows->changes++;
                w->events.quarantined(w->context);
        } else {
                fail(w, &e);
        }
        quarantine_entry_done(&n);
        return ok;
}

/* What was waiting is of rows that are gone. */
static bool forget_tables(struct pg_wire *w, const struct change *c)
{
        for (uint32_t i = 0; w->quarantine.rows->n && i < c->truncated_n; i++) {
                const struct relation *r = c->truncated[i];
                const char *values[] = {w->pipeline, r->schema, r->name};

                if (!send_prepared(w, OP_FORGET, "forget", 3, values))
                        return false;
                op_at(w, w->ops_n - 1)->relation = r;
                quarantine_forget(w->quarantine.rows, quarantine_hash(r->schema, r->name));
        }
        return true;
}

/* The server takes nothing more after an error but up to the sync; then the savepoint is there to
 * go back to. */
static bool begin_guard(struct pg_wire *w, const struct txn *piece, struct change *c)
{
        w->guard.change = c;
        w->guard.piece = piece;
        error_clear(&w->guard.why);
        overwrite_begin(&w->overwrite);
        return send_plain(w, OP_PLAIN, "savepoint culvert_row");
}

static bool end_guard(struct pg_wire *w)
{
        push_op(w, OP_GUARD);
        return sent(w, PQpipelineSync(conn(w)), 5);
}

static bool send_row(struct pg_wire *w, struct change *c)
{
        enum op_kind kind = w->guard.change ? OP_GUARDED : OP_CHANGE;
        struct error e = ERROR_INIT;
        struct pg_binding *b = pg_binding_of(c->relation, w->generation);
        struct pg_statement *st = pg_binding_statement(b, c, &e);

        if (!st) {
                pg_binding_blame(b, c, &e);
                fail(w, &e);
                return false;
        }
        if (c->op == CHANGE_UPDATE && st->n == 0)
                return true; /* only generated columns differ: nothing to write */
        if (!st->prepared) {
                st->prepared = *st->name != '\0';
                if (!prepare(w, c, st->name, st->sql, st->n, st->types))
                        return false;
        }
        pg_statement_values(st, c, values_room(w, st->n));
        push_op(w, kind)->change = c;
        return sent(
                w, PQsendQueryPrepared(conn(w), st->name, st->n, w->values, NULL, NULL, 0), 100);
}

/* A step by which the target's row becomes what the source says, or the end of them. A savepoint to
 * which was rolled back is still there. */
static bool go_on_overwriting(struct pg_wire *w, const struct quarantine_table *q, bool refused)
{
        struct change *c = w->guard.change;
        struct error *why = &w->guard.why;
        enum overwrite_result next = refused ? overwrite_refused(&w->overwrite, q->key, c, why)
                                             : overwrite_answered(&w->overwrite, c);

        if (next == OVERWRITE_STOP) {
                pg_binding_blame(pg_binding_of(c->relation, w->generation), c, why);
                fail(w, why);
                return false;
        }
        error_clear(why);
        if (next == OVERWRITE_TRY)
                return send_row(w, &w->overwrite.step) && end_guard(w);
        w->guard.change = NULL;
        w->events.refused(w->context);
        w->events.overwritten(w->context, &w->overwrite.why);
        return send_plain(w, OP_PLAIN, "release savepoint culvert_row");
}

/* What was refused is rolled back. */
static bool leave_guard(struct pg_wire *w)
{
        struct change *c = w->guard.change;
        const struct quarantine_table *q =
                pg_binding_quarantine(pg_binding_of(c->relation, w->generation));
        bool refused = w->guard.why.class != ERROR_NONE;

        if (refused && !send_plain(w, OP_PLAIN, "rollback to savepoint culvert_row"))
                return false;
        if (q->overwrite && (refused || overwrite_is_begun(&w->overwrite)))
                return go_on_overwriting(w, q, refused);
        w->guard.change = NULL;
        if (!send_plain(w, OP_PLAIN, "release savepoint culvert_row"))
                return false;
        if (refused)
                w->events.refused(w->context);
        return !refused || set_aside(w, w->guard.piece, c, &w->guard.why);
}

static bool send_follower(
        struct pg_wire *w, struct pg_cascade_statement *st, struct change *c, struct error *e)
{
        if (pg_cascade_values(st, c, values_room(w, st->n), e) < 0) {
                pg_binding_blame(pg_binding_of(c->relation, w->generation), c, e);
                fail(w, e);
                return false;
        }
        if (!st->prepared) {
                st->prepared = *st->name != '\0';
                if (!prepare(w, c, st->name, st->sql, 0, NULL))
                        return false;
        }
        push_op(w, OP_CASCADE)->change = c;
        return sent(
                w, PQsendQueryPrepared(conn(w), st->name, st->n, w->values, NULL, NULL, 0), 100);
}

/* What the source's engine did to the children of the row, and did not log. */
static bool send_cascade(struct pg_wire *w, struct change *c)
{
        struct error e = ERROR_INIT;
        struct pg_cascade *all;

        if (!cascades_fire(c))
                return true;
        if (!(all = pg_binding_cascade(pg_binding_of(c->relation, w->generation), c->op, &e))) {
                fail(w, &e);
                return false;
        }
        for (unsigned i = 0; i < all->n; i++)
                if (pg_cascade_applies(&all->statements[i], c) &&
                        !send_follower(w, &all->statements[i], c, &e))
                        return false;
        return true;
}

static bool send_truncate(struct pg_wire *w, struct change *c)
{
        AUTO_BUF sql = BUF_INIT;

        pg_binding_truncate(c, w->generation, &sql);
        push_op(w, OP_TRUNCATE)->change = c;
        return sent(w, PQsendQueryParams(conn(w), buf_text(&sql), 0, NULL, NULL, NULL, NULL, 0),
                       sql.len) &&
               forget_tables(w, c);
}

/* `q` NULL, or of overwriting: nothing of the table is set aside. */
static bool check_misfit(
        struct pg_wire *w, const struct quarantine_table *q, const struct change *c)
{
        struct error e = ERROR_INIT;

        if (quarantine_check_key(q && !q->overwrite ? q : NULL, c, &e) == 0)
                return true;
        pg_binding_blame(pg_binding_of(c->relation, w->generation), c, &e);
        fail(w, &e);
        return false;
}

/* The table has on_conflict = quarantine, or overwrite. */
static bool send_of_quarantine(struct pg_wire *w, const struct quarantine_table *q,
        const struct txn *piece, struct change *c)
{
        struct quarantine_rows rows;

        if (change_is_misfit(c))
                return set_aside(w, piece, c, NULL);
        if (w->quarantine.rows->n) {
                quarantine_rows_of(q, c, &rows);
                if (quarantine_has_any(w->quarantine.rows, &rows))
                        return set_aside(w, piece, c, NULL);
        }
        if (!w->quarantine.careful)
                return send_row(w, c);
        return begin_guard(w, piece, c) && send_row(w, c) && end_guard(w);
}

static bool send_change(struct pg_wire *w, const struct txn *piece, struct change *c)
{
        const struct quarantine_table *q;

        if (c->op == CHANGE_TRUNCATE)
                return send_truncate(w, c);
        q = pg_binding_quarantine(pg_binding_of(c->relation, w->generation));
        if (c->misfit && !check_misfit(w, q, c))
                return false;
        return q ? send_of_quarantine(w, q, piece, c) : send_row(w, c) && send_cascade(w, c);
}

enum pg_wire_sent pg_wire_change(struct pg_wire *w, const struct txn *piece, struct change *c)
{
        const struct relation *r;

        if (unbound(w, c, &r))
                return send_bind(w, r) ? WIRE_BINDING : WIRE_FAILED;
        return send_change(w, piece, c) ? WIRE_SENT : WIRE_FAILED;
}

static void release(struct pg_wire *w, struct txn *t)
{
        while (t) {
                struct txn *next = t->next;
                size_t bytes = txn_bytes(t);

                txn_free(t);
                w->events.released(w->context, bytes);
                t = next;
        }
}

/* Answers come in order, so a piece is done with when the newest one under way has come. */
void pg_wire_keep(struct pg_wire *w, struct txn *piece)
{
        struct op *newest = w->ops_n ? op_at(w, w->ops_n - 1) : NULL;

        piece->next = newest ? newest->done : NULL;
        if (newest)
                newest->done = piece;
        else
                release(w, piece); /* it had nothing to write */
}

/* ---- answers ---- */

static int expect_one(const struct op *o, PGresult *r, struct error *e)
{
        static const char *const verbs[] = {"insert into", "update of", "delete from"};
        const struct change *c = o->change;
        long n = strtol(PQcmdTuples(r), NULL, 10);

        if (n == 1)
                return 0;
        if (n == 0)
                error_set(e, ERROR_DATA, "conflict: %s %s.%s: the row is not there on the target",
                        verbs[c->op], c->relation->schema, c->relation->name);
        else
                error_set(e, ERROR_DATA, "conflict: %s %s.%s: %ld rows on the target have its key",
                        verbs[c->op], c->relation->schema, c->relation->name, n);
        e->of_row = true;
        e->row = n == 0 ? ROW_MISSING : ROW_OTHER;
        return -1;
}

static int take_description(
        struct pg_wire *w, const struct relation *r, PGresult *d, struct error *e)
{
        struct pg_binding *b = pg_binding_new(r, w->generation, w->bindings++, d, e);
        enum config_conflict policy;

        w->binding = false;
        if (!b)
                return -1;
        policy = quarantine_policy(w->quarantine.rows, w->quarantine.config, r->schema, r->name);
        return policy == CONFLICT_STOP ? 0 : pg_binding_set_aside(b, policy, e);
}

static void take_forgotten(struct pg_wire *w, const struct op *o, PGresult *r)
{
        uint64_t n = strtoull(PQcmdTuples(r), NULL, 10);
        char text[700];

        w->quarantine.rows->changes -= n;
        if (n == 0)
                return;
        snprintf(text, sizeof text,
                "%.300s.%.300s was truncated: %" PRIu64
                " changes of it that were in quarantine are "
                "void",
                o->relation->schema, o->relation->name, n);
        w->events.warning(w->context, text);
}

static int take_answer(struct pg_wire *w, const struct op *o, PGresult *r, struct error *e)
{
        switch (o->kind) {
        case OP_CHANGE:
        case OP_GUARDED:
                return expect_one(o, r, e);
        case OP_FORGET:
                take_forgotten(w, o, r);
                return 0;
        case OP_PROOF:
        case OP_CHECKPOINT:
                if (!strcmp(PQcmdTuples(r), "1")) {
                        if (o->kind == OP_CHECKPOINT)
                                pg_turn_answer(&w->turn, pg_text(r, 0, 0));
                        return 0;
                }
                return error_set(e, ERROR_BUG,
                        "fenced: another culvertd has taken over pipeline %s on the target",
                        w->pipeline);
        case OP_BIND:
                return take_description(w, o->relation, r, e);
        case OP_COMMIT:
                /* a transaction that was already broken answers ROLLBACK without an error */
                if (!strcmp(PQcmdStatus(r), "COMMIT"))
                        return 0;
                return error_set(
                        e, ERROR_BUG, "target: the commit was answered by %s", PQcmdStatus(r));
        default:
                return 0;
        }
}

static int judge(struct pg_wire *w, const struct op *o, PGresult *r, struct error *e)
{
        ExecStatusType status = PQresultStatus(r);

        if (status == PGRES_FATAL_ERROR || status == PGRES_PIPELINE_ABORTED)
                pg_error(e, conn(w), r, "target");
        else if (take_answer(w, o, r, e) == 0)
                return 0;
        if (o->kind == OP_CASCADE)
                error_context(e, "what follows from a change of %s.%s by foreign keys",
                        o->change->relation->schema, o->change->relation->name);
        if (o->change)
                pg_binding_blame(pg_binding_of(o->change->relation, w->generation), o->change, e);
        return -1;
}

/* May the refused change be done in another way, or set aside, when it goes by itself? */
static bool is_curable(const struct pg_wire *w, const struct change *c, const struct error *e)
{
        const struct quarantine_table *q =
                pg_binding_quarantine(pg_binding_of(c->relation, w->generation));

        return q && (!q->overwrite || e->row != ROW_OTHER);
}

/* Is it behind a savepoint? False: the link ends, with `e` as it is then. */
static bool is_spared(struct pg_wire *w, const struct op *o, struct error *e)
{
        if (!e->of_row)
                return false;
        if (o->kind == OP_GUARDED) {
                w->guard.why = *e;
                return true;
        }
        if (o->kind == OP_CHANGE && is_curable(w, o->change, e)) {
                e->class = ERROR_RETRY;
                memcpy(e->code, SINK_CAREFUL_CODE, sizeof SINK_CAREFUL_CODE);
                w->events.refused(w->context);
        }
        return false;
}

static void answered(struct pg_wire *w, PGresult *r)
{
        struct op o = *op_at(w, 0);
        struct error e = ERROR_INIT;

        if (judge(w, &o, r, &e) < 0 && !is_spared(w, &o, &e)) {
                fail(w, &e);
                return;
        }
        w->ops_at = (w->ops_at + 1) % w->ops_room;
        w->ops_n--;
        if (o.kind != OP_COMMIT && o.kind != OP_SYNC)
                w->unanswered--;
        release(w, o.done);
        if (o.kind == OP_COMMIT)
                w->events.committed(w->context);
        if (o.kind == OP_GUARD)
                leave_guard(w);
}

/* One NULL ends one statement's results; two in a row: there is nothing to be had. */
bool pg_wire_input(struct pg_wire *w)
{
        bool any = false;

        for (int nulls = 0; nulls < 2 && !w->failed && w->ops_n > 0 && !PQisBusy(conn(w));) {
                AUTO_RESULT r = PQgetResult(conn(w));

                nulls = r ? 0 : nulls + 1;
                any |= r != NULL;
                if (r)
                        answered(w, r);
        }
        return any;
}

/* ---- what the owner asks ---- */

uint64_t pg_wire_turns(const struct pg_wire *w)
{
        return w->turn.taken;
}

bool pg_wire_ready(const struct pg_wire *w)
{
        return !w->failed && !w->binding && !w->guard.change;
}

void pg_wire_careful(struct pg_wire *w, bool careful)
{
        w->quarantine.careful = careful;
}

bool pg_wire_ok(const struct pg_wire *w)
{
        return !w->failed;
}

bool pg_wire_idle(const struct pg_wire *w)
{
        return w->ops_n == 0;
}

bool pg_wire_answered(const struct pg_wire *w)
{
        return w->unanswered == 0;
}

void pg_wire_flush(struct pg_wire *w)
{
        if (w->failed)
                return;
        pg_link_flush(w->link);
        if (!pg_link_blocked(w->link))
                w->unsent = 0;
}

bool pg_wire_full(struct pg_wire *w)
{
        if (w->unsent >= UNSENT_FLUSH)
                pg_wire_flush(w);
        return w->unsent >= UNSENT_MAX && pg_link_blocked(w->link);
}

struct pg_wire *pg_wire_new(struct pg_link *k, const char *pipeline, uint64_t epoch, uint64_t turn,
        uint64_t generation, const struct pg_wire_quarantine *quarantine,
        const struct pg_wire_events *events, void *context)
{
        struct pg_wire *w = memory_new_of(struct pg_wire);

        w->link = k;
        w->pipeline = memory_string(pipeline);
        snprintf(w->epoch, sizeof w->epoch, "%" PRIu64, epoch);
        pg_turn_start(&w->turn, turn);
        w->generation = generation;
        w->quarantine = *quarantine;
        w->events = *events;
        w->context = context;
        if (PQenterPipelineMode(conn(w)))
                prepare_own(w);
        else
                sent(w, 0, 0);
        return w;
}

struct pg_wire *pg_wire_free(struct pg_wire *w)
{
        if (!w)
                return NULL;
        for (size_t i = 0; i < w->ops_n; i++)
                release(w, op_at(w, i)->done);
        overwrite_done(&w->overwrite);
        free(w->ops);
        free(w->values);
        free(w->pipeline);
        free(w);
        return NULL;
}
