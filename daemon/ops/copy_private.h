#pragma once
/*
 * What the parts of the bulk copy share: copy.c makes and starts it, copy_table.c works out what
 * is done with a table, copy_worker.c does a part.
 */
#include "ops/copy.h"
#include "ops/copy_plan.h"
#include "ops/copy_row.h"

struct copy_table {
        const struct pg_table_info *info;
        const struct route_table *route;
        const char *schema, *name; /* on the target */
        struct copy_counter *counter;
        struct copy_filter filter;       /* filter.filter NULL: all rows */
        char *source_list, *target_list; /* quoted columns, in the same order */
        bool binary, append, staged;
        unsigned parts;
        atomic_uint parts_left;
};

/* How far a part is; written by its worker, read by anybody. */
struct copy_progress {
        atomic_uint_fast64_t rows, bytes;
        atomic_bool done;
};

struct copy {
        struct copy_options o;
        struct copy_table *tables;
        bool *whole;
        struct copy_plan *plan;
        struct copy_progress *progress; /* per part */
        atomic_uint next;               /* part to be taken */
        int64_t started, spoken, kept;  /* loop_now's clock; CLOCK_MONOTONIC microseconds */
};

int copy_table_init(
        struct copy_table *t, const struct copy_options *o, unsigned i, struct error *e);
void copy_table_done(struct copy_table *t);

/* One thread: takes parts until there are none. */
int copy_work(struct copy *c, struct error *e);
