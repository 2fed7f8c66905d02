/*
 * Tables with a key, chunk by chunk in the source's order of it.
 *
 * Where the target sorts the key in the same way, it is read by the same range, so that rows that
 * only it has are seen, too. Where it may not (texts, whose order is the collation's), it is asked
 * for the chunk's keys; then the target is walked in its own order, and the source asked for its
 * keys. The equality of a collation finds more rows than are the same to the byte, and never fewer.
 *
 * Between servers of one engine digests of several chunks come first (verify_span.c).
 */
#include "base/loop.h"
#include "base/memory.h"
#include "model/row_json.h"
#include "ops/verify_private.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DOUBTS_MAX 2000u
#define SETTLE_EVERY (2 * SECOND)
#define SAVE_EVERY SECOND

/* ---- doubts ---- */

static void doubt(struct verify_worker *w, const struct verify_row *row)
{
        const struct verify_table *t = &w->task->table;
        bool known;
        struct verify_row *d = verify_set_add(&w->doubts, &row->key, &known);

        if (known)
                return;
        if (row->from != VERIFY_NO_KEY) {
                verify_kept(&w->set.keys, row->from, w->hand.own, t->from.key_n);
                d->from = verify_keep(&w->doubts.keys, w->hand.own, t->from.key_n);
        }
        if (row->to != VERIFY_NO_KEY) {
                verify_kept(&w->set.keys, row->to, w->hand.own, t->to.key_n);
                d->to = verify_keep(&w->doubts.keys, w->hand.own, t->to.key_n);
        }
}

/* A row of the target, just read, whose key the source has not shown. */
static void doubt_extra(struct verify_worker *w, const struct digest *key)
{
        const struct verify_table *t = &w->task->table;
        struct verify_row *d;
        bool known;

        if (t->mine)
                return;
        d = verify_set_add(&w->doubts, key, &known);
        if (known)
                return;
        d->to = verify_keep(&w->doubts.keys, w->hand.key, t->to.key_n);
        if (verify_key_back(t, w->hand.arena, w->hand.key, w->hand.own) == 0)
                d->from = verify_keep(&w->doubts.keys, w->hand.own, t->from.key_n);
}

/* ---- the place in the walk ---- */

static const struct verify_columns *walked(const struct verify_worker *w)
{
        const struct verify_table *t = &w->task->table;

        return w->task->at.phase == PHASE_SOURCE ? &t->from : &t->to;
}

static void set_after(struct verify_worker *w, const struct value *key)
{
        buf_clear(&w->after);
        verify_keep(&w->after, key, walked(w)->key_n);
}

void verify_move_on(struct verify_worker *w, const struct buf *at)
{
        buf_clear(&w->after);
        buf_add(&w->after, at->data, at->len);
}

static char *after_json(struct verify_worker *w)
{
        const struct verify_columns *c = walked(w);
        struct value *row, *key;
        struct buf out = BUF_INIT;

        if (w->task->table.way == VERIFY_BAG)
                return w->parts ? memory_printf("%u", w->parts) : NULL;
        if (!w->after.len)
                return NULL;
        row = memory_new((c->shape->columns_n + 1u) * sizeof *row);
        key = memory_new(c->key_n * sizeof *key);
        verify_kept(&w->after, 0, key, c->key_n);
        for (unsigned i = 0; i < c->key_n; i++)
                row[c->key[i]] = key[i];
        row_to_json(&out, c->shape, row, c->is_key);
        free(row);
        free(key);
        return buf_take(&out);
}

/* One that does not fit the table any more begins it anew. */
static void read_after(struct verify_worker *w)
{
        const struct verify_columns *c = walked(w);
        struct verify_progress *p = &w->task->at;
        struct error ignored = ERROR_INIT;
        struct arena *a = arena_new();
        struct value *row = p->after ? row_from_json(a, c->shape, p->after, &ignored) : NULL;
        bool whole = row != NULL;

        buf_clear(&w->after);
        for (unsigned i = 0; row && i < c->key_n; i++)
                if (row[c->key[i]].kind == VALUE_TEXT)
                        w->hand.own[i] = row[c->key[i]];
                else
                        whole = false;
        if (whole)
                set_after(w, w->hand.own);
        else if (p->after)
                p->phase = PHASE_SOURCE;
        arena_free(a);
}

