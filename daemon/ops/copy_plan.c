#include "ops/copy_plan.h"
#include "base/memory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A range is at least this many pages, so that odd estimates cannot make a million parts. */
#define PART_PAGES_MIN 128
#define PARTS_MAX 4096

static void add(struct copy_plan *p, const struct copy_part *part)
{
        p->parts = memory_grow(p->parts, (p->n + 1) * sizeof *p->parts);
        p->parts[p->n++] = *part;
        p->bytes += part->bytes;
}

static uint64_t pages_of(const struct pg_table_info *t)
{
        uint64_t pages = 0;

        for (unsigned i = 0; i < t->leaves_n; i++)
                pages += t->leaves[i].pages;
        return pages;
}

/* How many parts a leaf of `bytes` becomes. */
static uint64_t divide(double bytes, double part_bytes, uint64_t pages)
{
        uint64_t n = (uint64_t)(bytes / part_bytes);
        uint64_t most = pages / PART_PAGES_MIN;

        if (n > most)
                n = most;
        if (n > PARTS_MAX)
                n = PARTS_MAX;
        return n ? n : 1;
}

static void add_leaf(struct copy_plan *p, const struct pg_table_info *t, unsigned table,
        const struct pg_leaf *leaf, double part_bytes)
{
        uint64_t pages = pages_of(t);
        double share = pages ? (double)leaf->pages / (double)pages : 0;
        double bytes = share * (double)t->bytes;
        uint64_t n = part_bytes > 0 ? divide(bytes, part_bytes, leaf->pages) : 1;

        for (uint64_t i = 0; i < n; i++) {
                struct copy_part part = {.table = table, .leaf = leaf};

                part.from = leaf->pages * i / n;
                part.to = i + 1 < n ? leaf->pages * (i + 1) / n : 0;
                part.bytes = bytes / (double)n;
                part.rows = t->rows < 0 ? -1 : t->rows * share / (double)n;
                add(p, &part);
        }
}

static int larger_first(const void *a, const void *b)
{
        const struct copy_part *x = a, *y = b;

        if (x->bytes != y->bytes)
                return x->bytes > y->bytes ? -1 : 1;
        if (x->table != y->table)
                return x->table < y->table ? -1 : 1;
        if (x->leaf != y->leaf)
                return x->leaf < y->leaf ? -1 : 1;
        return x->from < y->from ? -1 : x->from > y->from;
}

static bool is_large(const struct pg_table_info *t, double total, unsigned workers)
{
        return t->bytes > COPY_SPLIT_BYTES ||
               (t->bytes >= 2 * COPY_PART_BYTES && (double)t->bytes > total / workers);
}

struct copy_plan *copy_plan_new(
        const struct pg_tables *t, const bool *whole, unsigned workers, bool split)
{
        struct copy_plan *p = memory_new_of(struct copy_plan);
        double total = 0, part;

        for (unsigned i = 0; i < t->n; i++)
                total += (double)t->items[i].bytes;
        /* Several parts a worker, so that none is left with the last one while others are idle. */
        part = total / (4.0 * (workers ? workers : 1));
        part = part < (double)COPY_PART_BYTES ? (double)COPY_PART_BYTES : part;
        part = part > (double)COPY_SPLIT_BYTES ? (double)COPY_SPLIT_BYTES : part;
        for (unsigned i = 0; i < t->n; i++) {
                const struct pg_table_info *table = &t->items[i];
                bool divided = split && workers > 1 && !whole[i] && is_large(table, total, workers);

                for (unsigned k = 0; k < table->leaves_n; k++)
                        add_leaf(p, table, i, &table->leaves[k], divided ? part : 0);
        }
        if (p->n)
                qsort(p->parts, p->n, sizeof *p->parts, larger_first);
        return p;
}

struct copy_plan *copy_plan_free(struct copy_plan *p)
{
        if (!p)
                return NULL;
        free(p->parts);
        free(p);
        return NULL;
}

void copy_part_range(const struct copy_part *p, struct buf *out)
{
        if (p->from > 0)
                buf_printf(out, " where ctid >= '(%" PRIu64 ",0)'::pg_catalog.tid", p->from);
        if (p->to > 0)
                buf_printf(out, " %s ctid < '(%" PRIu64 ",0)'::pg_catalog.tid",
                        p->from > 0 ? "and" : "where", p->to);
}

double copy_eta(double done, double total, double elapsed)
{
        if (done <= 0 || elapsed <= 0 || total <= 0)
                return -1;
        if (done >= total)
                return 0;
        return elapsed * (total - done) / done;
}

double copy_part_share(const struct copy_part *p, uint64_t rows, uint64_t bytes)
{
        double share = 0;

        if (p->rows > 0)
                share = (double)rows / p->rows;
        else if (p->bytes > 0)
                share = (double)bytes / p->bytes;
        return share > 1 ? 1 : share;
}
