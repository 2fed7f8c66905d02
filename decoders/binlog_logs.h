#pragma once
/*
 * The binlog files that a source keeps, from SHOW BINARY LOGS: does a position still exist, and how
 * much lies behind it? Plain data.
 */
#include "model/position.h"

#include <mysql.h>

struct binlog_logs {
        struct binlog_log {
                uint32_t file;
                uint64_t size;
        } * log; /* by number */
        unsigned n;
};

/* Takes the rows with this base name. */
void binlog_logs_read(struct binlog_logs *logs, MYSQL_RES *r, const char *base);
void binlog_logs_add(struct binlog_logs *logs, uint32_t file, uint64_t size);
void binlog_logs_done(struct binlog_logs *logs);

/* Can the stream begin there? If not, a DATA error "resync required: ..." naming what is missing.
 */
int binlog_logs_check(
        const struct binlog_logs *logs, const char *base, struct position from, struct error *e);
/* Bytes from this position to the end; the whole of what is there if it is older. */
int64_t binlog_logs_held(const struct binlog_logs *logs, struct position from);
