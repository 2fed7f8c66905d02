/*
 * Would the fence of a PostgreSQL database hold? What keeps it from being raised is an error; who
 * could get past it, or keep the barrier waiting, a warning where the triggers alone still refuse
 * what he writes.
 */
#include "ops/fence_private.h"
#include "base/memory.h"
#include "db/pg_array.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LONG_SECONDS 5 /* a transaction that is open for longer */

struct look {
        PGconn *conn;
        const struct fence_request *q;
        struct fence_pg_tables tables;
        struct checks *out;
        struct error *e;
        char *role;     /* ours, quoted */
        bool superuser; /* we are */
        bool signals;   /* we may end sessions */
        bool owns;      /* we may revoke CONNECT */
        bool sees;      /* we see what others' sessions do */
};

static PGresult *ask(struct look *l, const char *sql, int n, const char *const *values)
{
        return pg_query(l->conn, l->e, sql, n, values);
}

/* `grant`: the statement up to the role. */
static void check_lacks(
        struct look *l, bool has, enum check_level level, const char *grant, const char *what)
{
        AUTO_STRING mend = memory_printf("%s to %s", grant, l->role);

        if (!has)
                checks_add(l->out, level, mend, "fence: role %s %s", l->role, what);
}

#define ROLE_SQL                                                                                   \
        "select pg_catalog.quote_ident(r.rolname), r.rolsuper,"                                    \
        " pg_catalog.pg_has_role('pg_signal_backend', 'USAGE'),"                                   \
        " pg_catalog.pg_has_role(d.datdba, 'USAGE'),"                                              \
        " pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE'),"                                   \
        " case when n.oid is null then pg_catalog.has_database_privilege(d.oid, 'CREATE')"         \
        "  else pg_catalog.has_schema_privilege(n.oid, 'CREATE') end,"                             \
        " pg_catalog.quote_ident(d.datname), pg_catalog.pg_is_in_recovery(),"                      \
        " coalesce((select l.lanpltrusted and pg_catalog.has_language_privilege(l.oid, 'USAGE')"   \
        "  from pg_catalog.pg_language l where l.lanname = 'plpgsql'), false),"                    \
        " pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(d.datdba))"                            \
        " from pg_catalog.pg_roles r, pg_catalog.pg_database d"                                    \
        " left join pg_catalog.pg_namespace n on n.nspname = 'culvert'"                            \
        " where r.rolname = current_user and d.datname = pg_catalog.current_database()"

static void say_role(struct look *l, const PGresult *r)
{
        AUTO_STRING create = memory_printf("grant create on database %s", pg_text(r, 0, 6));
        AUTO_STRING own = memory_printf("grant %s", pg_text(r, 0, 9));

        if (pg_true(r, 0, 7))
                checks_add(l->out, CHECK_ERROR, NULL, "fence: the server is a standby");
        if (!pg_true(r, 0, 8))
                checks_add(l->out, CHECK_ERROR, "create extension plpgsql",
                        "fence: language plpgsql is not there for role %s", l->role);
        check_lacks(l, pg_true(r, 0, 5), CHECK_ERROR, create,
                "may not create schema culvert and what belongs into it");
        check_lacks(l, l->signals, CHECK_WARNING, "grant pg_signal_backend",
                "may not end sessions: those that are open stay, and only the triggers stop them");
        check_lacks(l, l->sees, CHECK_WARNING, "grant pg_read_all_stats",
                "does not see since when others' transactions are open");
        check_lacks(l, l->owns, CHECK_WARNING, own,
                "may not revoke CONNECT, which takes the database's owner: applications can "
                "connect, and only the triggers stop them");
}

static int check_role(struct look *l)
{
        AUTO_RESULT r = ask(l, ROLE_SQL, 0, NULL);

        if (!r)
                return -1;
        l->role = memory_string(pg_text(r, 0, 0));
        l->superuser = pg_true(r, 0, 1);
        l->signals = l->superuser || pg_true(r, 0, 2);
        l->owns = l->superuser || pg_true(r, 0, 3);
        l->sees = l->superuser || pg_true(r, 0, 4);
        say_role(l, r);
        return 0;
}

#define RIGHTS_SQL                                                                                 \
        "select n.nspname, c.relname from unnest($1::oid[]) u(oid)"                                \
        " join pg_catalog.pg_class c on c.oid = u.oid"                                             \
        " join pg_catalog.pg_namespace n on n.oid = c.relnamespace"                                \
        " where not (pg_catalog.has_table_privilege(c.oid, 'TRIGGER')"                             \
        "  and pg_catalog.has_schema_privilege(n.oid, 'USAGE')) order by 1, 2"

