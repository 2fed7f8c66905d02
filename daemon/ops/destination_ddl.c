#include "ops/destination_ddl.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

struct making {
        const struct destined *tables;
        unsigned n;
        struct ddl_used used;
};

static const char *column_of(void *context, const char *source)
{
        return route_column(context, source);
}

static void name_of(struct making *m, const struct destined *d, struct ddl_names *n);

static bool refers(void *context, const char *schema, const char *table, struct ddl_names *names,
        const struct table_def **def)
{
        struct making *m = context;

        for (unsigned i = 0; i < m->n; i++) {
                const struct destined *d = &m->tables[i];

                if (strcmp(d->def->name, table) != 0 || strcmp(d->def->schema, schema) != 0)
                        continue;
                name_of(m, d, names);
                *def = d->def;
                return true;
        }
        return false;
}

static void name_of(struct making *m, const struct destined *d, struct ddl_names *n)
{
        *n = (struct ddl_names){.schema = d->route->schema,
                .table = d->route->name,
                .column = column_of,
                .context = (void *)(uintptr_t)d->route,
                .refers = refers,
                .refers_context = m,
                .used = &m->used};
}

int destination_ddl_make(struct destination_ddl *l, const struct destination_ops *ops,
        struct destination *d, const struct destined *t, unsigned n, struct error *e)
{
        struct making m = {.tables = t, .n = n};
        int rc = 0;

        l->tables = memory_new((n + 1) * sizeof *l->tables);
        l->n = n;
        for (unsigned i = 0; i < n; i++)
                ddl_used_add(&m.used, t[i].route->schema, t[i].route->name);
        for (unsigned i = 0; rc == 0 && i < n; i++) {
                struct ddl_names names;

                if (!t[i].create)
                        continue;
                name_of(&m, &t[i], &names);
                if ((rc = ops->ddl(d, t[i].def, &names, &l->tables[i], e)) < 0)
                        error_context(e, "table %s.%s", t[i].def->schema, t[i].def->name);
        }
        ddl_used_done(&m.used);
        return rc;
}

void destination_ddl_done(struct destination_ddl *l)
{
        for (unsigned i = 0; i < l->n; i++)
                ddl_done(&l->tables[i]);
        free(l->tables);
        *l = (struct destination_ddl){0};
}

static int run_list(const struct destination_ops *ops, struct destination *d,
        const struct destined *t, const struct ddl_list *list, struct halt *h, struct error *e)
{
        for (unsigned i = 0; i < list->n; i++) {
                if (halt_check(h, e) < 0)
                        return -1;
                if (ops->run(d, list->items[i].sql, e) < 0)
                        return error_context(e, "making %s%sof table %s.%s", list->items[i].name,
                                *list->items[i].name ? " " : "a part ", t->route->schema,
                                t->route->name);
        }
        return 0;
}

int destination_create(const struct destination_ops *ops, struct destination *d,
        const struct destined *t, unsigned n, struct halt *h, struct buf *left, struct error *e)
{
        struct destination_ddl l = {0};
        int rc = destination_ddl_make(&l, ops, d, t, n, e);

        for (unsigned i = 0; rc == 0 && i < n; i++) {
                const struct ddl_list *not_carried = &l.tables[i].left_out;

                rc = run_list(ops, d, &t[i], &l.tables[i].before, h, e);
                if (rc == 0)
                        rc = run_list(ops, d, &t[i], &l.tables[i].table, h, e);
                for (unsigned k = 0; k < not_carried->n; k++)
                        buf_printf(left, "%s\n", not_carried->items[k].sql);
        }
        destination_ddl_done(&l);
        return rc;
}

int destination_index(const struct destination_ops *ops, struct destination *d,
        const struct destined *t, unsigned n, struct halt *h, struct error *e)
{
        struct destination_ddl l = {0};
        int rc = destination_ddl_make(&l, ops, d, t, n, e);

        for (unsigned i = 0; rc == 0 && i < n; i++)
                rc = run_list(ops, d, &t[i], &l.tables[i].indexes, h, e);
        destination_ddl_done(&l);
        return rc;
}

int destination_refer(const struct destination_ops *ops, struct destination *d,
        const struct destined *t, unsigned n, struct halt *h, struct error *e)
{
        struct destination_ddl l = {0};
        int rc = destination_ddl_make(&l, ops, d, t, n, e);

        for (unsigned i = 0; rc == 0 && i < n; i++)
                rc = run_list(ops, d, &t[i], &l.tables[i].references, h, e);
        destination_ddl_done(&l);
        return rc;
}

int destination_follow(const struct destination_ops *ops, struct destination *d,
        const struct destined *t, unsigned n, struct halt *h, struct error *e)
{
        return destination_index(ops, d, t, n, h, e) < 0 ? -1
                                                         : destination_refer(ops, d, t, n, h, e);
}
