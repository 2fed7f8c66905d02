#pragma once
/*
 * What a repair wants of the stream: to know which of its rows the stream has touched, and that it
 * stands for a moment.
 *
 * The loop's thread shows it what the sink is about to take, and answers; everything else is the
 * job's thread. Everything goes through its lock.
 */
#include "ops/halt.h"
#include "ops/verify_table.h"

#include <pthread.h>

struct loop;

struct repair_stream {
        struct loop *loop;
        void (*stand)(void *context); /* on the loop; answered by repair_stream_stood */
        void (*go)(void *context);
        void *context;
        pthread_mutex_t lock;
        pthread_cond_t told;
        bool asked, answered, standing;
        struct error why; /* it may not stand */

        const struct verify_table *table; /* of the rows that are watched; NULL: none are */
        struct verify_hand hand;
        const uint64_t *hashes; /* of each, sorted; borrowed */
        bool *touched, all;     /* of each; all: it cannot be told which */
        unsigned n;
};

void repair_stream_init(struct repair_stream *s, struct loop *l, void (*stand)(void *context),
        void (*go)(void *context), void *context);
void repair_stream_done(struct repair_stream *s);

/* A row is known by the first half of the digest of its key, or of all of it in a table without
 * one. From now on; the tables before are forgotten. */
void repair_stream_watch(
        struct repair_stream *s, const struct verify_table *t, const uint64_t *hashes, unsigned n);
void repair_stream_unwatch(struct repair_stream *s);
bool repair_stream_touched(struct repair_stream *s, uint64_t hash);

/* Returns when the stream stands: the target has what the sink was shown by now, as far as it was
 * committed, and will get no more until repair_stream_go. */
int repair_stream_stand(struct repair_stream *s, const struct halt *h, struct error *e);
void repair_stream_go(struct repair_stream *s);

/* On the loop. `why` NULL: it stands. */
void repair_stream_stood(struct repair_stream *s, const struct error *why);
void repair_stream_see(struct repair_stream *s, const struct txn *piece);
