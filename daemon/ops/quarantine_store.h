#pragma once
/*
 * What a job on the quarantine (ops/quarantine.h) asks of a target: one table of functions for
 * PostgreSQL, one for the MySQL family. Blocking; in the job's thread.
 *
 * A store that is opened for writing is the pipeline's one writer (lock and epoch, as for the
 * copy), and every transaction of it begins with the checkpoint's statement, which marks it as ours
 * (HAZARDS A7, A8).
 */
#include "ops/halt.h"
#include "sinks/quarantine.h"

struct quarantine_row {
        uint64_t id;
        uint64_t rows[2]; /* see struct quarantine_rows */
        unsigned rows_n;
        const char *schema, *table, *operation, *key, *position, *code, *message;
        const char *committed, *quarantined, *tried; /* RFC 3339; tried: "" for never */
        uint64_t attempts;
        bool old_full;
        const char *old, *new, *shape; /* old, new: NULL for none */
        const char *source; /* engine, of rows in the source's form; NULL: in the target's */
};

struct quarantine_store {
        const struct quarantine_store_ops *ops;
        struct halt *halt;
        const struct config *config;
        uint64_t epoch;
        PGconn *pg;
        struct pg_params *pg_params;
        MYSQL *my;
        struct my_params *my_params;
        size_t packet;
        /* The shape of the last change that was applied, and its table, bound to this connection.
         */
        char *shape_text;
        struct relation *shape;
        uint64_t bindings;
};

typedef int quarantine_each(void *context, const struct quarantine_row *row, struct error *e);

struct quarantine_store_ops {
        int (*connect)(struct quarantine_store *s, struct error *e);
        void (*close)(struct quarantine_store *s);
        /* Becomes the writer. 1: another session holds the lock, `e` says which. */
        int (*take)(struct quarantine_store *s, struct error *e);
        int (*begin)(struct quarantine_store *s, struct error *e);
        int (*end)(struct quarantine_store *s, bool commit, struct error *e);
        /* Those behind `after`, in order, at most `limit`; how many there were, or -1. */
        int (*read)(struct quarantine_store *s, uint64_t after, unsigned limit,
                quarantine_each *each, void *context, struct error *e);
        int64_t (*count)(struct quarantine_store *s, struct error *e);
        /* Applies it as a sink would, behind a savepoint. 1: refused for its row, nothing was done.
         */
        int (*apply)(struct quarantine_store *s, const struct change *c, struct error *e);
        int (*remove)(struct quarantine_store *s, uint64_t id, struct error *e);
        /* It was tried, and refused for `why`. */
        int (*tried)(
                struct quarantine_store *s, uint64_t id, const struct error *why, struct error *e);
};

extern const struct quarantine_store_ops pg_quarantine_ops, my_quarantine_ops;
