#include "sinks/my_wire.h"
#include "base/memory.h"
#include "db/my_meta.h"
#include "base/loop.h"
#include "model/cascade.h"
#include "sinks/careful.h"
#include "sinks/my_aside.h"
#include "sinks/my_change.h"
#include "sinks/my_texts.h"
#include "sinks/my_value.h"
#include "sinks/overwrite.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROUP_ROWS 1000 /* rows of one INSERT or DELETE */

struct my_wire {
        struct my_link *link;
        char *pipeline;
        uint64_t epoch, generation;
        enum engine engine;
        size_t packet;
        struct my_wire_events events;
        void *context;
        bool binding;
        struct my_wire_quarantine quarantine;
        struct {                             /* the row whose own answer is awaited */
                const struct change *change; /* NULL: none is */
                const struct txn *piece;
        } guard;
        struct overwrite overwrite; /* of that row */
        bool keys;                  /* foreign_key_checks is on */
        struct my_texts *texts;
        struct buf statement;           /* the one in the making */
        const struct my_binding *group; /* the newest statement inserts or deletes its rows, */
        enum change_op group_op;        /* one of both */
};

/* ---- statements ---- */

/* Sends w->statement. */
static struct my_op *add(struct my_wire *w, enum my_op_kind kind)
{
        w->group = NULL;
        return my_texts_add(w->texts, kind, &w->statement);
}

static void add_plain(struct my_wire *w, enum my_op_kind kind, const char *sql)
{
        buf_clear(&w->statement);
        buf_str(&w->statement, sql);
        add(w, kind);
}

/* Off but for the changes that the target's own keys are to follow. */
static void set_keys(struct my_wire *w, bool on)
{
        if (w->keys == on)
                return;
        w->keys = on;
        add_plain(w, MY_OP_KEYS, on ? "set foreign_key_checks = 1" : "set foreign_key_checks = 0");
}

void my_wire_begin(struct my_wire *w)
{
        set_keys(w, false);
        add_plain(w, MY_OP_BEGIN, "start transaction read write");
}

void my_wire_checkpoint(struct my_wire *w, struct position end, const char *gtids)
{
        buf_clear(&w->statement);
        my_meta_checkpoint_sql(&w->statement, w->pipeline, w->epoch, end, gtids);
        add(w, MY_OP_CHECKPOINT);
}

void my_wire_commit(struct my_wire *w)
{
        add_plain(w, MY_OP_COMMIT, "commit");
}

void my_wire_alive(struct my_wire *w)
{
        add_plain(w, MY_OP_ALIVE, "do 1");
}

/* ---- changes ---- */

/* Is any relation of the change not bound on this connection? `*which`: the first. */
static bool unbound(const struct my_wire *w, const struct change *c, const struct relation **which)
{
        bool truncate = c->op == CHANGE_TRUNCATE;
        uint32_t n = truncate ? c->truncated_n : 1;

        for (uint32_t i = 0; i < n; i++) {
                *which = truncate ? c->truncated[i] : c->relation;
                if (!my_binding_of(*which, w->generation))
                        return true;
        }
        return false;
}

static enum my_wire_sent send_bind(struct my_wire *w, const struct relation *r)
{
        buf_clear(&w->statement);
        my_binding_sql(&w->statement, r);
        add(w, MY_OP_BIND)->relation = r;
        w->binding = true;
        return MY_WIRE_BINDING;
}

/* Told before a byte of it is sent: the server would only hang up. */
static int check_size(
        const struct my_wire *w, const struct my_binding *b, size_t len, struct error *e)
{
        if (len <= w->packet)
                return 0;
        return error_set(e, ERROR_DATA,
                "a row of %s.%s makes a statement of %zu bytes, max_allowed_packet of the target "
                "allows %zu: set global max_allowed_packet to more",
                b->relation->schema, b->relation->name, len, w->packet);
}

/* Instead of the change; `why` NULL: one before it is in quarantine. */
static enum my_wire_sent set_aside(
        struct my_wire *w, const struct txn *piece, const struct change *c, const struct error *why)
{
        const struct my_binding *b = my_binding_of(c->relation, w->generation);
        struct quarantine_entry n;
        struct error e = ERROR_INIT;
        int result;

        quarantine_entry_init(&n, b->quarantine, c, why);
        buf_clear(&w->statement);
        my_aside_sql(&w->statement, w->pipeline, piece, c, &n);
        result = check_size(w, b, w->statement.len, &e);
        if (result == 0)
                result = quarantine_add_all(w->quarantine.rows, &n.rows, &e);
        quarantine_entry_done(&n);
        if (result < 0) {
                my_texts_fail(w->texts, &e);
                return MY_WIRE_FAILED;
        }
        add(w, MY_OP_PLAIN);
        w->quarantine.rows->changes++;
        w->events.quarantined(w->context);
        return MY_WIRE_SENT;
}

