#pragma once
/* Parts of the writer of PostgreSQL's DDL. */
#include "db/pg_ddl.h"

#define PG_NAME_MAX 63

/* Appends " default ..."; false: it has no equal there, and a line says so. `native`: the target's
 * type. Columns without a default append nothing. */
void pg_ddl_default(struct buf *out, const struct table_def *t, const struct def_column *c,
        const struct coltype *type, const char *native, struct ddl *ddl);
int pg_ddl_indexes(
        const struct table_def *t, const struct ddl_names *n, struct ddl *out, struct error *e);
