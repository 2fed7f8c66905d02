#include "flow/trail.h"
#include "base/memory.h"
#include "base/ring.h"

#include <stdlib.h>

static void take_first(struct trail *t)
{
        struct trail_entry *first = &t->ring[t->at];

        free(t->state);
        t->state = first->state;
        t->at = (t->at + 1) % t->room;
        t->n--;
}

void trail_done(struct trail *t)
{
        while (t->n)
                take_first(t);
        free(t->state);
        free(t->ring);
        *t = (struct trail){0};
}

void trail_start(struct trail *t, const char *state)
{
        char *copy = memory_string(state);

        while (t->n)
                take_first(t);
        free(t->state);
        t->state = copy;
}

void trail_push(struct trail *t, struct position end, const char *state)
{
        if (!state && !t->state && !t->n)
                return;
        if (t->n == t->room)
                t->ring = ring_grow(t->ring, sizeof *t->ring, &t->at, t->n, &t->room);
        t->ring[(t->at + t->n++) % t->room] = (struct trail_entry){end, memory_string(state)};
}

void trail_durable(struct trail *t, struct position end)
{
        while (t->n && position_compare(t->ring[t->at].end, end) <= 0)
                take_first(t);
}

const char *trail_at(const struct trail *t, struct position p)
{
        for (uint64_t i = t->n; i-- > 0;) {
                const struct trail_entry *entry = &t->ring[(t->at + i) % t->room];

                if (position_compare(entry->end, p) <= 0)
                        return entry->state;
        }
        return t->state;
}
