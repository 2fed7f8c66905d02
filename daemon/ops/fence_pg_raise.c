/*
 * The fence of a PostgreSQL database (ops/fence.h): triggers first, in one transaction with the
 * notes and the REVOKE, so that it is there as a whole or not at all.
 *
 * Creating a trigger takes a lock that waits for open writers and lets readers pass: that is the
 * barrier. Tables are locked one after another, in an order that is not the application's, so a
 * transaction may wait for us while we wait for it. So an attempt waits for less time than the
 * server takes to look for deadlocks, then gives all up, and the next one begins with the table
 * that it met the application at: after some attempts the orders are the same. Only a vacuum, which
 * the server itself ends for whoever has waited long enough, is waited for longer.
 *
 * There is a function for each table. Dropping a trigger takes the table's ownership, dropping the
 * function that it calls takes that of the function, which is ours; and both wait for readers, so
 * one table at a time. That is why lowering first makes the functions let everybody pass, which
 * waits for nobody.
 */
#include "ops/fence_private.h"
#include "base/memory.h"
#include "db/pg_array.h"
#include "db/pg_meta.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_FIRST 200 /* milliseconds that the first attempt waits for locks, in all */
#define WAIT_LONGEST 700
#define WAIT_A_TABLE 2 /* beyond that, for each: creating takes time as well */
#define WAIT_VACUUM 2000
#define PAUSE FENCE_PG_PAUSE /* between attempts, for those that waited meanwhile */

static void to_front(struct fence_pg_tables *t, unsigned oid)
{
        for (unsigned i = 1; i < t->n; i++)
                if (t->oids[i] == oid) {
                        memmove(t->oids + 1, t->oids, i * sizeof *t->oids);
                        t->oids[0] = oid;
                }
}

/* ---- raising ---- */

/* One statement: what it runs is made on the server, so that locks are not held over round trips,
 * and the functions before the first lock. A failure names the table in the field for columns. */
static void triggers_sql(struct buf *out, const struct fence_request *q,
        const struct fence_pg_tables *t, unsigned wait)
{
        const char *pipeline = q->config->pipeline.name;
        AUTO_BUF body = BUF_INIT;
        AUTO_BUF refuse = BUF_INIT;

        pg_literal(&refuse, FENCE_PG_BODY);
        buf_printf(&body,
                "declare o oid; at oid; f text; began timestamptz; left_ms int; tables oid[] := ");
        fence_pg_oids(&body, t);
        buf_printf(&body,
                "; begin foreach o in array tables loop f := 'culvert.fence_%s_' || o;"
                " execute 'create or replace function ' || f || '() returns trigger language "
                "plpgsql as ' || pg_catalog.quote_literal(%s);"
                " execute 'revoke all on function ' || f || '() from public';"
                " end loop;"
                " began := pg_catalog.clock_timestamp();"
                " foreach o in array tables loop at := o; f := 'culvert.fence_%s_' || o;"
                " left_ms := %u - 1000 * extract(epoch from pg_catalog.clock_timestamp() - began);"
                " perform pg_catalog.set_config('lock_timeout', greatest(left_ms, 10)::text, true);"
                " execute pg_catalog.format('create trigger culvert_fence_%s before insert or "
                "update or delete or truncate on %%s for each statement execute procedure "
                "%%s(%%L, %%L)', o::regclass, f, '%s', session_user);"
                " end loop;"
                " exception when lock_not_available or deadlock_detected then"
                " raise exception using errcode = sqlstate, message = sqlerrm, column = at::text;"
                " end",
                pipeline, buf_text(&refuse), pipeline, wait, pipeline, pipeline);
        buf_str(out, "do ");
        pg_literal(out, buf_text(&body));
}

/*
 * Who may connect, before it is taken from all but us. Rights that were given on by grant options
 * go with them, and are noted with who gave them. Where the database is not ours to revoke, it
 * stays.
 */
