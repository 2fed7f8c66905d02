#pragma once
/*
 * For tests of the binlog decoder: events made by hand, as MariaDB 10.11 writes them, of two
 * tables, t.a (id int, v varchar(20)) and t.b (id int). They begin at 000001:4.
 */
#include "tests/support/binlog_heard.h"

struct feed {
        struct heard h;
        struct binlog *b;
        uint64_t at;     /* end of the last event */
        uint64_t number; /* of the last GTID, 0-7-NUMBER */
        struct error e;
};

/* Little-endian. */
void feed_le(struct buf *b, uint64_t v, unsigned bytes);
/* An event with its header and checksum. `flags` 0x20: made up by the server, without a place. */
int feed_give(struct feed *f, uint8_t type, unsigned flags, const struct buf *body);
int feed_give_bytes(struct feed *f, uint8_t type, unsigned flags, const char *data, size_t len);
int feed_rotate(struct feed *f, unsigned flags, uint64_t to, const char *name);
int feed_describe(struct feed *f, const char *version, unsigned checksum);
/* A decoder that has read the beginning of the first file. */
void feed_start(struct feed *f, uint64_t piece_bytes);
/* `setup`: but for engine, begin and bytes of a piece, which are set here. */
void feed_start_with(struct feed *f, uint64_t piece_bytes, struct binlog_setup setup);
void feed_stop(struct feed *f);
int feed_gtid(struct feed *f, unsigned flags);
int feed_query_of(struct feed *f, const char *schema, const char *text);
int feed_query(struct feed *f, const char *text);
int feed_xid(struct feed *f);
/* t.a or t.b, whose id is the letter; `id_type` of the column id. */
int feed_map(struct feed *f, char table, unsigned id_type);
/* Into t.a. */
int feed_insert(struct feed *f, uint32_t id, const char *v);
/* XA PREPARE of X'6162',X'63',1. */
int feed_prepare(struct feed *f, bool one_phase);
/* What was heard since the last time. */
void feed_expect(struct feed *f, const char *text);
/* A DATA error that says `part`. */
void feed_fails(struct feed *f, int rc, const char *part);
