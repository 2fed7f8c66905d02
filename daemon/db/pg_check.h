#pragma once
/*
 * Start checks: what would make a migration fail or lose something, found before anything is
 * changed, each with the statement that mends it where there is one. Set-based: the number of
 * queries does not grow with the number of tables. Only reads (setting the replication role is
 * tried in a transaction that is rolled back, so the connections must not be inside one).
 * Blocking, worker threads.
 */
#include "db/pg_catalog.h"

enum check_level {
        CHECK_ERROR, /* a start is refused */
        CHECK_WARNING,
        CHECK_NOTE,
        CHECK_STATEMENT /* no problem: `mend` is what culvert will run, `text` where */
};

struct check {
        enum check_level level;
        char *text, *mend; /* mend "": none, or the text says it */
};

struct checks {
        struct check *items;
        unsigned n, errors;
};

void checks_done(struct checks *c);
/* Both take strings from the heap; `mend` may be NULL. */
void checks_take(struct checks *c, enum check_level level, char *text, char *mend);
void checks_add(struct checks *c, enum check_level level, const char *mend, const char *format, ...)
        __attribute__((format(printf, 4, 5)));
const char *check_level_name(enum check_level level);

/* How long a copy of so much takes, for comparing with what the source keeps: slower than measured
 * ones are. */
#define CHECK_COPY_MIB 10 /* a second */
double check_copy_hours(uint64_t bytes);

/* A migrated table and where it goes. Everything borrowed. */
struct check_table {
        const struct pg_table_info *source; /* NULL: the source is another engine */
        const char *schema, *name;          /* on the target */
        const struct relation *shape;       /* as the target sees it; with `source` only */
};

struct check_input {
        const struct config *config;
        const struct check_table *tables;
        unsigned n;
};

/* 0, also with errors among the checks; -1: a query failed. */
int pg_check_source(
        PGconn *source, const struct check_input *in, struct checks *out, struct error *e);
/* `source` once more for what will be made from its definitions; NULL: another engine's, whose
 * columns are compared elsewhere. `missing[i]` tells afterwards
 * whether the target has no such table (n entries, may be NULL). */
int pg_check_target(PGconn *target, PGconn *source, const struct check_input *in, bool *missing,
        struct checks *out, struct error *e);

/* Parts, shared by the files of the check. `oids`, `schemas`, `names`: array values. */
int pg_check_session(PGconn *c, const char *what, struct checks *out, struct error *e);
int pg_check_source_tables(PGconn *c, const struct check_input *in, const char *oids,
        struct checks *out, struct error *e);
int pg_check_retention(
        PGconn *source, const struct check_input *in, struct checks *out, struct error *e);
int pg_check_publication(PGconn *c, const struct check_input *in, const char *oids,
        struct checks *out, struct error *e);
int pg_check_columns(PGconn *target, const struct check_input *in, const bool *missing,
        struct checks *out, struct error *e);
/* Keys that can be deferred, triggers, foreign keys with actions, of tables that are on `c`.
 * `replica`: our role may switch triggers off. */
int pg_check_rules(PGconn *c, const char *what, const char *oids, bool replica, struct checks *out,
        struct error *e);

struct cascades;

/* What the statements that follow from a change by such keys need (model/cascade.h): indexes, and no
 * keys of the target that act a second time. `made`: culvert makes the key and its index. */
int pg_check_cascades(PGconn *c, const struct cascades *keys, const bool *made, bool replica,
        struct checks *out, struct error *e);

/* Collects names for one check about several tables: "a, b, c and 12 more". */
struct check_names {
        struct buf text;    /* as said */
        struct buf sql;     /* all of them, quoted, for the statement */
        const char *prefix; /* before each in `sql`; NULL: nothing */
        unsigned n;
};
void check_names_add(struct check_names *n, const char *schema, const char *name);
const char *check_names_said(struct check_names *n);
void check_names_done(struct check_names *n);
