#pragma once
/*
 * Making the tables of a destination: its own DDL with the route's names. The statements are worked
 * out anew for each step: the same input gives the same names. What an attempt that was interrupted
 * has made is taken as it is, so every step may be repeated. Preparing thread, `plan`.
 */
#include "ops/destination.h"

struct destination_ddl {
        struct ddl *tables; /* of those that are made; empty for others */
        unsigned n;
};

int destination_ddl_make(struct destination_ddl *l, const struct destination_ops *ops,
        struct destination *d, const struct destined *t, unsigned n, struct error *e);
void destination_ddl_done(struct destination_ddl *l);

/* Tables without indexes. Lines about what is not carried go to `left`. */
int destination_create(const struct destination_ops *ops, struct destination *d,
        const struct destined *t, unsigned n, struct halt *h, struct buf *left, struct error *e);
/* After the load: indexes, then foreign keys. */
int destination_index(const struct destination_ops *ops, struct destination *d,
        const struct destined *t, unsigned n, struct halt *h, struct error *e);
int destination_refer(const struct destination_ops *ops, struct destination *d,
        const struct destined *t, unsigned n, struct halt *h, struct error *e);
/* Both. */
int destination_follow(const struct destination_ops *ops, struct destination *d,
        const struct destined *t, unsigned n, struct halt *h, struct error *e);
