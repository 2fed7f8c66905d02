#pragma once
/*
 * Fence: from when it is up until it is lowered, no application writes to the migrated tables of a
 * database (HAZARDS A19, B1). It stands at the source of the configuration that it is given; the
 * pipeline of the opposite direction, whose sink writes there, passes it.
 *
 * PostgreSQL: triggers that refuse every statement that writes (SQLSTATE 25006), installed in one
 * transaction that waits for open writers; then CONNECT is revoked and sessions are ended. Sessions
 * in the replica role are not stopped by such triggers, and culvert's own (its role and application
 * name) are let through.
 *
 * MySQL family: accounts locked, events off, sessions ended when their open transaction is, no XA
 * transaction prepared; then the position is read and read_only set under FLUSH TABLES WITH READ
 * LOCK. Accounts that stay open, since somebody has to be able to help: culvert's, the server's
 * own, root (whose sessions are not ended either), and those of replicas. A restart of the server
 * lifts read_only and the events, which fence_prove notices.
 *
 * What was there before is in table culvert.fence of the fenced database before it is changed, so
 * that whoever comes after a kill -9 raises to the end or lowers exactly. One culvertd a pipeline
 * calls, one call at a time. Blocking, worker threads.
 */
#include "db/pg_check.h"
#include "model/position.h"
#include "ops/halt.h"

struct fence_table {
        const char *schema, *name;
};

/* Asks PostgreSQL about them: the query takes them as unnest($1::text[], $2::text[]), schemas and
 * names. */
PGresult *fence_tables_query(
        PGconn *c, const struct fence_table *tables, unsigned n, const char *sql, struct error *e);

/* Everything borrowed. */
struct fence_request {
        const struct config *config; /* its source is the one */
        struct halt *halt;
        const struct fence_table *tables; /* migrated ones, as the source names them */
        unsigned n;
        int64_t timeout; /* microseconds: how long open writers, or readers in the way, are waited
                            for */
};

struct fence_result {
        struct position at; /* of the log; every application's write committed before it. The log is
                               flushed up to there, so a stream gets there on an idle server, too */
        unsigned sessions_ended;
};

/* What would not hold, or hold something up, each with what mends it; touches nothing. 0, also with
 * errors among the checks; -1: something could not be asked. */
int fence_check(const struct fence_request *q, struct checks *out, struct error *e);
/* 0; or -1, and everything is as it was (or the error says what is not). What is up already, or
 * half up, is completed. */
int fence_raise(const struct fence_request *q, struct fence_result *r, struct error *e);
/* Was it raised to its end, and not lowered? */
int fence_is_up(const struct fence_request *q, bool *up, struct error *e);
/* 0: all is as it was. 1: applications write again, but something that the fence is made of could
 * not be taken away yet, and `e` says what: call again. -1: it still stands, or may. Lowers what is
 * half up or half lowered, and nothing when there is none. */
int fence_lower(const struct fence_request *q, struct error *e);
/* Does it still keep every write out? Where not (somebody lifted a part of it, or the server was
 * started again), `e` has the reason, and 0 is returned all the same. */
int fence_prove(const struct fence_request *q, bool *holds, struct error *e);
