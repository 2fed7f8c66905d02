#pragma once
/*
 * Sink: where changes go. One table of functions per kind, registered in sinks/registry.c.
 *
 * A sink takes pieces of whole transactions in commit order and applies each transaction exactly
 * once: the position is stored in the same target transaction as the data. It may put several
 * source transactions into one target transaction, never the reverse.
 *
 * Everything happens on the loop's thread. Events come from the loop, never from inside a call,
 * and the receiver does not call `start`, `stop` or `destroy` from inside one, but for `failed`;
 * `failed` comes at most once per `start`, and the sink is idle and empty after it: what was not
 * committed must be delivered again from the position that the next `ready` gives.
 */
#include "model/config.h"
#include "model/txn.h"

struct loop;
struct sink;

struct sink_start {               /* what the target knows of this pipeline */
        struct position position; /* everything before it is applied, and durable */
        char *gtids;              /* state there, or NULL; borrowed */
        struct source_identity identity;
        uint64_t epoch;
};

struct sink_events {
        void (*ready)(void *context, const struct sink_start *start);
        /* There is room again after SINK_FULL. */
        void (*room)(void *context);
        /* Committed (visible) up to `end`; not durable yet. Counts since the last call. */
        void (*committed)(void *context, struct position end, uint64_t transactions, uint64_t rows);
        void (*durable)(void *context, struct position end);
        void (*failed)(void *context, const struct error *e);
        /* Something that an operator should know, once per connection. */
        void (*warning)(void *context, const char *text);
        /* Before `committed`, and after `ready`: rows of what is committed that went to
         * culvert.quarantine instead, and how many changes are there now. */
        void (*quarantined)(void *context, uint64_t rows, uint64_t changes);
        /* Before `committed`: so many changes of what is committed conflicted with the target's
         * rows and overwrote them; the first one for `why`. */
        void (*overwritten)(void *context, uint64_t changes, const struct error *why);
};

enum sink_push { SINK_TAKEN = 0, SINK_FULL = 1 };

struct sink_ops {
        enum config_kind kind;
        struct sink *(*create)(struct loop *l, const struct config *c,
                const struct sink_events *events, void *context, struct error *e);
        struct sink *(*destroy)(struct sink *s);
        /* Connects, takes the lock, raises the epoch, reads the position. */
        void (*start)(struct sink *s);
        void (*stop)(struct sink *s); /* closes; what is not committed is rolled back */
        /* Takes a piece and leaves NULL, or returns SINK_FULL and leaves it. */
        enum sink_push (*push)(struct sink *s, struct txn **piece);
        /* Stores a position that no transaction carries (filtered ones, an idle source), where
         * readers of the target see it. Only when nothing is pending. True: `committed` follows;
         * false: it is there already. `gtids`: the state there, "" if not known; NULL: that of the
         * last transaction. */
        bool (*idle)(struct sink *s, struct position p, const char *gtids);
        /* Takes over reloadable options. */
        void (*reload)(struct sink *s, const struct config *c);
        bool (*connected)(const struct sink *s);
        const char *(*version)(const struct sink *s); /* NULL: not known yet */
};

const struct sink_ops *sink_ops_of(enum config_kind kind);
extern const struct sink_ops pg_sink_ops;
extern const struct sink_ops my_sink_ops, mariadb_sink_ops; /* one sink, by the URI's scheme */
extern const struct sink_ops segment_sink_ops;
