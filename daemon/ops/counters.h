#pragma once
/*
 * Counters: sequences and AUTO_INCREMENT, which no stream carries, at a cutover. Each of the target
 * that stands for one of the source is set past what the source's gives next, with the values that
 * sessions of the source may have cached, and past the largest value of its column on the target
 * (the smallest one where it counts down); never back. So an insert by default works on every table
 * of the target as soon as the source is fenced.
 *
 * Taken are those that migrated columns have, and between two PostgreSQL servers also the sequences
 * of migrated schemas that nothing uses and both sides have. Those that go round (CYCLE) get the
 * source's place. Queries by the hundred tables: it runs while nobody writes. May be run before,
 * too, so that little is left to do then. Blocking, worker threads.
 */
#include "ops/fence.h"

/* `tables` as the source names them. `moved` (may be NULL): how many were set. What the target does
 * not have is passed over: the check says that. -1: among others, a counter that has no room for
 * another value (DATA). */
int counters_pass(const struct config *c, struct halt *h, const struct fence_table *tables,
        unsigned n, unsigned *moved, struct error *e);

/* What would not be set: no counter on the target, no right, no room. Touches nothing. */
int counters_check(const struct config *c, struct halt *h, const struct fence_table *tables,
        unsigned n, struct checks *out, struct error *e);
