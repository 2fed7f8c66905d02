/* Lowering the fence of a PostgreSQL database (ops/fence.h): fence_pg_raise.c says why in two
 * steps. */
#include "ops/fence_private.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#define WAIT_DROP 200 /* milliseconds at one table */
#define PASS_TRIES 10

/* Behind `$1`, the pipeline; the name of the function is FENCE and the table's oid. */
#define FUNCTIONS_SQL                                                                              \
        "select p.oid::regprocedure from pg_catalog.pg_proc p where p.pronamespace = "             \
        "'culvert'::regnamespace and p.proname ~ ('^fence_' || $1 || '_[0-9]+$') order by 1"

#define BODY_PASS "begin return null; end"

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
        for (int i = 0; pg_run(c, e, buf_text(&sql)) < 0; i++) {
                pg_run(c, &ignored, "rollback");
                /* somebody else's GRANT at the same moment */
                if (i == PASS_TRIES || !strstr(e->message, "tuple concurrently updated"))
                        return error_context(e, "lowering the fence");
                error_clear(e);
        }
        return 0;
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
                if (fence_pause(q, FENCE_PG_PAUSE, e) < 0)
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
        enum fence_pg_state s;
        int rc;

        if (fence_pg_state(c, q, &s, e) < 0)
                return -1;
        if (s == FENCE_PG_NONE)
                return 0;
        if (let_pass(c, q, e) < 0)
                return -1;
        if ((rc = drop_all(c, q, e)) != 0)
                return rc > 0 || e->class == ERROR_RETRY ? 1 : -1;
        return pg_runf(
                c, e, "delete from culvert.fence where pipeline = '%s'", q->config->pipeline.name);
}

int fence_pg_lower(const struct fence_request *q, struct error *e)
{
        PGconn *c = endpoint_pg(q->config, false, q->halt, e);
        int rc = c ? fence_pg_take_down(c, q, e) : -1;

        halt_close(q->halt, &c);
        return rc;
}
