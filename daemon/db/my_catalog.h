#pragma once
/*
 * What a MySQL-family server's catalogue says about its tables: definitions for the plan, the copy
 * and the DDL, and what a target has under one name. Blocking, for worker threads and `plan`; the
 * number of queries does not grow with the tables, except where said.
 */
#include "db/my.h"
#include "model/table_def.h"

/*
 * Base tables of all databases that our role sees (MariaDB's system-versioned ones too; no views,
 * sequences or temporary tables, none of the system's databases nor culvert), those for which
 * `select(context, schema, name)` is true. `database` must be there when it is not NULL (a CONFIG
 * error otherwise).
 *
 * The shape is what the binlog carries: identity 0, all columns in table order, generated ones too,
 * whose native ends in " generated" (nothing writes those; " generated as row start", "... as row
 * end" of a system-versioned table's period: decoders/binlog_history.h). Behind them come those
 * that MariaDB hides from its catalogue and yet logs: row_start and row_end of implicit versioning,
 * and DB_ROW_HASH_n of unique keys on long columns. Key flags are those of the primary key, else of
 * the first unique index on whole NOT NULL columns; where a generated column would be in it, or
 * there is none, identity is FULL and every column that is not generated is key, as pgoutput has
 * it.
 *
 * Where the role has only SELECT, MariaDB does not tell the rules of foreign keys: they are then
 * read from the definition of each table that has some (one query each).
 */
struct table_defs *my_catalog_read(MYSQL *c, const char *database,
        bool (*select)(void *context, const char *schema, const char *name), void *context,
        struct error *e);

/* Only the names of all such tables: cheap, whatever their number of columns. */
int my_catalog_names(MYSQL *c, bool (*each)(void *context, const char *schema, const char *name),
        void *context, struct error *e);

/* Reads the server's own CREATE TABLE into def->verbatim, once. */
int my_catalog_verbatim(MYSQL *c, struct table_def *def, struct error *e);

/* The next auto_increment of each table, in the order of `t` (room for t->n; 0: it has none). */
int my_catalog_counters(MYSQL *c, const struct table_defs *t, uint64_t *next, struct error *e);

/* A table of a target. 0: there is none of that name; 1: *shape is as above (the caller's), *rows
 * tells whether it has any. A view or a sequence of that name is a CONFIG error. */
int my_catalog_table(MYSQL *c, const char *schema, const char *name, struct relation **shape,
        bool *rows, struct error *e);
