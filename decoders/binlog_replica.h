#pragma once
/*
 * What a replica says to a MySQL-family source before it is sent the binary log: its session's
 * settings, its server id, and where to begin. Blocking; on the thread of the connection.
 */
#include "db/my.h"
#include "model/position.h"

#define BINLOG_HEARTBEAT_SECONDS 5

/* How we are listed among the source's replicas: "culvert-NAME@HOST", which also tells our own
 * earlier connection from a stranger with the same id. */
struct binlog_replica {
        char host[61];
        uint32_t id;
};

/* `wanted` 0: an id derived from the name that nobody else has, not one of the first `skip`; else a
 * CONFIG error if somebody else has it. The others are not looked at where the right to see them is
 * missing (MariaDB: REPLICATION MASTER ADMIN, which nothing else here needs). */
int binlog_replica_choose(MYSQL *c, const char *name, uint32_t wanted, unsigned skip,
        struct binlog_replica *r, struct error *e);

/* Asks for the log from there on, or for what is not in `gtids` where that says so
 * (decoders/binlog_gtid.h); the connection carries packets from then on and nothing else. */
int binlog_replica_begin(MYSQL *c, const struct binlog_replica *r, const char *base,
        struct position from, const char *gtids, struct error *e);
/* Where the server really begins for `from`: between two transactions, at or before it. */
struct position binlog_replica_start(struct position from);
