#pragma once
/*
 * Wire: the apply connection in libpq's pipeline mode. Sends statements without waiting, remembers
 * in order what each answer belongs to, binds relations that it meets for the first time, and names
 * the row that an answer refuses. Knows transactions and batches only by what it is told to send.
 *
 * Where it is careful, the rows of tables with on_conflict = quarantine go one by one, each behind
 * a savepoint: what is refused is set aside (sinks/quarantine.h) in the same transaction. Where it
 * is not, such a refusal ends the link with a RETRY error, to be careful next time. Changes of rows
 * that are in quarantine follow them there in either case. Those of tables with on_conflict =
 * overwrite go the same way, and what conflicts is overwritten (sinks/overwrite.h).
 *
 * Owned by the sink, which passes on the link's input. An error ends the link (pg_link_fail); the
 * wire sends and reads nothing after it.
 */
#include "db/pg_link.h"
#include "sinks/quarantine.h"

struct pg_wire;

/* What the wire is to know of quarantine: which tables (`config`), and which rows; borrowed. */
struct pg_wire_quarantine {
        const struct config *config;
        struct quarantine *rows;
        bool careful;
};

struct pg_wire_events {
        void (*released)(void *context, size_t bytes); /* a piece is answered and freed */
        void (*committed)(void *context);              /* the oldest commit on its way returned */
        void (*quarantined)(void *context); /* a change of the open transaction was set aside */
        void (*refused)(void *context);     /* a row of such a table: be careful from here on */
        void (*warning)(void *context, const char *text);
        /* A row of the open transaction was overwritten; it conflicted for `why`. */
        void (*overwritten)(void *context, const struct error *why);
};

/* `k` is set up and idle. `epoch` is proved by every transaction; `turn` is the checkpoint row's
 * (sinks/pg_turn.h). */
struct pg_wire *pg_wire_new(struct pg_link *k, const char *pipeline, uint64_t epoch, uint64_t turn,
        uint64_t generation, const struct pg_wire_quarantine *quarantine,
        const struct pg_wire_events *events, void *context);
struct pg_wire *pg_wire_free(struct pg_wire *w); /* frees the pieces that it keeps */

/* All of these return false when the link has failed. */
void pg_wire_careful(struct pg_wire *w, bool careful);
bool pg_wire_begin(struct pg_wire *w);
bool pg_wire_proof(struct pg_wire *w); /* the epoch is still ours */
/* Moves the row, proves the epoch too. */
bool pg_wire_checkpoint(struct pg_wire *w, struct position end, const char *gtids);
bool pg_wire_origin(struct pg_wire *w, struct position end, int64_t committed_at);
bool pg_wire_commit(struct pg_wire *w); /* only when nothing is unanswered */
/* Asks the server to send its answers. */
bool pg_wire_answers(struct pg_wire *w);

enum pg_wire_sent { WIRE_SENT, WIRE_BINDING, WIRE_FAILED };
/* WIRE_BINDING: the table is being described, send the change again when it is (pg_wire_ready). The
 * change is of `piece`, which is not kept before the wire is ready again. */
enum pg_wire_sent pg_wire_change(struct pg_wire *w, const struct txn *piece, struct change *c);
/* Every change of the piece was sent: takes it and frees it when the last is answered. */
void pg_wire_keep(struct pg_wire *w, struct txn *piece);

/* How often the checkpoint row could not stay in its page. */
uint64_t pg_wire_turns(const struct pg_wire *w);
/* Not binding, no row's own answer is awaited, not failed. */
bool pg_wire_ready(const struct pg_wire *w);
bool pg_wire_ok(const struct pg_wire *w);
bool pg_wire_idle(const struct pg_wire *w);     /* no answer is awaited at all */
bool pg_wire_answered(const struct pg_wire *w); /* none of the open transaction's */
/* libpq holds about as much unsent data as it should. */
bool pg_wire_full(struct pg_wire *w);
void pg_wire_flush(struct pg_wire *w);
bool pg_wire_input(struct pg_wire *w); /* takes the answers that have come: were there any? */