static int add_after(struct verify_worker *w, const struct verify_side *s, struct buf *sql,
        enum verify_bound bound, struct error *e)
{
        const struct verify_columns *c = walked(w);

        if (!w->after.len)
                return 0;
        verify_kept(&w->after, 0, w->hand.own, c->key_n);
        buf_str(sql, " where ");
        return verify_bound(sql, s, c, bound, w->hand.own, e);
}

uint32_t verify_chunk_rows(const struct verify *v)
{
        uint64_t rate = v->request.rate;

        if (rate && rate / 2 < VERIFY_CHUNK)
                return rate / 2 > 100 ? (uint32_t)(rate / 2) : 100;
        return VERIFY_CHUNK;
}

/* ---- what the other side has of a chunk ---- */

static void see_target(struct verify_worker *w, bool ranges)
{
        const struct verify_table *t = &w->task->table;
        struct digest key = verify_key_digest(&w->hand, t), row;
        struct verify_row *known = verify_set_find(&w->set, &key);

        if (!known && ranges)
                doubt_extra(w, &key);
        if (!known)
                return;
        row = verify_row_digest(&w->hand, t);
        if (known->seen++ > 0 || !digest_same(&known->row, &row))
                doubt(w, known);
}

/* Reading a range of the target in pieces. Rows of one key may be several where no index forbids it
 * (HAZARDS A3), so a piece begins with the last key of the one before. */
struct piece {
        struct digest last;
        uint32_t tail; /* rows of that key that were read */
        uint32_t n;
        bool exclusive;
        struct buf key;
};

static void take_piece_row(struct verify_worker *w, struct piece *p, uint32_t *skip)
{
        struct digest key = verify_key_digest(&w->hand, &w->task->table);

        if (*skip > 0 && digest_same(&key, &p->last)) {
                --*skip;
                return;
        }
        p->tail = digest_same(&key, &p->last) ? p->tail + 1 : 1;
        p->last = key;
        buf_clear(&p->key);
        verify_keep(&p->key, w->hand.key, w->task->table.to.key_n);
        see_target(w, true);
}

static int add_piece_bounds(struct verify_worker *w, struct piece *p, const struct buf *from,
        const struct buf *to, struct buf *sql, struct error *e)
{
        const struct verify_columns *c = &w->task->table.to;
        const struct buf *lower = p->key.len ? &p->key : from;
        bool inclusive = p->key.len && !p->exclusive;

        if (lower->len) {
                verify_kept(lower, 0, w->hand.own, c->key_n);
                buf_str(sql, " where ");
                if (verify_bound(sql, &w->to, c, inclusive ? BOUND_FROM : BOUND_BEYOND, w->hand.own,
                            e) < 0)
                        return -1;
        }
        if (!to->len)
                return 0;
        verify_kept(to, 0, w->hand.own, c->key_n);
        buf_str(sql, lower->len ? " and " : " where ");
        return verify_bound(sql, &w->to, c, BOUND_TO, w->hand.own, e);
}

static int read_piece(struct verify_worker *w, struct piece *p, const struct buf *from,
        const struct buf *to, struct error *e)
{
        const struct verify_table *t = &w->task->table;
        AUTO_BUF sql = BUF_INIT;
        uint32_t skip = p->exclusive ? 0 : p->tail;
        uint32_t before = p->tail;
        int rc;

        verify_select(&sql, &w->to, &t->to, false);
        if (add_piece_bounds(w, p, from, to, &sql, e) < 0)
                return -1;
        verify_order(&sql, &w->to, &t->to);
        buf_printf(&sql, " limit %u", VERIFY_CHUNK);
        if (verify_side_read(&w->to, &t->to, &sql, e) < 0)
                return -1;
        for (p->n = 0; (rc = verify_side_next(&w->to, w->hand.row, e)) > 0; p->n++) {
                verify_take_target(&w->hand, t, false);
                take_piece_row(w, p, &skip);
        }
        /* nothing but rows of one key, again */
        p->exclusive = p->n == VERIFY_CHUNK && p->tail >= VERIFY_CHUNK && p->tail == before;
        return rc;
}

