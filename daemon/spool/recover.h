#pragma once
/*
 * Recovery: what a folder of segments has after whatever happened to the machine. Reads all
 * segments through, so it may take long; tests call it directly, spool.c from its thread.
 *
 * The newest segment may end in an unfinished write, which is cut off. What is left of it is
 * written again to the same place and synced: after a failed sync, what can be read need not be on
 * the disk (HAZARDS B9). Anything else that is not whole is an error with file and offset.
 */
#include "spool/chain.h"
#include "spool/disk.h"
#include "spool/segment.h"

struct recovered {
        bool any; /* else the folder has no segment, and nothing below is set */
        char queue[QUEUE_ID];
        char source[IDENTITY_TEXT]; /* of the newest segment */
        char engine[16];            /* of it, too; of an archive only */
        /* What ends behind `begin` and not behind `end` is here, whole and on the disk. A
         * transaction that has not ended is not. */
        struct position begin, end;
        char *gtids;   /* at `end`; or NULL */
        uint64_t next; /* number for the segment to come */
};

void recovered_done(struct recovered *r);

/* Makes the folder if it is not there. Fills the chain, which is empty. */
int recover(struct disk *disk, const char *folder, const char *pipeline, struct chain *chain,
        struct recovered *out, struct error *e);
/*
 * The same of an archive (spool/archive.h), whose closed segments were whole when they were closed:
 * of those only the headers are read, so it does not take long, `transactions` of the chain are
 * known of the newest alone, and damage is found when they are read. Nothing is deleted.
 */
int recover_archive(struct disk *disk, const char *folder, const char *pipeline,
        struct chain *chain, struct recovered *out, struct error *e);
/* Deletes all segments, oldest first, and empties the chain. */
int recover_clear(struct disk *disk, const char *folder, struct chain *chain, struct error *e);
