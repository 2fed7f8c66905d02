#pragma once
/*
 * Packets on their way from the binlog reader's thread to the loop: a bounded queue of one producer
 * and one consumer. The producer waits while it is full; the consumer never waits.
 *
 * The producer's end is told once, with why; the consumer gets it after the last packet. Owned by
 * the reader (decoders/binlog_reader.h). Which function is whose is said below.
 */
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct binlog_ring;

struct binlog_packet {
        uint8_t *data; /* free() */
        size_t len;
};

enum binlog_taken { BINLOG_NOTHING, BINLOG_PACKET, BINLOG_ENDED };
enum binlog_pushed {
        BINLOG_PUSHED,
        BINLOG_PUSHED_WAKE, /* the consumer had found nothing: it must be told */
        BINLOG_CLOSED       /* the consumer wants no more */
};

/* At most so many bytes and packets; a larger packet goes through alone. */
struct binlog_ring *binlog_ring_new(size_t bytes, unsigned packets);
struct binlog_ring *binlog_ring_free(struct binlog_ring *r);

/* Producer: copies the bytes; waits for room. */
enum binlog_pushed binlog_ring_push(struct binlog_ring *r, const void *data, size_t len);
enum binlog_pushed binlog_ring_end(struct binlog_ring *r, const struct error *why);

/* Consumer. `why` is filled by BINLOG_ENDED, from then on by every call. */
enum binlog_taken binlog_ring_take(
        struct binlog_ring *r, struct binlog_packet *p, struct error *why);
/* Consumer: what waits is dropped; a producer that waits gets BINLOG_CLOSED. */
void binlog_ring_close(struct binlog_ring *r);
