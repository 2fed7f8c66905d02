/* What is done with one table: columns on both sides, format, filter. */
#include "ops/copy_private.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static const struct pg_column *column_named(const struct pg_table_info *t, const char *name)
{
        for (unsigned i = 0; i < t->columns_n; i++)
                if (!strcmp(t->columns[i].name, name))
                        return &t->columns[i];
        return NULL;
}

/* Row of the target's column in `r`, or -1. */
static int target_column(const PGresult *r, const char *name)
{
        for (int i = 0; i < PQntuples(r); i++)
                if (!strcmp(pg_text(r, i, 0), name))
                        return i;
        return -1;
}

static int no_column(const struct copy_table *t, const char *name, struct error *e)
{
        return error_set(e, ERROR_CONFIG, "table %s.%s on the target has no column %s", t->schema,
                t->name, name);
}

/* Adds one column to both lists; the binary form only where both sides have the same type. */
static int add_column(struct copy_table *t, const struct column *c, const PGresult *r,
        struct buf *source, struct buf *target, struct error *e)
{
        const char *name = route_column(t->route, c->name);
        const struct pg_column *known = column_named(t->info, c->name);
        int row;

        if (!name)
                return 0;
        if (t->staged)
                name = c->name;
        if ((row = target_column(r, name)) < 0)
                return no_column(t, name, e);
        if (*pg_text(r, row, 2) == 's')
                return error_set(e, ERROR_CONFIG,
                        "column %s of table %s.%s is generated on the target", name, t->schema,
                        t->name);
        if (!known || !known->binary || strtoul(pg_text(r, row, 1), NULL, 10) != c->type)
                t->binary = false;
        buf_str(source, source->len ? ", " : "");
        pg_ident(source, c->name);
        buf_str(target, target->len ? ", " : "");
        pg_ident(target, name);
        return 0;
}

static PGresult *read_target(PGconn *control, const struct copy_table *t, struct error *e)
{
        const char *values[] = {t->schema, t->name};

        return pg_query(control, e,
                "select a.attname, a.atttypid, a.attgenerated from pg_catalog.pg_attribute a "
                "join pg_catalog.pg_class c on c.oid = a.attrelid "
                "join pg_catalog.pg_namespace n on n.oid = c.relnamespace "
                "where n.nspname = $1 and c.relname = $2 and a.attnum > 0 and not a.attisdropped",
                2, values);
}

static int make_lists(struct copy_table *t, PGconn *control, struct error *e)
{
        const struct relation *shape = t->info->shape;
        struct buf source = BUF_INIT, target = BUF_INIT;
        AUTO_RESULT r = read_target(control, t, e);
        int rc = r ? 0 : -1;

        for (unsigned i = 0; rc == 0 && i < shape->columns_n; i++)
                rc = add_column(t, &shape->columns[i], r, &source, &target, e);
        t->source_list = buf_take(&source);
        t->target_list = buf_take(&target);
        return rc;
}

/* Position of a source column among those that are copied. */
static unsigned line_column(const struct copy_table *t, const char *name)
{
        const struct relation *shape = t->info->shape;
        unsigned at = 0;

        for (unsigned i = 0; i < shape->columns_n; i++) {
                if (!strcmp(shape->columns[i].name, name))
                        break;
                at += route_column(t->route, shape->columns[i].name) != NULL;
        }
        return at;
}

static int make_filter(struct copy_table *t, struct error *e)
{
        const struct relation *shape = t->info->shape;
        struct copy_filter *f = &t->filter;

        if (route_filter(t->route, shape, &f->filter, e) < 0)
                return -1;
        if (!f->filter)
                return 0;
        for (unsigned i = 0; i < shape->columns_n; i++)
                f->columns_n += route_column(t->route, shape->columns[i].name) != NULL;
        f->n = filter_columns(f->filter);
        f->at = memory_new((f->n ? f->n : 1) * sizeof *f->at);
        for (unsigned i = 0; i < f->n; i++)
                f->at[i] = line_column(t, filter_column(f->filter, i));
        t->binary = false;
        return 0;
}

int copy_table_init(struct copy_table *t, const struct copy_options *o, unsigned i, struct error *e)
{
        t->info = &o->tables->items[i];
        t->route = route_find(o->route, t->info->schema, t->info->name);
        t->counter = &o->counters[i];
        t->append = o->append[i];
        t->binary = PQserverVersion(o->anchor) / 10000 == PQserverVersion(o->control) / 10000;
        if (!t->route)
                return error_set(
                        e, ERROR_BUG, "table %s.%s has no route", t->info->schema, t->info->name);
        t->staged = o->staged[i];
        t->schema = t->staged ? t->info->schema : t->route->schema;
        t->name = t->staged ? t->info->name : t->route->name;
        return make_lists(t, o->control, e) < 0 ? -1 : make_filter(t, e);
}

void copy_table_done(struct copy_table *t)
{
        filter_free(t->filter.filter);
        free(t->filter.at);
        free(t->source_list);
        free(t->target_list);
}
