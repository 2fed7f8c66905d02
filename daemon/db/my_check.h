#pragma once
/*
 * Start checks of MySQL-family ends, as db/pg_check.h has them for PostgreSQL: what would make a
 * migration fail or lose something, found before anything is changed, each with the statement that
 * mends it where there is one. Only reads; the number of queries does not grow with the number of
 * tables. Blocking, worker threads.
 */
#include "db/my.h"
#include "db/pg_check.h"
#include "model/cascade.h"
#include "model/table_def.h"

/* A migrated table and where it goes. Everything borrowed. */
struct my_check_table {
        const struct table_def *def;
        const char *schema, *name; /* on the target */
        bool create;               /* culvert makes it */
};

struct my_check_input {
        const struct config *config;
        const struct my_params *params;
        const struct my_check_table *tables;
        unsigned n;
};

/* 0, also with errors among the checks; -1: a query failed. */
int my_check_source(MYSQL *c, const struct table_defs *tables, struct checks *out, struct error *e);
int my_check_target(MYSQL *c, const struct my_check_input *in, struct checks *out, struct error *e);

/* Does the server log what its foreign keys change? MySQL does where it follows them above InnoDB
 * (innodb_native_foreign_keys = OFF). */
bool my_check_logs_cascades(MYSQL *c);
/* A target's own keys have to change what those of the source change and do not log. `made`: culvert
 * makes the key, so it is not looked for. */
int my_check_cascades(MYSQL *c, const struct cascades *keys, const bool *made, struct checks *out,
        struct error *e);
