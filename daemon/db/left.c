#include "db/left.h"
#include "db/pg_array.h"

#include <string.h>

/* Tables are sorted by schema: each is named once. */
static bool is_new_schema(const struct table_defs *t, unsigned i)
{
        return i == 0 || strcmp(t->items[i - 1].schema, t->items[i].schema) != 0;
}

static void schema_list(struct buf *out, const struct table_defs *t)
{
        for (unsigned i = 0; i < t->n; i++) {
                if (!is_new_schema(t, i))
                        continue;
                buf_str(out, out->len ? ", " : "");
                my_literal(out, t->items[i].schema, strlen(t->items[i].schema));
        }
}

int my_left(MYSQL *c, const struct table_defs *t, struct buf *lines, struct error *e)
{
        AUTO_BUF list = BUF_INIT;
        AUTO_BUF sql = BUF_INIT;
        AUTO_MY_RESULT r = NULL;
        MYSQL_ROW row;

        if (t->n == 0)
                return 0;
        schema_list(&list, t);
        buf_printf(&sql,
                "select 'VIEW', table_schema, table_name from information_schema.views where "
                "table_schema in (%1$s) union all "
                "select routine_type, routine_schema, routine_name from "
                "information_schema.routines "
                "where routine_schema in (%1$s) union all "
                "select 'TRIGGER', trigger_schema, trigger_name from information_schema.triggers "
                "where trigger_schema in (%1$s) union all "
                "select 'EVENT', event_schema, event_name from information_schema.events where "
                "event_schema in (%1$s) union all "
                "select 'SEQUENCE', table_schema, table_name from information_schema.tables where "
                "table_type = 'SEQUENCE' and table_schema in (%1$s) order by 1, 2, 3",
                buf_text(&list));
        if (!(r = my_query(c, e, buf_text(&sql))))
                return -1;
        while ((row = mysql_fetch_row(r)))
                buf_printf(lines, "%s %s.%s\n", row[0], row[1], row[2]);
        for (unsigned i = 0; i < t->n; i++)
                if (t->items[i].versioned)
                        buf_printf(lines, "HISTORY %s.%s\n", t->items[i].schema, t->items[i].name);
        return 0;
}

int pg_left(PGconn *c, const struct table_defs *t, struct buf *lines, struct error *e)
{
        AUTO_BUF schemas = BUF_INIT;
        AUTO_RESULT r = NULL;
        const char *values[1];

        for (unsigned i = 0; i < t->n; i++)
                if (is_new_schema(t, i))
                        pg_array_text(&schemas, t->items[i].schema);
        values[0] = pg_array_close(&schemas);
        r = pg_query(c, e,
                "with n as (select oid, nspname from pg_catalog.pg_namespace where nspname = any "
                "($1::text[])), mine as (select objid, classid from pg_catalog.pg_depend where "
                "deptype in ('e', 'a', 'i')) "
                "select case c.relkind when 'v' then 'VIEW' when 'm' then 'MATERIALIZED VIEW' else "
                "'SEQUENCE' end, n.nspname, c.relname from pg_catalog.pg_class c join n on n.oid = "
                "c.relnamespace where c.relkind in ('v', 'm', 'S') and not exists (select from "
                "mine "
                "where objid = c.oid and classid = 'pg_catalog.pg_class'::regclass) "
                "union all select case p.prokind when 'p' then 'PROCEDURE' when 'a' then "
                "'AGGREGATE' "
                "else 'FUNCTION' end, n.nspname, p.proname from pg_catalog.pg_proc p join n on "
                "n.oid "
                "= p.pronamespace where not exists (select from mine where objid = p.oid and "
                "classid "
                "= 'pg_catalog.pg_proc'::regclass) "
                "union all select 'TRIGGER', n.nspname, c.relname || '.' || g.tgname from "
                "pg_catalog.pg_trigger g join pg_catalog.pg_class c on c.oid = g.tgrelid join n on "
                "n.oid = c.relnamespace where not g.tgisinternal order by 1, 2, 3",
                1, values);
        if (!r)
                return -1;
        for (int row = 0; row < PQntuples(r); row++)
                buf_printf(lines, "%s %s.%s\n", pg_text(r, row, 0), pg_text(r, row, 1),
                        pg_text(r, row, 2));
        return 0;
}
