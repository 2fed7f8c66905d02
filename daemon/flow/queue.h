#pragma once
/*
 * Queue: transaction pieces between source and sink, in order. In memory while the sink keeps up.
 * When memory is full, while the target cannot be reached, and when what is here is to be
 * acknowledged to the source, what arrives goes to disk instead (spool/spool.h) and comes back from
 * there, in order and behind what memory still has, until all of it was taken; then it is memory
 * again. A transaction goes one way or the other as a whole.
 *
 *   on disk: all that ends behind `begin` and not behind `end`, while `diverted`
 *
 * Without disk nothing is read past the high mark until the low mark is reached. Loop thread only;
 * events come from the loop, never from inside a call.
 */
#include "spool/spool.h"

struct queue_setup {
        struct loop *loop;
        uint64_t memory; /* high mark, bytes */
        uint64_t disk;   /* bytes of segments; 0: memory alone */
        const char *folder, *pipeline;
};

struct queue_events {
        void (*opened)(void *context);                     /* it is known what the disk has */
        void (*more)(void *context);                       /* there may be something to pop again */
        void (*room)(void *context);                       /* queue_wants may have changed */
        void (*durable)(void *context, struct position p); /* on disk */
        /* The disk; nothing that is not durable is there any more. queue_reopen is called then. */
        void (*failed)(void *context, const struct error *e);
};

struct queue {
        struct txn *head, **tail;
        uint64_t bytes, pieces, transactions; /* in memory; transactions: whole ones */
        uint64_t high, low, disk;
        bool resting;      /* not read until there is room */
        bool disk_is_full; /* until an eighth of it is free */

        struct loop *loop;
        const struct queue_events *events;
        void *context;
        char *folder, *pipeline;
        struct spool *spool; /* NULL: none, or it has failed */
        bool opened, begun;  /* of the spool */
        struct recovered found;
        bool diverted, open;                 /* open: the transaction that arrives has not ended */
        struct txn *waiting, **waiting_tail; /* for room in the spool */
        struct position begin, end;          /* see above */
        struct position out;                 /* what ends at or before it was popped */
        char *state;                         /* of the source, at `end` */
        char *source;                        /* identity */
        bool cleared;                        /* the segments are deleted */
        int64_t disk_oldest; /* commit time of what was popped last, or pushed first; 0: not known
                              */
        struct position durable;
};

void queue_init(struct queue *q, const struct queue_setup *setup, const struct queue_events *events,
        void *context);
void queue_done(struct queue *q);
/* After `failed`: `opened` follows. */
void queue_reopen(struct queue *q);
bool queue_is_open(const struct queue *q);
bool queue_has_disk(const struct queue *q);

/* Both ends are closed: drops what is in memory. */
void queue_drop(struct queue *q);

/* ---- the side of the source ---- */

/* There is a disk, what arrives does not go there yet, and of the transaction that arrives nothing
 * was popped. */
bool queue_may_divert(struct queue *q);
struct queue_point {
        struct position at;
        const char *state; /* of the source there, or NULL */
};

/* Then: from now on to disk, with that transaction. All that ends at or before `begin` was pushed
 * before or is durable on the target; from there to `now` there was nothing. `source`: identity as
 * text. */
void queue_divert(
        struct queue *q, struct queue_point begin, struct queue_point now, const char *source);
void queue_push(struct queue *q, struct txn **piece); /* takes it and leaves NULL */
/* A position between two transactions that none has; for the disk. */
void queue_passed(struct queue *q, struct position p, const char *state);
/* The end of the transaction that is open will not come: what of it is in memory is dropped. */
void queue_drop_partial(struct queue *q);
/* The end of the transaction that was popped in part, and not whole, will not come: it is not given
 * again after a rewind. */
void queue_abandon(struct queue *q);
/* Is there room for what the source has? */
bool queue_wants(struct queue *q);

/* ---- the side of the sink ---- */

enum queue_got {
        QUEUE_NOTHING, /* `more` follows when something comes */
        QUEUE_AGAIN,   /* nothing yet; call again, with other work of the loop in between */
        QUEUE_PIECE,
        QUEUE_PASSED,   /* a position from the disk */
        QUEUE_ABANDONED /* the end of the transaction that was popped in part will not come */
};

struct queue_item {
        struct txn *piece; /* the caller's */
        bool from_disk;
        struct position passed;
        const char *state; /* there; until the next call */
};

/* An enum queue_got, or -1: the disk has failed, or what it has is damaged (DATA). */
int queue_pop(struct queue *q, struct queue_item *item, struct error *e);
void queue_unpop(struct queue *q, struct txn **piece); /* back to the front */
/* Was all popped that was pushed? */
bool queue_is_drained(const struct queue *q);
/* Drained: what arrives stays in memory again. */
void queue_leave(struct queue *q);
/* The sink begins at `p`: forgets what is in memory. True: the disk has all that follows `p` up to
 * `end`, and gives it again. False: it has to come from the source. `source`: as with
 * queue_divert; segments of another one are of no use. */
bool queue_rewind(struct queue *q, struct position p, const char *source);
/* Is everything behind `p` on disk that was pushed? */
bool queue_covers(const struct queue *q, struct position p);
/* Is the disk full, as queue_wants found it, and all taken but a transaction that has not ended?
 * When that is durable on the target, nothing more can be deleted, ever. */
bool queue_is_choked(const struct queue *q);
/* What ends at or before it is durable on the target, and not needed here (HAZARDS A4). */
void queue_applied(struct queue *q, struct position p);

uint64_t queue_disk_bytes(const struct queue *q);
uint64_t queue_transactions(const struct queue *q);
/* Commit time of the first that was not popped, or one shortly before, microseconds since 1970; 0:
 * none, or not known. */
int64_t queue_oldest(const struct queue *q);
