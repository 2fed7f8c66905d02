#pragma once
/*
 * Trail: the source's state (txn->gtids) behind each transaction that is under way, so that the one
 * at a position that became durable is known when the stream has to begin there again. A ring that
 * grows with what the queue lets in; nothing is kept for sources without such a state. Loop thread
 * only.
 */
#include "model/position.h"

struct trail {
        struct trail_entry {
                struct position end;
                char *state; /* NULL: there is none */
        } * ring;
        uint64_t at, n, room;
        char *state; /* at the last durable position; NULL: there is none */
};

void trail_done(struct trail *t);
/* Begins at a position with that state. */
void trail_start(struct trail *t, const char *state);
/* The state behind a transaction, in order. */
void trail_push(struct trail *t, struct position end, const char *state);
/* Forgets what ends at or before it, but for the last state. */
void trail_durable(struct trail *t, struct position end);
/* That behind the last transaction that ends at or before `p`, which is not before what is durable;
 * until the next call; or NULL. */
const char *trail_at(const struct trail *t, struct position p);
