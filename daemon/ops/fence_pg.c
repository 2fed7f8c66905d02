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

#define DEADLOCK_TIMEOUT 1000 /* milliseconds, the server's default */
#define WAIT_FIRST 200        /* milliseconds that the first attempt waits for locks, in all */
#define WAIT_LONGEST 700
#define WAIT_A_TABLE 2 /* beyond that, for each: creating takes time as well */
#define WAIT_VACUUM 2000
#define WAIT_DROP 200
#define PAUSE 50 /* between attempts, for those that waited meanwhile */

/* Behind `$1`, the pipeline; the name of the function is FENCE and the table's oid. */
#define FUNCTIONS_SQL                                                                              \
        "select p.oid::regprocedure from pg_catalog.pg_proc p where p.pronamespace = "             \
        "'culvert'::regnamespace and p.proname ~ ('^fence_' || $1 || '_[0-9]+$') order by 1"

#define BODY_REFUSE                                                                                \
        "begin if session_user = tg_argv[1] and pg_catalog.current_setting('application_name') "   \
        "like '" FENCE_PG_OURS "' then return null; end if;"                                       \
        " raise exception using errcode = '25006', message = pg_catalog.format('table %I.%I is "   \
        "read-only: it is moved to another server', tg_table_schema, tg_table_name), detail = "    \
        "pg_catalog.format('culvert pipeline %s has fenced database %s off.', tg_argv[0], "        \
        "pg_catalog.current_database()), hint = 'Connect to the new server, or try again "         \
        "later.'; end"
#define BODY_PASS "begin return null; end"

PGconn *fence_pg_connect(const struct fence_request *q, struct error *e)
{
        AUTO_STRING name = memory_printf("culvert %s", q->config->pipeline.name);
        struct pg_params *p = pg_params_new(&q->config->source, "source", name, false, e);
        PGconn *c = p ? halt_connect(q->halt, p, e) : NULL;

        pg_params_free(p);
        return c;
}

/* ---- tables ---- */

#define TABLES_SQL                                                                                 \
        "with recursive asked as (select u.schema, u.name, c.oid from"                             \
        " unnest($1::text[], $2::text[]) u(schema, name)"                                          \
        " left join pg_catalog.pg_namespace n on n.nspname = u.schema"                             \
        " left join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = u.name"        \
        "  and c.relkind in ('r', 'p')),"                                                          \
        " part(oid) as (select oid from asked union select i.inhrelid from part p"                 \
        "  join pg_catalog.pg_inherits i on i.inhparent = p.oid"                                   \
        "  join pg_catalog.pg_class c on c.oid = i.inhrelid and c.relispartition"                  \
        "  and c.relkind in ('r', 'p'))"                                                           \
        " select oid, null, null from part where oid is not null"                                  \
        " union all select null, schema, name from asked where oid is null"

static int missing_tables(const PGresult *r, struct error *e)
{
        struct check_names names = {0};
        int rc = 0;

        for (int i = 0; i < PQntuples(r); i++)
                if (PQgetisnull(r, i, 0))
                        check_names_add(&names, pg_text(r, i, 1), pg_text(r, i, 2));
        if (names.n)
                rc = error_set(e, ERROR_DATA, "the source has no table %s any more",
                        check_names_said(&names));
        check_names_done(&names);
        return rc;
}

int fence_pg_tables(
        PGconn *c, const struct fence_request *q, struct fence_pg_tables *t, struct error *e)
{
        AUTO_BUF schemas = BUF_INIT;
        AUTO_BUF names = BUF_INIT;
        AUTO_RESULT r = NULL;
        const char *values[2];

        *t = (struct fence_pg_tables){0};
        for (unsigned i = 0; i < q->n; i++) {
                pg_array_text(&schemas, q->tables[i].schema);
                pg_array_text(&names, q->tables[i].name);
        }
        values[0] = pg_array_close(&schemas);
        values[1] = pg_array_close(&names);
        if (!(r = pg_query(c, e, TABLES_SQL, 2, values)) || missing_tables(r, e) < 0)
                return -1;
        t->oids = memory_new(((size_t)PQntuples(r) + 1) * sizeof *t->oids);
        for (int i = 0; i < PQntuples(r); i++)
                t->oids[t->n++] = (unsigned)strtoul(pg_text(r, i, 0), NULL, 10);
        return 0;
}

void fence_pg_tables_done(struct fence_pg_tables *t)
{
        free(t->oids);
        *t = (struct fence_pg_tables){0};
}

