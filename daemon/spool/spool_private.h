#pragma once
/*
 * Inside the spool: what its two threads share. spool.c is the loop's side, spool_thread.c the
 * thread's.
 */
#include "spool/segment_writer.h"
#include "spool/spool.h"

#include <pthread.h>
#include <stdatomic.h>

enum spool_work { SPOOL_BEGIN, SPOOL_PIECE, SPOOL_PASSED, SPOOL_FORGET };

struct spool_item {
        struct spool_item *next;
        enum spool_work work;
        struct txn *piece; /* the loop's side frees it */
        size_t bytes;
        struct position position;
        char *text; /* GTIDs */
        char *source;
        bool fresh;
};

struct spool {
        struct loop *loop;
        struct disk *disk;
        char *folder, *pipeline, *engine;
        size_t frame_bytes;
        uint64_t segment_bytes, sync_bytes, memory;
        int64_t sync_delay;
        struct chain *chain;
        pthread_t thread;

        pthread_mutex_t lock; /* for what follows */
        pthread_cond_t work;
        struct spool_item *given, **given_tail;
        struct spool_item *done, **done_tail;
        bool told;        /* the loop's side will look */
        atomic_bool stop; /* set with the lock */
        bool opened;      /* `found` is the loop's now */
        bool begun;
        struct error failed;

        struct recovered found; /* the thread's until it is opened */
        char queue[QUEUE_ID];   /* the thread's until it is begun */

        /* the thread's */
        struct segment_writer *writer;
        int64_t deadline; /* of the next sync, as base/loop.h has the time; 0: none */

        /* the loop's */
        const struct spool_events *events;
        void *context;
        bool running;
        bool opened_told, failed_told, full, waiting, reading;
        uint64_t bytes; /* of pieces that are not freed */
        struct position durable, from;
        bool seek;
        struct segment_reader *reader;
        uint64_t seen_sequence, seen_bytes; /* of the newest segment when a read had nothing */
};

void *spool_thread(void *spool);
/* On the loop, when the thread has something to tell. */
void spool_wake(void *spool);
