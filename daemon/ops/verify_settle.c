/*
 * Reads again what differed. A round reads the source, waits until the target has all that was
 * committed by then, reads the target, and the source again.
 *
 *   target as the source was, before or after      equal
 *   source the same before and after, target not   a quiet round; QUIET of them in a row, each like
 *                                                  the one before, are a difference
 *   else                                           not quiet
 *
 * One quiet round proves nothing: a row that goes to and fro between two values, or comes and goes,
 * may be caught in the one each time on the source and in the other on the target. That it happens
 * QUIET times in a row, at odd moments, is left out of account.
 */
#include "base/loop.h"
#include "base/memory.h"
#include "model/row_json.h"
#include "ops/verify_private.h"

#include <stdlib.h>
#include <string.h>

#define QUIET 6
#define ROUNDS_MAX 40
#define PAUSE (25 * MILLISECOND)
#define PAUSE_MAX (250 * MILLISECOND)
#define SLICE_CELLS 200000u /* rows by columns of which digests are kept at a time */

struct seen {
        unsigned rows; /* with that key */
        struct digest row;
};

enum { BEFORE, TARGET, AFTER, READS };

struct doubt {
        const struct verify_row *row;
        struct seen seen[READS];
        struct seen last[READS]; /* in the round before */
        unsigned quiet;
        bool settled;
        uint64_t *columns[2]; /* digests of the source's and the target's */
};

struct slice {
        struct doubt *doubts;
        unsigned n;
        uint64_t *cells;
};

static bool is_same(const struct seen *a, const struct seen *b)
{
        return a->rows == b->rows && (a->rows == 0 || digest_same(&a->row, &b->row));
}

static int by_key(const void *x, const void *y)
{
        const struct digest *a = &((const struct doubt *)x)->row->key;
        const struct digest *b = &((const struct doubt *)y)->row->key;

        if (a->a != b->a)
                return a->a < b->a ? -1 : 1;
        return a->b < b->b ? -1 : a->b > b->b;
}

static struct doubt *find(struct slice *s, const struct digest *key)
{
        struct verify_row row = {.key = *key};
        struct doubt wanted = {.row = &row};

        return bsearch(&wanted, s->doubts, s->n, sizeof wanted, by_key);
}

static void see(struct verify_worker *w, struct slice *s, unsigned which)
{
        const struct verify_table *t = &w->task->table;
        struct digest key = verify_key_digest(&w->hand, t), row;
        struct doubt *d = find(s, &key);

        if (!d || d->settled)
                return;
        row = verify_row_digest(&w->hand, t);
        /* of several the order does not matter */
        d->seen[which].rows++;
        d->seen[which].row.a += row.a;
        d->seen[which].row.b += row.b;
        verify_column_digests(&w->hand, t);
        memcpy(d->columns[which == TARGET], w->hand.columns,
                t->to.shape->columns_n * sizeof *w->hand.columns);
}

int verify_read_rows(struct verify_worker *w, bool target, const struct buf *sql,
        void (*each)(struct verify_worker *w, void *context), void *context, uint64_t *n,
        struct error *e)
{
        const struct verify_table *t = &w->task->table;
        struct verify_side *side = target ? &w->to : &w->from;
        int rc, counts = 1;

        if (verify_side_read(side, target ? &t->to : &t->from, sql, e) < 0)
                return -1;
        for (; (rc = verify_side_next(side, w->hand.row, e)) > 0; ++*n) {
                if (target)
                        verify_take_target(&w->hand, t, false);
                else if ((counts = verify_take_source(&w->hand, t, false, e)) < 0)
                        return -1;
                if (counts)
                        each(w, context);
        }
        return rc;
}

struct reading {
        struct slice *slice;
        unsigned which;
};

static void see_row(struct verify_worker *w, void *context)
{
        const struct reading *r = context;

        see(w, r->slice, r->which);
}

static int read_rows(struct verify_worker *w, const struct buf *sql, void *context, struct error *e)
{
        const struct reading *r = context;
        uint64_t n = 0;

        return verify_read_rows(w, r->which == TARGET, sql, see_row, context, &n, e);
}

/* One of the reads, of all that are open. */
static int read_side(struct verify_worker *w, struct slice *s, unsigned which, struct error *e)
{
        const struct verify_table *t = &w->task->table;
        bool target = which == TARGET;
        struct reading r = {s, which};
        struct verify_asking a = {.target = target, .read = read_rows, .context = &r};
        int rc = 0;

        for (unsigned i = 0; rc == 0 && i < s->n; i++) {
                struct doubt *d = &s->doubts[i];
                uint32_t at = target ? d->row->to : d->row->from;

                d->seen[which] = (struct seen){0};
                if (d->settled || at == VERIFY_NO_KEY)
                        continue;
                verify_kept(&w->doubts.keys, at, w->hand.key, target ? t->to.key_n : t->from.key_n);
                rc = verify_ask(w, &a, w->hand.key, e);
        }
        return verify_ask_end(w, &a, rc, e);
}

/* ---- what was found ---- */

