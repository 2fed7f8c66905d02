#pragma once
/*
 * Source: where changes come from. One table of functions per kind, registered in
 * decoders/registry.c; the pipeline knows nothing else of it.
 *
 * Everything happens on the loop's thread. Events come from the loop, never from inside a call of
 * the table; `failed` comes at most once per `start`, and the source is idle after it.
 */
#include "model/config.h"
#include "model/statement.h"
#include "model/txn.h"

struct loop;
struct source;

struct source_events {
        /* The stream stands and begins at the position asked for. */
        void (*ready)(void *context);
        /* The shape of a table, before changes name it. A negative return stops the stream with
         * that error. */
        int (*relation)(void *context, const struct relation *shape, struct error *e);
        /* The shape that is expected of a table (`which` 0), or the later one that the operator
         * accepted besides (1); NULL: none, or not migrated. Borrowed, valid until `stop`. */
        const struct relation *(*known)(
                void *context, const char *schema, const char *name, unsigned which);
        /* DDL on a migrated table, logged as text; a negative return as with `relation`. */
        int (*statement)(void *context, const struct statement *s, struct error *e);
        /* A transaction piece, in commit order; takes it. */
        int (*piece)(void *context, struct txn **piece, struct error *e);
        /* Everything that commits before `end` has been delivered; `log_end` is where the source's
         * log ends as far as it told us. Also sent when nothing is left to deliver. */
        void (*passed)(void *context, struct position end, struct position log_end);
        void (*failed)(void *context, const struct error *e);
        /* Answer of `mark`; none and an error (else ERROR_NONE) when it cannot be had. Never after
         * `stop`. */
        void (*marked)(void *context, struct position p, const struct error *e);
};

/* What a source keeps of its log for us, and until when: as it last said. */
struct source_retention {
        int64_t asked;    /* loop time of the answer; 0: there is none, and nothing else is known */
        int64_t held;     /* bytes from what is acknowledged on; -1: unknown */
        uint64_t written; /* bytes of log ever; goes back only where the log was begun anew */
        int64_t used, allowed; /* bytes, of what it keeps at most; allowed -1: no limit known */
        double age, expiry;    /* seconds; age -1: nothing ages, or unknown since when; expiry 0:
                                  nothing goes by age */
        const char *limit, *clock; /* the server's names of the two limits; static */
        struct error lost;         /* "resync required: ..."; ERROR_NONE: nothing is lost */
};

#define SOURCE_RETENTION_UNKNOWN                                                                   \
        (struct source_retention)                                                                  \
        {                                                                                          \
                .held = -1, .allowed = -1, .age = -1                                               \
        }

struct source_limits {
        uint64_t piece_bytes; /* a piece is closed when it holds this much */
        uint64_t kept_bytes;  /* rows of transactions that are prepared and not committed */
};

struct source_ops {
        enum config_kind kind;
        struct source *(*create)(struct loop *l, const struct config *c,
                const struct source_limits *limits, const struct source_events *events,
                void *context, struct error *e);
        struct source *(*destroy)(struct source *s);
        /* Connects and streams what commits at or after `from`. The identity is checked. What is
         * `durable` on the target may lie before `from`: the rest is in the queue. `gtids`: the
         * state at `from` (txn->gtids), or NULL. */
        void (*start)(struct source *s, const struct source_identity *identity,
                struct position from, const char *gtids, struct position durable);
        /* Closes the stream; no event after it. What is kept for us is asked for further on. */
        void (*stop)(struct source *s);
        /* Begins to ask what is kept for a stream that will start there: the copy is under way. */
        void (*watch)(
                struct source *s, const struct source_identity *identity, struct position from);
        /* Stops or goes on reading; the connection is kept alive meanwhile. */
        void (*read)(struct source *s, bool wanted);
        /* Everything before this position is durable on the target. Never goes back. */
        void (*acknowledge)(struct source *s, struct position p);
        /* Asks for the end of the log: a position that the stream will pass, also when nothing
         * else is written. Answered by `marked`, in order. */
        void (*mark)(struct source *s);
        /* Borrowed, valid until the loop goes on. */
        const struct source_retention *(*retention)(const struct source *s);
        bool (*connected)(const struct source *s);
};

/* NULL: not built. */
const struct source_ops *source_ops_of(enum config_kind kind);
extern const struct source_ops pg_stream_ops, mysql_stream_ops, mariadb_stream_ops;
extern const struct source_ops segment_stream_ops;
