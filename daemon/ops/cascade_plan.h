#pragma once
/*
 * What a start has to know about foreign keys that act (model/cascade.h): which of them the
 * pipeline has to follow, what stands in the way, and which tables must be copied at one position
 * because of them. From the source's catalogue as it is now. Preparing thread, `plan`.
 */
#include "model/cascade.h"
#include "ops/destination.h"

/* The keys with actions between tables that are migrated, under the target's names.
 * `streamed` tells of each table whether its changes are applied already; NULL: all are. */
struct cascades *cascade_plan(
        const struct table_defs *t, const struct destined *d, const bool *streamed);

/* What the configuration has that keeps a key from being followed: a parent that is not selected by
 * `r`, say. */
void cascade_plan_check(const struct table_defs *t, const struct destined *d, struct route *r,
        enum engine to, struct checks *out);

/* The target's side, by destination_ops.cascades. */
int cascade_plan_target(const struct destination_ops *ops, struct destination *to,
        const struct cascades *c, const struct destined *d, unsigned n, struct checks *out,
        struct error *e);

/*
 * For each table the number of the first one that is tied to it by such keys, itself if there is
 * none. What a parent's change does to its children is in the copy of both or of neither, so tables
 * that are tied must be copied at one position. `all`: whatever keys tie, since PostgreSQL makes no
 * key over rows whose parents are not there yet. The caller frees.
 */
unsigned *cascade_groups(const struct table_defs *t, bool all);