void fence_pg_oids(struct buf *out, const struct fence_pg_tables *t)
{
        AUTO_BUF array = BUF_INIT;

        for (unsigned i = 0; i < t->n; i++)
                pg_array_number(&array, t->oids[i]);
        buf_printf(out, "'%s'::oid[]", pg_array_close(&array));
}

static void to_front(struct fence_pg_tables *t, unsigned oid)
{
        for (unsigned i = 1; i < t->n; i++)
                if (t->oids[i] == oid) {
                        memmove(t->oids + 1, t->oids, i * sizeof *t->oids);
                        t->oids[0] = oid;
                }
}

/* ---- what is there ---- */

enum state { STATE_NONE, STATE_UP, STATE_OTHER };

static int read_state(PGconn *c, const struct fence_request *q, enum state *s, struct error *e)
{
        const char *pipeline = q->config->pipeline.name;
        AUTO_RESULT there = NULL;
        AUTO_RESULT r = NULL;

        *s = STATE_NONE;
        there = pg_query(
                c, e, "select pg_catalog.to_regclass('culvert.fence') is not null", 0, NULL);
        if (!there || !pg_true(there, 0, 0))
                return there ? 0 : -1;
        r = pg_query(c, e,
                "select coalesce(max(was) filter (where kind = 'fence'), '') from culvert.fence "
                "where pipeline = $1 having count(*) > 0",
                1, &pipeline);
        if (!r)
                return -1;
        if (PQntuples(r))
                *s = !strcmp(pg_text(r, 0, 0), "up") ? STATE_UP : STATE_OTHER;
        return 0;
}

/* The first of the tables at which a write would pass; no row: none. $1 = oids, $2 = pipeline,
 * $3 = the function's body. A trigger may be disabled for all but the replica role, or gone. */
#define HOLE_SQL                                                                                   \
        "select pg_catalog.format('%I.%I', n.nspname, k.relname), t.oid is null,"                  \
        " t.tgenabled in ('O', 'A') from unnest($1::oid[]) u(oid)"                                 \
        " join pg_catalog.pg_class k on k.oid = u.oid"                                             \
        " join pg_catalog.pg_namespace n on n.oid = k.relnamespace"                                \
        " left join (pg_catalog.pg_trigger t join pg_catalog.pg_proc p on p.oid = t.tgfoid)"       \
        "  on t.tgrelid = u.oid and t.tgname = 'culvert_fence_' || $2"                             \
        " where t.oid is null or t.tgenabled not in ('O', 'A') or p.prosrc <> $3"                  \
        " or p.pronamespace <> (select oid from pg_catalog.pg_namespace where nspname = "          \
        "'culvert') or t.tgtype <> 62 or t.tgqual is not null or t.tgattr <> ''"                   \
        " order by 1 limit 1"

static int find_hole(PGconn *c, const struct fence_request *q, const struct fence_pg_tables *t,
        bool *holds, struct error *e)
{
        AUTO_BUF oids = BUF_INIT;
        AUTO_RESULT r = NULL;
        const char *values[3];

        for (unsigned i = 0; i < t->n; i++)
                pg_array_number(&oids, t->oids[i]);
        values[0] = pg_array_close(&oids);
        values[1] = q->config->pipeline.name;
        values[2] = BODY_REFUSE;
        if (!(r = pg_query(c, e, HOLE_SQL, 3, values)))
                return -1;
        *holds = PQntuples(r) == 0;
        if (!*holds)
                error_set(e, ERROR_CONFIG, "the fence does not hold: %s at table %s",
                        pg_true(r, 0, 1)   ? "there is no trigger"
                        : pg_true(r, 0, 2) ? "the trigger was altered"
                                           : "the trigger is disabled",
                        pg_text(r, 0, 0));
        return 0;
}

static int prove(PGconn *c, const struct fence_request *q, bool *holds, struct error *e)
{
        struct fence_pg_tables t;
        int rc = fence_pg_tables(c, q, &t, e);

        if (rc == 0)
                rc = find_hole(c, q, &t, holds, e);
        else if (e->class == ERROR_DATA) /* one is gone, with its rows */
                rc = error_context(e, "the fence does not hold") + 1;
        fence_pg_tables_done(&t);
        return rc;
}

/* ---- raising ---- */

/* One statement: what it runs is made on the server, so that locks are not held over round trips. A
 * failure names the table in the field for columns. */
