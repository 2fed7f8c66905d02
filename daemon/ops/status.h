#pragma once
/*
 * Status: what is true of the pipeline now, as one plain structure. ops/migration fills it;
 * `status`, `watch`, `wait`, `metrics` and the journal's lines are made from it. Strings are
 * borrowed from the migration and valid until the loop goes on. Loop thread only.
 */
#include "base/error.h"
#include "flow/route.h"
#include "flow/state.h"
#include "model/position.h"

#include <stdint.h>

struct status_end {
        const char *kind; /* "postgresql", ... */
        bool connected;
        struct position position;     /* source: end of its log as last heard; target: committed */
        struct position acknowledged; /* source: what it was told is durable; target: durable */
        const char *server_version;   /* NULL: not known yet */
};

struct status {
        const char *pipeline;
        enum state state, phase;
        bool reversed; /* the stream goes from target to source */
        bool settling; /* paused, and the target still commits what it had taken before */
        int64_t since; /* microseconds since 1970 UTC: when the state was entered */
        const struct error *error; /* NULL: none */
        struct status_end source, target;
        int64_t silent; /* seconds for which the target owes an answer; 0: it owes none */
        struct {
                int64_t bytes;        /* -1: unknown */
                double seconds;       /* age of the oldest change not on the target; -1: unknown */
                int64_t transactions; /* read from the source and not on the target */
        } lag;
        struct {
                uint64_t memory_bytes, disk_bytes, transactions;
                const char *acknowledge;
        } queue;
        struct {
                uint64_t transactions, rows;
                double rows_per_second;   /* over the last 10 s */
                struct position position; /* of the log of the side that leads: the other one shows
                                             everything before it */
        } applied;
        struct {
                const char *mode;
                uint64_t tables_done, tables_total, rows_done;
                int64_t rows_estimated; /* -1: unknown */
                double eta_seconds;     /* -1: unknown */
        } snapshot;
        struct {
                int64_t bytes_held_at_source; /* -1: unknown */
                double hours_left;            /* -1: unknown or no limit */
                double share;             /* used of the nearer limit; -1: unknown or no limit */
                const char *limit;        /* its name, when half of it is used; NULL: less is */
                const struct error *lost; /* NULL: nothing is */
        } retention;
        struct {
                const char *state; /* "idle", "running", "done", "failed" */
                uint64_t rows_compared, differences;
                int64_t rows_total;  /* -1: unknown */
                int64_t finished_at; /* microseconds since 1970; 0: it is not */
        } verify;
        int64_t quarantined;  /* changes in culvert.quarantine; -1: unknown */
        uint64_t overwritten; /* changes that did, since the process started */
        unsigned fresh;       /* tables that are selected, came after the start, and do not move */
        const char *refused;  /* why the last attempt to add them failed; NULL: none did */
        const char *next;     /* the next command that makes sense, with a reason */
};

/* A row of `tables`. */
struct status_table {
        const char *source, *target; /* schema.table */
        const char *state;           /* "new", "waiting", "copying", "copied", "streaming" */
        uint64_t rows_copied;
        int64_t rows_estimated;
        /* changes: of those committed beyond the durable ones a crash may take some back */
        struct route_changes durable, committed;
};
