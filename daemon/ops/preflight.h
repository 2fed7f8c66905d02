#pragma once
/*
 * Preflight: db/pg_check with the route's names, for `plan` and before a migration begins (not when
 * it goes on: tables that are half made would be complained about). Blocking, worker threads.
 */
#include "db/pg_check.h"
#include "flow/route.h"

/* `missing`: one an entry of `tables`, may be NULL. 0, or -1: something could not be asked. */
int preflight_run(const struct config *c, struct route *r, PGconn *source, PGconn *target,
        const struct pg_tables *tables, bool *missing, struct checks *out, struct error *e);
