#pragma once
/*
 * Reader of a queue: its pieces in order from a position on, over all its segments, up to what is
 * written; it need not be synced. Each call does a bounded piece of work: reads one frame, or takes
 * one piece out of it. Loop thread only.
 */
#include "model/txn.h"
#include "spool/chain.h"
#include "spool/disk.h"

struct segment_reader;

struct segment_reader *segment_reader_new(
        struct disk *disk, const char *folder, struct chain *chain);
struct segment_reader *segment_reader_free(struct segment_reader *r);

/* From now on what ends behind `p`. -1: the queue begins behind it (ERROR_DATA). */
int segment_reader_seek(struct segment_reader *r, struct position p, struct error *e);

enum segment_got {
        SEGMENT_NOTHING, /* all that is written was read */
        SEGMENT_WORKED,  /* nothing yet; call again */
        SEGMENT_PIECE,
        SEGMENT_PASSED,
        /* The end of the transaction whose pieces were given will not come; they are not given
         * again after a seek. */
        SEGMENT_ABANDONED
};

struct segment_read {
        struct txn *piece; /* SEGMENT_PIECE: the caller's */
        /* SEGMENT_PASSED, and SEGMENT_ABANDONED unless it is none: what ends at or before it was
         * given */
        struct position passed;
        const char *gtids; /* there, until the next call; or NULL */
};

/* One of the above; -1: damaged or a gap (ERROR_DATA, file and offset), or the disk has failed. */
int segment_reader_next(struct segment_reader *r, struct segment_read *read, struct error *e);

/* The same for the transaction that is open now, said by the caller: nothing else of it will come.
 */
void segment_reader_abandon(struct segment_reader *r);

/* Transactions that are written and were not read. */
void segment_reader_left(struct segment_reader *r, uint64_t *transactions);
