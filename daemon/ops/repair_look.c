#include "ops/repair_private.h"

#include <string.h>

bool repair_is_same(const struct repair_seen *a, const struct repair_seen *b)
{
        return a->rows == b->rows && (a->rows == 0 || digest_same(&a->row, &b->row));
}

enum repair_action repair_action_of(const struct repair_batch *b, const struct repair_row *row)
{
        uint32_t source = row->source.rows, target = row->target.rows;

        if (repair_is_same(&row->source, &row->target))
                return REPAIR_NOTHING;
        if (b->table->way != VERIFY_BAG && source > 0)
                return target == 0 ? REPAIR_INSERT : REPAIR_UPDATE;
        if (source > target)
                return REPAIR_INSERT;
        /* rows that the target had before the copy are its own */
        return source < target && !b->table->mine ? REPAIR_DELETE : REPAIR_NOTHING;
}

/* ---- what was read ---- */

static bool is_source(enum repair_look which)
{
        return which == LOOK_SOURCE || which == LOOK_AGAIN;
}

static struct repair_seen *seen_of(struct repair_row *row, enum repair_look which)
{
        if (which == LOOK_SOURCE)
                return &row->source;
        return which == LOOK_AGAIN ? &row->again : &row->target;
}

static bool is_wanted(const struct repair_row *row, enum repair_look which)
{
        if (which == LOOK_AGAIN || which == LOOK_THERE)
                return row->ready;
        return row->end == REPAIR_OPEN;
}

static void keep_source(struct verify_worker *w, struct repair_batch *b, struct repair_row *row)
{
        struct error why = ERROR_INIT;
        const struct value *mapped = mapping_row(&b->table->map, w->hand.arena, w->hand.row, &why);

        if (row->values || row->late)
                return;
        if (!mapped) {
                row->no_place = true;
                row->why = why;
                return;
        }
        row->values = repair_batch_keep(b, mapped);
        row->late = !row->values;
}

/* Of a table without a key one of equal rows is enough. */
static void keep_target(struct verify_worker *w, struct repair_batch *b, struct repair_row *row)
{
        struct repair_there *t;
        struct value *values;

        if (row->late || (row->there && b->table->way == VERIFY_BAG))
                return;
        values = repair_batch_keep(b, w->hand.row);
        row->late = !values;
        if (!values)
                return;
        t = arena_alloc(b->arena, sizeof *t);
        *t = (struct repair_there){row->there, values};
        row->there = t;
}

static void see(struct verify_worker *w, struct repair_batch *b, enum repair_look which)
{
        const struct verify_table *t = b->table;
        bool bag = t->way == VERIFY_BAG;
        struct digest digest = verify_row_digest(&w->hand, t);
        struct repair_row *row =
                repair_batch_find(b, bag ? digest.a : verify_key_digest(&w->hand, t).a);
        struct repair_seen *seen;

        if (!row || !is_wanted(row, which))
                return;
        seen = seen_of(row, which);
        seen->rows++;
        seen->row.a += bag ? 0 : digest.a;
        seen->row.b += bag ? 0 : digest.b;
        if (which == LOOK_SOURCE)
                keep_source(w, b, row);
        else if (which == LOOK_THERE || (which == LOOK_TARGET && bag))
                keep_target(w, b, row);
}

struct looking {
        struct repair_batch *batch;
        enum repair_look which;
};

static void see_row(struct verify_worker *w, void *context)
{
        const struct looking *l = context;

        see(w, l->batch, l->which);
}

static int read_rows(struct verify_worker *w, const struct buf *sql, void *context, struct error *e)
{
        const struct looking *l = context;
        uint64_t n = 0;

        return verify_read_rows(w, !is_source(l->which), sql, see_row, context, &n, e);
}

/* ---- which rows ---- */

static int look_for_keys(
        struct verify_worker *w, struct repair_batch *b, enum repair_look which, struct error *e)
{
        bool source = is_source(which);
        unsigned key_n = source ? b->table->from.key_n : b->table->to.key_n;
        struct looking l = {b, which};
        struct verify_asking a = {.target = !source, .read = read_rows, .context = &l};
        int rc = 0;

        for (unsigned i = 0; rc == 0 && i < b->rows_n; i++) {
                struct repair_row *row = &b->rows[i];
                uint32_t at = source ? row->from : row->to;

                if (!is_wanted(row, which) || at == VERIFY_NO_KEY)
                        continue;
                verify_kept(&b->keys, at, w->hand.key, key_n);
                rc = verify_ask(w, &a, w->hand.key, e);
        }
        return verify_ask_end(w, &a, rc, e);
}

static int look_at_all(
        struct verify_worker *w, struct repair_batch *b, enum repair_look which, struct error *e)
{
        bool source = is_source(which);
        struct looking l = {b, which};
        AUTO_BUF sql = BUF_INIT;
        uint64_t n = 0;

        verify_select(
                &sql, source ? &w->from : &w->to, source ? &b->table->from : &b->table->to, false);
        if (verify_read_rows(w, !source, &sql, see_row, &l, &n, e) < 0)
                return -1;
        return source ? verify_throttle(w, n, e) : 0;
}

int repair_look(
        struct verify_worker *w, struct repair_batch *b, enum repair_look which, struct error *e)
{
        for (unsigned i = 0; i < b->rows_n; i++)
                if (is_wanted(&b->rows[i], which))
                        *seen_of(&b->rows[i], which) = (struct repair_seen){0};
        return b->table->way == VERIFY_BAG ? look_at_all(w, b, which, e)
                                           : look_for_keys(w, b, which, e);
}
