#include "ops/preflight.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

/* Options that do not fit the table's columns are the operator's to mend, too. */
static struct relation *shape_of(
        const struct route_table *r, const struct pg_table_info *t, struct checks *out)
{
        struct error e = ERROR_INIT;
        struct relation *shape = route_target_shape(r, t->shape, &e);
        struct filter *filter = NULL;

        if (!shape || route_filter(r, t->shape, &filter, &e) < 0)
                checks_add(
                        out, CHECK_ERROR, NULL, "[table %s.%s]: %s", t->schema, t->name, e.message);
        filter_free(filter);
        return shape ? shape : relation_ref(t->shape);
}

static int compare_targets(const void *a, const void *b)
{
        const struct check_table *x = *(const struct check_table *const *)a;
        const struct check_table *y = *(const struct check_table *const *)b;
        int order = strcmp(x->schema, y->schema);

        return order ? order : strcmp(x->name, y->name);
}

/* Two source tables must not end in one. */
static void check_distinct(const struct check_table *tables, unsigned n, struct checks *out)
{
        const struct check_table **sorted = memory_new((n + 1) * sizeof *sorted);

        for (unsigned i = 0; i < n; i++)
                sorted[i] = &tables[i];
        qsort(sorted, n, sizeof *sorted, compare_targets);
        for (unsigned i = 1; i < n; i++)
                if (compare_targets(&sorted[i - 1], &sorted[i]) == 0)
                        checks_add(out, CHECK_ERROR, NULL,
                                "tables %s.%s and %s.%s would both go to %s.%s",
                                sorted[i - 1]->source->schema, sorted[i - 1]->source->name,
                                sorted[i]->source->schema, sorted[i]->source->name,
                                sorted[i]->schema, sorted[i]->name);
        free(sorted);
}

int preflight_run(const struct config *c, struct route *r, PGconn *source, PGconn *target,
        const struct pg_tables *tables, bool *missing, struct checks *out, struct error *e)
{
        struct check_table *list = memory_new((tables->n + 1) * sizeof *list);
        struct relation **shapes = memory_new((tables->n + 1) * sizeof *shapes);
        const struct check_input in = {c, list, tables->n};
        int rc;

        for (unsigned i = 0; i < tables->n; i++) {
                const struct pg_table_info *t = &tables->items[i];
                const struct route_table *x = route_find(r, t->schema, t->name);

                shapes[i] = shape_of(x, t, out);
                list[i] = (struct check_table){t, x->schema, x->name, shapes[i]};
        }
        check_distinct(list, tables->n, out);
        rc = pg_check_source(source, &in, out, e);
        if (rc == 0)
                rc = pg_check_target(target, source, &in, missing, out, e);
        for (unsigned i = 0; i < tables->n; i++)
                relation_unref(shapes[i]);
        free(shapes);
        free(list);
        return rc;
}
