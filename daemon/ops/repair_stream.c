#include "ops/repair_stream.h"
#include "base/loop.h"
#include "base/memory.h"
#include "model/cascade.h"
#include "ops/verify_private.h"

#include <stdlib.h>
#include <string.h>

#define WAIT_SLICE (100 * MILLISECOND)
#define ARENA_MAX ((size_t)1 << 20)

void repair_stream_init(struct repair_stream *s, struct loop *l, void (*stand)(void *context),
        void (*go)(void *context), void *context)
{
        pthread_condattr_t attributes;

        *s = (struct repair_stream){.loop = l, .stand = stand, .go = go, .context = context};
        pthread_mutex_init(&s->lock, NULL);
        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(&s->told, &attributes);
        pthread_condattr_destroy(&attributes);
}

static void forget(struct repair_stream *s)
{
        if (s->table)
                verify_hand_done(&s->hand);
        free(s->touched);
        s->table = NULL;
        s->touched = NULL;
        s->hashes = NULL;
        s->n = 0;
        s->all = false;
}

void repair_stream_done(struct repair_stream *s)
{
        loop_unpost(s->loop, s);
        forget(s);
        pthread_cond_destroy(&s->told);
        pthread_mutex_destroy(&s->lock);
}

/* ---- which rows it touches ---- */

void repair_stream_watch(
        struct repair_stream *s, const struct verify_table *t, const uint64_t *hashes, unsigned n)
{
        pthread_mutex_lock(&s->lock);
        forget(s);
        s->table = t;
        s->hashes = hashes;
        s->n = n;
        s->touched = memory_new(n + 1u);
        verify_hand_init(&s->hand, t);
        pthread_mutex_unlock(&s->lock);
}

void repair_stream_unwatch(struct repair_stream *s)
{
        pthread_mutex_lock(&s->lock);
        forget(s);
        pthread_mutex_unlock(&s->lock);
}

static int compare(const void *x, const void *y)
{
        uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;

        return (a > b) - (a < b);
}

/* NULL: it is not watched. */
static bool *place_of(struct repair_stream *s, uint64_t hash)
{
        const uint64_t *found = s->n ? bsearch(&hash, s->hashes, s->n, sizeof hash, compare) : NULL;

        return found ? &s->touched[found - s->hashes] : NULL;
}

bool repair_stream_touched(struct repair_stream *s, uint64_t hash)
{
        const bool *place;
        bool touched;

        pthread_mutex_lock(&s->lock);
        place = place_of(s, hash);
        touched = s->all || !place || *place;
        pthread_mutex_unlock(&s->lock);
        return touched;
}

/* A value that the log leaves out is the old row's. False: it is not known. */
static bool take_value(struct repair_stream *s, uint16_t i, const struct relation *r,
        const struct value *row, const struct value *old)
{
        const struct verify_table *t = s->table;
        int at = relation_column(r, t->to.shape->columns[i].name);
        struct value *v = &s->hand.mapped[i];

        if (at < 0)
                return false;
        *v = row[at].kind == VALUE_UNCHANGED && old ? old[at] : row[at];
        if (v->kind == VALUE_UNCHANGED)
                return false;
        canon_value(t->canon[i], s->hand.arena, v);
        return true;
}

static void touch(struct repair_stream *s, const struct relation *r, const struct value *row,
        const struct value *old)
{
        const struct verify_table *t = s->table;
        bool bag = t->way == VERIFY_BAG;
        struct digest d;
        bool *place;

        for (uint16_t i = 0; i < t->to.shape->columns_n; i++)
                if ((bag || t->to.is_key[i]) && !take_value(s, i, r, row, old)) {
                        s->all = true;
                        return;
                }
        d = bag ? verify_row_digest(&s->hand, t) : verify_key_digest(&s->hand, t);
        place = place_of(s, d.a);
        if (place)
                *place = true;
}

static bool is_ours(const struct repair_stream *s, const struct relation *r)
{
        return !strcmp(r->name, s->table->to.name) && !strcmp(r->schema, s->table->to.schema);
}

/* A parent's change moves rows of the table, which the log does not tell. */
static bool is_by_cascade(const struct repair_stream *s, const struct change *c)
{
        return c->cascades && c->relation->cascades && cascades_fire(c) &&
               cascades_touch(c->relation->cascades, s->table->to.schema, s->table->to.name);
}

static void see_change(struct repair_stream *s, const struct change *c)
{
        if (c->op == CHANGE_TRUNCATE) {
                for (uint32_t i = 0; i < c->truncated_n; i++)
                        s->all |= c->cascade || is_ours(s, c->truncated[i]);
                return;
        }
        s->all |= is_by_cascade(s, c);
        if (!is_ours(s, c->relation))
                return;
        if (c->old)
                touch(s, c->relation, c->old, NULL);
        if (c->new)
                touch(s, c->relation, c->new, c->old);
        if (arena_bytes(s->hand.arena) > ARENA_MAX) {
                arena_free(s->hand.arena);
                s->hand.arena = arena_new();
        }
}

void repair_stream_see(struct repair_stream *s, const struct txn *piece)
{
        pthread_mutex_lock(&s->lock);
        for (const struct change *c = piece->changes; s->table && !s->all && c; c = c->next)
                see_change(s, c);
        pthread_mutex_unlock(&s->lock);
}

/* ---- standing ---- */

static void on_stand(void *context)
{
        struct repair_stream *s = context;

        s->stand(s->context);
}

static void on_go(void *context)
{
        struct repair_stream *s = context;

        s->go(s->context);
}

void repair_stream_stood(struct repair_stream *s, const struct error *why)
{
        pthread_mutex_lock(&s->lock);
        s->answered = true;
        s->standing = !why;
        s->why = why ? *why : (struct error)ERROR_INIT;
        pthread_cond_broadcast(&s->told);
        pthread_mutex_unlock(&s->lock);
}

static void wait_a_little(struct repair_stream *s)
{
        int64_t until = verify_now() + WAIT_SLICE;
        struct timespec t = {.tv_sec = until / SECOND, .tv_nsec = until % SECOND * 1000};

        pthread_cond_timedwait(&s->told, &s->lock, &t);
}

int repair_stream_stand(struct repair_stream *s, const struct halt *h, struct error *e)
{
        bool answered, refused;

        pthread_mutex_lock(&s->lock);
        s->answered = false;
        s->asked = true;
        pthread_mutex_unlock(&s->lock);
        loop_post(s->loop, on_stand, s);
        pthread_mutex_lock(&s->lock);
        while (!s->answered && !halt_asked(h))
                wait_a_little(s);
        answered = s->answered;
        refused = answered && !s->standing;
        if (refused)
                *e = s->why;
        pthread_mutex_unlock(&s->lock);
        if (!answered)
                return halt_check(h, e);
        return refused ? -1 : 0;
}

/* Also when it was asked to stand and the answer was not waited for. */
void repair_stream_go(struct repair_stream *s)
{
        bool asked;

        pthread_mutex_lock(&s->lock);
        asked = s->asked;
        s->asked = s->standing = false;
        pthread_mutex_unlock(&s->lock);
        if (asked)
                loop_post(s->loop, on_go, s);
}
