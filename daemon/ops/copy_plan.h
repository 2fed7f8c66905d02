#pragma once
/*
 * How a bulk copy is divided: tables into parts, by the pages of their leaves, and how long it
 * will take. Pure functions over what the catalogue says.
 */
#include "db/pg_catalog.h"

#define COPY_SPLIT_BYTES (UINT64_C(256) << 20) /* a table above this is always divided */
#define COPY_PART_BYTES (UINT64_C(32) << 20)   /* no part is made smaller than about this */

/* Pages [from, to) of one leaf; `to` 0: to the end, however far that is by now. */
struct copy_part {
        unsigned table; /* index into the tables */
        const struct pg_leaf *leaf;
        uint64_t from, to;
        double bytes, rows; /* estimates; rows -1: unknown */
};

struct copy_plan {
        struct copy_part *parts; /* largest first */
        unsigned n;
        double bytes;
};

/* `whole[i]` keeps table i in one part. `split` false: no table is divided (servers before 14 read
 * a range of pages by a full scan). A leaf is never shared by two tables. */
struct copy_plan *copy_plan_new(
        const struct pg_tables *t, const bool *whole, unsigned workers, bool split);
struct copy_plan *copy_plan_free(struct copy_plan *p);

/* "" or " where ctid >= ..." for the part. */
void copy_part_range(const struct copy_part *p, struct buf *out);

/* Seconds until `total` is reached at the rate so far; -1: not known yet. */
double copy_eta(double done, double total, double elapsed);
/* Share of the part that is done, 0 to 1, from rows read or, without an estimate, bytes. */
double copy_part_share(const struct copy_part *p, uint64_t rows, uint64_t bytes);
