#include "flow/times.h"
#include "base/ring.h"

#include <stdlib.h>

void times_done(struct times *t)
{
        free(t->ring);
        *t = (struct times){0};
}

void times_clear(struct times *t)
{
        t->at = t->n = 0;
}

void times_push(struct times *t, struct position end, int64_t committed_at)
{
        if (t->n == t->room)
                t->ring = ring_grow(t->ring, sizeof *t->ring, &t->at, t->n, &t->room);
        t->ring[(t->at + t->n++) % t->room] = (struct times_entry){end, committed_at};
}

void times_pop_until(struct times *t, struct position end)
{
        while (t->n && position_compare(t->ring[t->at].end, end) <= 0) {
                t->at = (t->at + 1) % t->room;
                t->n--;
        }
}

int64_t times_oldest(const struct times *t)
{
        return t->n ? t->ring[t->at].committed_at : 0;
}
