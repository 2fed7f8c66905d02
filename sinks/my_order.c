#include "sinks/my_order.h"
#include "base/memory.h"
#include "model/cascade.h"
#include "sinks/my_binding.h"

#include <stdlib.h>
#include <string.h>

/* Changes of one table go by slots, three a round. */
enum { SLOT_DELETE, SLOT_INSERT, SLOT_UPDATE, SLOTS };

struct item {
        uint32_t table, slot, at; /* table 0: one of those that keep their order */
        struct change *change;
};

/* Where the last change of a row is. */
struct row {
        const struct my_binding *binding; /* NULL: free */
        const struct value *values;
        uint32_t next; /* the slot behind that of the last change, but for an update */
};

struct sorter {
        uint64_t generation;
        struct item *items;
        uint32_t n;
        struct row *rows; /* open addressing */
        size_t rows_room;
        const struct my_binding **tables;
        uint32_t tables_n;
};

/* ---- rows ---- */

/* As every server and our own decoders write integers: so equal ones have equal texts. */
static bool is_plain_integer(const struct value *v)
{
        const char *at = v->data;

        if (v->kind != VALUE_TEXT || v->len == 0)
                return false;
        at += *at == '-';
        if (*at == '0')
                return v->len == 1;
        return *at != '\0' && at + strspn(at, "0123456789") == v->data + v->len;
}

static bool has_key(const struct my_binding *b, const struct value *row)
{
        for (uint16_t i = 0; row && i < b->relation->columns_n; i++)
                if (b->columns[i].key && !is_plain_integer(&row[i]))
                        return false;
        return row != NULL;
}

static size_t hash_key(const struct my_binding *b, const struct value *row)
{
        uint64_t h = (uintptr_t)b * 0x9e3779b97f4a7c15u;

        for (uint16_t i = 0; i < b->relation->columns_n; i++) {
                if (!b->columns[i].key)
                        continue;
                for (uint32_t k = 0; k <= row[i].len; k++) /* the NUL parts the columns */
                        h = (h ^ (uint8_t)row[i].data[k]) * 0x100000001b3u;
        }
        return (size_t)(h ^ h >> 29);
}

static bool same_key(const struct my_binding *b, const struct value *x, const struct value *y)
{
        for (uint16_t i = 0; i < b->relation->columns_n; i++)
                if (b->columns[i].key &&
                        (x[i].len != y[i].len || memcmp(x[i].data, y[i].data, x[i].len) != 0))
                        return false;
        return true;
}

static struct row *row_of(struct sorter *s, const struct my_binding *b, const struct value *values)
{
        size_t at = hash_key(b, values) & (s->rows_room - 1);

        while (s->rows[at].binding &&
                (s->rows[at].binding != b || !same_key(b, s->rows[at].values, values)))
                at = (at + 1) & (s->rows_room - 1);
        if (!s->rows[at].binding)
                s->rows[at] = (struct row){.binding = b, .values = values};
        return &s->rows[at];
}

/* ---- changes ---- */

static bool leaves_key(const struct my_binding *b, const struct value *row)
{
        for (uint16_t i = 0; i < b->relation->columns_n; i++)
                if (b->columns[i].key && row[i].kind != VALUE_UNCHANGED)
                        return false;
        return true;
}

/* The rows that a change is about, one or two. False: the log does not tell. */
static bool find_rows(
        struct sorter *s, const struct my_binding *b, const struct change *c, struct row *found[2])
{
        const struct value *first = c->op != CHANGE_INSERT && c->old ? c->old : c->new;

        if (!has_key(b, first))
                return false;
        found[0] = found[1] = row_of(s, b, first);
        if (c->op != CHANGE_UPDATE || leaves_key(b, c->new))
                return true;
        if (!has_key(b, c->new))
                return false;
        found[1] = row_of(s, b, c->new);
        return true;
}

