#pragma once
/*
 * Position: a place in a source's log. PostgreSQL: an LSN, written as the server writes it,
 * "16/B374D848". MySQL family: number of the binlog file and offset in it, "000003:4711"; files
 * compare as numbers (EDGE-CASES 13), and one server's binlog is in one order whether or not it has
 * GTIDs. Positions of different servers are never compared: the source's identity
 * (struct source_identity) is checked before any position is used. Plain data.
 */
#include "base/buf.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct position {
        uint64_t lsn;  /* or offset in the file; 0: none */
        uint32_t file; /* of a binlog; 0: PostgreSQL */
};

/* Before all others of a server: the stream begins by GTID. No event is there. */
#define POSITION_BY_GTID ((struct position){.file = 1, .lsn = 1})

#define POSITION_NONE ((struct position){0})
#define POSITION_TEXT 64

bool position_is_none(struct position p);
int position_compare(struct position a, struct position b); /* <0, 0, >0 */
/* Bytes from `from` to the later `to`; at least so many where files lie between; 0 when it is not
 * later. */
uint64_t position_distance(struct position from, struct position to);
struct position position_max(struct position a, struct position b);
/* Writes at most POSITION_TEXT bytes into `text` and returns it; none is "". */
const char *position_format(struct position p, char *text);
/* A binlog's may have a blank and GTIDs behind it. */
int position_parse(struct position *p, const char *text, struct error *e);
/* As a checkpoint has it: with the GTID state of that position (decoders/binlog_gtid.h), if `gtids`
 * is neither NULL nor "". */
void position_write(struct buf *out, struct position p, const char *gtids);
/* What of it is behind the blank; NULL: nothing. */
const char *position_gtids(const char *text);

/*
 * Which log positions belong to. Stored beside the checkpoint; a source that differs is refused.
 * Text form: "SYSTEM/TIMELINE/SLOT". PostgreSQL: the system identifier of IDENTIFY_SYSTEM, the
 * timeline, the slot. MySQL family: the server's UUID (where MariaDB has none: its server id), 0,
 * the base name of its binlog files.
 */
struct source_identity {
        char system[40];
        uint32_t timeline;
        char slot[256];
};

#define IDENTITY_TEXT 320
const char *identity_format(const struct source_identity *id, char *text);
int identity_parse(struct source_identity *id, const char *text, struct error *e);
/* 0 when the stored identity is this one; else a DATA error "resync required: ..." naming both. */
int identity_check(
        const struct source_identity *stored, const struct source_identity *now, struct error *e);
/* Code of a stream's error: the source is another server than the stream began with. */
#define IDENTITY_OTHER_CODE "CV004"