/* Bounds are kept keys of the target; empty: none. */
static int read_range(
        struct verify_worker *w, const struct buf *from, const struct buf *to, struct error *e)
{
        struct piece p = {0};
        int rc;

        do {
                rc = read_piece(w, &p, from, to, e);
                if (rc == 0 && w->doubts.n >= DOUBTS_MAX)
                        rc = verify_settle(w, e);
        } while (rc == 0 && p.n == VERIFY_CHUNK);
        buf_done(&p.key);
        return rc;
}

static void see_source_key(struct verify_worker *w)
{
        struct digest key = verify_key_digest(&w->hand, &w->task->table);
        struct verify_row *known = verify_set_find(&w->set, &key);

        if (known)
                known->seen++;
}

static int read_among(
        struct verify_worker *w, const struct buf *sql, void *context, struct error *e)
{
        const struct verify_table *t = &w->task->table;
        bool source = *(const bool *)context;
        struct verify_side *s = source ? &w->from : &w->to;
        int rc, counts;

        if (verify_side_read(s, source ? &t->from : &t->to, sql, e) < 0)
                return -1;
        while ((rc = verify_side_next(s, w->hand.row, e)) > 0) {
                if (!source) {
                        verify_take_target(&w->hand, t, false);
                        see_target(w, false);
                        continue;
                }
                if ((counts = verify_take_source(&w->hand, t, true, e)) < 0)
                        return -1;
                if (counts)
                        see_source_key(w);
        }
        return rc;
}

/* Asks one side for the keys of the chunk. */
static int read_keys(struct verify_worker *w, bool source, struct error *e)
{
        const struct verify_table *t = &w->task->table;
        struct verify_asking a = {
                .target = !source, .few = source, .read = read_among, .context = &source};
        int rc = 0;

        for (uint32_t i = 0; rc == 0 && i < w->set.n; i++) {
                uint32_t at = source ? w->set.rows[i].from : w->set.rows[i].to;

                if (at == VERIFY_NO_KEY)
                        continue;
                verify_kept(&w->set.keys, at, w->hand.own, source ? t->from.key_n : t->to.key_n);
                rc = verify_ask(w, &a, w->hand.own, e);
        }
        return verify_ask_end(w, &a, rc, e);
}

static void doubt_unseen(struct verify_worker *w)
{
        for (uint32_t i = 0; i < w->set.n; i++)
                if (w->set.rows[i].seen == 0)
                        doubt(w, &w->set.rows[i]);
}

/* ---- chunks ---- */

/* The bound of the source's walk in the target's values. */
static int bound_there(struct verify_worker *w, struct buf *bound, struct error *e)
{
        const struct verify_table *t = &w->task->table;

        if (!w->after.len)
                return 0;
        verify_kept(&w->after, 0, w->hand.own, t->from.key_n);
        for (unsigned i = 0; i < t->to.key_n; i++) {
                const struct convert *c = t->map.convert ? t->map.convert[t->to.key[i]] : NULL;

                if (convert_value(c, w->hand.arena, &w->hand.own[i], &w->hand.key[i], e) < 0)
                        return error_context(e, "column '%s' of the key of %s.%s",
                                t->to.shape->columns[t->to.key[i]].name, t->from.schema,
                                t->from.name);
        }
        verify_keep(bound, w->hand.key, t->to.key_n);
        return 0;
}

/* Is the next chunk read by rows, too? Else nobody would take it. */
static void read_ahead(struct verify_worker *w)
{
        bool by_rows = !w->spans.fit || w->spans.by_rows > 0;

        if (by_rows && verify_is_sampled(w->verify, w->task->at.chunk))
                verify_ahead_start(&w->ahead, &w->after, verify_chunk_rows(w->verify));
}

