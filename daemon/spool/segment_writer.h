#pragma once
/*
 * Writer of a queue's segments: pieces into frames, frames into files, synced in groups. It has no
 * thread and no clock of its own: spool.c calls it from a thread, tests call it directly. It reads
 * the pieces and keeps nothing of them.
 *
 * When anything fails, the writer has failed for good: the segment is bad from there on, each later
 * call gives the same error, and what was durable before is all that ever will be (HAZARDS B9).
 */
#include "model/txn.h"
#include "spool/chain.h"
#include "spool/disk.h"
#include "spool/segment.h"

struct segment_writer;

struct segment_setup {
        struct disk *disk;
        const char *folder; /* exists */
        struct chain *chain;
        char queue[QUEUE_ID];
        const char *pipeline, *source;
        const char *engine; /* of an archive's source; else NULL */
        size_t frame_bytes; /* a frame that has them is written; at most twice that and a change */
        uint64_t segment_bytes; /* a segment that has them is closed */
};

/* Goes on with segment `sequence`, which is made when something is to be written. The setup's texts
 * are copied. */
struct segment_writer *segment_writer_new(const struct segment_setup *setup, uint64_t sequence,
        struct position begin, const char *gtids);
/* Closes the file as it is. */
struct segment_writer *segment_writer_free(struct segment_writer *w);

/* -1: failed; or positions went back, ERROR_BUG. */
int segment_writer_piece(struct segment_writer *w, const struct txn *t, struct error *e);
/* A position that no transaction has. Written with what comes next, or by a flush. */
int segment_writer_passed(
        struct segment_writer *w, struct position p, const char *gtids, struct error *e);
/* Writes the frame that is begun, so that a reader finds it. */
int segment_writer_flush(struct segment_writer *w, struct error *e);
/* The same, and syncs: chain_durable is all that was given. */
int segment_writer_sync(struct segment_writer *w, struct error *e);
/* Bytes that were given and not synced, as far as they are known: those of frames not written are
 * not packed yet. 0: nothing to sync. */
uint64_t segment_writer_unsynced(const struct segment_writer *w);

/* The number of the segment that comes after all that it has written. */
uint64_t segment_writer_next(const struct segment_writer *w);

/* Deletes the segments that reading from `p` on does not need. The newest always stays. */
int segment_writer_forget(struct segment_writer *w, struct position p, struct error *e);
