#pragma once
/*
 * Who a MySQL-family source is and where its binary log ends, for the stream and for the start of a
 * pipeline. Blocking; on the thread of the connection.
 */
#include "db/my.h"
#include "model/position.h"

/* The server's identity (see model/position.h) and the end of its log. A CONFIG error when it
 * writes no binary log or the right to ask is missing. */
int binlog_identity(MYSQL *c, struct source_identity *id, struct position *end, struct error *e);

/* SHOW MASTER STATUS, as this server calls it. */
const char *binlog_status_sql(enum engine engine, unsigned version);
/* Its answer. `base` (may be NULL) takes the base name of the files, at most `size` bytes with
 * NUL. */
int binlog_status_read(
        MYSQL_RES *r, char *base, size_t size, struct position *end, struct error *e);

/* One row with the server's own id, the `system` of its identity. */
const char *binlog_system_sql(enum engine engine);

/* "mysql-bin.000003". The caller frees. */
char *binlog_file_name(const char *base, uint32_t file);

/* Behind a failed question: where the server refused it for want of a right, the error becomes a
 * CONFIG one that says what to grant. Returns -1. */
int binlog_refused(MYSQL *c, struct error *e);
