#pragma once
/*
 * Binding: how rows of one relation are written on one connection to a MySQL-family target: which
 * columns, of which types, found by which key. Made from the target's catalogue, kept with the
 * relation, and made again for each new connection (`generation`). Loop thread only.
 *
 * Generated columns are never written. A row is found by the source's replica identity; under
 * REPLICA IDENTITY FULL by the target's primary key where all its columns are in the log, else by
 * every column exactly, and then one of equal rows is taken. The SQL of changes: sinks/my_change.h.
 */
#include "db/my.h"
#include "sinks/quarantine.h"

struct my_column {
        struct coltype *type; /* on the target */
        char *quoted;         /* its name as SQL */
        bool written, key, not_null;
        bool touched; /* ON UPDATE CURRENT_TIMESTAMP (HAZARDS A11) */
};

struct my_binding {
        uint64_t generation;
        const struct relation *relation;
        char *table;    /* `schema`.`name` */
        char *insert;   /* "insert into `schema`.`name` (`a`, `b`) values " */
        char *delete;   /* "delete from `schema`.`name` where `a` in (", or without "`a` in": see
                           many_keys */
        char *triggers; /* their names, or NULL: they fire for what we write (HAZARDS A9) */
        char **others;  /* columns ON UPDATE CURRENT_TIMESTAMP that only the target has, as SQL */
        unsigned others_n;
        bool whole_row; /* found by every column, one of equal rows */
        bool many_keys; /* the key has several columns, or an ENUM with an empty member */
        bool warns; /* a value of it may be one that MariaDB takes with a warning (my_value.h) */
        bool by_number;                      /* found by integers that are its only unique index */
        struct quarantine_table *quarantine; /* NULL: nothing of it is set aside */
        struct my_column columns[];
};

/* The statement that describes the target table; no row: there is no such table. */
void my_binding_sql(struct buf *out, const struct relation *r);

/* The binding for this connection, or NULL: describe the table first. */
struct my_binding *my_binding_of(const struct relation *r, uint64_t generation);
/* NULL: error. It belongs to the relation. */
struct my_binding *my_binding_new(const struct relation *r, uint64_t generation, enum engine engine,
        MYSQL_RES *description, struct error *e);

/* Changes of the table may be set aside (sinks/quarantine.h) from now on, or rows overwritten. -1:
 * it has no key. */
int my_binding_set_aside(struct my_binding *b, enum config_conflict policy, struct error *e);

/* Names the table, and the key columns with their values in e->key only. `b` may be NULL. */
void my_binding_blame(const struct my_binding *b, const struct change *c, struct error *e);
