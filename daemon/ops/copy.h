#pragma once
/*
 * Bulk copy: COPY from the source to COPY on the target, by several threads that read one snapshot.
 * Each part (a table, a partition, or a range of pages) is one transaction on the target, which
 * proves the epoch first. Nothing here decides what is copied or whether it may be: ops/prepare
 * does.
 *
 * copy_new, copy_run and copy_free belong to one thread; the counters may be read by any.
 */
#include "db/pg_catalog.h"
#include "flow/route.h"
#include "ops/halt.h"

struct copy;

/* What a reader of the progress sees of one table. Outlives the copy. */
struct copy_counter {
        const struct route_table *route;
        atomic_int state; /* TABLE_WAITING, TABLE_COPYING, TABLE_COPIED */
        atomic_uint_fast64_t rows;
        int64_t estimated; /* -1: unknown */
};

/* Everything borrowed, and valid until copy_free. */
struct copy_options {
        const struct config *config;
        struct route *route;
        struct halt *halt;
        const char *lock_sql; /* run by every reader before its first row */
        const struct pg_params *source, *target;
        PGconn *anchor;       /* holds the snapshot; used by copy_run's thread only */
        PGconn *control;      /* the target's; used by copy_new only */
        const char *snapshot; /* exported name */
        const char *seen;     /* its pg_current_snapshot(), that every reader must see too */
        uint64_t epoch;
        bool replica_role; /* the target's role may set session_replication_role */
        const struct pg_tables *tables;
        const bool *append; /* per table: it had rows before, so it is loaded in one go */
        const bool *staged; /* per table: it has its source's names on the target, too */
        struct copy_counter *counters; /* per table */
};

/* Works out columns, formats and parts; an error when a target table does not fit. */
struct copy *copy_new(const struct copy_options *o, struct error *e);
struct copy *copy_free(struct copy *c);
int copy_run(struct copy *c, struct error *e);

/* Seconds left; -1: unknown. Any thread. */
double copy_seconds_left(const struct copy *c);
