#pragma once
/*
 * Wire: the apply connection to a MySQL-family target. Makes statements of what it is told to send,
 * binds relations that it meets for the first time, judges the answers and names the row that one
 * of them refuses. Knows transactions and batches only by what it is told to send.
 *
 * Inserts into one table that follow each other become one statement, and so do deletes of rows
 * that are told apart by integers, unless the wire was told to be careful.
 *
 * Rows that the source's engine changed by foreign keys are changed by the target's own: its keys
 * are off but for the parent's statement (HAZARDS A14). An error ends the session, so they are
 * never left on.
 *
 * Where it is careful, the rows of tables with on_conflict = quarantine go each behind a savepoint:
 * what is refused is set aside (sinks/quarantine.h) in the same transaction. Where it is not, such
 * a refusal ends the link with a RETRY error, to be careful next time. Changes of rows that are in
 * quarantine follow them there in either case. Those of tables with on_conflict = overwrite go the
 * same way, and what conflicts is overwritten (sinks/overwrite.h).
 *
 * Owned by the sink. An error ends the link (my_link_fail); the wire sends nothing after it.
 */
#include "sinks/my_order.h"
#include "sinks/my_session.h"

struct my_wire;

struct my_wire_events {
        void (*released)(void *context, size_t bytes); /* a piece is answered and freed */
        void (*committed)(void *context);              /* the oldest commit on its way returned */
        void (*moved)(void *context); /* something was answered: there may be more to do */
        void (*warning)(void *context, const char *text);
        /* A statement of several rows was refused, so no row can be named, or a row that may go to
         * quarantine; the link ends with a RETRY error. To be careful next time names it. Or one
         * was set aside: to be careful from here on saves such an end. */
        void (*refused)(void *context);
        void (*quarantined)(void *context); /* a change of the open transaction was set aside */
        /* A row of the open transaction was overwritten; it conflicted for `why`. */
        void (*overwritten)(void *context, const struct error *why);
};

/* What the wire is to know of quarantine: which tables (`config`), and which rows; borrowed. */
struct my_wire_quarantine {
        const struct config *config;
        struct quarantine *rows;
        bool careful; /* each row by its own statement */
};

/* The session is set up and the link idle. Its epoch is proved by every transaction. */
struct my_wire *my_wire_new(struct my_link *k, const char *pipeline,
        const struct my_session_result *session, uint64_t generation,
        const struct my_wire_quarantine *quarantine, const struct my_wire_events *events,
        void *context);
struct my_wire *my_wire_free(struct my_wire *w); /* frees the pieces that it keeps */

void my_wire_careful(struct my_wire *w, bool careful); /* each row by its own statement? */
void my_wire_begin(struct my_wire *w);
/* Moves the row, proves the epoch too. */
void my_wire_checkpoint(struct my_wire *w, struct position end, const char *gtids);
void my_wire_commit(struct my_wire *w); /* only when nothing is unanswered */
void my_wire_alive(struct my_wire *w);  /* a word, so that the server does not hang up */

enum my_wire_sent { MY_WIRE_SENT, MY_WIRE_BINDING, MY_WIRE_FAILED };
/* BINDING: the table is being described, send the change again when it is (my_wire_ready). The
 * change is of `piece`, which is not kept before the wire is ready again; NULL: of an order,
 * nothing is in quarantine then. */
enum my_wire_sent my_wire_change(struct my_wire *w, const struct txn *piece, struct change *c);
/* The order in which whole transactions go best (sinks/my_order.h). False: as they are. */
bool my_wire_order(
        const struct my_wire *w, struct txn *first, const struct txn *last, struct my_order *o);
/* Every change of the piece was sent: takes it and frees it when the last is answered. */
void my_wire_keep(struct my_wire *w, struct txn *piece);

/* Not binding, no row's own answer is awaited, not failed. */
bool my_wire_ready(const struct my_wire *w);
bool my_wire_ok(const struct my_wire *w);
bool my_wire_idle(const struct my_wire *w);     /* no answer is awaited at all */
bool my_wire_answered(const struct my_wire *w); /* none of the open transaction's */
bool my_wire_full(const struct my_wire *w);     /* as much is on its way as should be */
void my_wire_flush(struct my_wire *w);
