/*
 * Deletes come first, then updates and inserts, again and again while some that were refused go
 * through now: a unique value may have been another row's before. What is left of those, as two
 * rows that have each other's value, is deleted and inserted again.
 */
#include "base/loop.h"
#include "base/memory.h"
#include "ops/repair_private.h"

#include <stdlib.h>
#include <string.h>

#define LOCK_TRIES 100 /* the sink's session may live a little longer than its connection */
#define LOCK_PAUSE (100 * MILLISECOND)

struct writing {
        struct repair *repair;
        struct repair_batch *batch;
        struct quarantine_store *store;
        bool may_replace; /* no row of another table goes with one that is deleted */
};

/* ---- what is to be written ---- */

static void give_up(struct repair_row *row)
{
        row->ready = false;
        row->end = REPAIR_REFUSED;
}

/* The source's row must still be what it was in this round. */
static unsigned decide(struct repair_batch *b)
{
        unsigned n = 0;

        for (unsigned i = 0; i < b->rows_n; i++) {
                struct repair_row *row = &b->rows[i];

                if (!row->ready)
                        continue;
                row->action = repair_action_of(b, row);
                row->ready =
                        !row->late && row->action != REPAIR_NOTHING &&
                        (b->table->way == VERIFY_BAG || repair_is_same(&row->source, &row->again));
                if (row->ready && row->no_place && row->action != REPAIR_DELETE)
                        give_up(row);
                n += row->ready;
        }
        return n;
}

static int look_closely(struct repair *r, struct repair_batch *b, struct error *e)
{
        if (b->table->way == VERIFY_BAG)
                return 0;
        if (repair_look(&r->worker, b, LOOK_AGAIN, e) < 0)
                return -1;
        return repair_look(&r->worker, b, LOOK_THERE, e);
}

/* ---- one change: 0, 1: refused for its row, -1 ---- */

static int put(struct writing *w, struct repair_row *row, enum change_op op, struct value *values)
{
        struct change c = {.op = op, .relation = w->repair->by_key};

        if (op == CHANGE_DELETE)
                c.old = values;
        else
                c.new = values;
        error_clear(&row->why);
        return w->store->ops->apply(w->store, &c, &row->why);
}

static int put_whole(struct writing *w, struct repair_row *row, struct value *values)
{
        struct change c = {
                .op = CHANGE_DELETE, .relation = w->repair->whole, .old = values, .old_full = true};

        error_clear(&row->why);
        return w->store->ops->apply(w->store, &c, &row->why);
}

/* All that the target has of its key. */
static int take_away(struct writing *w, struct repair_row *row)
{
        int rc = 0;

        if (row->target.rows == 1)
                return put(w, row, CHANGE_DELETE, row->there->values);
        for (struct repair_there *t = row->there; t && rc == 0; t = t->next)
                rc = put_whole(w, row, t->values);
        return rc;
}

/* Copies of a table without a key. */
static int put_copies(struct writing *w, struct repair_row *row)
{
        bool more = row->action == REPAIR_INSERT;
        uint32_t n =
                more ? row->source.rows - row->target.rows : row->target.rows - row->source.rows;
        int rc = 0;

        for (uint32_t i = 0; i < n && rc == 0; i++)
                rc = more ? put(w, row, CHANGE_INSERT, row->values)
                          : put_whole(w, row, row->there->values);
        return rc;
}

static int write_row(struct writing *w, struct repair_row *row)
{
        if (w->batch->table->way == VERIFY_BAG)
                return put_copies(w, row);
        if (row->action == REPAIR_DELETE)
                return take_away(w, row);
        return put(
                w, row, row->action == REPAIR_INSERT ? CHANGE_INSERT : CHANGE_UPDATE, row->values);
}

/* ---- passes ---- */

static void wrote(struct repair_row *row)
{
        row->ready = false;
        row->fresh = true;
        row->written++;
        error_clear(&row->why);
}

static bool is_many(const struct writing *w, const struct repair_row *row)
{
        return w->batch->table->way != VERIFY_BAG && row->target.rows > 1;
}

/* Also one that was updated and differs still: MySQL takes a JSON 1.0 for the 1 that it is given,
 * and PostgreSQL updates no column that is GENERATED ALWAYS. */
static bool is_replaced(const struct writing *w, const struct repair_row *row)
{
        return is_many(w, row) || (w->may_replace && w->batch->table->way != VERIFY_BAG &&
                                          row->written > 0 && row->action == REPAIR_UPDATE);
}

/* One try of each that is ready; how many went through, or -1. */
static int pass(struct writing *w, bool deletes, struct error *e)
{
        int n = 0;

        for (unsigned i = 0; i < w->batch->rows_n; i++) {
                struct repair_row *row = &w->batch->rows[i];
                int rc;

                if (!row->ready || is_replaced(w, row) || (row->action == REPAIR_DELETE) != deletes)
                        continue;
                if (halt_check(w->repair->verify->halt, e) < 0)
                        return -1;
                if ((rc = write_row(w, row)) < 0) {
                        *e = row->why;
                        return -1;
                }
                if (rc > 0)
                        continue;
                wrote(row);
                n++;
        }
        return n;
}

static int run(struct writing *w, const char *sql, struct error *e)
{
        return w->store->my ? my_run(w->store->my, e, sql) : pg_run(w->store->pg, e, sql);
}

/* The number of the first that was refused; n: none was; -1. */
static int try_replace(struct writing *w, struct repair_row **rows, unsigned n, struct error *e)
{
        unsigned i;
        int rc = 0;

        for (i = 0; i < n && rc == 0; i++)
                rc = take_away(w, rows[i]);
        if (rc == 0)
                for (i = 0; i < n && rc == 0; i++)
                        if (rows[i]->action != REPAIR_DELETE)
                                rc = put(w, rows[i], CHANGE_INSERT, rows[i]->values);
        if (rc >= 0)
                return rc == 0 ? (int)n : (int)i - 1;
        *e = rows[i - 1]->why;
        return -1;
}

