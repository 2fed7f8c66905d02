#pragma once
/*
 * Endpoint: one database over a blocking connection, whatever its engine, for what is said in one
 * short statement: the journal, cutover's steps. Belongs to its thread.
 */
#include "ops/halt.h"

struct endpoint {
        struct halt *halt;
        const char *what; /* "source", "target": for errors */
        bool is_my;
        PGconn *pg;
        MYSQL *my;
};

/* A connection alone to the source or the target of `c`, which is of that engine; closed as all of
 * the halt's. NULL: error. */
PGconn *endpoint_pg(const struct config *c, bool target, struct halt *h, struct error *e);
MYSQL *endpoint_my(const struct config *c, bool target, struct halt *h, struct error *e);

/* The source or the target of `c`. Closed by endpoint_close, also after a failure. */
int endpoint_open(
        struct endpoint *p, const struct config *c, bool target, struct halt *h, struct error *e);
void endpoint_close(struct endpoint *p);

int endpoint_run(struct endpoint *p, const char *sql, struct error *e); /* may be several */
/* The first row; 1: there is one, 0: none, -1. Each of `n` fields is the caller's to free; NULL
 * stays NULL. */
int endpoint_row(struct endpoint *p, const char *sql, char **fields, unsigned n, struct error *e);
void endpoint_literal(const struct endpoint *p, struct buf *sql, const char *text);
void endpoint_name(const struct endpoint *p, struct buf *sql, const char *name);
/* The error says that table, schema or database is not there, or not ours to see. */
bool endpoint_is_missing(const struct endpoint *p, const struct error *e);
