#include "flow/tally.h"
#include "base/ring.h"
#include "flow/route.h"

#include <stdlib.h>

void tally_done(struct tally *t)
{
        free(t->ring);
        *t = (struct tally){0};
}

static struct tally_entry *entry(const struct tally *t, uint64_t i)
{
        return &t->ring[(t->at + i) % t->room];
}

static void add(struct route_changes *to, const struct route_changes *n)
{
        to->inserts += n->inserts;
        to->updates += n->updates;
        to->deletes += n->deletes;
}

static void take(struct route_changes *from, const struct route_changes *n)
{
        from->inserts -= n->inserts;
        from->updates -= n->updates;
        from->deletes -= n->deletes;
}

void tally_clear(struct tally *t)
{
        for (; t->committed; t->committed--) {
                const struct tally_entry *lost = entry(t, t->committed - 1);

                take(&lost->table->committed, &lost->n);
        }
        t->at = t->n = t->open = 0;
}

void tally_drop_open(struct tally *t)
{
        t->n -= t->open;
        t->open = 0;
}

/* Transactions change few tables, mostly the last one again. */
static struct tally_entry *open_entry(struct tally *t, struct route_table *table)
{
        for (uint64_t i = t->n; i > t->n - t->open; i--)
                if (entry(t, i - 1)->table == table)
                        return entry(t, i - 1);
        if (t->n == t->room)
                t->ring = ring_grow(t->ring, sizeof *t->ring, &t->at, t->n, &t->room);
        t->open++;
        *entry(t, t->n++) = (struct tally_entry){.table = table};
        return entry(t, t->n - 1);
}

void tally_add(struct tally *t, struct route_table *table, enum change_op op)
{
        struct route_changes *n = &open_entry(t, table)->n;

        n->inserts += op == CHANGE_INSERT;
        n->updates += op == CHANGE_UPDATE;
        n->deletes += op == CHANGE_DELETE;
}

void tally_close(struct tally *t, struct position end)
{
        for (; t->open; t->open--)
                entry(t, t->n - t->open)->end = end;
}

void tally_piece(struct tally *t, struct route *r, const struct txn *piece)
{
        const struct relation *last = NULL;
        struct route_table *table = NULL;

        for (const struct change *c = piece->changes; c; c = c->next) {
                if (c->op == CHANGE_TRUNCATE)
                        continue;
                if (c->relation != last)
                        table = route_to(r, c->relation->schema, c->relation->name);
                last = c->relation;
                if (table)
                        tally_add(t, table, c->op);
        }
        if (piece->last)
                tally_close(t, piece->end);
}

void tally_committed(struct tally *t, struct position end)
{
        for (; t->committed < t->n - t->open; t->committed++) {
                const struct tally_entry *next = entry(t, t->committed);

                if (position_compare(next->end, end) > 0)
                        return;
                add(&next->table->committed, &next->n);
        }
}

void tally_durable(struct tally *t, struct position end)
{
        tally_committed(t, end);
        while (t->committed && position_compare(entry(t, 0)->end, end) <= 0) {
                const struct tally_entry *first = entry(t, 0);

                take(&first->table->committed, &first->n);
                add(&first->table->durable, &first->n);
                t->at = (t->at + 1) % t->room;
                t->n--;
                t->committed--;
        }
}
