#include "ops/cascade_plan.h"
#include "base/memory.h"
#include "model/table_keys.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The column that the key refers to; servers tell columns apart without regard to case. */
static int to_column(const struct table_def *parent, const char *name)
{
        for (unsigned i = 0; i < parent->columns_n; i++)
                if (!strcasecmp(parent->columns[i].name, name))
                        return (int)i;
        return -1;
}

/* The names of one pair of columns on the target; false: one of them is not there. */
static bool pair_of(const struct destined *child, const struct destined *parent,
        const struct def_reference *f, unsigned i, const char **from, const char **to)
{
        int at = to_column(parent->def, f->to_columns[i]);

        *from = route_column(child->route, child->def->columns[f->columns[i]].name);
        *to = at < 0 ? NULL : route_column(parent->route, parent->def->columns[at].name);
        return *from && *to;
}

static bool carried(
        const struct destined *child, const struct destined *parent, const struct def_reference *f)
{
        const char *from, *to;

        for (unsigned i = 0; i < f->columns_n; i++)
                if (!pair_of(child, parent, f, i, &from, &to))
                        return false;
        return f->columns_n > 0;
}

static void add_key(struct cascades *c, const struct destined *child, const struct destined *parent,
        const struct def_reference *f)
{
        struct cascade_key *k = cascades_add(c, f->columns_n);

        k->name = memory_string(f->name);
        k->schema = memory_string(child->route->schema);
        k->table = memory_string(child->route->name);
        k->to_schema = memory_string(parent->route->schema);
        k->to_table = memory_string(parent->route->name);
        k->on_delete = cascade_rule_of(f->on_delete);
        k->on_update = cascade_rule_of(f->on_update);
        for (unsigned i = 0; i < f->columns_n; i++) {
                const char *from, *to;

                pair_of(child, parent, f, i, &from, &to);
                k->columns[i] = memory_string(from);
                k->to_columns[i] = memory_string(to);
        }
}

typedef void each_key(void *context, const struct destined *child, const struct destined *parent,
        const struct def_reference *f);

static void each(
        const struct table_defs *t, const struct destined *d, each_key *call, void *context)
{
        for (unsigned i = 0; i < t->n; i++)
                for (unsigned k = 0; k < t->items[i].references_n; k++) {
                        const struct def_reference *f = &t->items[i].references[k];
                        const struct table_def *parent =
                                table_key_acts(f) ? table_defs_find(t, f->to_schema, f->to_table)
                                                  : NULL;

                        if (parent)
                                call(context, &d[i], &d[parent - t->items], f);
                }
}

struct planning {
        struct cascades *out;
        const struct destined *all;
        const bool *streamed;
};

static void plan_key(void *context, const struct destined *child, const struct destined *parent,
        const struct def_reference *f)
{
        struct planning *p = context;

        if ((!p->streamed || (p->streamed[child - p->all] && p->streamed[parent - p->all])) &&
                carried(child, parent, f))
                add_key(p->out, child, parent, f);
}

struct cascades *cascade_plan(
        const struct table_defs *t, const struct destined *d, const bool *streamed)
{
        struct planning p = {cascades_new(), d, streamed};

        each(t, d, plan_key, &p);
        return p.out;
}

/* ---- checks ---- */

struct checking {
        enum engine to;
        struct checks *out;
};

static void say(struct checking *c, enum check_level level, const struct destined *child,
        const struct destined *parent, const struct def_reference *f, const char *what)
{
        checks_add(c->out, level, NULL,
                "foreign key %s of %s.%s changes rows by itself when rows of %s.%s change, and %s",
                f->name, child->def->schema, child->def->name, parent->def->schema,
                parent->def->name, what);
}

static bool by_collation(const struct table_def *t, const struct def_reference *f)
{
        for (unsigned i = 0; i < f->columns_n; i++) {
                const char *collation = t->columns[f->columns[i]].collation;

                if (collation && !strstr(collation, "_bin"))
                        return true;
        }
        return false;
}

static void check_key(void *context, const struct destined *child, const struct destined *parent,
        const struct def_reference *f)
{
        struct checking *c = context;

        if (parent->route->options && parent->route->options->where)
                say(c, CHECK_ERROR, child, parent, f,
                        "rows that 'where' keeps from the target would not do so there: leave "
                        "'where' out for the table that it refers to");
        if (!carried(child, parent, f))
                say(c, CHECK_ERROR, child, parent, f,
                        "a column of it is excluded (columns.exclude)");
        if (c->to == ENGINE_POSTGRESQL && by_collation(child->def, f))
                say(c, CHECK_WARNING, child, parent, f,
                        "compares text without regard to case there, and by bytes on the target: "
                        "children whose text is not exactly the parent's are not found");
}

/* Its cascades would reach the child, and never the log. */
static void check_parent(const struct table_def *t, const struct def_reference *f, struct route *r,
        struct checks *out)
{
        if (table_key_acts(f) && !route_find(r, f->to_schema, f->to_table))
                checks_add(out, CHECK_ERROR, NULL,
                        "source: foreign key %s of %s.%s changes rows by itself when rows of %s.%s "
                        "change, which is not migrated, and the binary log does not tell: include "
                        "%s.%s, or exclude %s.%s",
                        f->name, t->schema, t->name, f->to_schema, f->to_table, f->to_schema,
                        f->to_table, t->schema, t->name);
}

void cascade_plan_check(const struct table_defs *t, const struct destined *d, struct route *r,
        enum engine to, struct checks *out)
{
        struct checking c = {to, out};

        for (unsigned i = 0; i < t->n; i++)
                for (unsigned k = 0; k < t->items[i].references_n; k++)
                        check_parent(&t->items[i], &t->items[i].references[k], r, out);
        each(t, d, check_key, &c);
}

static bool is_made(const struct cascade_key *k, const struct destined *d, unsigned n)
{
        for (unsigned i = 0; i < n; i++)
                if (cascade_is_from(k, d[i].route->schema, d[i].route->name))
                        return d[i].create;
        return false;
}

int cascade_plan_target(const struct destination_ops *ops, struct destination *to,
        const struct cascades *c, const struct destined *d, unsigned n, struct checks *out,
        struct error *e)
{
        bool *made;
        int rc;

        if (!c || c->n == 0)
                return 0;
        made = memory_new(c->n * sizeof *made);
        for (unsigned i = 0; i < c->n; i++)
                made[i] = is_made(&c->keys[i], d, n);
        rc = ops->cascades(to, c, made, out, e);
        free(made);
        return rc < 0 ? error_context(e, "target") : 0;
}

/* ---- the copy ---- */

static void tie(unsigned *group, unsigned n, unsigned a, unsigned b)
{
        unsigned from = group[a] > group[b] ? group[a] : group[b];
        unsigned to = group[a] < group[b] ? group[a] : group[b];

        for (unsigned i = 0; i < n && from != to; i++)
                if (group[i] == from)
                        group[i] = to;
}

unsigned *cascade_groups(const struct table_defs *t, bool all)
{
        unsigned *group = memory_new((t->n + 1) * sizeof *group);

        for (unsigned i = 0; i < t->n; i++)
                group[i] = i;
        for (unsigned i = 0; i < t->n; i++)
                for (unsigned k = 0; k < t->items[i].references_n; k++) {
                        const struct def_reference *f = &t->items[i].references[k];
                        const struct table_def *parent =
                                all || table_key_acts(f)
                                        ? table_defs_find(t, f->to_schema, f->to_table)
                                        : NULL;

                        if (parent)
                                tie(group, t->n, i, (unsigned)(parent - t->items));
                }
        return group;
}