/* The source's rows behind w->after, which moves to the last of them. */
static int take_source(struct verify_worker *w, bool *more, struct error *e)
{
        struct verify_ahead *a = &w->ahead;
        struct verify_set set = w->set;

        if (!a->begun)
                verify_ahead_start(a, &w->after, verify_chunk_rows(w->verify));
        if (verify_ahead_take(a, e) < 0)
                return -1;
        w->set = a->set;
        a->set = set;
        *more = a->n == a->limit;
        w->task->at.seen += (uint64_t)a->n;
        if (*more)
                verify_move_on(w, &a->after);
        return 0;
}

static int compare_chunk(struct verify_worker *w, bool *more, struct error *e)
{
        const struct verify_table *t = &w->task->table;
        struct verify_progress *p = &w->task->at;
        AUTO_BUF from = BUF_INIT, to = BUF_INIT;
        uint64_t seen = p->seen;

        if (t->way == VERIFY_RANGES && bound_there(w, &from, e) < 0)
                return -1;
        if (take_source(w, more, e) < 0)
                return -1;
        if (t->way == VERIFY_RANGES && *more && bound_there(w, &to, e) < 0)
                return -1;
        p->chunk++;
        if (*more)
                read_ahead(w);
        if ((t->way == VERIFY_RANGES ? read_range(w, &from, &to, e) : read_keys(w, false, e)) < 0)
                return -1;
        doubt_unseen(w);
        p->rows += w->set.n;
        return verify_throttle(w, p->seen - seen, e);
}

/* A walk of the target, for what the source has not. */
static int64_t read_target_keys(struct verify_worker *w, uint32_t limit, struct error *e)
{
        const struct verify_table *t = &w->task->table;
        AUTO_BUF sql = BUF_INIT, last = BUF_INIT;
        int64_t n = 0;
        int rc;

        verify_select(&sql, &w->to, &t->to, true);
        if (add_after(w, &w->to, &sql, BOUND_BEYOND, e) < 0)
                return -1;
        verify_order(&sql, &w->to, &t->to);
        buf_printf(&sql, " limit %u", limit);
        if (verify_side_read(&w->to, &t->to, &sql, e) < 0)
                return -1;
        for (; (rc = verify_side_next(&w->to, w->hand.row, e)) > 0; n++) {
                struct digest key;
                struct verify_row *row;
                bool known;

                verify_take_target(&w->hand, t, true);
                key = verify_key_digest(&w->hand, t);
                row = verify_set_add(&w->set, &key, &known);
                buf_clear(&last);
                verify_keep(&last, w->hand.key, t->to.key_n);
                if (known) {
                        doubt(w, row);
                        continue;
                }
                row->to = verify_keep(&w->set.keys, w->hand.key, t->to.key_n);
                if (verify_key_back(t, w->hand.arena, w->hand.key, w->hand.own) == 0)
                        row->from = verify_keep(&w->set.keys, w->hand.own, t->from.key_n);
        }
        if (n > 0 && rc == 0)
                verify_move_on(w, &last);
        return rc < 0 ? -1 : n;
}

static int compare_extras(struct verify_worker *w, bool *more, struct error *e)
{
        uint32_t limit = verify_chunk_rows(w->verify);
        int64_t n;

        verify_set_clear(&w->set);
        if ((n = read_target_keys(w, limit, e)) < 0 || read_keys(w, true, e) < 0)
                return -1;
        *more = n == limit;
        w->task->at.chunk++;
        doubt_unseen(w);
        return verify_throttle(w, (uint64_t)n, e);
}

/* The key of the row that is so many behind w->after, kept in `at`; empty: there are not as many.
 */
int verify_border(struct verify_worker *w, uint32_t rows, struct buf *at, struct error *e)
{
        const struct verify_columns *c = walked(w);
        struct verify_side *s = w->task->at.phase == PHASE_SOURCE ? &w->from : &w->to;
        AUTO_BUF sql = BUF_INIT;
        int rc;

        verify_select(&sql, s, c, true);
        if (add_after(w, s, &sql, BOUND_BEYOND, e) < 0)
                return -1;
        verify_order(&sql, s, c);
        buf_printf(&sql, " limit 1 offset %u", rows - 1);
        if (verify_side_read(s, c, &sql, e) < 0)
                return -1;
        while ((rc = verify_side_next(s, w->hand.row, e)) > 0) {
                for (unsigned i = 0; i < c->key_n; i++)
                        w->hand.own[i] = w->hand.row[c->key[i]];
                buf_clear(at);
                verify_keep(at, w->hand.own, c->key_n);
        }
        return rc;
}

