#pragma once
/*
 * The source's rows of one chunk, as digests by key: read by a thread of its own while the worker
 * compares the chunk before with the target, so that both servers and both readers are at work.
 *
 * Belongs to the worker. From verify_ahead_start to verify_ahead_wait the connection to the source
 * belongs to the thread: whoever else reads the source waits first. What was read stays until it is
 * taken.
 */
#include "ops/verify_set.h"
#include "ops/verify_table.h"

#include <pthread.h>

struct verify_ahead { /* zero, but for what the worker sets: side, table, hand */
        struct verify_side *side;
        const struct verify_table *table;
        struct verify_hand hand;

        uint32_t limit;        /* rows that are asked for */
        struct verify_set set; /* those that count */
        struct buf after; /* the key behind which they begin (verify_keep), then the last one */
        int64_t n;        /* rows that there were */

        bool begun; /* a chunk is being read, or has been */
        bool running;
        pthread_t thread;
        int rc;
        struct error error;
};

/* Begins to read the rows behind `after`; empty: the first ones. */
void verify_ahead_start(struct verify_ahead *a, const struct buf *after, uint32_t limit);
/* Returns when nothing is being read. */
void verify_ahead_wait(struct verify_ahead *a);
/* What was begun is there: its rows are in `set`, `after` and `n` until the next start. */
int verify_ahead_take(struct verify_ahead *a, struct error *e);
/* Forgets what was begun. */
void verify_ahead_drop(struct verify_ahead *a);
void verify_ahead_done(struct verify_ahead *a);