/* Of no row that can be set aside now: again, carefully. */
static void begin_again(struct my_wire *w, struct error *e)
{
        e->class = ERROR_RETRY;
        memcpy(e->code, SINK_CAREFUL_CODE, sizeof SINK_CAREFUL_CODE);
        w->events.refused(w->context);
}

/* A row of which no statement can be made. */
static enum my_wire_sent refuse(
        struct my_wire *w, const struct my_binding *b, const struct change *c, struct error *e)
{
        bool aside = b->quarantine && !b->quarantine->overwrite && e->of_row;

        if (aside && w->guard.piece) {
                w->guard.change = NULL;
                return set_aside(w, w->guard.piece, c, e);
        }
        if (aside)
                begin_again(w, e);
        my_binding_blame(b, c, e);
        my_texts_fail(w->texts, e);
        return MY_WIRE_FAILED;
}

/* Can the statement before take one more row of its table? */
static bool joins(const struct my_wire *w, const struct my_binding *b, enum change_op op)
{
        const struct my_op *newest = my_texts_newest(w->texts);

        return w->group == b && w->group_op == op && !w->quarantine.careful && newest &&
               newest->rows < GROUP_ROWS;
}

static void begin_statement(struct my_wire *w, unsigned warnings)
{
        buf_clear(&w->statement);
        buf_str(&w->statement, warnings ? MY_VALUE_LENIENT : "");
}

/* Many rows to a statement. */
struct many {
        const char *begin, *joint, *end;
        int (*row)(struct buf *out, const struct my_binding *b, const struct change *c,
                struct error *e);
};

static enum my_wire_sent send_one_of_many(
        struct my_wire *w, const struct my_binding *b, struct change *c, const struct many *m)
{
        struct error e = ERROR_INIT;
        AUTO_BUF row = BUF_INIT;
        unsigned warnings = my_change_warnings(b, c);
        struct my_op *o;

        if (m->row(&row, b, c, &e) < 0 || check_size(w, b, strlen(m->begin) + row.len, &e) < 0)
                return refuse(w, b, c, &e);
        if (!warnings && joins(w, b, c->op) && my_texts_extend(w->texts, m->joint, &row)) {
                my_texts_newest(w->texts)->rows++;
                return MY_WIRE_SENT;
        }
        begin_statement(w, warnings);
        buf_str(&w->statement, m->begin);
        buf_add(&w->statement, row.data, row.len);
        o = add(w, MY_OP_CHANGE);
        my_texts_end(w->texts, m->end);
        o->change = c;
        o->rows = 1;
        o->warnings = warnings;
        w->group = warnings ? NULL : b;
        w->group_op = c->op;
        return MY_WIRE_SENT;
}

static enum my_wire_sent send_insert(
        struct my_wire *w, const struct my_binding *b, struct change *c)
{
        const struct many m = {b->insert, ", ", "", my_change_row};

        return send_one_of_many(w, b, c, &m);
}

/* Their number tells that each was there: no two rows have one key (HAZARDS A10). */
static enum my_wire_sent send_delete(
        struct my_wire *w, const struct my_binding *b, struct change *c)
{
        const struct many m = {b->delete, b->many_keys ? " or " : ", ", ")", my_change_key};

        return send_one_of_many(w, b, c, &m);
}

static enum my_wire_sent send_row(struct my_wire *w, const struct my_binding *b, struct change *c)
{
        struct error e = ERROR_INIT;
        unsigned warnings = my_change_warnings(b, c);
        struct my_op *o;
        int made;

        begin_statement(w, warnings);
        made = my_change_sql(&w->statement, b, c, &e);
        if (made == MY_CHANGE_NOTHING)
                return MY_WIRE_SENT; /* only generated columns differ */
        if (made < 0 || check_size(w, b, w->statement.len, &e) < 0)
                return refuse(w, b, c, &e);
        o = add(w, MY_OP_CHANGE);
        o->change = c;
        o->warnings = warnings;
        return MY_WIRE_SENT;
}

