#pragma once
/*
 * Schema from PostgreSQL to PostgreSQL by the server's own tools: pg_dump (custom format, schema
 * only, under the copy's snapshot) and pg_restore with a filtered list. What goes with the wanted
 * tables is found by object id in the source's catalogue (pg_depend), not by name: schemas, types,
 * domains, functions, sequences, collations, extensions that they need; indexes, constraints,
 * foreign keys and triggers that belong to them. What is not carried is listed.
 *
 * Blocking, for worker threads. Passwords reach the programs by environment only.
 */
#include "db/pg_catalog.h"
#include "model/config.h"

#include <stdatomic.h>

struct pg_schema;

/*
 * Dumps into a file in `folder` (mode 0600) and works out what to carry. `create` lists the tables
 * to be made (all others are there already). `snapshot` may be NULL. `stop` ends a running program.
 */
struct pg_schema *pg_schema_new(const struct config *c, PGconn *source, PGconn *target,
        const struct pg_tables *create, const char *snapshot, const char *folder,
        const atomic_bool *stop, struct error *e);
struct pg_schema *pg_schema_free(struct pg_schema *s); /* removes the file */
/* For `plan`, which only looks at the lists below. */
void pg_schema_remove_files(struct pg_schema *s);

/* Before the load: everything but indexes, constraints and triggers. What the target already has
 * is left out, so it may be run again after an interruption. */
int pg_schema_pre_data(struct pg_schema *s, struct error *e);
/* After the load: indexes and constraints with `workers` at once, then triggers and the rest;
 * what is there already is left out. */
int pg_schema_post_data(struct pg_schema *s, unsigned workers, struct error *e);
/* From then on: without foreign keys. */
void pg_schema_hold_references(struct pg_schema *s);

/* What stays behind, one line each ("VIEW public.v: depends on table public.x, which is not
 * migrated"). */
unsigned pg_schema_left_n(const struct pg_schema *s);
const char *pg_schema_left(const struct pg_schema *s, unsigned i);
/* What will be made, one line each, for `plan`. */
unsigned pg_schema_made_n(const struct pg_schema *s);
const char *pg_schema_made(const struct pg_schema *s, unsigned i);
