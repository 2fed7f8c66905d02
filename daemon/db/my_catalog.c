#include "db/my_catalog_private.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

const char *my_catalog_text(MYSQL_ROW row, unsigned column)
{
        return row[column] ? row[column] : "";
}

struct table_def *my_catalog_at(struct table_defs *t, MYSQL_ROW row)
{
        const struct table_def *found =
                table_defs_find(t, my_catalog_text(row, 0), my_catalog_text(row, 1));

        return found ? &t->items[found - t->items] : NULL;
}

static void add_table(struct table_defs *t, enum engine engine, MYSQL_ROW row)
{
        struct table_def *d;

        t->items = memory_grow(t->items, (t->n + 1) * sizeof *t->items);
        d = &t->items[t->n++];
        *d = (struct table_def){.engine = engine,
                .schema = memory_string(row[0]),
                .name = memory_string(row[1]),
                .versioned = !strcmp(my_catalog_text(row, 2), "SYSTEM VERSIONED"),
                .storage = memory_string(row[3]),
                .rows = row[4] ? strtod(row[4], NULL) : -1,
                .bytes = strtoull(my_catalog_text(row, 5), NULL, 10),
                .comment = row[6] && *row[6] ? memory_string(row[6]) : NULL};
}

static int by_name(const void *a, const void *b)
{
        const struct table_def *x = a, *y = b;
        int order = strcmp(x->schema, y->schema);

        return order ? order : strcmp(x->name, y->name);
}

static int read_tables(struct table_defs *t, MYSQL *c,
        bool (*select)(void *context, const char *schema, const char *name), void *context,
        struct error *e)
{
        AUTO_MY_RESULT r = my_query(c, e,
                "select table_schema, table_name, table_type, engine, table_rows, data_length,"
                " table_comment from information_schema.tables"
                " where table_type in ('BASE TABLE', 'SYSTEM VERSIONED')"
                " and table_schema not in (" MY_SYSTEM_SCHEMAS ")");

        if (!r)
                return -1;
        for (MYSQL_ROW row; (row = mysql_fetch_row(r));)
                if (select(context, row[0], row[1]))
                        add_table(t, my_engine(c), row);
        if (t->n)
                qsort(t->items, t->n, sizeof *t->items, by_name);
        return 0;
}

int my_catalog_names(MYSQL *c, bool (*each)(void *context, const char *schema, const char *name),
        void *context, struct error *e)
{
        AUTO_MY_RESULT r = my_query(c, e,
                "select table_schema, table_name from information_schema.tables"
                " where table_type in ('BASE TABLE', 'SYSTEM VERSIONED')"
                " and table_schema not in (" MY_SYSTEM_SCHEMAS ")");

        if (!r)
                return error_context(e, "reading the catalogue");
        for (MYSQL_ROW row; (row = mysql_fetch_row(r));)
                each(context, row[0], row[1]);
        return 0;
}

/* "COLUMN in ('a', 'b')" of the schemas that have tables of ours. MariaDB opens each table that
 * such a condition does not rule out. */
static void in_schemas(struct buf *out, const char *column, const struct table_defs *t)
{
        buf_printf(out, "%s in (", column);
        for (unsigned i = 0; i < t->n; i++) {
                if (i && !strcmp(t->items[i].schema, t->items[i - 1].schema))
                        continue;
                buf_str(out, i ? ", " : "");
                my_literal(out, t->items[i].schema, strlen(t->items[i].schema));
        }
        buf_char(out, ')');
}

static int read_parts(struct table_defs *t, MYSQL *c, struct error *e)
{
        AUTO_BUF tables = BUF_INIT;
        AUTO_BUF constraints = BUF_INIT;
        struct my_catalog_scope s;

        if (t->n == 0)
                return 0;
        in_schemas(&tables, "table_schema", t);
        in_schemas(&constraints, "constraint_schema", t);
        s = (struct my_catalog_scope){buf_text(&tables), buf_text(&constraints)};
        if (my_catalog_columns(c, t, &s, e) < 0 || my_catalog_checks(c, t, &s, e) < 0 ||
                my_catalog_indexes(c, t, &s, e) < 0 || my_catalog_references(c, t, &s, e) < 0)
                return -1;
        for (unsigned i = 0; i < t->n; i++) {
                if (my_catalog_exact(c, &t->items[i], e) < 0)
                        return -1;
                my_catalog_shape(&t->items[i]);
        }
        return 0;
}

static int need_database(MYSQL *c, const char *database, struct error *e)
{
        AUTO_BUF name = BUF_INIT;
        AUTO_MY_RESULT r = NULL;

        my_literal(&name, database, strlen(database));
        r = my_queryf(c, e, "select 1 from information_schema.schemata where schema_name = %s",
                buf_text(&name));
        if (!r)
                return -1;
        if (mysql_num_rows(r) == 0)
                return error_set(e, ERROR_CONFIG,
                        "there is no database %s, or the role may not see it", database);
        return 0;
}

struct table_defs *my_catalog_read(MYSQL *c, const char *database,
        bool (*select)(void *context, const char *schema, const char *name), void *context,
        struct error *e)
{
        struct table_defs *t;

        if (database && need_database(c, database, e) < 0)
                return NULL;
        t = memory_new_of(struct table_defs);
        if (read_tables(t, c, select, context, e) < 0 || read_parts(t, c, e) < 0) {
                error_context(e, "reading the catalogue");
                return table_defs_free(t);
        }
        return t;
}

int my_catalog_verbatim(MYSQL *c, struct table_def *def, struct error *e)
{
        AUTO_BUF table = BUF_INIT;
        AUTO_MY_RESULT r = NULL;
        MYSQL_ROW row;

        if (def->verbatim)
                return 0;
        if (my_run(c, e, "set session sql_quote_show_create = 1") < 0)
                return -1;
        my_table(&table, def->schema, def->name);
        r = my_queryf(c, e, "show create table %s", buf_text(&table));
        if (!r)
                return -1;
        row = mysql_fetch_row(r);
        if (!row || mysql_num_fields(r) < 2 || !row[1])
                return error_set(
                        e, ERROR_DATA, "no definition of table %s.%s", def->schema, def->name);
        def->verbatim = memory_string(row[1]);
        my_catalog_exact_text(&def->verbatim, def);
        return 0;
}
