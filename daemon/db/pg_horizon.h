#pragma once
/*
 * What keeps a PostgreSQL server from removing old versions of rows: the oldest snapshot that it
 * has to serve. For the apply connection's warning.
 */
#include "db/pg.h"

/* At most one row: pid (null: not a session), what it is, since when (null: the role may not see
 * it). Only what has been passed by thousands of transactions. */
extern const char pg_horizon_sql[];

/* The warning; `r` has the row. */
void pg_horizon_text(const PGresult *r, struct buf *out);
