#pragma once
/* Parts of the fence. */
#include "ops/endpoint.h"
#include "ops/fence.h"

/* By kind of database, as in ops/fence.h. */
struct fence_ops {
        int (*check)(const struct fence_request *q, struct checks *out, struct error *e);
        int (*raise)(const struct fence_request *q, struct fence_result *r, struct error *e);
        int (*is_up)(const struct fence_request *q, bool *up, struct error *e);
        int (*lower)(const struct fence_request *q, struct error *e);
        int (*prove)(const struct fence_request *q, bool *holds, struct error *e);
};
extern const struct fence_ops fence_pg_ops, fence_my_ops;

int64_t fence_now(void); /* microseconds of a clock that only goes forward */
/* Sleeps, and looks whether it is to stop. */
int fence_pause(const struct fence_request *q, unsigned milliseconds, struct error *e);

/* ---- PostgreSQL ---- */

/* Whose sessions culvert's are: of the role that we are, with such an application name. */
#define FENCE_PG_OURS "culvert%"

/* What the triggers run; its arguments are the pipeline and our role. */
#define FENCE_PG_BODY                                                                              \
        "begin if session_user = tg_argv[1] and pg_catalog.current_setting('application_name') "   \
        "like '" FENCE_PG_OURS "' then return null; end if;"                                       \
        " raise exception using errcode = '25006', message = pg_catalog.format('table %I.%I is "   \
        "read-only: it is moved to another server', tg_table_schema, tg_table_name), detail = "    \
        "pg_catalog.format('culvert pipeline %s has fenced database %s off.', tg_argv[0], "        \
        "pg_catalog.current_database()), hint = 'Connect to the new server, or try again "         \
        "later.'; end"
#define FENCE_PG_PAUSE 50 /* milliseconds between attempts */

enum fence_pg_state { FENCE_PG_NONE, FENCE_PG_UP, FENCE_PG_OTHER };

/* The migrated tables and all their partitions, by oid. */
struct fence_pg_tables {
        unsigned *oids;
        unsigned n;
};

/* A DATA error names those that are not there. */
int fence_pg_tables(
        PGconn *c, const struct fence_request *q, struct fence_pg_tables *t, struct error *e);
void fence_pg_tables_done(struct fence_pg_tables *t);
int fence_pg_state(
        PGconn *c, const struct fence_request *q, enum fence_pg_state *s, struct error *e);
/* As fence_prove, whatever the state. */
int fence_pg_find_hole(PGconn *c, const struct fence_request *q, bool *holds, struct error *e);
int fence_pg_raise(const struct fence_request *q, struct fence_result *r, struct error *e);
int fence_pg_lower(const struct fence_request *q, struct error *e);
/* Brings it down within the timeout; as fence_lower. */
int fence_pg_take_down(PGconn *c, const struct fence_request *q, struct error *e);
int fence_pg_check(const struct fence_request *q, struct checks *out, struct error *e);
/* Appends "{1,2}"::oid[] and the like. */
void fence_pg_oids(struct buf *out, const struct fence_pg_tables *t);

/* ---- MySQL family ---- */

/* Connection and what is known of it; my_done closes. */
struct fence_my {
        const struct fence_request *q;
        struct my_params *params;
        MYSQL *conn;
        char *user, *host; /* of our sessions, as SHOW PROCESSLIST has them */
};

int fence_my_open(struct fence_my *m, const struct fence_request *q, struct error *e);
void fence_my_done(struct fence_my *m);
int fence_my_check(const struct fence_request *q, struct checks *out, struct error *e);

/* Accounts by which applications could connect: not culvert's, the server's, root's or a replica's,
 * no role, and none that is locked. */
struct fence_accounts {
        struct fence_account {
                char *name;  /* 'user'@'host', quoted as SQL has it */
                bool strong; /* read_only does not stop it */
                bool system; /* only who has SYSTEM_USER may lock it */
        } * items;
        unsigned n;
};
int fence_accounts_read(struct fence_my *m, struct fence_accounts *a, struct error *e);
void fence_accounts_done(struct fence_accounts *a);
/* `what`: lock or unlock. Those that are not there any more are passed over. */
int fence_accounts_alter(
        struct fence_my *m, const struct fence_accounts *a, const char *what, struct error *e);

/* Sessions that are neither ours nor the server's. */
struct fence_session {
        uint64_t id;
        char *user, *host;
        bool killed;   /* on its way out */
        bool connects; /* not logged in yet */
        bool stays;    /* of an account that stays open */
};
struct fence_sessions {
        struct fence_session *items;
        unsigned n;
        bool replicates; /* the server applies another's log */
};
int fence_sessions_read(struct fence_my *m, struct fence_sessions *s, struct error *e);
void fence_sessions_done(struct fence_sessions *s);
/* Ends all, those with rows that are not committed when their transaction is over. */
int fence_sessions_end(struct fence_my *m, int64_t deadline, unsigned *ended, struct error *e);

/* XA transactions that are prepared: a CONFIG error that names one. */
int fence_my_prepared(struct fence_my *m, struct error *e);
