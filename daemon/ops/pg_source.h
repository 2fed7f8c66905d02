#pragma once
/*
 * A PostgreSQL source's identity and its replication slot. Blocking, for worker threads.
 *
 * A slot that culvert did not make is never dropped; whether it did is recorded on the target
 * before the slot is made (culvert.copy).
 */
#include "model/position.h"
#include "ops/halt.h"
#include "ops/pg_publication.h"

/* IDENTIFY_SYSTEM on a replication connection. A standby is a RETRY error: it may be promoted. */
int pg_source_identity(
        PGconn *replication, const char *slot, struct source_identity *id, struct error *e);
/*
 * Is it the server that the checkpoint belongs to (0), or a standby of it that was promoted since
 * and has everything before `at` (1)? Else a DATA error, "resync required: ...".
 */
int pg_source_follow(PGconn *replication, const struct source_identity *stored,
        const struct source_identity *now, struct position at, struct error *e);
/* PostgreSQL 17 and later: standbys that synchronise slots keep this one, too. Of a slot that an
 * older culvert has made; nothing connected to it. */
int pg_slot_set_failover(PGconn *source, PGconn *replication, const char *slot, struct error *e);

/* 1: a slot of that name is there; 0: none; -1. */
int pg_slot_exists(PGconn *source, const char *slot, struct error *e);

/*
 * Can a stream go on with this slot? One that is gone, of another kind or without its WAL is a DATA
 * error, "resync required: ..."; one in use by another process a RETRY error that names it. Whether
 * it is past the position (HAZARDS A5: the server would skip silently) is for the stream to find
 * out, since what is between may be in the queue.
 */
int pg_slot_check(PGconn *source, const char *slot, struct error *e);

/* What was made: the snapshot lives as long as the replication connection is idle. */
struct pg_slot {
        struct position start;
        char snapshot[64]; /* exported name, or "" */
};

struct pg_slot_order {
        const char *slot;
        bool snapshot;   /* is exported */
        bool temporary;  /* ends with the replication connection */
        int64_t timeout; /* microseconds */
};

/*
 * Creates the slot. That waits for all transactions that are running; after the timeout it is given
 * up with a RETRY error naming them. `source` is an ordinary connection, to ask.
 */
int pg_slot_create(PGconn *replication, PGconn *source, const struct pg_slot_order *order,
        struct halt *h, struct pg_slot *made, struct error *e);
/* A slot of that name which no attempt of ours has made: a CONFIG error. Returns -1. */
int pg_slot_unknown(const char *slot, struct error *e);
/* Behind the anchor's locks: a table that was rewritten or truncated between its snapshot and the
 * lock has another file than the snapshot says. 0: none; 1: one, and `e` says which (RETRY); -1. */
int pg_source_rewritten(PGconn *anchor, struct error *e);
/* A stream that has just ended may hold it for a moment: that is waited for, 5 s. */
int pg_slot_drop(PGconn *source, const char *slot, struct error *e);
