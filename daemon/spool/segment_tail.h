#pragma once
/*
 * A whole segment read through: where it ends.
 */
#include "spool/segment_file.h"

struct segment_tail {
        /* in: at the segment's begin; out: behind its last whole frame */
        struct position end;
        bool inside;
        struct position
                start; /* behind the first frame that ends behind the begin; none: none does */
        uint64_t size, transactions;
        char *gtids; /* at `end`, the caller's; of the newest and if it moved: gtids_known */
        bool gtids_known;
};

/* Does any later frame say that the place `bad` had been synced? 1: yes, so what is there is
 * damaged; 0; -1. Moves f->at. */
int segment_tail_is_witnessed(struct segment_file *f, uint64_t bad, uint64_t size, struct error *e);
/* -1: damaged. Of the newest segment an unfinished write is cut off, and the rest is on the disk.
 */
int segment_tail_read(struct segment_file *f, bool newest, struct segment_tail *t, struct error *e);
