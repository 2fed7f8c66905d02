#pragma once
/*
 * Tables on a PostgreSQL target, from definitions of any engine. The primary key and the indexes
 * come after the load, so that it is fast. Pure; any thread.
 */
#include "db/ddl.h"

/* -1: a column has no place there (CONFIG), or a type that is not known (DATA). */
int pg_ddl(const struct table_def *t, const struct ddl_names *n, struct ddl *out, struct error *e);
