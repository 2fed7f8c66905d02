#pragma once
/*
 * Wire: the apply connection in libpq's pipeline mode. Sends statements without waiting, remembers
 * in order what each answer belongs to, binds relations that it meets for the first time, and names
 * the row that an answer refuses. Knows transactions and batches only by what it is told to send.
 *
 * Owned by the sink, which passes on the link's input. An error ends the link (pg_link_fail); the
 * wire sends and reads nothing after it.
 */
#include "db/pg_link.h"
#include "model/txn.h"

struct pg_wire;

struct pg_wire_events {
        void (*released)(void *context, size_t bytes); /* a piece is answered and freed */
        void (*committed)(void *context);              /* the oldest commit on its way returned */
};

/* `k` is set up and idle. `epoch` is proved by every transaction; `turn` is the checkpoint row's
 * (sinks/pg_turn.h). */
struct pg_wire *pg_wire_new(struct pg_link *k, const char *pipeline, uint64_t epoch, uint64_t turn,
        uint64_t generation, const struct pg_wire_events *events, void *context);
struct pg_wire *pg_wire_free(struct pg_wire *w); /* frees the pieces that it keeps */

/* All of these return false when the link has failed. */
bool pg_wire_begin(struct pg_wire *w);
bool pg_wire_proof(struct pg_wire *w);                           /* the epoch is still ours */
/* Moves the row, proves the epoch too. */
bool pg_wire_checkpoint(struct pg_wire *w, struct position end, const char *gtids);
bool pg_wire_origin(struct pg_wire *w, struct position end, int64_t committed_at);
bool pg_wire_commit(struct pg_wire *w); /* only when nothing is unanswered */
/* Asks the server to send its answers. */
bool pg_wire_answers(struct pg_wire *w);

enum pg_wire_sent { WIRE_SENT, WIRE_BINDING, WIRE_FAILED };
/* WIRE_BINDING: the table is being described, send the change again when it is (pg_wire_ready). */
enum pg_wire_sent pg_wire_change(struct pg_wire *w, struct change *c);
/* Every change of the piece was sent: takes it and frees it when the last is answered. */
void pg_wire_keep(struct pg_wire *w, struct txn *piece);

/* How often the checkpoint row could not stay in its page. */
uint64_t pg_wire_turns(const struct pg_wire *w);
bool pg_wire_ready(const struct pg_wire *w); /* not binding, not failed */
bool pg_wire_ok(const struct pg_wire *w);
bool pg_wire_idle(const struct pg_wire *w);     /* no answer is awaited at all */
bool pg_wire_answered(const struct pg_wire *w); /* none of the open transaction's */
/* libpq holds about as much unsent data as it should. */
bool pg_wire_full(struct pg_wire *w);
void pg_wire_flush(struct pg_wire *w);
void pg_wire_input(struct pg_wire *w); /* takes the answers that have come */
