#include "ops/pg_marks.h"
#include "base/memory.h"

#include <cjson/cJSON.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One row a table that there is: its place in $1 (from 1 on), its mark. */
static const char marks_sql[] =
        "select u.at, pg_catalog.jsonb_build_object("
        " 'columns', coalesce((select pg_catalog.jsonb_object_agg(a.attname,"
        "   pg_catalog.jsonb_build_array(a.attnum, a.atttypid::int8, a.atttypmod))"
        "  from pg_catalog.pg_attribute a where a.attrelid = u.oid and a.attnum > 0"
        "  and not a.attisdropped), '{}'),"
        " 'leaves', coalesce((with recursive t (oid) as (select u.oid"
        "   union all select i.inhrelid from t join pg_catalog.pg_inherits i"
        "   on i.inhparent = t.oid)"
        "  select pg_catalog.jsonb_object_agg(l.oid::text, pg_catalog.jsonb_build_array("
        "   l.relfilenode::int8, l.xmin::text, n.nspname, l.relname))"
        "  from t join pg_catalog.pg_class l on l.oid = t.oid and l.relkind = 'r'"
        "  join pg_catalog.pg_namespace n on n.oid = l.relnamespace"
        "  where c.relkind = 'p'), '{}'))::text"
        " from pg_catalog.unnest($1::oid[]) with ordinality u (oid, at)"
        " join pg_catalog.pg_class c on c.oid = u.oid";

enum { FILENODE, XMIN, SCHEMA, NAME }; /* of a leaf */
enum { NUMBER, TYPE, MODIFIER };       /* of a column */

char **pg_marks_read(PGconn *c, const struct pg_published *wanted, struct error *e)
{
        char **marks = memory_new((wanted->n + 1) * sizeof *marks);
        AUTO_BUF oids = BUF_INIT;
        AUTO_RESULT r = NULL;
        const char *values[1];

        buf_char(&oids, '{');
        for (unsigned i = 0; i < wanted->n; i++)
                buf_printf(&oids, "%s%" PRIu32, i ? "," : "", wanted->shapes[i]->id);
        buf_char(&oids, '}');
        values[0] = buf_text(&oids);
        if (!(r = pg_query(c, e, marks_sql, 1, values))) {
                free(marks);
                return NULL;
        }
        for (int row = 0; row < PQntuples(r); row++)
                marks[strtoul(pg_text(r, row, 0), NULL, 10) - 1] =
                        memory_string(pg_text(r, row, 1));
        for (unsigned i = 0; i < wanted->n; i++)
                if (!marks[i])
                        marks[i] = memory_string("");
        return marks;
}

void pg_marks_free(char **marks, unsigned n)
{
        for (unsigned i = 0; marks && i < n; i++)
                free(marks[i]);
        free(marks);
}

static double number(const cJSON *list, int at)
{
        return cJSON_GetNumberValue(cJSON_GetArrayItem(list, at));
}

static const char *text(const cJSON *list, int at)
{
        const char *s = cJSON_GetStringValue(cJSON_GetArrayItem(list, at));

        return s ? s : "";
}

__attribute__((format(printf, 3, 4))) static int refuse(
        const struct relation *shape, struct error *e, const char *format, ...)
{
        va_list args;
        char message[700];

        va_start(args, format);
        vsnprintf(message, sizeof message, format, args);
        va_end(args);
        error_set(e, ERROR_DATA,
                "%s; no change in the stream says so, and rows of %s.%s on the target may differ: "
                "put them right there, then resume accepts it",
                message, shape->schema, shape->name);
        snprintf(e->code, sizeof e->code, "%s", PG_MARKS_CODE);
        snprintf(e->table, sizeof e->table, "%s.%s", shape->schema, shape->name);
        return -1;
}

/* Same name and type, another number. Other differences are the stream's to tell. */
static int compare_columns(
        const struct relation *shape, const cJSON *known, const cJSON *now, struct error *e)
{
        const cJSON *old, *new;

        cJSON_ArrayForEach(old, known)
        {
                new = cJSON_GetObjectItemCaseSensitive(now, old->string);
                if (new &&number(old, TYPE) == number(new, TYPE) &&
                        number(old, MODIFIER) == number(new, MODIFIER) &&
                        number(old, NUMBER) != number(new, NUMBER))
                        return refuse(shape, e,
                                "column %s of %s.%s was dropped and added again on the source",
                                old->string, shape->schema, shape->name);
        }
        return 0;
}

enum rows { ROWS_NONE, ROWS_THERE, ROWS_HIDDEN };

/* Are there rows of that kind? -1: error. */
static int rows_where(PGconn *c, const cJSON *leaf, const char *condition, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;
        AUTO_RESULT r = NULL;

        buf_str(&sql, "select exists (select from only ");
        pg_table(&sql, text(leaf, SCHEMA), text(leaf, NAME));
        buf_printf(&sql, " t where %s)", condition);
        r = pg_query(c, e, buf_text(&sql), 0, NULL);
        if (r)
                return pg_true(r, 0, 0) ? ROWS_THERE : ROWS_NONE;
        if (strcmp(e->code, "42501") != 0)
                return -1;
        error_context(e, "partition %s.%s, which is new or has a new file", text(leaf, SCHEMA),
                text(leaf, NAME));
        return ROWS_HIDDEN;
}

