#pragma once
/*
 * A table as it is verified: its columns on both sides, which of its keys it is walked by, and how
 * a row of either side becomes values in canonical form under the target's names and types: the
 * source's by the mapping that copy and stream use, the target's as it is.
 *
 * Made by the job's thread; immutable for the workers.
 */
#include "base/digest.h"
#include "flow/mapping.h"
#include "model/canon.h"
#include "model/table_def.h"
#include "ops/verify_side.h"

/* How the two sides are brought together. */
enum verify_way {
        VERIFY_RANGES, /* both sides sort the key alike: by ranges of it */
        VERIFY_KEYS,   /* they do not: each side is walked, and the other asked for those keys */
        VERIFY_BAG     /* no key: rows are counted by what they hold */
};

struct verify_table {
        const struct route_table *route;
        const struct table_def *def; /* on the source; borrowed */
        struct relation *known;      /* on the target, as its catalogue has it; owned */
        struct mapping map;
        struct verify_columns from, to;
        struct canon **canon; /* per column of `to` */
        struct convert *
                *back; /* per column of the key: to what the source has; entries may be NULL */
        enum verify_way way;
        bool mine; /* the target had rows of its own before the copy: what is there only is not
                      looked for */
};

/* What a worker needs for a row. */
struct verify_hand {
        struct arena *arena;
        struct value *row;    /* as read */
        struct value *mapped; /* of the target's columns; canonical */
        struct value *key;    /* the key's values before that, as the target takes them */
        struct value *own;    /* and as the side has them that the row was read from */
        struct filter_value *scratch;
        uint64_t *columns;    /* a digest of each mapped column */
        struct error ignored; /* why a value has no place: large, so not made for each */
};

/* Takes `known` over. -1: a column has no place, and so on. */
int verify_table_init(struct verify_table *t, const struct table_def *def,
        const struct route_table *route, struct relation *known, const struct mapping_ends *ends,
        struct error *e);
void verify_table_done(struct verify_table *t);

void verify_hand_init(struct verify_hand *h, const struct verify_table *t);
void verify_hand_done(struct verify_hand *h);

/* h->row was read from the source or the target. 1: it counts, and h->mapped, h->key and h->own are
 * filled; 0: the filter leaves it out; -1. `few`: only the key was read. A value that has no place
 * on the target is of kind VALUE_UNCHANGED, and equal to nothing. */
int verify_take_source(
        struct verify_hand *h, const struct verify_table *t, bool few, struct error *e);
void verify_take_target(struct verify_hand *h, const struct verify_table *t, bool few);

struct digest verify_key_digest(const struct verify_hand *h, const struct verify_table *t);
struct digest verify_row_digest(const struct verify_hand *h, const struct verify_table *t);
/* Into h->columns. */
void verify_column_digests(struct verify_hand *h, const struct verify_table *t);

/* A key as the target has it, as the source would. -1: the source has no such value. */
int verify_key_back(
        const struct verify_table *t, struct arena *a, const struct value *key, struct value *out);
