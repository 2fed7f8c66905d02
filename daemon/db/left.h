#pragma once
/*
 * What a source has in the schemas of the migrated tables and no copy between engines carries:
 * views, routines, triggers, events, sequences. Listed, so that nobody forgets it. Blocking, worker
 * threads and `plan`; one query whatever there is.
 */
#include "db/my.h"
#include "db/pg.h"
#include "model/table_def.h"

/* Appends "VIEW shop.totals" and so on, one line each, sorted. */
int my_left(MYSQL *c, const struct table_defs *t, struct buf *lines, struct error *e);
int pg_left(PGconn *c, const struct table_defs *t, struct buf *lines, struct error *e);
