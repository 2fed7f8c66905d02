#pragma once
/*
 * Decoder of PostgreSQL's logical replication messages as pgoutput writes them: bytes in, shapes
 * and transaction pieces out. Pure: no socket, no clock, no log, so it can be fuzzed and replayed.
 *
 * Format: PostgreSQL documentation, "Logical Replication Message Formats" (protocol chapter);
 * src/backend/replication/logical/proto.c. Protocol versions 1 to 4 without `streaming`,
 * `two_phase` and `binary`, none of which is asked for: their messages are errors.
 *
 * Not shared between threads.
 */
#include "model/txn.h"

struct pgoutput;

struct pgoutput_events {
        int (*relation)(void *context, const struct relation *shape, struct error *e);
        int (*piece)(void *context, struct txn **piece, struct error *e);
};

/* A piece is closed when it holds `piece_bytes`; a single row may exceed it. */
struct pgoutput *pgoutput_new(
        uint64_t piece_bytes, const struct pgoutput_events *events, void *context);
struct pgoutput *pgoutput_free(struct pgoutput *p);

/* One message. Negative: malformed or out of order (DATA), or what an event returned; the decoder
 * is of no use after that. */
int pgoutput_message(struct pgoutput *p, const void *data, size_t len, struct error *e);
/* Between two transactions? */
bool pgoutput_idle(const struct pgoutput *p);