/* What was waiting is of rows that are gone. */
static void forget_table(struct my_wire *w, const struct relation *r)
{
        if (!w->quarantine.rows->n)
                return;
        buf_clear(&w->statement);
        buf_str(&w->statement, "delete from culvert.quarantine where pipeline = ");
        my_literal(&w->statement, w->pipeline, strlen(w->pipeline));
        buf_str(&w->statement, " and table_schema = ");
        my_literal(&w->statement, r->schema, strlen(r->schema));
        buf_str(&w->statement, " and table_name = ");
        my_literal(&w->statement, r->name, strlen(r->name));
        add(w, MY_OP_FORGET)->relation = r;
        quarantine_forget(w->quarantine.rows, quarantine_hash(r->schema, r->name));
}

/* TRUNCATE would commit what came before it. */
static enum my_wire_sent send_truncate(struct my_wire *w, struct change *c)
{
        for (uint32_t i = 0; i < c->truncated_n; i++) {
                buf_clear(&w->statement);
                buf_printf(&w->statement, "delete from %s",
                        my_binding_of(c->truncated[i], w->generation)->table);
                add(w, MY_OP_TRUNCATE)->change = c;
                forget_table(w, c->truncated[i]);
        }
        return MY_WIRE_SENT;
}

static enum my_wire_sent send_of_table(
        struct my_wire *w, const struct my_binding *b, struct change *c)
{
        if (c->op == CHANGE_INSERT)
                return send_insert(w, b, c);
        return c->op == CHANGE_DELETE && b->by_number && !w->keys ? send_delete(w, b, c)
                                                                  : send_row(w, b, c);
}

/* A text of its own, of which nothing follows the row. A savepoint takes the place of the one
 * before it. */
static enum my_wire_sent send_guarded(
        struct my_wire *w, const struct my_binding *b, struct change *c)
{
        struct my_op *o;
        enum my_wire_sent sent;

        my_texts_send(w->texts);
        add_plain(w, MY_OP_PLAIN, "savepoint culvert_row");
        overwrite_begin(&w->overwrite);
        w->guard.change = c;
        sent = send_of_table(w, b, c);
        o = my_texts_newest(w->texts);
        if (sent != MY_WIRE_SENT || !w->guard.change || o->change != c) {
                w->guard.change = NULL; /* it was set aside, or has nothing to write */
                return sent;
        }
        o->guarded = true;
        w->group = NULL;
        my_texts_send(w->texts);
        return MY_WIRE_SENT;
}

/* The table has on_conflict = quarantine, or overwrite. */
static enum my_wire_sent send_of_quarantine(
        struct my_wire *w, const struct txn *piece, const struct my_binding *b, struct change *c)
{
        struct quarantine_rows rows;

        w->guard.piece = piece;
        if (change_is_misfit(c))
                return set_aside(w, piece, c, NULL);
        if (w->quarantine.rows->n) {
                quarantine_rows_of(b->quarantine, c, &rows);
                if (quarantine_has_any(w->quarantine.rows, &rows))
                        return set_aside(w, piece, c, NULL);
        }
        return w->quarantine.careful ? send_guarded(w, b, c) : send_of_table(w, b, c);
}

/* False: a value without a place, and the change may not be set aside. */
static bool check_misfit(struct my_wire *w, const struct my_binding *b, const struct change *c)
{
        struct error e = ERROR_INIT;

        if (quarantine_check_key(
                    b->quarantine && !b->quarantine->overwrite ? b->quarantine : NULL, c, &e) == 0)
                return true;
        my_binding_blame(b, c, &e);
        my_texts_fail(w->texts, &e);
        return false;
}

enum my_wire_sent my_wire_change(struct my_wire *w, const struct txn *piece, struct change *c)
{
        const struct relation *r;
        const struct my_binding *b;

        if (unbound(w, c, &r))
                return send_bind(w, r);
        if (c->op == CHANGE_TRUNCATE) {
                set_keys(w, false);
                return send_truncate(w, c);
        }
        b = my_binding_of(c->relation, w->generation);
        if (c->misfit && !check_misfit(w, b, c))
                return MY_WIRE_FAILED;
        set_keys(w, cascades_fire(c));
        return b->quarantine ? send_of_quarantine(w, piece, b, c) : send_of_table(w, b, c);
}

void my_wire_keep(struct my_wire *w, struct txn *piece)
{
        my_texts_keep(w->texts, piece);
}

/* ---- answers ---- */

