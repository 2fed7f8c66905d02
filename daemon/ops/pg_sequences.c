#include "ops/pg_sequences.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

/* One row a sequence: its owner's table and column ('' if none), whether that is a partition, and a
 * table that has it in a default. */
#define SEQUENCES_SQL                                                                              \
        "select n.nspname, s.relname, coalesce(tn.nspname, ''), coalesce(t.relname, ''),"          \
        " coalesce(a.attname, ''), coalesce(t.relispartition, false),"                             \
        " coalesce(u.nspname, ''), coalesce(u.relname, '')"                                        \
        " from pg_catalog.pg_class s join pg_catalog.pg_namespace n on n.oid = s.relnamespace"     \
        " left join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_class'::regclass"         \
        "  and d.objid = s.oid and d.refclassid = 'pg_catalog.pg_class'::regclass"                 \
        "  and d.refobjsubid > 0 and d.deptype in ('a', 'i')"                                      \
        " left join pg_catalog.pg_class t on t.oid = d.refobjid"                                   \
        " left join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace"                         \
        " left join pg_catalog.pg_attribute a on a.attrelid = t.oid and a.attnum = d.refobjsubid"  \
        " left join lateral (select un.nspname, ut.relname from pg_catalog.pg_depend x"            \
        "  join pg_catalog.pg_attrdef f on f.oid = x.objid"                                        \
        "  join pg_catalog.pg_class ut on ut.oid = f.adrelid and not ut.relispartition"            \
        "  join pg_catalog.pg_namespace un on un.oid = ut.relnamespace"                            \
        "  where x.classid = 'pg_catalog.pg_attrdef'::regclass and x.refobjid = s.oid"             \
        "  and x.refclassid = 'pg_catalog.pg_class'::regclass order by 1, 2 limit 1) u on true"    \
        " where s.relkind = 'S' and s.relpersistence <> 't' and n.nspname !~ '^pg_'"               \
        " and n.nspname not in ('information_schema', 'culvert') order by 1, 2"

struct sequence {
        const char *schema, *name;
        const char *owner_schema, *owner, *column; /* "": none */
        bool owner_is_partition;
        const char *user_schema, *user; /* "": none */
};

struct job {
        PGconn *source, *target;
        const struct config *config;
        struct route *route;
        const struct pg_tables *tables;
        struct buf *missing;
};

static struct sequence sequence_of(const PGresult *r, int row)
{
        return (struct sequence){.schema = pg_text(r, row, 0),
                .name = pg_text(r, row, 1),
                .owner_schema = pg_text(r, row, 2),
                .owner = pg_text(r, row, 3),
                .column = pg_text(r, row, 4),
                .owner_is_partition = pg_true(r, row, 5),
                .user_schema = pg_text(r, row, 6),
                .user = pg_text(r, row, 7)};
}

static bool migrated(const struct job *j, const char *schema, const char *name)
{
        return *name && pg_tables_find(j->tables, schema, name);
}

static bool schema_migrated(const struct job *j, const char *schema)
{
        for (unsigned i = 0; i < j->tables->n; i++)
                if (!strcmp(j->tables->items[i].schema, schema))
                        return true;
        return false;
}

/* A migrated table needs it. */
static bool needed(const struct job *j, const struct sequence *s)
{
        return migrated(j, s->owner_schema, s->owner) || migrated(j, s->user_schema, s->user);
}

static bool wanted(const struct job *j, const struct sequence *s)
{
        if (needed(j, s))
                return true;
        if (*s->owner && !s->owner_is_partition)
                return false;
        return schema_migrated(j, s->schema);
}

/* The sequence behind the target's column of the owner; 0 and "" when there is none. */
static int serial_of(
        const struct job *j, const struct sequence *s, struct buf *out, struct error *e)
{
        const struct route_table *t = NULL;
        const char *values[2], *column = NULL;
        AUTO_BUF table = BUF_INIT;
        AUTO_RESULT r = NULL;

        if (migrated(j, s->owner_schema, s->owner))
                t = route_find(j->route, s->owner_schema, s->owner);
        if (t)
                column = route_column(t, s->column);
        if (!column)
                return 0;
        pg_table(&table, t->schema, t->name);
        values[0] = buf_text(&table);
        values[1] = column;
        if (!(r = pg_query(
                      j->target, e, "select pg_catalog.pg_get_serial_sequence($1, $2)", 2, values)))
                return -1;
        buf_str(out, pg_text(r, 0, 0));
        return 0;
}

static int target_name(
        const struct job *j, const struct sequence *s, struct buf *out, struct error *e)
{
        if (serial_of(j, s, out, e) < 0)
                return -1;
        if (out->len == 0)
                pg_table(out, config_schema_of(j->config, s->schema), s->name);
        return 0;
}

/* 1: set; 0: the target does not have it. */
static int set_value(
        const struct job *j, const struct sequence *s, const char *name, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;
        AUTO_RESULT from = NULL;
        AUTO_RESULT there = NULL;
        AUTO_RESULT set = NULL;
        const char *values[3] = {name};

        there = pg_query(j->target, e,
                "select exists (select from pg_catalog.pg_class where relkind = 'S' "
                "and oid = pg_catalog.to_regclass($1))",
                1, values);
        if (!there || !pg_true(there, 0, 0))
                return there ? 0 : -1;
        buf_str(&sql, "select last_value, is_called from ");
        pg_table(&sql, s->schema, s->name);
        if (!(from = pg_query(j->source, e, buf_text(&sql), 0, NULL)))
                return -1;
        values[1] = pg_text(from, 0, 0);
        values[2] = pg_text(from, 0, 1);
        set = pg_query(j->target, e,
                "select pg_catalog.setval($1::regclass, $2::bigint, $3::boolean)", 3, values);
        return set ? 1 : -1;
}

static int copy_one(const struct job *j, const struct sequence *s, struct error *e)
{
        AUTO_BUF name = BUF_INIT;
        int rc = target_name(j, s, &name, e);

        if (rc == 0)
                rc = set_value(j, s, buf_text(&name), e);
        if (rc < 0)
                return error_context(e, "sequence %s.%s", s->schema, s->name);
        if (rc == 0 && needed(j, s))
                buf_printf(j->missing, "%s%s.%s", j->missing->len ? ", " : "", s->schema, s->name);
        return rc;
}

int pg_sequences_copy(PGconn *source, PGconn *target, const struct config *c, struct route *r,
        const struct pg_tables *tables, struct buf *missing, struct error *e)
{
        struct job j = {.source = source,
                .target = target,
                .config = c,
                .route = r,
                .tables = tables,
                .missing = missing};
        AUTO_RESULT list = pg_query(source, e, SEQUENCES_SQL, 0, NULL);
        int done = 0;

        for (int row = 0; list && row < PQntuples(list); row++) {
                struct sequence s = sequence_of(list, row);
                int rc = wanted(&j, &s) ? copy_one(&j, &s, e) : 0;

                if (rc < 0)
                        return -1;
                done += rc;
        }
        return list ? done : -1;
}
