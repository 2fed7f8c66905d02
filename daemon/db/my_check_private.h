#pragma once
/* Parts of the checks of MySQL-family ends. */
#include "db/my_check.h"

/* All global variables of the server, in one query. */
struct my_variables {
        char **names, **values;
        unsigned n;
};

int my_variables_read(MYSQL *c, struct my_variables *v, struct error *e);
void my_variables_done(struct my_variables *v);
/* "" where the server has no such variable. */
const char *my_variable(const struct my_variables *v, const char *name);
bool my_variable_is(const struct my_variables *v, const char *name, const char *value);

/* What the role may do: SHOW GRANTS, also of its active roles. */
struct my_grants {
        char *user;   /* as GRANT writes it: `culvert`@`%` */
        char **lines; /* up to TO: what is behind may be a password's hash */
        unsigned n;
};

int my_grants_read(MYSQL *c, struct my_grants *g, struct error *e);
void my_grants_done(struct my_grants *g);
/* "`culvert`@`%`" of a line; NULL: it has none. Pure. */
char *my_grants_user(const char *line);
/* Is the right given: on *.*, or (schema not NULL) on the database, or (table not NULL) on the
 * table? Patterns in database names are understood. Pure. */
bool my_grants_has(
        const struct my_grants *g, const char *right, const char *schema, const char *table);

int my_check_tables(const struct table_defs *t, const struct my_variables *v, struct checks *out);