static int expect_found(const struct my_op *o, uint64_t found, struct error *e)
{
        static const char *const verbs[] = {"insert into", "update of", "delete from"};
        const struct change *c = o->change;

        if (found == (o->rows ? o->rows : 1))
                return 0;
        if (o->rows > 1)
                error_set(e, ERROR_DATA, "conflict: %s %s.%s: %" PRIu64 " rows", verbs[c->op],
                        c->relation->schema, c->relation->name, found);
        else if (found == 0)
                error_set(e, ERROR_DATA, "conflict: %s %s.%s: the row is not there on the target",
                        verbs[c->op], c->relation->schema, c->relation->name);
        else
                error_set(e, ERROR_DATA,
                        "conflict: %s %s.%s: %" PRIu64 " rows on the target have its key",
                        verbs[c->op], c->relation->schema, c->relation->name, found);
        e->of_row = true;
        e->row = found == 0 && o->rows <= 1 ? ROW_MISSING : ROW_OTHER;
        return -1;
}

/* Without strict mode the server warns of each value that it changes. */
static int expect_warnings(const struct my_wire *w, const struct my_op *o, struct error *e)
{
        const struct relation *r = o->change->relation;
        unsigned warnings = o->warnings ? mysql_warning_count(my_link_conn(w->link)) : 0;

        if (warnings == o->warnings)
                return 0;
        error_set(e, ERROR_DATA,
                "the target changed a value of a row of %s.%s that it was given (%u warnings, and "
                "%u of its ENUMs without a member)",
                r->schema, r->name, warnings, o->warnings);
        e->of_row = true;
        return -1;
}

static void warn_triggers(struct my_wire *w, const struct my_binding *b)
{
        AUTO_BUF text = BUF_INIT;

        if (!b->triggers)
                return;
        buf_printf(&text,
                "triggers of %s.%s on the target fire a second time for every change that arrives, "
                "and this server cannot switch them off: drop them until the cutover (%.200s)",
                b->relation->schema, b->relation->name, b->triggers);
        w->events.warning(w->context, buf_text(&text));
}

static int take_description(
        struct my_wire *w, const struct my_op *o, MYSQL_RES *rows, struct error *e)
{
        const struct relation *r = o->relation;
        enum config_conflict policy;
        struct my_binding *b;

        w->binding = false;
        if (!rows)
                return error_set(e, ERROR_BUG, "target: a description without rows");
        if (!(b = my_binding_new(r, w->generation, w->engine, rows, e)))
                return -1;
        policy = quarantine_policy(w->quarantine.rows, w->quarantine.config, r->schema, r->name);
        if (policy != CONFLICT_STOP && my_binding_set_aside(b, policy, e) < 0)
                return -1;
        warn_triggers(w, b);
        return 0;
}

static void take_forgotten(struct my_wire *w, const struct relation *r, uint64_t n)
{
        AUTO_BUF text = BUF_INIT;

        w->quarantine.rows->changes -= n;
        if (n == 0)
                return;
        buf_printf(&text,
                "%s.%s was truncated: %" PRIu64 " changes of it that were in quarantine are void",
                r->schema, r->name, n);
        w->events.warning(w->context, buf_text(&text));
}

static int on_answer(
        void *context, const struct my_op *o, uint64_t found, MYSQL_RES *rows, struct error *e)
{
        struct my_wire *w = context;

        switch (o->kind) {
        case MY_OP_CHANGE:
                return expect_found(o, found, e) < 0 ? -1 : expect_warnings(w, o, e);
        case MY_OP_CHECKPOINT:
                return found == 1 ? 0 : my_meta_fenced(e, w->pipeline);
        case MY_OP_FORGET:
                take_forgotten(w, o->relation, found);
                return 0;
        case MY_OP_BIND:
                return take_description(w, o, rows, e);
        default:
                return 0;
        }
}

/* A step by which the target's row becomes what the source says, or the end of them. It goes when
 * its text is flushed, since nothing follows it. */
static bool go_on_overwriting(
        struct my_wire *w, const struct quarantine_table *q, const struct error *e)
{
        const struct change *c = w->guard.change;
        const struct my_binding *b = my_binding_of(c->relation, w->generation);
        struct error why = ERROR_INIT;
        enum overwrite_result next;

        if (e)
                why = *e;
        next = e ? overwrite_refused(&w->overwrite, q->key, c, &why)
                 : overwrite_answered(&w->overwrite, c);
        if (next == OVERWRITE_STOP) {
                my_binding_blame(b, c, &why);
                my_texts_fail(w->texts, &why);
                return false;
        }
        if (e)
                add_plain(w, MY_OP_PLAIN, "rollback to savepoint culvert_row");
        if (next == OVERWRITE_TRY) {
                if (send_of_table(w, b, &w->overwrite.step) != MY_WIRE_SENT)
                        return false;
                my_texts_newest(w->texts)->guarded = true;
                w->group = NULL;
                return true;
        }
        w->guard.change = NULL;
        w->events.refused(w->context);
        w->events.overwritten(w->context, &w->overwrite.why);
        return true;
}