/* One that no sample has. */
static int skip_chunk(struct verify_worker *w, bool *more, struct error *e)
{
        struct verify_progress *p = &w->task->at;
        uint32_t limit = verify_chunk_rows(w->verify);
        AUTO_BUF border = BUF_INIT;

        if (verify_border(w, limit, &border, e) < 0)
                return -1;
        *more = border.len > 0;
        if (*more)
                verify_move_on(w, &border);
        if (*more && p->phase == PHASE_SOURCE)
                p->seen += limit;
        p->chunk++;
        return 0;
}

/* Digests first, where they are due, then rows. */
static int compare_next(struct verify_worker *w, bool *more, struct error *e)
{
        while (verify_span_due(w)) {
                int same = verify_span(w, more, e);

                if (same != 0)
                        return same < 0 ? -1 : 0;
        }
        if (w->spans.by_rows > 0)
                w->spans.by_rows--;
        return compare_chunk(w, more, e);
}

/* ---- the walk ---- */

int verify_save(struct verify_worker *w, struct error *e)
{
        struct verify_task *task = w->task;
        struct verify *v = w->verify;
        int rc;

        free(task->after_json);
        task->after_json = after_json(w);
        task->at.after = task->after_json;
        rc = verify_store_save(
                &w->to, v->config->pipeline.name, &v->run, &task->at, w->found, w->found_n, e);
        if (rc < 0)
                return -1;
        pthread_mutex_lock(&v->report->lock);
        for (unsigned i = 0; i < w->found_n; i++) {
                verify_report_item(v->report, task->line, w->found[i].kind, w->found[i].key,
                        w->found[i].columns);
                free(memory_unconst(w->found[i].key));
                free(memory_unconst(w->found[i].columns));
        }
        pthread_mutex_unlock(&v->report->lock);
        w->found_n = 0;
        w->saved = verify_now();
        verify_show(w);
        return 0;
}

static int settle_and_save(struct verify_worker *w, bool now, struct error *e)
{
        int64_t t = verify_now();

        if (w->doubts.n > 0 &&
                (now || w->doubts.n >= DOUBTS_MAX || t - w->settled >= SETTLE_EVERY) &&
                verify_settle(w, e) < 0)
                return -1;
        verify_show(w);
        if (w->doubts.n > 0 || (!now && t - w->saved < SAVE_EVERY))
                return 0;
        return verify_save(w, e);
}

static int walk_phase(struct verify_worker *w, struct error *e)
{
        struct verify_progress *p = &w->task->at;
        bool more = true;
        int rc = 0;

        while (more && rc == 0) {
                if (halt_check(w->verify->halt, e) < 0)
                        return -1;
                if (!verify_is_sampled(w->verify, p->chunk))
                        rc = skip_chunk(w, &more, e);
                else if (p->phase == PHASE_SOURCE)
                        rc = compare_next(w, &more, e);
                else
                        rc = compare_extras(w, &more, e);
                if (rc == 0)
                        rc = settle_and_save(w, !more, e);
        }
        return rc;
}

int verify_walk(struct verify_worker *w, struct error *e)
{
        const struct verify_table *t = &w->task->table;
        struct verify_progress *p = &w->task->at;

        read_after(w);
        w->settled = w->saved = verify_now();
        verify_spans_begin(w);
        if (p->phase == PHASE_SOURCE) {
                if (walk_phase(w, e) < 0)
                        return -1;
                p->phase = PHASE_TARGET;
                p->chunk = 0;
                buf_clear(&w->after);
        }
        if (p->phase == PHASE_TARGET && t->way == VERIFY_KEYS && !t->mine && walk_phase(w, e) < 0)
                return -1;
        return 0;
}