static void triggers_sql(struct buf *out, const struct fence_request *q,
        const struct fence_pg_tables *t, unsigned wait)
{
        const char *pipeline = q->config->pipeline.name;
        AUTO_BUF body = BUF_INIT;
        AUTO_BUF refuse = BUF_INIT;

        pg_literal(&refuse, BODY_REFUSE);
        buf_printf(&body,
                "declare o oid; at oid; f text; began timestamptz := pg_catalog.clock_timestamp();"
                " left_ms int; begin foreach o in array ");
        fence_pg_oids(&body, t);
        buf_printf(&body,
                " loop at := o; f := 'culvert.fence_%s_' || o;"
                " left_ms := %u - 1000 * extract(epoch from pg_catalog.clock_timestamp() - began);"
                " perform pg_catalog.set_config('lock_timeout', greatest(left_ms, 10)::text, true);"
                " execute 'create or replace function ' || f || '() returns trigger language "
                "plpgsql as ' || pg_catalog.quote_literal(%s);"
                " execute 'revoke all on function ' || f || '() from public';"
                " execute pg_catalog.format('create trigger culvert_fence_%s before insert or "
                "update or delete or truncate on %%s for each statement execute procedure "
                "%%s(%%L, %%L)', o::regclass, f, '%s', session_user);"
                " end loop;"
                " exception when lock_not_available or deadlock_detected then"
                " raise exception using errcode = sqlstate, message = sqlerrm, column = at::text;"
                " end",
                pipeline, wait, buf_text(&refuse), pipeline, pipeline);
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

        if (prove(c, q, &holds, e) < 0)
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
        enum state s;

        *whole = false;
        if (read_state(c, q, &s, e) < 0)
                return -1;
        if (s == STATE_UP && prove(c, q, whole, e) < 0)
                return -1;
        error_clear(e);
        if (*whole || s == STATE_NONE)
                return 0;
        return fence_pg_take_down(c, q, e) == 0 ? 0 : -1;
}

static int raise_on(
        PGconn *c, const struct fence_request *q, struct fence_result *r, struct error *e)
{
        struct error undone = ERROR_INIT;
        bool whole;

        if (is_whole(c, q, &whole, e) < 0 || (!whole && put_up(c, q, e) < 0))
                return -1;
        if (complete(c, q, r, e) == 0)
                return 0;
        if (fence_pg_take_down(c, q, &undone) == 0)
                return -1;
        return error_context(e, "%s; the source stays fenced", undone.message);
}

static int pg_raise(const struct fence_request *q, struct fence_result *r, struct error *e)
{
        PGconn *c = fence_pg_connect(q, e);
        int rc = c ? raise_on(c, q, r, e) : -1;

        halt_close(q->halt, &c);
        return rc;
}

/* ---- lowering ---- */

/*
 * What the functions refused passes at once, and who could connect can again; one transaction. A
 * right that another role had given is given by that one again where we may act as it, else by the
 * owner.
 */
#define PASS_BODY                                                                                  \
        "declare f record; n record; d record; sql text; begin"                                    \
        " select x.datname, x.datdba into strict d from pg_catalog.pg_database x where x.datname " \
        "= pg_catalog.current_database();"                                                         \
        " for f in select p.proname from pg_catalog.pg_proc p where p.pronamespace = "             \
        "'culvert'::regnamespace and p.proname ~ '^fence_%s_[0-9]+$' loop"                         \
        "  execute pg_catalog.format('create or replace function culvert.%%I() returns trigger "   \
        "language plpgsql as %%L', f.proname, '" BODY_PASS "'); end loop;"                         \
        " for n in select k.kind, k.was::bool as grantable, r.rolname, g.rolname as grantor"       \
        "  from (select kind, was, pg_catalog.split_part(name, ' ', 1)::oid as grantee,"           \
        "   pg_catalog.split_part(name, ' ', 2)::oid as grantor from culvert.fence"                \
        "   where pipeline = '%s' and kind = 'connect') k"                                         \
        "  left join pg_catalog.pg_roles r on r.oid = k.grantee"                                   \
        "  left join pg_catalog.pg_roles g on g.oid = k.grantor"                                   \
        "  where r.oid is not null or k.grantee = 0 order by k.grantor <> d.datdba loop"           \
        "  sql := pg_catalog.format('grant connect on database %%I to %%s', d.datname,"            \
        "   coalesce(pg_catalog.quote_ident(n.rolname), 'public'))"                                \
        "   || case when n.grantable then ' with grant option' else '' end;"                       \
        "  if n.grantor <> pg_catalog.pg_get_userbyid(d.datdba) and"                               \
        "    pg_catalog.pg_has_role(n.grantor, 'MEMBER') then"                                     \
        "   execute pg_catalog.format('set local role %%I', n.grantor); execute sql;"              \
        "   reset role;"                                                                           \
        "  else execute sql; end if; end loop;"                                                    \
        " for n in select r.rolname from culvert.fence k join pg_catalog.pg_roles r"               \
        "  on r.oid = k.name::oid where k.pipeline = '%s' and k.kind = 'granted' loop"             \
        "  execute pg_catalog.format('revoke connect on database %%I from %%I', d.datname,"        \
        "   n.rolname); end loop;"                                                                 \
        " delete from culvert.fence where pipeline = '%s' and kind in ('connect', 'granted');"     \
        " update culvert.fence set was = 'lowering' where pipeline = '%s' and kind = 'fence'; end"

