#pragma once
/*
 * A segment file that is read: its header, then frame after frame. Errors name the file and the
 * offset. One thread at a time.
 */
#include "spool/disk.h"
#include "spool/segment.h"

struct segment_file {
        struct disk *disk;
        char *path;
        int fd;
        struct segment_header header;
        uint32_t crc;       /* of the header */
        uint64_t first, at; /* the first frame; the next one */
        struct buf packed;  /* of the frame read last, with its head */
        uint64_t at_last;   /* that one */
        bool ended;         /* SEGMENT_BAD: since the file ends inside the frame */
};

/* "FOLDER/NUMBER.segment"; the caller frees. */
char *segment_path(const char *folder, uint64_t sequence);
/* The number of such a name; 0: it is none. */
uint64_t segment_sequence(const char *name);

int segment_file_open(struct segment_file *f, struct disk *disk, const char *path, struct error *e);
void segment_file_done(struct segment_file *f); /* takes a zeroed one */

enum segment_next { SEGMENT_END, SEGMENT_FRAME, SEGMENT_BAD };

/* The frame at `f->at` of a file that is written up to `size`, and moves on. SEGMENT_BAD: there is
 * none whole, and `e` says so; -1: the disk has failed. */
int segment_file_next(struct segment_file *f, uint64_t size, struct frame *frame, struct error *e);
/* The packed records of the frame that was read last. */
const void *segment_file_packed(const struct segment_file *f);
/* "FILE, frame at N: " in front of the error; -1. */
int segment_file_context(const struct segment_file *f, struct error *e);
/* -1: the disk has failed. */
int64_t segment_file_size(struct segment_file *f, struct error *e);
