#pragma once
/*
 * GTID state: which transactions of a topology of servers have been seen. Pure; plain data of one
 * owner, not shared between threads.
 *
 *   MariaDB   the last GTID of each domain, "0-1-55,1-2-7": domain, server id, number
 *   MySQL     a set, "UUID:1-5:7:tag:1-3,UUID:1": ranges per server and tag (tags since 8.3)
 *
 * In a checkpoint the text stands behind the position (model/position.h), whose state it is. With a
 * '~' in front it is the text alone that tells where to go on: the stream began by GTID on a server
 * whose log has our transactions in another order than they came to us, and the position is not
 * behind all of them yet.
 */
#include "base/buf.h"
#include "base/error.h"
#include "model/coltype.h"

#define GTID_TAG 32       /* characters of a tag */
#define GTID_RANGES 4096  /* more are not kept: ranges of a set, or domains */
#define GTID_BY_STATE '~' /* see above */

struct gtid {
        uint8_t uuid[16]; /* MySQL */
        char tag[GTID_TAG + 1];
        uint32_t domain, server; /* MariaDB */
        uint64_t number;
};

struct gtids;

/* DATA error: not such a text, or too many ranges. Blanks and newlines are as servers write them.
 */
struct gtids *gtids_parse(enum engine engine, const char *text, struct error *e);
struct gtids *gtids_free(struct gtids *g);
/* False: there would be too many ranges. MariaDB: takes the place of its domain's last one. */
bool gtids_add(struct gtids *g, const struct gtid *one);
/* MariaDB: is its domain there, with this number or a later one? */
bool gtids_contains(const struct gtids *g, const struct gtid *one);
void gtids_format(const struct gtids *g, struct buf *out);
/* MariaDB: adds the domains of `other` that are not there. */
bool gtids_add_domains(struct gtids *g, const struct gtids *other);
/* MariaDB: the last GTID of a domain, in their order; false: there are no more. */
bool gtids_domain(const struct gtids *g, unsigned i, struct gtid *one);
/* MySQL: as COM_BINLOG_DUMP_GTID wants it. */
void gtids_encode(const struct gtids *g, struct buf *out);

/* Does the text, which may be NULL, begin with the mark? */
bool gtids_by_state(const char *text);
/* Without the mark. */
const char *gtids_plain(const char *text);

/* The body of an event. Anything malformed fails the reader. */
struct gtid gtid_of_mysql(struct reader *in);
struct gtid gtid_of_mysql_tagged(struct reader *in);
