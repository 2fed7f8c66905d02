/*
 * Between servers of one engine several chunks are first compared by digests of the servers' own
 * (verify_digest.h): all at once, then in quarters, down to one chunk, whose rows are read when its
 * digests differ. Where rows change all the time that comes to nothing, so more and more chunks are
 * then read without asking.
 */
#include "ops/verify_private.h"

#define SPAN_MAX 16u  /* chunks of one digest */
#define MISSED_MAX 5u /* 32 chunks are read without asking */

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

int verify_span(struct verify_worker *w, bool *more, struct error *e)
{
        struct verify_progress *p = &w->task->at;
        struct verify_spans *s = &w->spans;
        unsigned most = span_max(w->verify), n = s->chunks < most ? s->chunks : most;
        AUTO_BUF border = BUF_INIT;
        uint64_t rows = 0;
        int same;

        if (verify_border(w, n * verify_chunk_rows(w->verify), &border, e) < 0)
                return -1;
        same = verify_digest_same(&w->from, &w->to, &w->task->table, &w->after, &border, &rows, e);
        if (same < 0 || verify_throttle(w, rows, e) < 0)
                return -1;
        if (!same) {
                miss(s, rows <= verify_chunk_rows(w->verify) ? 1 : n);
                return 0;
        }
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
