#pragma once
/*
 * Chain: the segments of a queue in order, as far as they are written. The writer's thread adds to
 * it, the loop's thread reads it; any function from any thread.
 *
 * Each segment begins where the one before it ended. What ends behind its `start` can be read
 * without those before it: a segment that begins inside a transaction has its start behind the end
 * of that one, as far as the ends of frames tell, and none if that one goes on through all of it.
 */
#include "model/position.h"

struct chain;

struct chain_segment {
        uint64_t sequence;
        uint64_t bytes;             /* written, header and all */
        uint64_t transactions;      /* that end in it */
        struct position begin, end; /* what ends behind `begin` and not behind `end` */
        bool inside;                /* begins inside a transaction */
        struct position start;      /* see above; none: there is none */
};

struct chain *chain_new(void);
struct chain *chain_free(struct chain *c);

void chain_add(struct chain *c, const struct chain_segment *s);
/* More was written to the newest segment: a frame that ends there. */
void chain_grow(struct chain *c, uint64_t bytes, uint64_t transactions, struct position end);
void chain_drop_first(struct chain *c);
void chain_drop_last(struct chain *c);

bool chain_first(struct chain *c, struct chain_segment *s);
bool chain_last(struct chain *c, struct chain_segment *s);
bool chain_get(struct chain *c, uint64_t sequence, struct chain_segment *s);
/* Where reading from `p` begins: the last segment that starts at or before it. */
bool chain_find(struct chain *c, struct position p, struct chain_segment *s);

uint64_t chain_bytes(struct chain *c); /* of all segments; asked for each piece */
/* Of the segments from `sequence` on. */
void chain_count(struct chain *c, uint64_t sequence, uint64_t *bytes, uint64_t *transactions);

/* Synced up to here. */
void chain_set_durable(struct chain *c, struct position p);
struct position chain_durable(struct chain *c);
