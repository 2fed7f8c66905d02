#pragma once
/*
 * Reader of a binary log: a thread with a blocking connection, since the client library has no
 * other way to fetch one. It checks who the source is and that the position still exists, registers
 * as a replica, and puts the packets into a bounded ring. When the ring is full it does not read,
 * and the server waits.
 *
 * Belongs to the loop's thread, which calls everything here. A packet is at most 1 GiB, as the
 * server's; the client library keeps room for the largest one seen until the connection ends.
 */
#include "base/loop.h"
#include "db/my.h"
#include "decoders/binlog_ring.h"
#include "model/position.h"

struct binlog_reader;

struct binlog_reader_setup {
        const struct my_params *params; /* stays as it is while the reader lives */
        const char *name;               /* of the pipeline */
        uint32_t server_id;             /* 0: one that is free */
        unsigned skip;                  /* of those: how many turned out to be taken */
        struct source_identity identity;
        struct position from;
        const char *gtids; /* the state there; NULL: not known */
};

/* What is known once the first packet is there. */
struct binlog_begin {
        enum engine engine;
        bool lower_case; /* the server compares table names without case */
        struct position log_end;
};

/* Starts the thread. `wake` comes from the loop when there is something to take after a take found
 * nothing, and for the first time. */
struct binlog_reader *binlog_reader_new(struct loop *l, const struct binlog_reader_setup *setup,
        void (*wake)(void *context), void *context);
/* Ends the connection and the thread, and waits for that. No `wake` after it. */
struct binlog_reader *binlog_reader_free(struct binlog_reader *r);

/* The next packet: an event behind a byte for the status, which is 0. BINLOG_ENDED: why it ended.
 */
enum binlog_taken binlog_reader_take(
        struct binlog_reader *r, struct binlog_packet *p, struct error *why);
/* After the first packet. */
const struct binlog_begin *binlog_reader_begin(const struct binlog_reader *r);
/* After BINLOG_ENDED: was it because another replica came with our server id? */
bool binlog_reader_displaced(const struct binlog_reader *r);
/* Microseconds since any byte came from the network; -1: not known. */
int64_t binlog_reader_silence(struct binlog_reader *r);
