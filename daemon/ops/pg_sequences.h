#pragma once
/*
 * Sequences: carries their values from the source to the target. Taken are those that migrated
 * tables own or use, and the others of migrated schemas that both sides have; not those of tables
 * that stay behind. Blocking.
 */
#include "db/pg_catalog.h"
#include "flow/route.h"

/* Returns how many were set, or -1. `missing` gets the names of those that migrated tables use and
 * the target does not have. */
int pg_sequences_copy(PGconn *source, PGconn *target, const struct config *c, struct route *r,
        const struct pg_tables *tables, struct buf *missing, struct error *e);