/*
 * Rows that are older than the link that made the leaf a part of the root: of an earlier
 * transaction, or of the same one and an earlier command. All later ones came through the stream.
 */
static int came_with_rows(PGconn *c, const cJSON *leaf, struct error *e)
{
        AUTO_BUF condition = BUF_INIT;

        buf_printf(&condition,
                "exists (select from (with recursive up (oid, x, k) as ("
                " select i.inhparent, i.xmin, i.cmin::text::int8 from pg_catalog.pg_inherits i"
                " where i.inhrelid = '%s'::oid union all"
                " select i.inhparent, i.xmin, i.cmin::text::int8 from up"
                " join pg_catalog.pg_inherits i on i.inhrelid = up.oid)"
                " select x, k from up order by pg_catalog.age(x), k desc limit 1) l"
                " where pg_catalog.age(t.xmin) > pg_catalog.age(l.x)"
                " or t.xmin = l.x and t.cmin::text::int8 < l.k)",
                leaf->string);
        return rows_where(c, leaf, buf_text(&condition), e);
}

/* A rewrite keeps rows, which are older than the catalogue's row that names the new file. */
static int kept_rows(PGconn *c, const cJSON *leaf, struct error *e)
{
        AUTO_BUF condition = BUF_INIT;

        buf_printf(
                &condition, "pg_catalog.age(t.xmin) > pg_catalog.age('%s'::xid)", text(leaf, XMIN));
        return rows_where(c, leaf, buf_text(&condition), e);
}

/* All leaves got their new files in one transaction: TRUNCATE of the root, which the stream has. */
static bool root_truncated(const cJSON *known, const cJSON *now)
{
        const char *xmin = NULL;
        const cJSON *old, *new;

        cJSON_ArrayForEach(old, known)
        {
                new = cJSON_GetObjectItemCaseSensitive(now, old->string);
                if (!new)
                        continue;
                if (number(old, FILENODE) == number(new, FILENODE) ||
                        (xmin && strcmp(xmin, text(new, XMIN)) != 0))
                        return false;
                xmin = text(new, XMIN);
        }
        return xmin != NULL;
}

static int compare_known_leaves(PGconn *c, const struct relation *shape, const cJSON *known,
        const cJSON *now, struct error *e)
{
        bool truncated = root_truncated(known, now);
        const cJSON *old, *new;
        int hidden = 0;

        cJSON_ArrayForEach(old, known)
        {
                int kept;

                new = cJSON_GetObjectItemCaseSensitive(now, old->string);
                if (!new)
                        return refuse(shape, e,
                                "partition %s.%s of %s.%s was detached or dropped on the source",
                                text(old, SCHEMA), text(old, NAME), shape->schema, shape->name);
                if (truncated || number(old, FILENODE) == number(new, FILENODE))
                        continue;
                if ((kept = kept_rows(c, new, e)) < 0)
                        return -1;
                if (kept == ROWS_NONE)
                        return refuse(shape, e,
                                "partition %s.%s of %s.%s was truncated on the source",
                                text(new, SCHEMA), text(new, NAME), shape->schema, shape->name);
                hidden |= kept == ROWS_HIDDEN;
        }
        return hidden;
}

static int compare_new_leaves(PGconn *c, const struct relation *shape, const cJSON *known,
        const cJSON *now, struct error *e)
{
        const cJSON *new;
        int hidden = 0;

        cJSON_ArrayForEach(new, now)
        {
                int rows;

                if (cJSON_GetObjectItemCaseSensitive(known, new->string))
                        continue;
                if ((rows = came_with_rows(c, new, e)) < 0)
                        return -1;
                hidden |= rows == ROWS_HIDDEN;
                if (rows == ROWS_THERE)
                        return refuse(shape, e,
                                "partition %s.%s was attached to %s.%s with rows in it on the "
                                "source",
                                text(new, SCHEMA), text(new, NAME), shape->schema, shape->name);
        }
        return hidden;
}

static int compare(PGconn *c, const struct relation *shape, const cJSON *known, const cJSON *now,
        struct error *e)
{
        const cJSON *old_leaves = cJSON_GetObjectItemCaseSensitive(known, "leaves");
        const cJSON *new_leaves = cJSON_GetObjectItemCaseSensitive(now, "leaves");
        int hidden, more;

        if (compare_columns(shape, cJSON_GetObjectItemCaseSensitive(known, "columns"),
                    cJSON_GetObjectItemCaseSensitive(now, "columns"), e) < 0 ||
                (hidden = compare_known_leaves(c, shape, old_leaves, new_leaves, e)) < 0 ||
                (more = compare_new_leaves(c, shape, old_leaves, new_leaves, e)) < 0)
                return -1;
        return hidden | more;
}

int pg_marks_compare(PGconn *c, const struct relation *shape, const char *known, const char *now,
        struct error *e)
{
        cJSON *old, *new;
        int rc = 0;

        if (!known || !*known || !*now || !strcmp(known, now))
                return 0;
        old = cJSON_Parse(known);
        new = cJSON_Parse(now);
        if (old && new)
                rc = compare(c, shape, old, new, e);
        else
                rc = error_set(e, ERROR_DATA,
                        "culvert.tables on the target: the mark of %s.%s is "
                        "malformed",
                        shape->schema, shape->name);
        cJSON_Delete(old);
        cJSON_Delete(new);
        return rc;
}
