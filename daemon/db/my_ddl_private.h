#pragma once
/* Parts of the writer of MySQL-family DDL. */
#include "db/my_ddl.h"

#define MY_NAME_MAX 64

/* Appends " default ...", or nothing and a line that says why. `native`: the target's type. */
void my_ddl_default(struct buf *out, const struct table_def *t, const struct def_column *c,
        const struct coltype *type, enum engine to, const char *native, struct ddl *ddl);

/* What index is needed for the auto_increment of a column: -1: none is there; else its number. */
int my_ddl_counter_index(const struct table_def *t, const struct ddl *out, unsigned column);
/* `kept`: number of an index that CREATE TABLE has already, or -1. `natives`: the columns' types on
 * the target (NULL where not made). */
void my_ddl_indexes(const struct table_def *t, enum engine to, const struct ddl_names *n, int kept,
        char *const *natives, struct ddl *out);
/* "unique key `a` (`b`(10), `c` desc)"; NULL after a line that says why not. */
char *my_ddl_index(const struct table_def *t, const struct def_index *i, enum engine to,
        const struct ddl_names *n, char *const *natives, struct ddl *out);
/* InnoDB's bound of a key, and what a column takes of it at most. */
#define MY_KEY_BYTES_MAX 3072
unsigned my_ddl_key_bytes(const char *native, uint32_t prefix);
/* Is a column that counts in the expression, which is of the target already? No server of the family
 * takes one in a check or an index. */
bool my_ddl_counts(const struct table_def *t, const struct ddl_names *n, const char *expression);

/* The collation's name on the other engine of the family. */
const char *my_ddl_collation(const char *name, enum engine to);

int my_ddl_verbatim(
        const struct table_def *t, const struct ddl_names *n, struct ddl *out, struct error *e);
void my_ddl_schema(const struct ddl_names *n, struct ddl *out);
