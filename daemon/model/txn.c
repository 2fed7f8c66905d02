#include "model/txn.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A relation may be held twice; what matters is that each hold is let go once. The check against
 * the newest keeps the list short for runs of changes to one table. */
struct held {
        struct held *next;
        const struct relation *relation;
};

void row_blame(const struct relation *r, const struct value *row, struct error *e)
{
        AUTO_BUF key = BUF_INIT;

        for (uint16_t i = 0; i < r->columns_n; i++)
                if (r->columns[i].key && row[i].kind != VALUE_UNCHANGED)
                        buf_printf(&key, "%s%s=%.60s", key.len ? ", " : "", r->columns[i].name,
                                row[i].kind == VALUE_NULL ? "NULL" : row[i].data);
        snprintf(e->key, sizeof e->key, "%s", buf_text(&key));
}

struct txn *txn_new(void)
{
        struct arena *a = arena_new();
        struct txn *t = arena_zero(a, sizeof *t);

        t->arena = a;
        t->tail = &t->changes;
        return t;
}

struct txn *txn_free(struct txn *t)
{
        if (!t)
                return NULL;
        for (struct held *h = t->held; h; h = h->next)
                relation_unref(h->relation);
        return (struct txn *)arena_free(t->arena);
}

void txn_hold(struct txn *t, const struct relation *r)
{
        struct held *h;

        if (t->held && t->held->relation == r)
                return;
        h = arena_alloc(t->arena, sizeof *h);
        *h = (struct held){t->held, relation_ref(r)};
        t->held = h;
}

struct change *txn_add(struct txn *t, enum change_op op, const struct relation *r)
{
        struct change *c = arena_zero(t->arena, sizeof *c);

        c->op = op;
        c->relation = r;
        txn_hold(t, r);
        *t->tail = c;
        t->tail = &c->next;
        t->changes_n++;
        return c;
}

bool change_is_misfit(const struct change *c)
{
        for (uint16_t i = 0; c->misfit && i < c->relation->columns_n; i++)
                if (c->misfit->at[i] & MISFIT_NEW)
                        return true;
        return false;
}

size_t txn_bytes(const struct txn *t)
{
        return arena_bytes(t->arena);
}

uint64_t xid_widen(uint32_t xid, uint64_t near)
{
        uint64_t wide = (near & ~UINT64_C(0xffffffff)) | xid;

        if (wide > near && wide - near > UINT64_C(0x80000000) && wide >> 32 > 0)
                return wide - (UINT64_C(1) << 32);
        if (wide < near && near - wide > UINT64_C(0x80000000))
                return wide + (UINT64_C(1) << 32);
        return wide;
}

static int by_number(const void *a, const void *b)
{
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return (x > y) - (x < y);
}

int snapshot_parse(struct snapshot *s, const char *text, struct error *e)
{
        const char *at = text;
        char *end;
        uint32_t room = 0;

        *s = (struct snapshot){0};
        s->xmin = strtoull(at, &end, 10);
        if (end == at || *end != ':')
                goto bad;
        at = end + 1;
        s->xmax = strtoull(at, &end, 10);
        if (end == at || *end != ':')
                goto bad;
        for (at = end + 1; *at; at = *end ? end + 1 : end) {
                uint64_t xid = strtoull(at, &end, 10);

                if (end == at || (*end != ',' && *end != '\0'))
                        goto bad;
                if (s->in_progress_n == room) {
                        room = room ? room * 2 : 16;
                        s->in_progress = memory_grow(s->in_progress, room * sizeof xid);
                }
                s->in_progress[s->in_progress_n++] = xid;
        }
        if (s->in_progress_n)
                qsort(s->in_progress, s->in_progress_n, sizeof *s->in_progress, by_number);
        return 0;
bad:
        snapshot_done(s);
        return error_set(e, ERROR_DATA, "'%.64s' is not a snapshot", text);
}

void snapshot_done(struct snapshot *s)
{
        free(s->in_progress);
        *s = (struct snapshot){0};
}

bool snapshot_sees(const struct snapshot *s, uint64_t xid)
{
        if (xid < s->xmin)
                return true;
        if (xid >= s->xmax)
                return false;
        return !s->in_progress_n ||
               !bsearch(&xid, s->in_progress, s->in_progress_n, sizeof xid, by_number);
}