#define CONNECT_BODY                                                                               \
        "declare g record; d record; begin"                                                        \
        " select x.oid, x.datname, x.datdba, coalesce(x.datacl, pg_catalog.acldefault('d', "       \
        "x.datdba)) as acl, r.oid as me, r.rolsuper into strict d from pg_catalog.pg_database x, " \
        "pg_catalog.pg_roles r where x.datname = pg_catalog.current_database() and r.rolname = "   \
        "current_user;"                                                                            \
        " if not (d.rolsuper or pg_catalog.pg_has_role(d.datdba, 'USAGE')) then return; end if;"   \
        " insert into culvert.fence (pipeline, kind, name, was) select '%s', 'connect',"           \
        " a.grantee || ' ' || a.grantor, a.is_grantable from pg_catalog.aclexplode(d.acl) a"       \
        " where a.privilege_type = 'CONNECT' and a.grantee <> d.me;"                               \
        " if not exists (select from pg_catalog.aclexplode(d.acl) a where a.grantee = d.me"        \
        "  and a.privilege_type = 'CONNECT') then"                                                 \
        "  execute pg_catalog.format('grant connect on database %%I to %%I', d.datname, "          \
        "current_user);"                                                                           \
        "  insert into culvert.fence (pipeline, kind, name, was) values ('%s', 'granted', d.me, "  \
        "'');"                                                                                     \
        " end if;"                                                                                 \
        " for g in select distinct a.grantee from pg_catalog.aclexplode(d.acl) a"                  \
        "  where a.privilege_type = 'CONNECT' and a.grantee <> d.me loop"                          \
        "  execute pg_catalog.format('revoke connect on database %%I from %%s cascade', "          \
        "d.datname, case g.grantee when 0 then 'public' else "                                     \
        "pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.grantee)) end);"                      \
        " end loop; end"

static void connect_sql(struct buf *out, const struct fence_request *q)
{
        const char *pipeline = q->config->pipeline.name;
        AUTO_STRING body = memory_printf(CONNECT_BODY, pipeline, pipeline);

        buf_str(out, "do ");
        pg_literal(out, body);
}

/* The oid of the table that an attempt could not lock; 0: something else failed. */
static unsigned blocked_at(const PGresult *r)
{
        const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
        const char *oid = PQresultErrorField(r, PG_DIAG_COLUMN_NAME);

        if (!state || !oid || (strcmp(state, "55P03") != 0 && strcmp(state, "40P01") != 0))
                return 0;
        return (unsigned)strtoul(oid, NULL, 10);
}

/* Of another REVOKE or GRANT at the same moment. */
static bool is_collision(const PGresult *r)
{
        const char *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);

        return text && strstr(text, "tuple concurrently updated") != NULL;
}

/* 0: up; 1: again, `*at` may say the table; -1. */
static int attempt(PGconn *c, const struct fence_request *q, const struct fence_pg_tables *t,
        unsigned wait, unsigned *at, struct error *e)
{
        struct error ignored = ERROR_INIT;
        AUTO_BUF sql = BUF_INIT;
        AUTO_RESULT r = NULL;
        bool again;

        buf_str(&sql, "begin isolation level read committed read write;"
                      "set local synchronous_commit = local;");
        triggers_sql(&sql, q, t, wait);
        buf_str(&sql, ";");
        connect_sql(&sql, q);
        buf_printf(&sql,
                ";insert into culvert.fence (pipeline, kind, name, was) values ('%s', 'fence', '', "
                "'up');"
                "select pg_catalog.pg_logical_emit_message(true, 'culvert', 'fence');"
                "commit",
                q->config->pipeline.name);
        r = PQexec(c, buf_text(&sql));
        if (PQresultStatus(r) == PGRES_COMMAND_OK)
                return 0;
        pg_error(e, c, r, "raising the fence");
        *at = blocked_at(r);
        again = *at || is_collision(r);
        pg_run(c, &ignored, "rollback");
        return again ? 1 : -1;
}

