#include "spool/chain.h"
#include "base/memory.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct chain {
        pthread_mutex_t lock;
        struct chain_segment *segments;
        size_t n, room;
        uint64_t bytes; /* of all */
        struct position durable;
};

static bool has_start(const struct chain_segment *s)
{
        return !s->inside || !position_is_none(s->start);
}

struct chain *chain_new(void)
{
        struct chain *c = memory_new_of(struct chain);

        pthread_mutex_init(&c->lock, NULL);
        return c;
}

struct chain *chain_free(struct chain *c)
{
        if (!c)
                return NULL;
        pthread_mutex_destroy(&c->lock);
        free(c->segments);
        free(c);
        return NULL;
}

void chain_add(struct chain *c, const struct chain_segment *s)
{
        pthread_mutex_lock(&c->lock);
        if (c->n == c->room) {
                c->room = c->room * 2 + 16;
                c->segments = memory_grow(c->segments, c->room * sizeof *c->segments);
        }
        c->segments[c->n] = *s;
        if (!s->inside)
                c->segments[c->n].start = s->begin;
        c->bytes += s->bytes;
        c->n++;
        pthread_mutex_unlock(&c->lock);
}

void chain_grow(struct chain *c, uint64_t bytes, uint64_t transactions, struct position end)
{
        pthread_mutex_lock(&c->lock);
        if (c->n > 0) {
                struct chain_segment *s = &c->segments[c->n - 1];

                s->bytes += bytes;
                c->bytes += bytes;
                s->transactions += transactions;
                s->end = end;
                if (!has_start(s) && position_compare(end, s->begin) > 0)
                        s->start = end;
        }
        pthread_mutex_unlock(&c->lock);
}

void chain_drop_first(struct chain *c)
{
        pthread_mutex_lock(&c->lock);
        if (c->n > 0) {
                c->bytes -= c->segments[0].bytes;
                memmove(c->segments, c->segments + 1, --c->n * sizeof *c->segments);
        }
        pthread_mutex_unlock(&c->lock);
}

void chain_drop_last(struct chain *c)
{
        pthread_mutex_lock(&c->lock);
        if (c->n > 0)
                c->bytes -= c->segments[--c->n].bytes;
        pthread_mutex_unlock(&c->lock);
}

static bool take(struct chain *c, const struct chain_segment *found, struct chain_segment *s)
{
        if (found)
                *s = *found;
        pthread_mutex_unlock(&c->lock);
        return found;
}

bool chain_first(struct chain *c, struct chain_segment *s)
{
        pthread_mutex_lock(&c->lock);
        return take(c, c->n ? &c->segments[0] : NULL, s);
}

bool chain_last(struct chain *c, struct chain_segment *s)
{
        pthread_mutex_lock(&c->lock);
        return take(c, c->n ? &c->segments[c->n - 1] : NULL, s);
}

bool chain_get(struct chain *c, uint64_t sequence, struct chain_segment *s)
{
        uint64_t i;

        pthread_mutex_lock(&c->lock);
        i = c->n ? sequence - c->segments[0].sequence : 0;
        return take(c, i < c->n ? &c->segments[i] : NULL, s);
}

bool chain_find(struct chain *c, struct position p, struct chain_segment *s)
{
        const struct chain_segment *found = NULL;

        pthread_mutex_lock(&c->lock);
        for (size_t i = 0; i < c->n && position_compare(c->segments[i].begin, p) <= 0; i++)
                if (has_start(&c->segments[i]) && position_compare(c->segments[i].start, p) <= 0)
                        found = &c->segments[i];
        return take(c, found, s);
}

void chain_count(struct chain *c, uint64_t sequence, uint64_t *bytes, uint64_t *transactions)
{
        *bytes = *transactions = 0;
        pthread_mutex_lock(&c->lock);
        for (size_t i = 0; i < c->n; i++) {
                if (c->segments[i].sequence < sequence)
                        continue;
                *bytes += c->segments[i].bytes;
                *transactions += c->segments[i].transactions;
        }
        pthread_mutex_unlock(&c->lock);
}

uint64_t chain_bytes(struct chain *c)
{
        uint64_t bytes;

        pthread_mutex_lock(&c->lock);
        bytes = c->bytes;
        pthread_mutex_unlock(&c->lock);
        return bytes;
}

void chain_set_durable(struct chain *c, struct position p)
{
        pthread_mutex_lock(&c->lock);
        c->durable = p;
        pthread_mutex_unlock(&c->lock);
}

struct position chain_durable(struct chain *c)
{
        struct position p;

        pthread_mutex_lock(&c->lock);
        p = c->durable;
        pthread_mutex_unlock(&c->lock);
        return p;
}
