#pragma once
/*
 * Spool: the queue on disk. Pieces go in at one end and are synced in groups by a thread, so that
 * the loop never waits for the disk; they come out at the other end in order, from the page cache
 * or the disk. It outlives the process: what was reported durable is there after any crash.
 *
 * Loop thread only. Events come from the loop, never from inside a call, and no event closes the
 * spool (a deferred task may). A piece that was pushed belongs to the spool: the thread reads it,
 * the loop's thread frees it; nobody changes the relations that it holds meanwhile.
 *
 * Life: spool_open, event `opened`, spool_begin, then anything; spool_close. After `failed` nothing
 * is reported durable any more, pushes are taken and dropped, and only spool_close is left; what
 * was durable is found by the next spool_open.
 */
#include "base/loop.h"
#include "model/txn.h"
#include "spool/disk.h"
#include "spool/recover.h"
#include "spool/segment_reader.h"

struct spool;

struct spool_setup {
        struct disk *disk;    /* NULL: the system's */
        const char *folder;   /* made with mode 0700 if it is not there */
        const char *pipeline; /* segments of another one are refused */
        const char *engine;   /* NULL: a queue. Else an archive (spool/archive.h) of that source */
        size_t frame_bytes;   /* packed together when there are so many; at most twice that and a
                                 change */
        uint64_t segment_bytes; /* a segment that has them is closed */
        uint64_t sync_bytes;    /* so many bytes that are not synced, */
        int64_t sync_delay;     /* or the oldest so old (microseconds): they are synced */
        uint64_t memory;        /* of pieces that the thread has not written */
};

struct spool_events {
        /* What was found; `found->any` false: nothing. Until it returns. */
        void (*opened)(void *context, const struct recovered *found);
        /* What ends at or before `p` outlives a power loss. */
        void (*durable)(void *context, struct position p);
        /* spool_read had nothing, and now has. */
        void (*readable)(void *context);
        /* spool_push was full, and now takes again. */
        void (*room)(void *context);
        /* Once, and nothing else after it. DISK_FULL_CODE: no space is left. */
        void (*failed)(void *context, const struct error *e);
};

struct spool *spool_open(struct loop *l, const struct spool_setup *setup,
        const struct spool_events *events, void *context);
/* What is not durable yet is lost. Waits for the thread, at most for one write and sync. */
struct spool *spool_close(struct spool *s); /* takes NULL, returns NULL */

/*
 * Where it goes on. Not fresh: at the end that was found. Fresh, and always when nothing was found:
 * all segments are deleted, and a new queue begins at `position`, with `gtids` there. Fresh may
 * come again later, at a position that is not before what was pushed, and needs a spool_seek: what
 * was not pushed in between must not look as if it were here.
 */
struct spool_begin {
        const char *source; /* identity (model/position.h) as text, for new segments */
        bool fresh;
        struct position position;
        const char *gtids; /* or NULL */
};

void spool_begin(struct spool *s, const struct spool_begin *b);
/* The queue's UUID, after spool_begin. */
const char *spool_queue(const struct spool *s);

enum spool_pushed { SPOOL_PUSHED, SPOOL_FULL };

/* Takes the piece and leaves NULL; full: not, and the event `room` follows. In commit order, from
 * the end that it went on at. A transaction may begin again from its first piece, as after a lost
 * connection. */
enum spool_pushed spool_push(struct spool *s, struct txn **piece);
/* A position that no transaction has: everything that ends at or before it was pushed. */
void spool_passed(struct spool *s, struct position p, const char *gtids);

/* From now on spool_read gives what ends behind `p`; for the first time before the first read. */
void spool_seek(struct spool *s, struct position p);
/* An enum segment_got, or -1: damaged, a gap, or the disk has failed. One bounded step: call it
 * again until SEGMENT_NOTHING, with other work of the loop in between. */
int spool_read(struct spool *s, struct segment_read *read, struct error *e);

/* The transaction that was read in part does not end: it is not given again after a seek. */
void spool_abandon(struct spool *s);

/* What ends at or before `p` is durable on the target (HAZARDS A4): segments that have nothing else
 * are deleted, but never the newest. */
void spool_forget(struct spool *s, struct position p);

uint64_t spool_disk_bytes(struct spool *s); /* of all segments; cheap, the rest is not */

struct spool_status {
        uint64_t disk_bytes;   /* of all segments */
        uint64_t memory_bytes; /* of pieces that are not written */
        uint64_t transactions; /* written and not read */
        struct position begin, written, durable;
};

void spool_status(struct spool *s, struct spool_status *status);
