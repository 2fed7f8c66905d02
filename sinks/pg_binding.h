#pragma once
/*
 * Binding: how rows of one relation are written on one target connection: which columns, found by
 * which key, through which prepared statements. Made from the target's catalogue, kept with the
 * relation, and made again for each new connection (`generation`). Loop thread only.
 *
 * Generated columns are never written. A row is found by the source's replica identity; under
 * REPLICA IDENTITY FULL by the target's primary key where all its columns are in the log, else by
 * every column with IS NOT DISTINCT FROM, and then exactly one of equal rows is taken.
 */
#include "db/pg.h"
#include "model/config.h"
#include "model/txn.h"

/* Describes the target table. $1 = schema, $2 = table. No row: there is no such table. */
extern const char pg_binding_sql[];

struct pg_binding;
struct pg_cascade;

/* The binding for this connection, or NULL: describe the table first. */
struct pg_binding *pg_binding_of(const struct relation *r, uint64_t generation);
/* `serial` is another one for each binding of a connection: statements are named by it. */
struct pg_binding *pg_binding_new(const struct relation *r, uint64_t generation, uint64_t serial,
        const PGresult *description, struct error *e);

struct pg_parameter {
        uint16_t column;
        bool old; /* from the old row */
};

struct pg_statement {
        char *name; /* "" once the table has its share of named ones: parsed each time */
        char *sql;
        bool prepared; /* the owner sets it after preparing */
        int n;
        struct pg_parameter *parameters;
        Oid *types;
};

/* Changes of the table may be set aside (sinks/quarantine.h) from now on, or rows overwritten. -1:
 * it has no key. */
int pg_binding_set_aside(struct pg_binding *b, enum config_conflict policy, struct error *e);
/* NULL: they may not. */
const struct quarantine_table *pg_binding_quarantine(const struct pg_binding *b);

/* The statement for a row change; NULL: error. One with `n` 0 has nothing to write. */
struct pg_statement *pg_binding_statement(
        struct pg_binding *b, const struct change *c, struct error *e);
/* Fills `values` (at least `n`) with what the change gives its parameters. */
void pg_statement_values(const struct pg_statement *s, const struct change *c, const char **values);

/* What follows an update or a delete for which the relation's cascades were followed
 * (sinks/pg_cascade.h). NULL: error. */
struct pg_cascade *pg_binding_cascade(struct pg_binding *b, enum change_op op, struct error *e);

/* TRUNCATE of all the change's tables, each of which is bound. */
void pg_binding_truncate(const struct change *c, uint64_t generation, struct buf *sql);

/* Names table and key columns of a change in `e`; key values go to e->key only. */
void pg_binding_blame(const struct pg_binding *b, const struct change *c, struct error *e);
