#pragma once
/*
 * Transactions, changes and values: what travels from decoder to sink.
 *
 * The source delivers a transaction only after its commit, so a large one may travel in pieces:
 * the first has `first`, the last has `last`, and the target commits only at `last`. So a
 * transaction of any size needs bounded memory and no spill, and a connection lost in between
 * rolls the target back.
 *
 * A piece owns one arena: its changes, rows and strings live there and go in one free. It holds
 * references to the relations that its changes name. Loop thread only.
 */
#include "base/arena.h"
#include "model/coltype.h"
#include "model/position.h"
#include "model/relation.h"

enum value_kind {
        VALUE_NULL,
        VALUE_UNCHANGED, /* not in the log: an unchanged TOAST datum, or a column that is absent */
        VALUE_TEXT
};

struct value {
        enum value_kind kind;
        uint32_t len;
        const char *data; /* NUL-terminated behind `len` bytes */
};

enum change_op { CHANGE_INSERT, CHANGE_UPDATE, CHANGE_DELETE, CHANGE_TRUNCATE };

/* Which rows of a change have a value, one flag a column, that has no place on the target. */
enum { MISFIT_OLD = 1, MISFIT_NEW = 2 };

/*
 * Values that have no place on the target, in a table of which rows may be set aside: what the
 * source had. In the change's own rows such values are UNCHANGED, all others are converted.
 */
struct misfit {
        enum engine from;
        const struct relation *source; /* with the types' names; the piece holds a reference */
        struct value *old, *new;       /* source->columns_n values, or NULL, as the change's rows */
        uint8_t *at;                   /* one a column of the change's relation: MISFIT_* */
        const char *message;           /* of the first one: column and reason */
};

struct change {
        struct change *next;
        enum change_op op;
        const struct relation *relation; /* the piece holds a reference */
        struct value *old; /* relation->columns_n values, or NULL. Non-key ones may be UNCHANGED */
        struct value *new; /* relation->columns_n values, or NULL */
        bool old_full;     /* `old` is the whole row (REPLICA IDENTITY FULL) */
        bool cascades;     /* the source's engine followed its foreign keys, and did not log it */
        struct misfit *misfit; /* NULL: every value has its place */

        /* CHANGE_TRUNCATE: `relation` is the first of these */
        const struct relation **truncated;
        uint32_t truncated_n;
        bool cascade, restart_identity;
};

struct txn {
        struct txn *next; /* for whoever holds it: queue or sink */
        struct arena *arena;
        bool first, last;
        uint32_t xid;           /* as in Begin: 32 bits */
        struct position commit; /* LSN of the commit record, as in Begin */
        struct position end;    /* end LSN of the commit; known in the last piece only */
        const char *gtids;      /* state after it, decoders/binlog_gtid.h; last piece; or NULL */
        int64_t committed_at;   /* microseconds since 1970-01-01 UTC */
        struct change *changes, **tail;
        uint32_t changes_n;
        struct held *held; /* private: relations that this piece references */
};

/* The key columns of a row with their values, "id=7, code=x", into e->key: for the socket only. */
void row_blame(const struct relation *r, const struct value *row, struct error *e);

struct txn *txn_new(void);
struct txn *txn_free(struct txn *t);
/* A zeroed change at the end of the piece; keeps a reference to `r`. */
struct change *txn_add(struct txn *t, enum change_op op, const struct relation *r);
/* Keeps a reference to one more relation for as long as the piece lives. */
void txn_hold(struct txn *t, const struct relation *r);
size_t txn_bytes(const struct txn *t);
/* The row that it would write cannot be written: a value of it has no place there. What only the
 * row before had may be without one, unless the row is found by it. */
bool change_is_misfit(const struct change *c);

/*
 * Begin carries the low 32 bits of a transaction id; a snapshot (pg_current_snapshot) has 64.
 * Widens against the snapshot's xmax: the candidate nearest to it. HAZARDS A18.
 */
uint64_t xid_widen(uint32_t xid, uint64_t near);

/* A pg_snapshot, "xmin:xmax:xip,xip". */
struct snapshot {
        uint64_t xmin, xmax;
        uint64_t *in_progress; /* sorted */
        uint32_t in_progress_n;
};

int snapshot_parse(struct snapshot *s, const char *text, struct error *e);
void snapshot_done(struct snapshot *s);
/* Is the top-level transaction visible in it? */
bool snapshot_sees(const struct snapshot *s, uint64_t xid);
