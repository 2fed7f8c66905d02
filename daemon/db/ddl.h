#pragma once
/*
 * What creates a target table: SQL made from a table's definition, by db/my_ddl.c and db/pg_ddl.c.
 * Names on the target come from the caller. What cannot be carried is a line in `left_out`, with
 * the name and the reason. Pure; any thread. What is returned belongs to the caller, until
 * ddl_done.
 */
#include "model/table_def.h"

/* Names that are taken in a schema: indexes, types and (on MySQL) keys share one space with other
 * tables'. Put the tables' own names in before, and use one for all tables. */
struct ddl_used {
        char **names; /* "schema.name" */
        unsigned n;
};

void ddl_used_add(struct ddl_used *u, const char *schema, const char *name);
bool ddl_used_has(const struct ddl_used *u, const char *schema, const char *name);
void ddl_used_done(struct ddl_used *u);

/* A source table's names on the target. */
struct ddl_names {
        const char *schema, *table;
        /* NULL: the column is left out. May be NULL itself: names stay. */
        const char *(*column)(void *context, const char *source);
        void *context;
        /* What a foreign key refers to: fills the names of that table and its definition (NULL:
         * not known); false: the table is not migrated. May be NULL: none is. */
        bool (*refers)(void *refers_context, const char *schema, const char *table,
                struct ddl_names *names, const struct table_def **def);
        void *refers_context;
        struct ddl_used *used; /* may be NULL */
};

struct ddl_statement {
        char *name; /* of the index or key that it makes, "" for others */
        char *sql;
};

struct ddl_list {
        struct ddl_statement *items;
        unsigned n;
};

struct ddl {
        /* Schema, enum types, sequences. Each may be there already: look for `name` before, or
         * take 42P06, 42710 and 42P07 for that. */
        struct ddl_list before;
        struct ddl_list table;      /* CREATE TABLE, then comments and what else it needs at once */
        struct ddl_list indexes;    /* after the load; on PostgreSQL the primary key first */
        struct ddl_list references; /* after all tables' indexes */
        struct ddl_list left_out;   /* `sql` is the line */
        bool *made;                 /* for each column: is it on the target? */
};

void ddl_done(struct ddl *d);

/* For the writers. Takes `sql` from the heap. */
void ddl_take(struct ddl_list *l, const char *name, char *sql);
void ddl_left_out(struct ddl *d, const struct table_def *t, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
/* The column's name on the target; NULL: left out. */
const char *ddl_column(const struct ddl_names *n, const struct table_def *t, unsigned column);
/* A line for an index that is not made, with what it was worth. */
void ddl_index_left_out(
        struct ddl *d, const struct table_def *t, const struct def_index *i, const char *why);
/* Are they all on the target? */
bool ddl_index_made(const struct ddl *d, const struct def_index *i);
/* Foreign keys, alike in all engines: fills out->references. */
int ddl_references(const struct table_def *t, enum engine to, const struct ddl_names *n,
        struct ddl *out, struct error *e);
/* "a", "b" of an index without prefixes, or of any list of columns, as the target names them. */
void ddl_columns(struct buf *out, const struct table_def *t, enum engine to,
        const struct ddl_names *n, const unsigned *columns, unsigned columns_n);
/* A name of at most `max` bytes, cut between characters, that is not used yet in the schema, and is
 * from now on; the caller frees. */
char *ddl_name(const struct ddl_names *n, unsigned max, const char *wanted);
/* The type of a column, taken apart; an enum of PostgreSQL with its labels. NULL: DATA error. */
struct coltype *ddl_type(const struct table_def *t, unsigned column, struct error *e);

/*
 * An expression (check, generated column) in the other engine's SQL, if all that is in it means the
 * same in both: columns of numbers and dates (text only where it is compared for equality, by
 * bytes), literals, + - *, comparisons, AND, OR, NOT, IN, IS NULL. Names become the target's. NULL:
 * it is not so plain, or a column is left out or generated.
 */
char *ddl_expression(
        const struct table_def *t, const char *text, enum engine to, const struct ddl_names *n);
/* Quotes a name as the engine does. */
void ddl_ident(struct buf *out, enum engine to, const char *name);
