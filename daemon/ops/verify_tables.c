/* The tables of a run, as both sides have them now. */
#include "base/memory.h"
#include "ops/destination.h"
#include "ops/origin.h"
#include "ops/verify_private.h"

#include <string.h>

static const struct table_def *def_of(
        const struct table_defs *defs, const char *schema, const char *name, struct error *e)
{
        const struct table_def *d = table_defs_find(defs, schema, name);

        if (!d)
                error_set(
                        e, ERROR_CONFIG, "table %s.%s is not on the source any more", schema, name);
        return d;
}

static bool select_task(void *context, const char *schema, const char *name)
{
        const struct verify *v = context;

        for (unsigned i = 0; i < v->tasks_n; i++)
                if (!strcmp(v->tasks[i].at.schema, schema) && !strcmp(v->tasks[i].at.name, name))
                        return true;
        return false;
}

static int make_task(
        struct verify *v, struct verify_ends *x, struct verify_task *task, struct error *e)
{
        const struct route_table *t = route_find(v->route, task->at.schema, task->at.name);
        const struct table_def *def = def_of(x->defs, task->at.schema, task->at.name, e);
        struct mapping_ends ends = {.from = x->from->engine(x->origin),
                .to = x->to->engine(x->destination),
                .policy = config_convert_policy(v->config)};
        struct relation *known = NULL;
        bool rows = false;
        int there;

        if (!def)
                return -1;
        if (!t)
                return error_set(e, ERROR_CONFIG, "table %s.%s is not migrated any more",
                        task->at.schema, task->at.name);
        there = x->to->table(x->destination, t->schema, t->name, &known, &rows, e);
        if (there < 0)
                return -1;
        if (!there)
                return error_set(
                        e, ERROR_CONFIG, "table %s.%s is not on the target", t->schema, t->name);
        ends.known = def->shape;
        if (ends.from != ENGINE_POSTGRESQL || ends.to != ENGINE_POSTGRESQL)
                ends.target = known;
        if (task->at.total < 0 && def->rows >= 0)
                task->at.total = (int64_t)def->rows;
        return verify_table_init(&task->table, def, t, known, &ends, e);
}

/* Rows that the target had before (existing = append) have nothing on the source. */
static void mark_mine(struct verify *v, const struct table_records *known)
{
        for (unsigned i = 0; known && i < v->tasks_n; i++) {
                const struct verify_progress *p = &v->tasks[i].at;
                const struct table_record *k = table_records_find(known, p->schema, p->name);

                v->tasks[i].table.mine = k && !strncmp(k->state, "append", 6);
        }
}

static int make_tasks(struct verify *v, struct verify_ends *x, struct error *e)
{
        struct table_records *known;

        for (unsigned i = 0; i < v->tasks_n; i++)
                if ((v->tasks[i].at.phase != PHASE_OVER || v->run.continuous) &&
                        make_task(v, x, &v->tasks[i], e) < 0)
                        return error_context(
                                e, "verifying %s.%s", v->tasks[i].at.schema, v->tasks[i].at.name);
        if (!(known = x->to->read_tables(x->destination, e)))
                return -1;
        mark_mine(v, known);
        table_records_free(known);
        return 0;
}

int verify_look(struct verify *v, struct verify_ends *x, struct error *e)
{
        if (!(x->origin = x->from->open(v->config, v->halt, e)) ||
                !(x->defs = x->from->tables(x->origin, select_task, v, e)))
                return error_context(e, "source");
        if (!(x->destination = x->to->open(v->config, v->halt, e)))
                return error_context(e, "target");
        return make_tasks(v, x, e);
}
