#pragma once
/* Parts of the catalogue reader, shared by its files (db/my_catalog*.c). */
#include "db/my_catalog.h"

/* What all its queries leave out. */
#define MY_SYSTEM_SCHEMAS "'mysql', 'sys', 'performance_schema', 'information_schema', 'culvert'"

/* A value of a row; "" for NULL. */
const char *my_catalog_text(MYSQL_ROW row, unsigned column);
/* The table of a row that begins with schema and name; NULL: not one of ours. */
struct table_def *my_catalog_at(struct table_defs *t, MYSQL_ROW row);

/* `where` is a condition on table_schema (and table_name), without "where". Constraints are told by
 * constraint_schema: the same text with that name is `constraints`. */
struct my_catalog_scope {
        const char *tables, *constraints;
};

int my_catalog_columns(
        MYSQL *c, struct table_defs *t, const struct my_catalog_scope *s, struct error *e);
int my_catalog_indexes(
        MYSQL *c, struct table_defs *t, const struct my_catalog_scope *s, struct error *e);
int my_catalog_references(
        MYSQL *c, struct table_defs *t, const struct my_catalog_scope *s, struct error *e);
/* After the columns: makes JSON of MariaDB's checked longtext. */
int my_catalog_checks(
        MYSQL *c, struct table_defs *t, const struct my_catalog_scope *s, struct error *e);
/* After the columns: members and defaults that the catalogue does not show as they are. */
int my_catalog_exact(MYSQL *c, struct table_def *d, struct error *e);
/* The same of a CREATE TABLE, which it may make anew. Pure. */
void my_catalog_exact_text(char **text, const struct table_def *d);
void my_catalog_shape(struct table_def *t);

/* Fills default, generated and flags of a column from the catalogue's texts. Pure. */
void my_catalog_default(enum engine engine, struct def_column *c, const char *text /* or NULL */,
        const char *extra);
/* Rule of a foreign key in a CREATE TABLE text, "ON DELETE" or "ON UPDATE"; the caller frees. NULL:
 * no such key in it. Pure. */
char *my_catalog_rule(const char *create, const char *key, const char *event);
