#pragma once
/*
 * Set-up of a PostgreSQL apply connection, step by step on the loop: refuses targets that cannot
 * keep the promises, takes the lock, switches keys and triggers off, raises the epoch and reads the
 * position in one statement (HAZARDS A6), reads which rows are in quarantine, and makes commits
 * asynchronous.
 *
 * Owned by the sink; `done` comes once from the loop unless the session is freed before.
 */
#include "db/pg_link.h"
#include "sinks/quarantine.h"
#include "sinks/sink.h"

struct pg_session;

struct pg_session_backend { /* a former connection of ours, to be ended if it still lives */
        int pid;
        char started[64];
};

struct pg_session_result {
        struct sink_start start;
        struct pg_session_backend backend; /* this connection's */
        char version[32];
        uint64_t turn;     /* of the checkpoint row */
        bool replica_role; /* session_replication_role = replica was allowed */
        bool origin; /* the position is kept in a replication origin, set up in this session */
};

typedef void pg_session_done(
        void *context, const struct pg_session_result *r, const struct error *e);

struct pg_session *pg_session_new(struct pg_link *k, const char *pipeline,
        const struct pg_session_backend *former, struct quarantine *quarantine,
        pg_session_done *done, void *context);
struct pg_session *pg_session_free(struct pg_session *s);
