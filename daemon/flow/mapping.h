#pragma once
/*
 * Mapping: how rows of one source shape become rows of one target table: names, which columns, in
 * what order, through which converters, and which rows (`where`). One object serves the stream
 * (flow/route) and the copy's threads, so that both paths treat a value alike.
 *
 * Immutable after mapping_init; any thread may use it. Counts of relations are not atomic, so it is
 * made and freed on one thread.
 */
#include "flow/route.h"
#include "model/convert.h"

/* The two sides. */
struct mapping_ends {
        enum engine from, to;
        struct convert_policy policy;
        const struct relation *known;  /* the expected source shape, which has the types' names */
        const struct relation *target; /* as the target's catalogue has it; NULL: both sides are
                                          PostgreSQL, whose text forms are the same, or the target
                                          is an archive: values stay what they are */
};

struct mapping {
        const struct route_table *table;
        struct relation *target;
        uint16_t *source_of;      /* target column -> source column */
        struct convert **convert; /* per target column; entries may be NULL. NULL: none at all */
        bool identical;           /* same columns in the same order, as they are */
        struct filter *filter;
        uint16_t *filter_at; /* filter column -> source column */
};

int mapping_init(struct mapping *m, const struct route_table *t, const struct relation *source,
        const struct mapping_ends *ends, struct error *e);
void mapping_done(struct mapping *m); /* works on a half-made one */

/* How many values mapping_passes wants to be lent. */
unsigned mapping_scratch(const struct mapping *m);
/* 1: the row passes the filter; 0: it does not; -1: a value that the filter needs is not in the log
 * (an unchanged TOAST datum in the key, say). */
int mapping_passes(const struct mapping *m, const struct value *row, struct filter_value *scratch,
        struct error *e);
/* The row as the target wants it, in the arena or `row` itself; NULL: a value has no place there
 * (the error names the column). */
struct value *mapping_row(
        const struct mapping *m, struct arena *a, struct value *row, struct error *e);
/* The same, but values without a place are UNCHANGED there, and told of in `*x`, which is made in
 * the arena for the first one: `at` and `message`. `which` is MISFIT_OLD or MISFIT_NEW. NULL: there
 * is no such row. */
struct value *mapping_row_partly(const struct mapping *m, struct arena *a, struct value *row,
        unsigned which, struct misfit **x);
/* The source's shape with the names of its types, for those who convert its rows later; the caller
 * owns the reference. */
struct relation *mapping_source_shape(const struct relation *source, const struct relation *known);
