#pragma once
/*
 * The bytes of a segment file. Numbers are in network order.
 *
 *   header   8  "CULVSEG\n"
 *            4  format
 *            4  n
 *            n  SegmentHeader of proto/change.proto
 *            4  CRC-32C of all before
 *   frames   4  "CVFR"
 *            4  n
 *            4  bytes of the records, unpacked
 *            4  transactions that end in the frame
 *            4  flags; 1: behind the frame a transaction is open
 *            4  end: everything that ends at or before it is in the segment up to here (file)
 *            8  and the offset in it, or LSN
 *            8  bytes of the segment that were synced before this frame was written
 *            4  CRC-32C of the packed records
 *            4  CRC-32C of the frame's own offset (8 bytes) and of all before, begun with the
 *               header's: a frame is good in its place of its segment alone
 *            n  records (proto/change.proto), packed by zstd
 *
 * What was synced tells damage from an unfinished write: a bad frame is damage when a later one
 * says that it had been synced. Pure functions; any thread.
 */
#include "base/buf.h"
#include "base/error.h"
#include "model/position.h"

/* 2: changes with values that have no place on the target (message Misfit). Any from 1 on is read.
 */
#define SEGMENT_FORMAT 2
#define SEGMENT_MAGIC "CULVSEG\n"
#define SEGMENT_FIXED 16                       /* bytes of the header before its message */
#define SEGMENT_HEADER_MAX (16u * 1024 * 1024) /* bytes of that; a GTID state may be long */
#define FRAME_MAGIC "CVFR"
#define FRAME_HEAD 48
#define FRAME_MAX UINT32_C(0xc0000000) /* unpacked: a record, and a frame in front of it */
#define QUEUE_ID 37

struct segment_header {
        char queue[QUEUE_ID];
        char pipeline[64];
        char source[IDENTITY_TEXT];
        uint64_t sequence;
        struct position begin; /* the segment has what ends behind it */
        char *gtids;           /* there; or NULL */
        bool inside;           /* begins inside a transaction and goes on with it */
        char engine[16];       /* of the source; of an archive only, else "" */
};

void segment_header_done(struct segment_header *h);
/* Appends it; returns its CRC, which the frames begin with. */
uint32_t segment_header_write(struct buf *out, const struct segment_header *h);
/* How long it is, from its first SEGMENT_FIXED bytes, of which `have` are there. 0: no segment
 * file, or of a newer format. */
size_t segment_header_size(const void *bytes, size_t have, struct error *e);
int segment_header_read(
        struct segment_header *h, const void *bytes, size_t size, uint32_t *crc, struct error *e);

struct frame {
        uint32_t packed, raw, transactions, packed_crc;
        bool inside;
        struct position end;
        uint64_t synced;
};

/* `crc` is the header's, `at` the frame's place in the file. */
void frame_write(uint8_t head[FRAME_HEAD], const struct frame *f, uint32_t crc, uint64_t at);
bool frame_read(struct frame *f, const uint8_t head[FRAME_HEAD], uint32_t crc, uint64_t at);

struct frame_packer;

struct frame_packer *frame_packer_new(void);
struct frame_packer *frame_packer_free(struct frame_packer *p);
/* Replaces `to`, behind FRAME_HEAD bytes for the head; fills packed, raw and packed_crc. */
int frame_pack(struct frame_packer *p, struct frame *f, const struct buf *raw, struct buf *to,
        struct error *e);
/* Replaces `to`; takes no more memory than the frame says, and not before the bytes are there. */
int frame_unpack(struct frame_packer *p, const struct frame *f, const void *packed, struct buf *to,
        struct error *e);
