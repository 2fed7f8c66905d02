#pragma once
/*
 * Queue: transaction pieces between source and sink, in order, bounded in bytes. In memory only;
 * past the high mark the source is not read until the low mark is reached. Loop thread only.
 */
#include "model/txn.h"

struct queue {
        struct txn *head, **tail;
        uint64_t bytes, pieces, transactions; /* transactions: whole ones */
        uint64_t high, low;
};

void queue_init(struct queue *q, uint64_t memory);
void queue_done(struct queue *q);
void queue_push(struct queue *q, struct txn **piece);  /* takes it and leaves NULL */
struct txn *queue_pop(struct queue *q);                /* NULL: empty */
void queue_unpop(struct queue *q, struct txn **piece); /* back to the front */
/* Drops the pieces of a transaction at the tail whose end has not arrived. */
void queue_drop_partial(struct queue *q);
bool queue_is_high(const struct queue *q);
bool queue_is_low(const struct queue *q);
