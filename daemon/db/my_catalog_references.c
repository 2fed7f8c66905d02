#include "db/my_catalog_private.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static struct def_reference *find_reference(struct table_def *d, const char *name)
{
        for (unsigned i = 0; i < d->references_n; i++)
                if (!strcmp(d->references[i].name, name))
                        return &d->references[i];
        return NULL;
}

static struct def_reference *reference_of(struct table_def *d, MYSQL_ROW row)
{
        struct def_reference *f = find_reference(d, row[2]);

        if (f)
                return f;
        d->references = memory_grow(d->references, (d->references_n + 1) * sizeof *d->references);
        f = &d->references[d->references_n++];
        *f = (struct def_reference){.name = memory_string(row[2]),
                .to_schema = memory_string(my_catalog_text(row, 4)),
                .to_table = memory_string(my_catalog_text(row, 5))};
        return f;
}

/* Columns of the query: schema, table, constraint, column, and what it refers to: schema, table,
 * column. */
static void add_part(struct table_def *d, MYSQL_ROW row)
{
        struct def_reference *f = reference_of(d, row);
        int column = table_def_column(d, my_catalog_text(row, 3));
        unsigned n = f->columns_n;

        if (column < 0)
                return;
        f->columns = memory_grow(f->columns, (n + 1) * sizeof *f->columns);
        f->to_columns = memory_grow(f->to_columns, (n + 1) * sizeof *f->to_columns);
        f->columns[n] = (unsigned)column;
        f->to_columns[n] = memory_string(my_catalog_text(row, 6));
        f->columns_n++;
}

static int read_parts(
        MYSQL *c, struct table_defs *t, const struct my_catalog_scope *s, struct error *e)
{
        AUTO_MY_RESULT r = my_queryf(c, e,
                "select table_schema, table_name, constraint_name, column_name,"
                " referenced_table_schema, referenced_table_name, referenced_column_name"
                " from information_schema.key_column_usage"
                " where referenced_table_name is not null and %s"
                " order by table_schema, table_name, constraint_name, ordinal_position",
                s->tables);

        if (!r)
                return -1;
        for (MYSQL_ROW row; (row = mysql_fetch_row(r));) {
                struct table_def *d = my_catalog_at(t, row);

                if (d)
                        add_part(d, row);
        }
        return 0;
}

static int read_rules(
        MYSQL *c, struct table_defs *t, const struct my_catalog_scope *s, struct error *e)
{
        AUTO_MY_RESULT r = my_queryf(c, e,
                "select constraint_schema, table_name, constraint_name, delete_rule, update_rule"
                " from information_schema.referential_constraints where %s",
                s->constraints);

        if (!r)
                return -1;
        for (MYSQL_ROW row; (row = mysql_fetch_row(r));) {
                struct table_def *d = my_catalog_at(t, row);
                struct def_reference *f = d ? find_reference(d, row[2]) : NULL;

                if (!f || f->on_delete)
                        continue;
                f->on_delete = memory_string(my_catalog_text(row, 3));
                f->on_update = memory_string(my_catalog_text(row, 4));
        }
        return 0;
}

/* ---- from the table's own definition ---- */

/* The end of a quoted name that begins at `at`; a quote inside is doubled. */
static const char *after_name(const char *at)
{
        for (at++; *at; at++) {
                if (*at != '`')
                        continue;
                if (at[1] != '`')
                        return at + 1;
                at++;
        }
        return at;
}

/* What a constraint's line says, without its names: " FOREIGN KEY () REFERENCES  () ON ...". */
static void line_of(const char *at, struct buf *out)
{
        while (*at && *at != '\n') {
                if (*at == '`')
                        at = after_name(at);
                else
                        buf_char(out, *at++);
        }
}

char *my_catalog_rule(const char *create, const char *key, const char *event)
{
        static const char *const rules[] = {
                "CASCADE", "SET NULL", "SET DEFAULT", "NO ACTION", "RESTRICT"};
        AUTO_BUF start = BUF_INIT;
        AUTO_BUF line = BUF_INIT;
        const char *at;

        buf_str(&start, "\n  CONSTRAINT ");
        my_ident(&start, key);
        buf_str(&start, " FOREIGN KEY (");
        if (!(at = strstr(create, buf_text(&start))))
                return NULL;
        line_of(at + start.len, &line);
        at = strstr(buf_text(&line), event);
        for (unsigned i = 0; at && i < sizeof rules / sizeof *rules; i++)
                if (!strncmp(at + strlen(event) + 1, rules[i], strlen(rules[i])))
                        return memory_string(rules[i]);
        return memory_string("RESTRICT");
}

static int read_definition(MYSQL *c, struct table_def *d, struct def_reference *f, struct error *e)
{
        if (my_catalog_verbatim(c, d, e) < 0)
                return -1;
        f->on_delete = my_catalog_rule(d->verbatim, f->name, "ON DELETE");
        f->on_update = my_catalog_rule(d->verbatim, f->name, "ON UPDATE");
        if (!f->on_delete || !f->on_update)
                return error_set(e, ERROR_DATA,
                        "the definition of %s.%s does not show its foreign key %s", d->schema,
                        d->name, f->name);
        return 0;
}

int my_catalog_references(
        MYSQL *c, struct table_defs *t, const struct my_catalog_scope *s, struct error *e)
{
        if (read_parts(c, t, s, e) < 0 || read_rules(c, t, s, e) < 0)
                return -1;
        for (unsigned i = 0; i < t->n; i++)
                for (unsigned k = 0; k < t->items[i].references_n; k++) {
                        struct table_def *d = &t->items[i];
                        struct def_reference *f = &d->references[k];

                        if (!f->on_delete && read_definition(c, d, f, e) < 0)
                                return -1;
                }
        return 0;
}