char *verify_key_json(struct verify_worker *w, const struct verify_row *row)
{
        const struct verify_table *t = &w->task->table;
        bool source = row->from != VERIFY_NO_KEY;
        const struct verify_columns *c = source ? &t->from : &t->to;
        struct value *whole = memory_new((c->shape->columns_n + 1u) * sizeof *whole);
        struct buf out = BUF_INIT;

        verify_kept(&w->doubts.keys, source ? row->from : row->to, w->hand.key, c->key_n);
        for (unsigned i = 0; i < c->key_n; i++)
                whole[c->key[i]] = w->hand.key[i];
        row_to_json(&out, c->shape, whole, c->is_key);
        free(whole);
        return buf_take(&out);
}

static char *columns_json(const struct verify_table *t, const struct doubt *d)
{
        cJSON *list = cJSON_CreateArray();
        char *text;

        for (uint16_t i = 0; i < t->to.shape->columns_n; i++)
                if (d->columns[0][i] != d->columns[1][i])
                        cJSON_AddItemToArray(
                                list, cJSON_CreateString(
                                              t->from.shape->columns[t->map.source_of[i]].name));
        text = cJSON_PrintUnformatted(list);
        cJSON_Delete(list);
        return text;
}

void verify_found(struct verify_worker *w, enum verify_kind kind, char *key, char *columns)
{
        struct verify_progress *p = &w->task->at;

        w->found = memory_grow(w->found, (w->found_n + 1) * sizeof *w->found);
        w->found[w->found_n++] = (struct verify_finding){kind, key, columns};
        if (kind == VERIFY_UNDECIDED)
                p->undecided++;
        else
                p->differences++;
}

static void report(struct verify_worker *w, const struct doubt *d)
{
        const struct seen *source = &d->seen[AFTER], *target = &d->seen[TARGET];
        enum verify_kind kind = VERIFY_DIFFERS;

        if (target->rows == 0)
                kind = VERIFY_MISSING;
        else if (source->rows < target->rows)
                kind = VERIFY_EXTRA;
        verify_found(w, kind, verify_key_json(w, d->row),
                kind == VERIFY_DIFFERS ? columns_json(&w->task->table, d) : memory_string("[]"));
}

/* ---- rounds ---- */

static void judge(struct verify_worker *w, struct doubt *d)
{
        struct seen *s = d->seen;
        bool still = is_same(&s[BEFORE], &s[AFTER]);
        bool like_before =
                is_same(&s[AFTER], &d->last[AFTER]) && is_same(&s[TARGET], &d->last[TARGET]);

        if (is_same(&s[TARGET], &s[BEFORE]) || is_same(&s[TARGET], &s[AFTER])) {
                d->settled = true;
                return;
        }
        if (!still)
                d->quiet = 0;
        else
                d->quiet = d->quiet && like_before ? d->quiet + 1 : 1;
        memcpy(d->last, s, sizeof d->last);
        if (d->quiet < QUIET)
                return;
        report(w, d);
        d->settled = true;
}

static unsigned judge_all(struct verify_worker *w, struct slice *s)
{
        unsigned open = 0;

        for (unsigned i = 0; i < s->n; i++) {
                if (!s->doubts[i].settled)
                        judge(w, &s->doubts[i]);
                open += !s->doubts[i].settled;
        }
        return open;
}

static int settle_slice(struct verify_worker *w, struct slice *s, struct error *e)
{
        unsigned open = s->n;
        int64_t pause = PAUSE;

        for (unsigned round = 0; open > 0 && round < ROUNDS_MAX; round++) {
                /* at odd moments */
                if (round > 0 && verify_pause(w, pause + verify_now() % PAUSE, e) < 0)
                        return -1;
                pause = pause * 3 / 2 < PAUSE_MAX ? pause * 3 / 2 : PAUSE_MAX;
                if (read_side(w, s, BEFORE, e) < 0 || verify_await(w, e) < 0 ||
                        read_side(w, s, TARGET, e) < 0 || read_side(w, s, AFTER, e) < 0)
                        return -1;
                open = judge_all(w, s);
        }
        for (unsigned i = 0; i < s->n; i++)
                if (!s->doubts[i].settled)
                        verify_found(w, VERIFY_UNDECIDED, verify_key_json(w, s->doubts[i].row),
                                memory_string("[]"));
        return 0;
}

static int settle_some(struct verify_worker *w, uint32_t from, unsigned n, struct error *e)
{
        size_t columns = w->task->table.to.shape->columns_n + 1u;
        struct slice s = {.doubts = memory_new(n * sizeof *s.doubts),
                .n = n,
                .cells = memory_new(2 * n * columns * sizeof *s.cells)};
        int rc;

        for (unsigned i = 0; i < n; i++)
                s.doubts[i] = (struct doubt){.row = &w->doubts.rows[from + i],
                        .columns = {&s.cells[2 * i * columns], &s.cells[(2 * i + 1) * columns]}};
        qsort(s.doubts, n, sizeof *s.doubts, by_key);
        rc = settle_slice(w, &s, e);
        free(s.doubts);
        free(s.cells);
        return rc;
}

int verify_settle(struct verify_worker *w, struct error *e)
{
        uint32_t most = SLICE_CELLS / (w->task->table.to.shape->columns_n + 1u);

        verify_ahead_wait(&w->ahead);
        most = most > 2000 ? 2000 : most < 20 ? 20 : most;
        for (uint32_t i = 0; i < w->doubts.n; i += most)
                if (settle_some(w, i, w->doubts.n - i < most ? w->doubts.n - i : most, e) < 0)
                        return -1;
        verify_set_clear(&w->doubts);
        w->settled = verify_now();
        return 0;
}
