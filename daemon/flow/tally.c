#include "flow/tally.h"
#include "base/memory.h"
#include "flow/route.h"

#include <stdlib.h>

void tally_done(struct tally *t)
{
        free(t->ring);
        *t = (struct tally){0};
}

void tally_clear(struct tally *t)
{
        t->at = t->n = t->open = 0;
}

void tally_drop_open(struct tally *t)
{
        t->n -= t->open;
        t->open = 0;
}

static struct tally_entry *entry(const struct tally *t, uint64_t i)
{
        return &t->ring[(t->at + i) % t->room];
}

static void grow(struct tally *t)
{
        uint64_t room = t->room ? t->room * 2 : 64;
        struct tally_entry *ring = memory_new(room * sizeof *ring);

        for (uint64_t i = 0; i < t->n; i++)
                ring[i] = *entry(t, i);
        free(t->ring);
        t->ring = ring;
        t->at = 0;
        t->room = room;
}

/* Transactions change few tables, mostly the last one again. */
static struct tally_entry *open_entry(struct tally *t, struct route_table *table)
{
        for (uint64_t i = t->n; i > t->n - t->open; i--)
                if (entry(t, i - 1)->table == table)
                        return entry(t, i - 1);
        if (t->n == t->room)
                grow(t);
        t->open++;
        *entry(t, t->n++) = (struct tally_entry){.table = table};
        return entry(t, t->n - 1);
}

void tally_add(struct tally *t, struct route_table *table, enum change_op op)
{
        struct tally_entry *n = open_entry(t, table);

        n->inserts += op == CHANGE_INSERT;
        n->updates += op == CHANGE_UPDATE;
        n->deletes += op == CHANGE_DELETE;
}

void tally_close(struct tally *t, struct position end)
{
        for (; t->open; t->open--)
                entry(t, t->n - t->open)->end = end;
}

void tally_durable(struct tally *t, struct position end)
{
        while (t->n > t->open && position_compare(entry(t, 0)->end, end) <= 0) {
                const struct tally_entry *n = entry(t, 0);

                n->table->inserts += n->inserts;
                n->table->updates += n->updates;
                n->table->deletes += n->deletes;
                t->at = (t->at + 1) % t->room;
                t->n--;
        }
}
