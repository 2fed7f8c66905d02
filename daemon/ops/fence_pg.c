/* The fence of a PostgreSQL database (ops/fence.h): what is there of it. fence_pg_raise.c and
 * fence_pg_lower.c put it up and take it down. */
#include "ops/fence_private.h"
#include "base/memory.h"
#include "db/pg_array.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

PGresult *fence_tables_query(
        PGconn *c, const struct fence_table *tables, unsigned n, const char *sql, struct error *e)
{
        AUTO_BUF schemas = BUF_INIT;
        AUTO_BUF names = BUF_INIT;
        const char *values[2];

        for (unsigned i = 0; i < n; i++) {
                pg_array_text(&schemas, tables[i].schema);
                pg_array_text(&names, tables[i].name);
        }
        values[0] = pg_array_close(&schemas);
        values[1] = pg_array_close(&names);
        return pg_query(c, e, sql, 2, values);
}

int fence_pg_tables(
        PGconn *c, const struct fence_request *q, struct fence_pg_tables *t, struct error *e)
{
        AUTO_RESULT r = fence_tables_query(c, q->tables, q->n, TABLES_SQL, e);

        *t = (struct fence_pg_tables){0};
        if (!r || missing_tables(r, e) < 0)
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

/* ---- what is there ---- */

int fence_pg_state(
        PGconn *c, const struct fence_request *q, enum fence_pg_state *s, struct error *e)
{
        const char *pipeline = q->config->pipeline.name;
        AUTO_RESULT there = NULL;
        AUTO_RESULT r = NULL;

        *s = FENCE_PG_NONE;
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
                *s = !strcmp(pg_text(r, 0, 0), "up") ? FENCE_PG_UP : FENCE_PG_OTHER;
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
        values[2] = FENCE_PG_BODY;
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

int fence_pg_find_hole(PGconn *c, const struct fence_request *q, bool *holds, struct error *e)
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

/* ---- questions ---- */

static int pg_is_up(const struct fence_request *q, bool *up, struct error *e)
{
        PGconn *c = endpoint_pg(q->config, false, q->halt, e);
        enum fence_pg_state s = FENCE_PG_NONE;
        int rc = c ? fence_pg_state(c, q, &s, e) : -1;

        *up = rc == 0 && s == FENCE_PG_UP;
        halt_close(q->halt, &c);
        return rc;
}

static int pg_prove(const struct fence_request *q, bool *holds, struct error *e)
{
        PGconn *c = endpoint_pg(q->config, false, q->halt, e);
        enum fence_pg_state s = FENCE_PG_NONE;
        int rc = c ? fence_pg_state(c, q, &s, e) : -1;

        if (rc == 0 && s != FENCE_PG_UP)
                error_set(e, ERROR_CONFIG, "the fence does not hold: it is not up");
        else if (rc == 0)
                rc = fence_pg_find_hole(c, q, holds, e);
        halt_close(q->halt, &c);
        return rc;
}

const struct fence_ops fence_pg_ops = {.check = fence_pg_check,
        .raise = fence_pg_raise,
        .is_up = pg_is_up,
        .lower = fence_pg_lower,
        .prove = pg_prove};