static const char *oids_of(struct look *l, struct buf *out)
{
        for (unsigned i = 0; i < l->tables.n; i++)
                pg_array_number(out, l->tables.oids[i]);
        return pg_array_close(out);
}

static int check_rights(struct look *l)
{
        struct check_names names = {0};
        AUTO_BUF oids = BUF_INIT;
        const char *values[] = {oids_of(l, &oids)};
        AUTO_RESULT r = ask(l, RIGHTS_SQL, 1, values);

        for (int i = 0; r && i < PQntuples(r); i++)
                check_names_add(&names, pg_text(r, i, 0), pg_text(r, i, 1));
        if (names.n) {
                AUTO_STRING mend =
                        memory_printf("grant trigger on %s to %s; -- and usage on its schema",
                                buf_text(&names.sql), l->role);

                checks_add(l->out, CHECK_ERROR, mend,
                        "fence: role %s may not create triggers on %s", l->role,
                        check_names_said(&names));
        }
        check_names_done(&names);
        return r ? 0 : -1;
}

static int check_prepared(struct look *l)
{
        AUTO_RESULT r = ask(l,
                "select gid, pg_catalog.quote_literal(gid), owner,"
                " extract(epoch from pg_catalog.clock_timestamp() - prepared)::bigint"
                " from pg_catalog.pg_prepared_xacts"
                " where database = pg_catalog.current_database() order by prepared limit 10",
                0, NULL);

        for (int i = 0; r && i < PQntuples(r); i++) {
                AUTO_STRING mend = memory_printf(
                        "commit prepared %s; -- or rollback prepared", pg_text(r, i, 1));

                checks_add(l->out, CHECK_ERROR, mend,
                        "fence: transaction '%s' of role %s has been prepared for %s s and holds "
                        "its locks until it is ended",
                        pg_text(r, i, 0), pg_text(r, i, 2), pg_text(r, i, 3));
        }
        return r ? 0 : -1;
}

/* A subscription's workers write in the replica role, which no ordinary trigger stops. */
static int check_subscriptions(struct look *l)
{
        AUTO_RESULT r = ask(l,
                "select pg_catalog.quote_ident(subname) from pg_catalog.pg_subscription"
                " where subenabled and subdbid = (select oid from pg_catalog.pg_database"
                "  where datname = pg_catalog.current_database()) order by 1",
                0, NULL);

        for (int i = 0; r && i < PQntuples(r); i++) {
                AUTO_STRING mend = memory_printf("alter subscription %s disable", pg_text(r, i, 0));

                checks_add(l->out, CHECK_ERROR, mend,
                        "fence: subscription %s writes to this database, and a fence does not stop "
                        "it",
                        pg_text(r, i, 0));
        }
        return r ? 0 : -1;
}

/* Locks are seen by everybody; since when, not. */
#define OPEN_SQL                                                                                   \
        "select a.pid, coalesce(a.usename, 'unknown'), coalesce(a.application_name, ''),"          \
        " extract(epoch from pg_catalog.clock_timestamp() - a.xact_start)::bigint,"                \
        " min(l.relation::regclass::text), coalesce(a.backend_type, '') = 'client backend'"        \
        " from pg_catalog.pg_locks l join pg_catalog.pg_stat_activity a on a.pid = l.pid"          \
        " where l.locktype = 'relation' and l.relation = any ($1::oid[]) and l.granted"            \
        " and l.database = (select oid from pg_catalog.pg_database where datname = "               \
        "pg_catalog.current_database()) and l.mode not in ('AccessShareLock', 'RowShareLock')"     \
        " and pg_catalog.clock_timestamp() - a.xact_start > $2::interval"                          \
        " group by a.pid, a.usename, a.application_name, a.xact_start, a.backend_type"             \
        " order by a.xact_start limit 10"

static int check_open(struct look *l)
{
        AUTO_BUF oids = BUF_INIT;
        AUTO_STRING age = memory_printf("%d seconds", LONG_SECONDS);
        const char *values[] = {oids_of(l, &oids), age};
        AUTO_RESULT r = ask(l, OPEN_SQL, 2, values);

        for (int i = 0; r && i < PQntuples(r); i++) {
                AUTO_STRING mend =
                        memory_printf("select pg_terminate_backend(%s); -- or wait for its end",
                                pg_text(r, i, 0));

                checks_add(l->out, pg_true(r, i, 5) ? CHECK_ERROR : CHECK_WARNING, mend,
                        "fence: backend %s (role %s, application '%s') has had a transaction open "
                        "for %s s that locks %s, and the fence would wait for it",
                        pg_text(r, i, 0), pg_text(r, i, 1), pg_text(r, i, 2), pg_text(r, i, 3),
                        pg_text(r, i, 4));
        }
        return r ? 0 : -1;
}

