#include "base/memory.h"
#include "db/pg.h"
#include "db/pg_ddl_private.h"
#include "model/typemap.h"

#include <stdlib.h>
#include <string.h>

/* A part of the text, where the whole may be too long for a page of an index. */
static bool part(struct buf *out, const struct table_def *t, const struct ddl_names *n,
        const struct def_index_column *p, struct error *e)
{
        struct coltype *type = ddl_type(t, p->column, e);
        bool bytes;

        if (!type)
                return false;
        bytes = coltype_is_bytes(type);
        if (p->prefix == 0 || type->class == TYPE_CHAR || type->class == TYPE_VARCHAR) {
                pg_ident(out, ddl_column(n, t, p->column));
        } else {
                buf_str(out, bytes ? "substring(" : "left(");
                pg_ident(out, ddl_column(n, t, p->column));
                buf_printf(out, bytes ? " from 1 for %u)" : ", %u)", p->prefix);
        }
        buf_str(out, p->descending ? " desc" : "");
        coltype_free(type);
        return true;
}

static int parts(struct buf *out, const struct table_def *t, const struct ddl_names *n,
        const struct def_index *i, struct error *e)
{
        buf_str(out, " (");
        for (unsigned p = 0; p < i->columns_n; p++) {
                buf_str(out, p ? ", " : "");
                if (!part(out, t, n, &i->columns[p], e))
                        return -1;
        }
        buf_char(out, ')');
        return 0;
}

static bool has_prefix(const struct def_index *i)
{
        for (unsigned p = 0; p < i->columns_n; p++)
                if (i->columns[p].prefix)
                        return true;
        return false;
}

/* Types without an order of their own. */
static bool has_order(const struct table_def *t, const struct def_index *i, struct error *e)
{
        bool order = true;

        for (unsigned p = 0; p < i->columns_n && order; p++) {
                struct coltype *type = ddl_type(t, i->columns[p].column, e);
                struct typemap_result r = {0};

                if (!type || typemap_native(type, ENGINE_POSTGRESQL, true, &r, e) < 0 ||
                        (r.native && (!strcmp(r.native, "json") || !strcmp(r.native, "xml"))))
                        order = false;
                free(r.native);
                coltype_free(type);
        }
        return order;
}

/* Why there can be no such index; NULL: there can. */
static const char *obstacle(const struct table_def *t, const struct def_index *i,
        const struct ddl *out, struct error *e)
{
        if (i->what)
                return i->what;
        if (i->columns_n == 0)
                return "its columns are not known";
        if (!ddl_index_made(out, i))
                return "a column of it is left out";
        if (i->unique && has_prefix(i))
                return "a unique key on parts of values has no equal";
        return has_order(t, i, e) ? NULL : "a column's type has no order";
}

static void add_primary(const struct table_def *t, const struct ddl_names *n,
        const struct def_index *i, struct ddl *out)
{
        AUTO_BUF sql = BUF_INIT;
        AUTO_STRING wanted = memory_printf("%s_pkey", n->table);
        AUTO_STRING name = ddl_name(n, PG_NAME_MAX, wanted);

        buf_str(&sql, "alter table ");
        pg_table(&sql, n->schema, n->table);
        buf_str(&sql, " add constraint ");
        pg_ident(&sql, name);
        buf_str(&sql, " primary key (");
        for (unsigned p = 0; p < i->columns_n; p++) {
                buf_str(&sql, p ? ", " : "");
                pg_ident(&sql, ddl_column(n, t, i->columns[p].column));
        }
        buf_char(&sql, ')');
        ddl_take(&out->indexes, name, buf_take(&sql));
}

static int add_index(const struct table_def *t, const struct ddl_names *n,
        const struct def_index *i, struct ddl *out, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;
        AUTO_STRING wanted = memory_printf("%s_%s", n->table, i->name);
        AUTO_STRING name = ddl_name(n, PG_NAME_MAX, wanted);

        buf_printf(&sql, "create %sindex ", i->unique ? "unique " : "");
        pg_ident(&sql, name);
        buf_str(&sql, " on ");
        pg_table(&sql, n->schema, n->table);
        if (parts(&sql, t, n, i, e) < 0)
                return -1;
        ddl_take(&out->indexes, name, buf_take(&sql));
        return 0;
}

/* A key that ignored case lets no two rows differ by it alone; here it does. */
static void say_collations(const struct table_def *t, const struct def_index *i, struct ddl *out)
{
        for (unsigned p = 0; i->unique && !i->what && p < i->columns_n; p++) {
                const struct def_column *c = &t->columns[i->columns[p].column];

                if (c->collation && !strstr(c->collation, "_bin"))
                        ddl_left_out(out, t,
                                "key %s: column %s compares by collation %s on the "
                                "source, by bytes here",
                                i->name, c->name, c->collation);
        }
}

int pg_ddl_indexes(
        const struct table_def *t, const struct ddl_names *n, struct ddl *out, struct error *e)
{
        for (unsigned k = 0; k < t->indexes_n; k++) {
                const struct def_index *i = &t->indexes[k];
                const char *why = obstacle(t, i, out, e);

                if (why)
                        ddl_index_left_out(out, t, i, why);
                else if (i->primary)
                        add_primary(t, n, i, out);
                else if (add_index(t, n, i, out, e) < 0)
                        return -1;
                if (!why)
                        say_collations(t, i, out);
        }
        return 0;
}
