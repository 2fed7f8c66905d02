/*
 * Between servers of one engine several chunks are first compared by digests of the servers' own
 * (verify_digest.h): all at once, then in quarters, down to one chunk, whose rows are read when its
 * digests differ. Where rows change all the time that comes to nothing, so more and more chunks are
 * then read without asking.
 *
 * Where a span ends is asked for, which reads as much of the key's index as the span is long. Of a
 * whole number that has few gaps it is reckoned from the spans before.
 */
#include "ops/verify_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SPAN_MAX 16u  /* chunks of one digest */
#define MISSED_MAX 5u /* 32 chunks are read without asking */
#define SPREAD_MAX                                                                                 \
        4 /* so many keys to a row: no span has more rows than that times what it should */

/* A second of the rate has several of them. */
static unsigned span_max(const struct verify *v)
{
        uint64_t rate = v->request.rate, most = rate / 2 / verify_chunk_rows(v);

        if (v->run.sample < 100)
                return 1;
        return !rate || most > SPAN_MAX ? SPAN_MAX : most ? (unsigned)most : 1;
}

void verify_spans_begin(struct verify_worker *w)
{
        w->spans = (struct verify_spans){
                .chunks = SPAN_MAX, .fit = verify_digest_fits(&w->from, &w->to, &w->task->table)};
}

bool verify_span_due(const struct verify_worker *w)
{
        return w->spans.fit && w->spans.by_rows == 0 && w->task->at.phase == PHASE_SOURCE &&
               !w->ahead.begun;
}

/* A smaller one is next; or the chunk is read by rows, and some more. */
static void miss(struct verify_spans *s, unsigned chunks)
{
        s->chunks = chunks > 4 ? chunks / 4 : 1;
        if (chunks > 1)
                return;
        s->by_rows = 1u << s->missed;
        s->missed += s->missed < MISSED_MAX;
}

/* ---- where it ends ---- */

static bool is_reckoned(const struct verify_worker *w)
{
        const struct verify_columns *c = &w->task->table.from;

        return w->verify->run.sample == 100 && c->key_n == 1 &&
               c->types[c->key[0]]->class == TYPE_INTEGER;
}

/* False: it is none, or does not fit. */
static bool number_of(const struct buf *kept, int64_t *n)
{
        struct value key;
        char *end;

        if (!kept->len)
                return false;
        verify_kept(kept, 0, &key, 1);
        errno = 0;
        *n = strtoll(key.data, &end, 10);
        return errno == 0 && end != key.data && !*end;
}

/* From what was found between the two. */
static void measure(
        struct verify_worker *w, const struct buf *border, uint64_t wanted, uint64_t rows)
{
        struct verify_spans *s = &w->spans;
        uint64_t distance;
        int64_t from, to;

        s->spread = 0;
        if (!is_reckoned(w) || rows < wanted / SPREAD_MAX || !number_of(&w->after, &from) ||
                !number_of(border, &to) || to <= from)
                return;
        distance = (uint64_t)to - (uint64_t)from;
        if (distance / SPREAD_MAX <= rows)
                s->spread = (double)distance / (double)rows;
}

/* Of so many rows; empty: there are not as many. */
static int find_border(struct verify_worker *w, uint32_t rows, struct buf *border, struct error *e)
{
        int64_t from, step = (int64_t)(w->spans.spread * rows);
        const struct coltype *type = w->task->table.from.types[w->task->table.from.key[0]];
        char text[24];
        struct value key = {VALUE_TEXT, 0, text};
        unsigned bits = 8u * type->width - (type->is_unsigned ? 0 : 1);
        int64_t most = bits > 62 ? INT64_MAX : ((int64_t)1 << bits) - 1;

        if (w->spans.spread <= 0 || !number_of(&w->after, &from) || from > most - step)
                return verify_border(w, rows, border, e);
        key.len = (uint32_t)snprintf(text, sizeof text, "%" PRId64, from + step);
        buf_clear(border);
        verify_keep(border, &key, 1);
        return 0;
}

/* ---- one span ---- */

int verify_span(struct verify_worker *w, bool *more, struct error *e)
{
        struct verify_progress *p = &w->task->at;
        struct verify_spans *s = &w->spans;
        unsigned most = span_max(w->verify), n = s->chunks < most ? s->chunks : most;
        AUTO_BUF border = BUF_INIT;
        uint32_t wanted = n * verify_chunk_rows(w->verify);
        uint64_t rows = 0;
        int same;

        if (find_border(w, wanted, &border, e) < 0)
                return -1;
        same = verify_digest_same(&w->from, &w->to, &w->task->table, &w->after, &border, &rows, e);
        if (same < 0 || verify_throttle(w, rows, e) < 0)
                return -1;
        if (!same) {
                miss(s, rows <= verify_chunk_rows(w->verify) ? 1 : n);
                return 0;
        }
        measure(w, &border, wanted, rows);
        s->missed = 0;
        s->chunks = n * 2 < SPAN_MAX ? n * 2 : SPAN_MAX;
        *more = border.len > 0;
        if (*more)
                verify_move_on(w, &border);
        p->chunk += n;
        p->rows += rows;
        p->seen += rows;
        return 1;
}
