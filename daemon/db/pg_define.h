#pragma once
/*
 * Definitions of PostgreSQL tables, for targets of another engine, and what a PostgreSQL target has
 * under one name. Blocking, worker threads; the number of queries does not grow with the tables.
 */
#include "db/pg_catalog.h"
#include "model/table_def.h"

/*
 * Of the tables of `t`, in its order. Domains are taken for what they are based on: their NOT NULL
 * and default are the column's, their checks are the table's. Enums have their labels in `members`.
 * A partitioned table is one table. The shapes are shared with `t` (a reference each).
 */
struct table_defs *pg_define_read(PGconn *c, const struct pg_tables *t, struct error *e);

/*
 * A table of a target. 0: there is none of that name; 1: *shape (the caller's) has all columns with
 * their natives: format_type() of the base type, "enum('a','b')" for an enum, " generated" behind
 * what is generated; *rows: has it any? Key flags are those of the primary key, else of the first
 * unique index on NOT NULL columns. Anything but a table of that name is a CONFIG error.
 */
int pg_define_table(PGconn *c, const char *schema, const char *name, struct relation **shape,
        bool *rows, struct error *e);

/* What a default's text (pg_get_expr) is: fills kind and text of `c`. Pure. */
void pg_define_default(struct def_column *c, const char *text);
