#pragma once
/*
 * Following an archive (spool/archive.h) that another process may be writing: the chain of its
 * segments as far as they are whole. Only reads. Loop thread, or one thread at a time.
 *
 * Closed segments were whole when they were closed: of those the headers are read here, and damage
 * is found by whoever reads them. The newest one is looked through, frame by frame, as it grows. A
 * frame at its end that is not whole is taken to be under way, until a later one says that it had
 * been synced, or another segment follows.
 */
#include "base/error.h"
#include "spool/chain.h"
#include "spool/disk.h"

struct follow;

/* The chain is empty, and filled by follow_look. */
struct follow *follow_new(struct disk *disk, const char *folder, struct chain *chain);
struct follow *follow_free(struct follow *f); /* takes NULL, returns NULL */

/* One bounded step. 1: call again, there may be more; 0: that was all; -1: damaged or a gap
 * (ERROR_DATA, with file and offset), or the disk has failed. */
int follow_look(struct follow *f, struct error *e);
/* What ends at or before it is in the chain; none while there is no segment. */
struct position follow_end(const struct follow *f);

/* What is damaged at the end, as of the last look, and not said by a later frame to have been
 * synced: a write that is under way, or was when power was lost; or the last of what there is.
 * NULL: nothing, or the file just ends inside a frame. Borrowed. */
const struct error *follow_doubt(const struct follow *f);

/* The first position that can be read from, with the GTID state there (or NULL), which the caller
 * frees. 1; 0: there is no segment; -1. */
int follow_begin(
        struct disk *disk, const char *folder, struct position *p, char **gtids, struct error *e);