/* All or none of them; one that is refused is left out the next time. */
static int replace(struct writing *w, struct repair_row **rows, unsigned n, struct error *e)
{
        int bad;

        while (n > 0) {
                if (run(w, "savepoint culvert_repair", e) < 0 ||
                        (bad = try_replace(w, rows, n, e)) < 0)
                        return -1;
                if ((unsigned)bad == n) {
                        for (unsigned i = 0; i < n; i++)
                                wrote(rows[i]);
                        return run(w, "release savepoint culvert_repair", e);
                }
                if (run(w, "rollback to savepoint culvert_repair", e) < 0)
                        return -1;
                n--;
                memmove(rows + bad, rows + bad + 1, (n - (unsigned)bad) * sizeof(*rows));
        }
        return 0;
}

/* SQLSTATE: PostgreSQL says which constraint's kind it is, the MySQL family only that it is one. */
bool repair_is_taken(const struct repair_row *row)
{
        return !strcmp(row->why.code, "23505") || !strcmp(row->why.code, "23000");
}

static int replace_left(struct writing *w, struct error *e)
{
        struct repair_row **rows = memory_new((w->batch->rows_n + 1u) * sizeof(*rows));
        unsigned n = 0;
        int rc = 0;

        for (unsigned i = 0; i < w->batch->rows_n; i++) {
                struct repair_row *row = &w->batch->rows[i];

                if (row->ready && !is_replaced(w, row) && row->action == REPAIR_UPDATE &&
                        repair_is_taken(row))
                        rows[n++] = row;
        }
        if (n > 0 && w->may_replace)
                rc = replace(w, rows, n, e);
        free(rows);
        return rc;
}

/* Several rows of a key, which no index of the target forbids (HAZARDS A3), say: each by itself. */
static int replace_many(struct writing *w, struct error *e)
{
        for (unsigned i = 0; i < w->batch->rows_n; i++) {
                struct repair_row *row = &w->batch->rows[i];

                if (!row->ready || !is_replaced(w, row))
                        continue;
                if (row->action != REPAIR_DELETE && !w->may_replace)
                        error_set(&row->why, ERROR_CONFIG,
                                "the target has several rows of its key, and a row that is put in "
                                "their place loses what only the target knows of it: delete them");
                else if (replace(w, &row, 1, e) < 0)
                        return -1;
        }
        return 0;
}

static int write_all(struct writing *w, struct error *e)
{
        int n = pass(w, true, e);

        if (n < 0 || replace_many(w, e) < 0)
                return -1;
        while ((n = pass(w, false, e)) > 0)
                ;
        if (n < 0 || replace_left(w, e) < 0)
                return -1;
        /* a value that a replaced row has left */
        while ((n = pass(w, false, e)) > 0)
                ;
        return n;
}

/* ---- the transaction ---- */

static bool has_own_columns(const struct verify_table *t)
{
        for (uint16_t i = 0; i < t->known->columns_n; i++)
                if (relation_column(t->map.target, t->known->columns[i].name) < 0 &&
                        !column_is_generated(&t->known->columns[i]))
                        return true;
        return false;
}

/* Where the target's keys and triggers stay on, a delete may take rows of other tables along. */
static int look_at_session(struct writing *w, struct error *e)
{
        AUTO_RESULT r = NULL;

        w->may_replace = !has_own_columns(w->batch->table);
        if (w->store->my)
                return 0;
        r = pg_query(w->store->pg, e,
                "select pg_catalog.current_setting('session_replication_role')", 0, NULL);
        if (!r)
                return -1;
        w->may_replace &= !strcmp(pg_text(r, 0, 0), "replica");
        return 0;
}

static int take(struct repair *r, struct quarantine_store *s, struct error *e)
{
        int taken;

        for (int i = 0; (taken = s->ops->take(s, e)) == 1 && i < LOCK_TRIES; i++)
                if (verify_pause(&r->worker, LOCK_PAUSE, e) < 0)
                        return -1;
        if (taken == 1) /* not to be waited for: the other daemon may repair */
                e->class = ERROR_CONFIG;
        return taken == 0 ? 0 : -1;
}

static int write_with(struct writing *w, struct error *e)
{
        struct repair *r = w->repair;
        struct error ignored = ERROR_INIT;
        struct repair_batch *b = w->batch;
        int rc;

        if (w->store->ops->connect(w->store, e) < 0 || take(r, w->store, e) < 0 ||
                look_closely(r, b, e) < 0)
                return -1;
        if (decide(b) == 0)
                return 0;
        if (look_at_session(w, e) < 0)
                return -1;
        rc = w->store->ops->begin(w->store, e);
        if (rc == 0)
                rc = write_all(w, e);
        if (rc == 0)
                return w->store->ops->end(w->store, true, e);
        w->store->ops->end(w->store, false, &ignored);
        return -1;
}

int repair_write(struct repair *r, struct repair_batch *b, struct error *e)
{
        struct verify *v = r->verify;
        struct quarantine_store store = {.ops = config_is_mysql(v->config->target.kind)
                                                        ? &my_quarantine_ops
                                                        : &pg_quarantine_ops,
                .halt = v->halt,
                .config = v->config};
        struct writing w = {.repair = r, .batch = b, .store = &store};
        int rc = write_with(&w, e);

        store.ops->close(&store);
        if (rc < 0)
                return -1;
        for (unsigned i = 0; i < b->rows_n; i++)
                if (b->rows[i].ready)
                        give_up(&b->rows[i]);
        return 0;
}
