#pragma once
/*
 * Prepare: everything between "started" and "the stream may begin", on worker threads with
 * blocking connections of their own: checks both sides, keeps the publication, makes the slot,
 * creates missing tables, copies, builds what follows the load. What is already done is not done
 * again; what was interrupted is gone on with where that is provably consistent, else begun again,
 * and the log says which.
 *
 * prepare_new starts the threads; the events come on the loop's thread, `done` once. The result is
 * the caller's. Progress may be read at any time from the loop's thread.
 */
#include "flow/route.h"
#include "model/config.h"
#include "model/position.h"

struct loop;
struct prepare;

struct prepare_table {
        const struct route_table *route; /* its names on both sides */
        enum { TABLE_WAITING, TABLE_COPYING, TABLE_COPIED } state;
        uint64_t rows_done;
        int64_t rows_estimated;
};

struct prepare_progress {
        bool copying;      /* the copy has begun and is not finished */
        const char *phase; /* "checking", "schema", "rows", "indexes", "sequences", "done" */
        uint64_t tables_done, tables_total, rows_done;
        int64_t rows_estimated;        /* -1: unknown */
        double eta_seconds;            /* -1: unknown */
        struct source_identity source; /* where the stream will begin; none: not known yet */
        struct position from;
        struct prepare_table *tables;
        unsigned tables_n;
};

struct prepare_result {
        struct source_identity identity;
        bool moved;               /* to another server: earlier positions mean nothing */
        struct position start;    /* consistent point of the slot, or none when resuming */
        char *snapshot;           /* pg_current_snapshot() of the copy; NULL when resuming */
        struct relation **shapes; /* expected shape of every migrated source table */
        struct relation **next;   /* a later one that the operator accepted, or NULL; as many */
        char **marks;             /* of each, ops/pg_marks.h */
        struct position *begin;   /* of each: what commits before it is in its copy, or none */
        unsigned shapes_n;
        /* Where the two sides are not both PostgreSQL; `targets` is NULL otherwise. */
        enum engine from, to;
        struct convert_policy policy;
        struct relation **targets; /* of each, as the target's catalogue has it */
        struct cascades *cascades; /* flow/route.h, route_cascades; or NULL */
        struct position until; /* the stream is to end there, and all begins anew; none: for ever */
        /* Copied, and no part of the stream before `until`; as shapes. */
        struct relation **joining;
        unsigned joining_n;
        const struct route_table *doubtful; /* flow/route.h, route_doubt; or NULL */
        struct position doubt;
        bool doubt_rows, doubt_keys;
        const struct route_table **fresh; /* selected, and not migrated yet */
        unsigned fresh_n;
        char *refused;   /* why tables could not be added; NULL: nothing of the kind */
        char *published; /* pg_publication_mark, for the watcher */
        char *source_version, *target_version; /* "15.20" */
        int source_version_number;             /* 150020 */
};

struct prepare_events {
        void (*changed)(void *context); /* another phase, or the copy began or ended */
        void (*done)(void *context, struct prepare_result *result, const struct error *e);
};

/* What the operator has accepted by `resume`. */
struct prepare_accept {
        const struct relation *shape; /* stopped the stream (ddl = stop): recorded as the table's
                                         next one. May be NULL */
        const char *table;            /* "schema.name" of which the log told DDL: its definition is
                                         what the source has now. May be NULL */
        bool marks;                   /* what no change in the stream told (ops/pg_marks.h) */
        bool add;                     /* `reload`: tables that came after the start are copied */
        bool ahead; /* of a direction that does not lead: the journal is not asked */
};

/* Code of the error where culvert.state says that the stream goes the other way, or that a walk
 * (ops/turn.h) was interrupted. */
#define PREPARE_JOURNAL_CODE "CV007"
#define PREPARE_COMPLETE_CODE "CV008" /* it says that the migration is complete */

struct prepare *prepare_new(struct loop *l, const struct config *c, struct route *r,
        const struct prepare_accept *accept, const struct prepare_events *events, void *context);
/* Asks the threads to stop (cancels their queries); `done` still comes, with an error. */
void prepare_stop(struct prepare *p);
/* After `done` only. */
struct prepare *prepare_free(struct prepare *p);

/* Fills a copy; free it with prepare_progress_done. */
void prepare_progress(struct prepare *p, struct prepare_progress *out);
void prepare_progress_done(struct prepare_progress *out);
void prepare_result_free(struct prepare_result *r);