static int let_pass(PGconn *c, const struct fence_request *q, struct error *e)
{
        const char *p = q->config->pipeline.name;
        AUTO_STRING body = memory_printf(PASS_BODY, p, p, p, p, p);
        struct error ignored = ERROR_INIT;
        AUTO_BUF sql = BUF_INIT;

        buf_str(&sql, "begin isolation level read committed read write;"
                      "set local synchronous_commit = local; do ");
        pg_literal(&sql, body);
        buf_str(&sql, ";commit");
        if (pg_run(c, e, buf_text(&sql)) == 0)
                return 0;
        pg_run(c, &ignored, "rollback");
        return error_context(e, "lowering the fence");
}

/* One after the other, each by itself. How many are left, or -1. */
static int drop_functions(PGconn *c, const struct fence_request *q, struct error *e)
{
        const char *pipeline = q->config->pipeline.name;
        AUTO_RESULT r = pg_query(c, e, FUNCTIONS_SQL, 1, &pipeline);
        int left = 0;

        for (int i = 0; r && i < PQntuples(r); i++) {
                AUTO_STRING sql =
                        memory_printf("drop function if exists %s cascade", pg_text(r, i, 0));

                if (halt_check(q->halt, e) < 0)
                        return -1;
                if (pg_run(c, e, sql) == 0)
                        continue;
                if (strcmp(e->code, "55P03") != 0 && strcmp(e->code, "40P01") != 0)
                        return -1;
                left++;
        }
        return r ? left : -1;
}

/* 0; 1: `e` says which is left. */
static int drop_all(PGconn *c, const struct fence_request *q, struct error *e)
{
        int64_t deadline = fence_now() + q->timeout;
        int left;

        if (pg_runf(c, e, "set lock_timeout = %d", WAIT_DROP) < 0)
                return -1;
        while ((left = drop_functions(c, q, e)) > 0 && fence_now() < deadline) {
                error_clear(e);
                if (fence_pause(q, PAUSE, e) < 0)
                        return -1;
        }
        if (left > 0) {
                error_context(e,
                        "applications write again, but %d triggers that let them pass wait for "
                        "readers of their tables to be dropped",
                        left);
                return 1;
        }
        return left < 0 ? -1 : pg_run(c, e, "set lock_timeout = 0");
}

int fence_pg_take_down(PGconn *c, const struct fence_request *q, struct error *e)
{
        enum state s;
        int rc;

        if (read_state(c, q, &s, e) < 0)
                return -1;
        if (s == STATE_NONE)
                return 0;
        if (let_pass(c, q, e) < 0)
                return -1;
        if ((rc = drop_all(c, q, e)) != 0)
                return rc > 0 || e->class == ERROR_RETRY ? 1 : -1;
        return pg_runf(
                c, e, "delete from culvert.fence where pipeline = '%s'", q->config->pipeline.name);
}

static int pg_lower(const struct fence_request *q, struct error *e)
{
        PGconn *c = fence_pg_connect(q, e);
        int rc = c ? fence_pg_take_down(c, q, e) : -1;

        halt_close(q->halt, &c);
        return rc;
}

/* ---- questions ---- */

static int pg_is_up(const struct fence_request *q, bool *up, struct error *e)
{
        PGconn *c = fence_pg_connect(q, e);
        enum state s = STATE_NONE;
        int rc = c ? read_state(c, q, &s, e) : -1;

        *up = rc == 0 && s == STATE_UP;
        halt_close(q->halt, &c);
        return rc;
}

static int pg_prove(const struct fence_request *q, bool *holds, struct error *e)
{
        PGconn *c = fence_pg_connect(q, e);
        enum state s = STATE_NONE;
        int rc = c ? read_state(c, q, &s, e) : -1;

        if (rc == 0 && s != STATE_UP)
                error_set(e, ERROR_CONFIG, "the fence does not hold: it is not up");
        else if (rc == 0)
                rc = prove(c, q, holds, e);
        halt_close(q->halt, &c);
        return rc;
}

const struct fence_ops fence_pg_ops = {.check = fence_pg_check,
        .raise = pg_raise,
        .is_up = pg_is_up,
        .lower = pg_lower,
        .prove = pg_prove};
