#include "db/my_catalog_private.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* MySQL answers from statistics that may be a day old, unless asked not to. */
static int fresh_statistics(MYSQL *c, struct error *e)
{
        if (my_engine(c) != ENGINE_MYSQL || my_version(c) < 80000)
                return 0;
        return my_run(c, e, "set session information_schema_stats_expiry = 0");
}

int my_catalog_counters(MYSQL *c, const struct table_defs *t, uint64_t *next, struct error *e)
{
        AUTO_MY_RESULT r = NULL;

        memset(next, 0, t->n * sizeof *next);
        if (fresh_statistics(c, e) < 0)
                return -1;
        r = my_query(c, e,
                "select table_schema, table_name, auto_increment from information_schema.tables"
                " where auto_increment is not null"
                " and table_schema not in (" MY_SYSTEM_SCHEMAS ")");
        if (!r)
                return -1;
        for (MYSQL_ROW row; (row = mysql_fetch_row(r));) {
                const struct table_def *d = table_defs_find(t, row[0], row[1]);

                if (d)
                        next[d - t->items] = strtoull(row[2], NULL, 10);
        }
        return 0;
}

/* How the server writes the name: with lower_case_table_names it may differ in case. */
static MYSQL_ROW find_named(MYSQL_RES *r, const char *schema, const char *name)
{
        for (MYSQL_ROW row; (row = mysql_fetch_row(r));) {
                bool folds = strcmp(my_catalog_text(row, 7), "0") != 0;

                if (folds ? !strcasecmp(row[0], schema) && !strcasecmp(row[1], name)
                          : !strcmp(row[0], schema) && !strcmp(row[1], name))
                        return row;
        }
        return NULL;
}

/* One table as a list of one. 0: not there. */
static int read_one(MYSQL *c, const struct my_catalog_scope *s, const char *schema,
        const char *name, struct table_defs *t, struct error *e)
{
        MYSQL_ROW row;
        AUTO_MY_RESULT r = my_queryf(c, e,
                "select table_schema, table_name, table_type, engine, table_rows, data_length,"
                " table_comment, @@lower_case_table_names from information_schema.tables where %s",
                s->tables);

        if (!r)
                return -1;
        if (!(row = find_named(r, schema, name)))
                return 0;
        if (strcmp(my_catalog_text(row, 2), "BASE TABLE") != 0 &&
                strcmp(my_catalog_text(row, 2), "SYSTEM VERSIONED") != 0)
                return error_set(e, ERROR_CONFIG, "%s.%s is not a table, but: %s", schema, name,
                        my_catalog_text(row, 2));
        t->items = memory_new_of(struct table_def);
        t->n = 1;
        t->items->engine = my_engine(c);
        t->items->schema = memory_string(row[0]);
        t->items->name = memory_string(row[1]);
        t->items->storage = memory_string(row[3]);
        t->items->versioned = !strcmp(my_catalog_text(row, 2), "SYSTEM VERSIONED");
        if (my_catalog_columns(c, t, s, e) < 0 || my_catalog_checks(c, t, s, e) < 0 ||
                my_catalog_indexes(c, t, s, e) < 0 || my_catalog_exact(c, t->items, e) < 0)
                return -1;
        my_catalog_shape(t->items);
        return 1;
}

static int has_rows(MYSQL *c, const struct table_def *d, bool *rows, struct error *e)
{
        AUTO_BUF table = BUF_INIT;
        AUTO_MY_RESULT r = NULL;

        my_table(&table, d->schema, d->name);
        r = my_queryf(c, e, "select 1 from %s limit 1", buf_text(&table));
        if (!r)
                return -1;
        *rows = mysql_num_rows(r) > 0;
        return 0;
}

static void scope_of(struct buf *out, const char *column, const char *schema, const char *name)
{
        buf_printf(out, "%s = ", column);
        my_literal(out, schema, strlen(schema));
        buf_str(out, " and table_name = ");
        my_literal(out, name, strlen(name));
}

int my_catalog_table(MYSQL *c, const char *schema, const char *name, struct relation **shape,
        bool *rows, struct error *e)
{
        AUTO_BUF tables = BUF_INIT;
        AUTO_BUF constraints = BUF_INIT;
        struct table_defs *t = memory_new_of(struct table_defs);
        int there;

        scope_of(&tables, "table_schema", schema, name);
        scope_of(&constraints, "constraint_schema", schema, name);
        there = read_one(c, &(struct my_catalog_scope){buf_text(&tables), buf_text(&constraints)},
                schema, name, t, e);
        if (there > 0 && has_rows(c, t->items, rows, e) < 0)
                there = -1;
        if (there > 0)
                *shape = relation_ref(t->items->shape);
        table_defs_free(t);
        return there < 0 ? error_context(e, "table %s.%s", schema, name) : there;
}
