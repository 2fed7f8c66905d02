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
        /* A statement of several rows was refused, so no row can be named; the link ends with a
         * RETRY error. To be careful next time names it. */
        void (*refused)(void *context);
};

/* The session is set up and the link idle. Its epoch is proved by every transaction. */
struct my_wire *my_wire_new(struct my_link *k, const char *pipeline,
        const struct my_session_result *session, uint64_t generation, bool careful,
        const struct my_wire_events *events, void *context);
struct my_wire *my_wire_free(struct my_wire *w); /* frees the pieces that it keeps */

void my_wire_careful(struct my_wire *w, bool careful); /* each row by its own statement? */
void my_wire_begin(struct my_wire *w);
/* Moves the row, proves the epoch too. */
void my_wire_checkpoint(struct my_wire *w, struct position end, const char *gtids);
void my_wire_commit(struct my_wire *w); /* only when nothing is unanswered */
void my_wire_alive(struct my_wire *w);  /* a word, so that the server does not hang up */

enum my_wire_sent { MY_WIRE_SENT, MY_WIRE_BINDING, MY_WIRE_FAILED };
/* BINDING: the table is being described, send the change again when it is (my_wire_ready). */
enum my_wire_sent my_wire_change(struct my_wire *w, struct change *c);
/* The order in which whole transactions go best (sinks/my_order.h). False: as they are. */
bool my_wire_order(
        const struct my_wire *w, struct txn *first, const struct txn *last, struct my_order *o);
/* Every change of the piece was sent: takes it and frees it when the last is answered. */
void my_wire_keep(struct my_wire *w, struct txn *piece);

bool my_wire_ready(const struct my_wire *w); /* not binding, not failed */
bool my_wire_ok(const struct my_wire *w);
bool my_wire_idle(const struct my_wire *w);     /* no answer is awaited at all */
bool my_wire_answered(const struct my_wire *w); /* none of the open transaction's */
bool my_wire_full(const struct my_wire *w);     /* as much is on its way as should be */
void my_wire_flush(struct my_wire *w);
