#include "flow/queue.h"

void queue_init(struct queue *q, uint64_t memory)
{
        *q = (struct queue){.high = memory, .low = memory / 2};
        q->tail = &q->head;
}

void queue_done(struct queue *q)
{
        struct txn *t;

        while ((t = queue_pop(q)))
                txn_free(t);
}

static void account(struct queue *q, const struct txn *t, int sign)
{
        q->bytes += (uint64_t)sign * txn_bytes(t);
        q->pieces += (uint64_t)sign;
        q->transactions += t->last ? (uint64_t)sign : 0;
}

void queue_push(struct queue *q, struct txn **piece)
{
        struct txn *t = *piece;

        *piece = NULL;
        t->next = NULL;
        *q->tail = t;
        q->tail = &t->next;
        account(q, t, 1);
}

struct txn *queue_pop(struct queue *q)
{
        struct txn *t = q->head;

        if (!t)
                return NULL;
        q->head = t->next;
        if (!q->head)
                q->tail = &q->head;
        t->next = NULL;
        account(q, t, -1);
        return t;
}

void queue_unpop(struct queue *q, struct txn **piece)
{
        struct txn *t = *piece;

        *piece = NULL;
        t->next = q->head;
        q->head = t;
        if (!t->next)
                q->tail = &t->next;
        account(q, t, 1);
}

void queue_drop_partial(struct queue *q)
{
        struct txn **keep = &q->head; /* behind the last whole transaction */
        struct txn *t;

        for (t = q->head; t; t = t->next)
                if (t->last)
                        keep = &t->next;
        t = *keep;
        *keep = NULL;
        q->tail = keep;
        while (t) {
                struct txn *next = t->next;

                account(q, t, -1);
                txn_free(t);
                t = next;
        }
}

bool queue_is_high(const struct queue *q)
{
        return q->bytes >= q->high;
}

bool queue_is_low(const struct queue *q)
{
        return q->bytes <= q->low;
}
