#pragma once
/* Parts of the reader of definitions. `oids`: an array value; its order is that of `t`. */
#include "db/pg_define.h"

/* A domain's base, through domains of domains: (oid, base, modifier, not_null, expression). */
#define PG_DOMAINS                                                                                 \
        "recursive b(oid, base, modifier, not_null) as ("                                          \
        " select oid, typbasetype, typtypmod, typnotnull from pg_catalog.pg_type"                  \
        "  where typtype = 'd'"                                                                    \
        " union all select b.oid, t.typbasetype, t.typtypmod, b.not_null or t.typnotnull"          \
        "  from b join pg_catalog.pg_type t on t.oid = b.base and t.typtype = 'd'),"               \
        " base as (select b.* from b join pg_catalog.pg_type t"                                    \
        "  on t.oid = b.base and t.typtype <> 'd')"

int pg_define_columns(PGconn *c, struct table_defs *t, const char *oids, struct error *e);
int pg_define_indexes(PGconn *c, struct table_defs *t, const char *oids, struct error *e);
int pg_define_references(PGconn *c, struct table_defs *t, const char *oids, struct error *e);
int pg_define_checks(PGconn *c, struct table_defs *t, const char *oids, struct error *e);
/* Columns and indexes name columns by their number in pg_attribute's order. */
struct table_def *pg_define_at(struct table_defs *t, const PGresult *r, int row);