struct blocker {
        bool vacuum;
        char *who;
};

/* Who is in the way at a table. A vacuum's lock is weaker than ours and stronger than a writer's.
 */
static int find_blocker(PGconn *c, unsigned oid, struct blocker *b, struct error *e)
{
        char text[16];
        const char *values[] = {text};
        AUTO_RESULT r = NULL;

        *b = (struct blocker){0};
        snprintf(text, sizeof text, "%u", oid);
        r = pg_query(c, e,
                "select $1::oid::regclass, coalesce('backend ' || l.pid, 'a prepared transaction'),"
                " coalesce(a.usename, 'unknown'), coalesce(a.application_name, ''),"
                " l.mode = 'ShareUpdateExclusiveLock'"
                " from (values (1)) one(n) left join pg_catalog.pg_locks l"
                " on l.locktype = 'relation' and l.relation = $1::oid and l.granted and l.database "
                "="
                " (select oid from pg_catalog.pg_database where datname = "
                "pg_catalog.current_database()) and l.mode not in ('AccessShareLock', "
                "'RowShareLock') left join pg_catalog.pg_stat_activity a on a.pid = l.pid"
                " order by a.xact_start limit 1",
                1, values);
        if (!r)
                return -1;
        b->vacuum = pg_true(r, 0, 4);
        b->who = memory_printf("table %s is held by %s (role %s, application '%s')",
                pg_text(r, 0, 0), pg_text(r, 0, 1), pg_text(r, 0, 2), pg_text(r, 0, 3));
        return 0;
}

static unsigned longer(unsigned wait, const struct blocker *b)
{
        if (b->vacuum)
                return WAIT_VACUUM;
        return wait >= WAIT_LONGEST / 2 ? WAIT_LONGEST : wait * 2;
}

static int out_of_time(const struct fence_request *q, const struct blocker *b, struct error *e)
{
        AUTO_STRING last = memory_string(e->message);

        error_clear(e);
        return error_set(e, ERROR_RETRY,
                "the source was not fenced within %" PRId64 " s, for a transaction is still open: "
                "%s (%s)",
                (q->timeout + 999999) / 1000000, b->who ? b->who : "unknown", last);
}

/* What is left of the time, for one attempt. */
static unsigned wait_of(unsigned wait, const struct fence_pg_tables *t, int64_t deadline)
{
        int64_t left = (deadline - fence_now()) / 1000;
        unsigned wanted = wait + WAIT_A_TABLE * t->n;

        return left < 10 ? 10 : left < wanted ? (unsigned)left : wanted;
}

static int barrier(
        PGconn *c, const struct fence_request *q, struct fence_pg_tables *t, struct error *e)
{
        int64_t deadline = fence_now() + q->timeout;
        struct blocker b = {0};
        unsigned wait = WAIT_FIRST, at = 0;
        int rc;

        while ((rc = attempt(c, q, t, wait_of(wait, t, deadline), &at, e)) == 1) {
                struct error other = ERROR_INIT;

                free(b.who);
                b.who = NULL;
                if (at && find_blocker(c, at, &b, &other) < 0) {
                        *e = other;
                        rc = -1;
                        break;
                }
                to_front(t, at);
                wait = longer(wait, &b);
                if (fence_now() + PAUSE * 1000 >= deadline) {
                        rc = out_of_time(q, &b, e);
                        break;
                }
                error_clear(e);
                if ((rc = fence_pause(q, PAUSE, e)) < 0)
                        break;
        }
        free(b.who);
        return rc;
}

/* Not those that only another superuser may end, and not of those whose kind we may not see when
 * they are replication's. */