/* Who is connected and could get past: by the replica role, or by dropping a trigger. */
#define SESSIONS_SQL(may)                                                                          \
        "select r.rolname, count(*), bool_or(r.rolsuper), r.rolname = current_user,"               \
        " exists (select from unnest($1::oid[]) u(oid) join pg_catalog.pg_class c on c.oid = "     \
        "u.oid where pg_catalog.pg_has_role(r.oid, c.relowner, 'MEMBER')),"                        \
        " " may ", min(a.application_name)"                                                        \
        " from pg_catalog.pg_stat_activity a join pg_catalog.pg_roles r on r.oid = a.usesysid"     \
        " where a.datname = pg_catalog.current_database() and a.pid <> "                           \
        "pg_catalog.pg_backend_pid() and coalesce(a.backend_type, 'client backend') = 'client "    \
        "backend' and a.pid not in (select w.pid from pg_catalog.pg_stat_get_wal_senders() w)"     \
        " and not (r.rolname = current_user and a.application_name like '" FENCE_PG_OURS "')"      \
        " group by r.oid, r.rolname order by r.rolname limit 10"

static void say_sessions(struct look *l, const PGresult *r, int i)
{
        const char *role = pg_text(r, i, 0), *n = pg_text(r, i, 1), *what = pg_text(r, i, 6);

        if (pg_true(r, i, 3)) {
                checks_add(l->out, CHECK_ERROR, "let applications connect by roles of their own",
                        "fence: %s sessions are open by culvert's own role %s that are not "
                        "culvert's (application '%s')",
                        n, role, what);
                return;
        }
        if (pg_true(r, i, 2) && !l->superuser)
                checks_add(l->out, CHECK_WARNING,
                        "end them before, and let applications connect by ordinary roles",
                        "fence: %s sessions of superuser %s (application '%s') cannot be ended or "
                        "kept out by an ordinary role",
                        n, role, what);
        else if (pg_true(r, i, 2) || pg_true(r, i, 5))
                checks_add(l->out, CHECK_WARNING, "let applications connect by ordinary roles",
                        "fence: %s sessions of role %s (application '%s') may set "
                        "session_replication_role, which no trigger stops; they are ended%s",
                        n, role, what,
                        pg_true(r, i, 2) ? ", but a superuser can connect again" : "");
        else if (pg_true(r, i, 4))
                checks_add(l->out, CHECK_WARNING,
                        "let applications connect by roles that own no tables",
                        "fence: %s sessions of role %s (application '%s') own tables and may "
                        "disable their triggers; they are ended%s",
                        n, role, what, l->owns ? "" : ", but can connect again");
}

static int check_sessions(struct look *l)
{
        const char *sql = PQserverVersion(l->conn) >= 150000
                                  ? SESSIONS_SQL("pg_catalog.has_parameter_privilege(r.oid, "
                                                 "'session_replication_role', 'SET')")
                                  : SESSIONS_SQL("false");
        AUTO_BUF oids = BUF_INIT;
        const char *values[] = {oids_of(l, &oids)};
        AUTO_RESULT r = ask(l, sql, 1, values);

        for (int i = 0; r && i < PQntuples(r); i++)
                say_sessions(l, r, i);
        return r ? 0 : -1;
}

static int look_around(struct look *l)
{
        if (check_role(l) < 0 || fence_pg_tables(l->conn, l->q, &l->tables, l->e) < 0 ||
                check_rights(l) < 0 || check_prepared(l) < 0 || check_subscriptions(l) < 0 ||
                check_open(l) < 0)
                return -1;
        return check_sessions(l);
}

int fence_pg_check(const struct fence_request *q, struct checks *out, struct error *e)
{
        struct look l = {
                .conn = endpoint_pg(q->config, false, q->halt, e), .q = q, .out = out, .e = e};
        int rc = l.conn ? look_around(&l) : -1;

        fence_pg_tables_done(&l.tables);
        free(l.role);
        halt_close(q->halt, &l.conn);
        return rc;
}