static bool on_guard_left(void *context, const struct my_op *o, const struct error *e)
{
        struct my_wire *w = context;
        const struct quarantine_table *q =
                my_binding_of(o->change->relation, w->generation)->quarantine;

        if (e && !e->of_row)
                return false;
        if (q->overwrite && (e || overwrite_is_begun(&w->overwrite)))
                return go_on_overwriting(w, q, e);
        w->guard.change = NULL;
        if (!e)
                return true;
        w->events.refused(w->context);
        add_plain(w, MY_OP_PLAIN, "rollback to savepoint culvert_row");
        return set_aside(w, w->guard.piece, o->change, e) == MY_WIRE_SENT;
}

/* May the refused change be done in another way, or set aside, when it goes by itself? */
static bool is_curable(const struct my_wire *w, const struct relation *r, const struct error *e)
{
        const struct quarantine_table *q = my_binding_of(r, w->generation)->quarantine;

        return e->of_row && q && (!q->overwrite || e->row != ROW_OTHER);
}

/* Names what an error is about. One of many rows cannot be named, and may be when they are sent one
 * by one: that is an error which goes away. */
static void on_refused(void *context, const struct my_op *o, struct error *e)
{
        struct my_wire *w = context;
        const struct relation *r = o->change ? o->change->relation : o->relation;

        if (!r || e->class == ERROR_RETRY || e->class == ERROR_BUG)
                return;
        if (o->change && o->rows <= 1)
                my_binding_blame(my_binding_of(r, w->generation), o->change, e);
        else
                snprintf(e->table, sizeof e->table, "%s.%s", r->schema, r->name);
        if (o->rows > 1 && e->class == ERROR_DATA) {
                error_context(e, "%" PRIu32 " rows at once for %s.%s (next time one by one)",
                        o->rows, r->schema, r->name);
                begin_again(w, e);
        } else if (o->change && !o->guarded && is_curable(w, r, e)) {
                begin_again(w, e);
        }
}

static void on_released(void *context, size_t bytes)
{
        struct my_wire *w = context;

        w->events.released(w->context, bytes);
}

static void on_committed(void *context)
{
        struct my_wire *w = context;

        w->events.committed(w->context);
}

static void on_moved(void *context)
{
        struct my_wire *w = context;

        w->events.moved(w->context);
}

/* ---- what the owner asks ---- */

bool my_wire_order(
        const struct my_wire *w, struct txn *first, const struct txn *last, struct my_order *o)
{
        return !w->quarantine.careful && !w->quarantine.rows->n &&
               my_order_make(o, first, last, w->generation);
}

bool my_wire_ready(const struct my_wire *w)
{
        return my_texts_ok(w->texts) && !w->binding && !w->guard.change;
}

bool my_wire_ok(const struct my_wire *w)
{
        return my_texts_ok(w->texts);
}

bool my_wire_idle(const struct my_wire *w)
{
        return my_texts_idle(w->texts);
}

bool my_wire_answered(const struct my_wire *w)
{
        return my_texts_answered(w->texts);
}

bool my_wire_full(const struct my_wire *w)
{
        return my_texts_full(w->texts);
}

void my_wire_flush(struct my_wire *w)
{
        my_texts_flush(w->texts);
}

void my_wire_careful(struct my_wire *w, bool careful)
{
        w->quarantine.careful = careful;
}

struct my_wire *my_wire_new(struct my_link *k, const char *pipeline,
        const struct my_session_result *session, uint64_t generation,
        const struct my_wire_quarantine *quarantine, const struct my_wire_events *events,
        void *context)
{
        static const struct my_texts_events from_texts = {
                on_answer, on_refused, on_guard_left, on_released, on_committed, on_moved};
        struct my_wire *w = memory_new_of(struct my_wire);

        w->link = k;
        w->pipeline = memory_string(pipeline);
        w->epoch = session->start.epoch;
        w->engine = session->engine;
        w->packet = session->packet;
        w->generation = generation;
        w->quarantine = *quarantine;
        w->events = *events;
        w->context = context;
        w->texts = my_texts_new(k, w->packet, &from_texts, w);
        return w;
}

struct my_wire *my_wire_free(struct my_wire *w)
{
        if (!w)
                return NULL;
        my_texts_free(w->texts);
        overwrite_done(&w->overwrite);
        buf_done(&w->statement);
        free(w->pipeline);
        free(w);
        return NULL;
}