#define END_SQL                                                                                    \
        "select count(pg_catalog.pg_terminate_backend(a.pid)) from pg_catalog.pg_stat_activity a"  \
        " join pg_catalog.pg_roles r on r.oid = a.usesysid, pg_catalog.pg_roles me"                \
        " where a.datname = pg_catalog.current_database() and me.rolname = current_user"           \
        " and a.pid <> pg_catalog.pg_backend_pid()"                                                \
        " and coalesce(a.backend_type, 'client backend') = 'client backend'"                       \
        " and a.pid not in (select w.pid from pg_catalog.pg_stat_get_wal_senders() w)"             \
        " and not (r.oid = me.oid and a.application_name like '" FENCE_PG_OURS "')"                \
        " and (me.rolsuper or not r.rolsuper and (pg_catalog.pg_has_role(r.oid, 'USAGE')"          \
        "  or pg_catalog.pg_has_role('pg_signal_backend', 'USAGE')))"

static int end_sessions(PGconn *c, unsigned *ended, struct error *e)
{
        AUTO_RESULT r = pg_query(c, e, END_SQL, 0, NULL);

        if (r)
                *ended += (unsigned)atoi(pg_text(r, 0, 0));
        return r ? 0 : -1;
}

static int read_position(PGconn *c, struct position *at, struct error *e)
{
        AUTO_RESULT r = pg_query(c, e, "select pg_catalog.pg_current_wal_flush_lsn()", 0, NULL);

        return r ? position_parse(at, pg_text(r, 0, 0), e) : -1;
}

/* Behind the barrier's commit, which was flushed: a partition may have come in between. */
static int complete(
        PGconn *c, const struct fence_request *q, struct fence_result *r, struct error *e)
{
        bool holds = false;

        if (fence_pg_find_hole(c, q, &holds, e) < 0)
                return -1;
        if (!holds) {
                e->class = ERROR_RETRY;
                return -1;
        }
        return end_sessions(c, &r->sessions_ended, e) < 0 ? -1 : read_position(c, &r->at, e);
}

static int put_up(PGconn *c, const struct fence_request *q, struct error *e)
{
        struct fence_pg_tables t;
        int rc;

        if (pg_meta_bring_up(c, e) < 0)
                return -1;
        rc = fence_pg_tables(c, q, &t, e);
        if (rc == 0 && (t.n == 0 || (rc = barrier(c, q, &t, e)) == 0))
                rc = t.n ? 0 : error_set(e, ERROR_CONFIG, "there is no table to fence");
        fence_pg_tables_done(&t);
        return rc;
}

/* Up already, and without a hole: only completed. */
static int is_whole(PGconn *c, const struct fence_request *q, bool *whole, struct error *e)
{
        enum fence_pg_state s;

        *whole = false;
        if (fence_pg_state(c, q, &s, e) < 0)
                return -1;
        if (s == FENCE_PG_UP && fence_pg_find_hole(c, q, whole, e) < 0)
                return -1;
        error_clear(e);
        if (*whole || s == FENCE_PG_NONE)
                return 0;
        return fence_pg_take_down(c, q, e) == 0 ? 0 : -1;
}

/* `*whole`: it was up before, and stays so whatever happens. */
static int raise_on(PGconn *c, const struct fence_request *q, struct fence_result *r, bool *whole,
        struct error *e)
{
        if (is_whole(c, q, whole, e) < 0 || (!*whole && put_up(c, q, e) < 0))
                return -1;
        return complete(c, q, r, e);
}

/* Undone by a connection of its own: the other one may be what failed, and then nobody knows
 * whether its commit came through. */
int fence_pg_raise(const struct fence_request *q, struct fence_result *r, struct error *e)
{
        struct error undone = ERROR_INIT;
        PGconn *c = endpoint_pg(q->config, false, q->halt, e);
        bool whole = false;
        int rc;

        if (!c)
                return -1;
        rc = raise_on(c, q, r, &whole, e);
        halt_close(q->halt, &c);
        if (rc == 0 || whole || fence_pg_lower(q, &undone) >= 0)
                return rc;
        return error_context(e, "%s; the source may stay fenced", undone.message);
}