/* The first slot for `kind` from `next` on. */
static uint32_t slot_from(uint32_t next, uint32_t kind)
{
        return next + (kind + SLOTS - next % SLOTS) % SLOTS;
}

static bool place(struct sorter *s, const struct my_binding *b, uint32_t table, struct change *c)
{
        static const uint32_t kinds[] = {[CHANGE_INSERT] = SLOT_INSERT,
                [CHANGE_UPDATE] = SLOT_UPDATE,
                [CHANGE_DELETE] = SLOT_DELETE};
        uint32_t kind = kinds[c->op], next, slot;
        struct row *found[2];

        if (!find_rows(s, b, c, found))
                return false;
        next = found[0]->next > found[1]->next ? found[0]->next : found[1]->next;
        slot = slot_from(next, kind);
        found[0]->next = found[1]->next =
                slot + (kind != SLOT_UPDATE); /* updates keep their order */
        s->items[s->n] = (struct item){table, slot, s->n, c};
        s->n++;
        return true;
}

/* ---- tables ---- */

/* Its number, from 1; 0: another relation of this batch is written to the same table. */
static uint32_t table_of(struct sorter *s, const struct my_binding *b)
{
        for (uint32_t i = s->tables_n; i > 0; i--)
                if (s->tables[i - 1] == b)
                        return i;
        for (uint32_t i = 0; i < s->tables_n; i++)
                if (!strcmp(s->tables[i]->table, b->table))
                        return 0;
        s->tables = memory_grow(s->tables, (s->tables_n + 1) * sizeof *s->tables);
        s->tables[s->tables_n++] = b;
        return s->tables_n;
}

/* HAZARDS A9, A14: what fires a trigger or a cascade touches other tables. */
static bool take(struct sorter *s, struct change *c)
{
        const struct my_binding *b =
                c->op == CHANGE_TRUNCATE ? NULL : my_binding_of(c->relation, s->generation);
        uint32_t table;

        if (!b || c->misfit || b->triggers || cascades_fire(c) || !(table = table_of(s, b)))
                return false;
        if (b->by_number)
                return place(s, b, table, c);
        s->items[s->n] = (struct item){0, 0, s->n, c};
        s->n++;
        return true;
}

static bool take_all(struct sorter *s, struct txn *first, const struct txn *last)
{
        for (struct txn *t = first; t; t = t == last ? NULL : t->next)
                for (struct change *c = t->changes; c; c = c->next)
                        if (!take(s, c))
                                return false;
        return true;
}

static int compare(const void *a, const void *b)
{
        const struct item *x = a, *y = b;

        if (x->table != y->table)
                return x->table < y->table ? -1 : 1;
        if (x->slot != y->slot)
                return x->slot < y->slot ? -1 : 1;
        return x->at < y->at ? -1 : x->at > y->at;
}

static void put_in_order(struct my_order *o, struct sorter *s)
{
        qsort(s->items, s->n, sizeof *s->items, compare);
        o->items = memory_new((s->n + 1u) * sizeof(*o->items));
        o->n = s->n;
        for (uint32_t i = 0; i < s->n; i++)
                o->items[i] = s->items[i].change;
}

bool my_order_make(
        struct my_order *o, struct txn *first, const struct txn *last, uint64_t generation)
{
        struct sorter s = {.generation = generation, .rows_room = 64};
        size_t n = 0;
        bool can;

        my_order_done(o);
        for (struct txn *t = first; t; t = t == last ? NULL : t->next)
                n += t->changes_n;
        while (s.rows_room < 4 * n)
                s.rows_room *= 2;
        s.rows = memory_new(s.rows_room * sizeof *s.rows);
        s.items = memory_new((n + 1) * sizeof *s.items);
        can = take_all(&s, first, last);
        if (can)
                put_in_order(o, &s);
        free(s.rows);
        free(s.items);
        free(s.tables);
        return can;
}

void my_order_done(struct my_order *o)
{
        free(o->items);
        *o = (struct my_order){0};
}
