/* Foreign keys by which the source changes rows that it does not log (HAZARDS A14), and the order
 * of the copy, which they have a say in. */
#include "base/memory.h"
#include "ops/cascade_plan.h"
#include "ops/move_private.h"

#include <stdlib.h>
#include <string.h>

static int check(struct move *m, const struct table_defs *t, const struct destined *d,
        struct checks *out, struct error *e)
{
        struct cascades *c;
        int rc;

        if (m->from->logs_cascades(m->origin))
                return 0;
        cascade_plan_check(t, d, m->p->route, m->to->engine(m->destination), out);
        c = cascade_plan(t, d, NULL);
        rc = cascade_plan_target(m->to, m->destination, c, d, t->n, out, e);
        cascades_unref(c);
        return rc;
}

int move_check_cascades(struct move *m, struct checks *out, struct error *e)
{
        return check(m, m->tables, m->destined, out, e);
}

/* What is not part of the stream yet has the copy's rows, and no parent's change of before. */
static bool *streamed(const struct move *m, const struct table_defs *t)
{
        const struct prepare_result *r = m->p->result;
        bool *list = memory_new(t->n + 1);

        for (unsigned i = 0; i < t->n; i++)
                for (unsigned k = 0; k < r->shapes_n && !list[i]; k++)
                        list[i] = !strcmp(r->shapes[k]->name, t->items[i].name) &&
                                  !strcmp(r->shapes[k]->schema, t->items[i].schema);
        return list;
}

/* Rows events say whether they were followed, so the keys are told also where a server logs what
 * they do: it may not always have done so. */
static void plan(struct move *m, const struct table_defs *t, const struct destined *d)
{
        bool *list = streamed(m, t);

        cascades_unref(m->p->result->cascades);
        m->p->result->cascades = cascade_plan(t, d, list);
        free(list);
}

int move_cascades(struct move *m, bool recorded, struct error *e)
{
        struct move_recorded r = {0};
        int rc = 0;

        if (m->from->engine(m->origin) == ENGINE_POSTGRESQL)
                return 0;
        if (!recorded)
                plan(m, m->tables, m->destined);
        else if ((rc = move_recorded(m, &r, e)) == 0)
                plan(m, r.tables, r.destined);
        move_recorded_done(&r);
        return rc;
}

int move_resume_cascades(struct move *m, struct error *e)
{
        struct move_recorded r = {0};
        struct checks found = {0};
        int rc = move_cascades(m, true, e);

        if (rc == 0 && (rc = move_recorded(m, &r, e)) == 0)
                rc = check(m, r.tables, r.destined, &found, e);
        if (rc == 0)
                rc = prepare_judge(&found, e);
        checks_done(&found);
        move_recorded_done(&r);
        return rc;
}

/* ---- the order of the copy ---- */

struct ordering {
        const struct table_defs *tables;
        const unsigned *group;
        uint64_t *bytes; /* of each group */
};

/* Largest group first, and in it the largest table. */
static int compare(const void *a, const void *b, void *context)
{
        const struct ordering *o = context;
        unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
        unsigned p = o->group[x], q = o->group[y];

        if (o->bytes[p] != o->bytes[q])
                return o->bytes[p] < o->bytes[q] ? 1 : -1;
        if (p != q)
                return p < q ? -1 : 1;
        return (o->tables->items[x].bytes < o->tables->items[y].bytes) -
               (o->tables->items[x].bytes > o->tables->items[y].bytes);
}

static bool at_one_position(const struct move *m, unsigned readers)
{
        for (unsigned i = 1; i < readers; i++)
                if (position_compare(m->from->position(m->from->reader(m->origin, i)),
                            m->from->position(m->from->reader(m->origin, 0))) != 0)
                        return false;
        return true;
}

static unsigned *groups_of(const struct move *m, unsigned readers)
{
        unsigned *alone;

        if (!at_one_position(m, readers))
                return cascade_groups(
                        m->tables, m->to->engine(m->destination) == ENGINE_POSTGRESQL);
        alone = memory_new((m->tables->n + 1) * sizeof *alone);
        for (unsigned i = 0; i < m->tables->n; i++)
                alone[i] = i;
        return alone;
}

void move_set_order(struct move *m, unsigned readers)
{
        unsigned n = m->tables->n, *group = groups_of(m, readers);
        struct ordering o = {m->tables, group, memory_new((n + 1) * sizeof *o.bytes)};

        free(m->order);
        free(m->units);
        m->order = memory_new((n + 1) * sizeof *m->order);
        m->units = memory_new((n + 1) * sizeof *m->units);
        m->units_n = 0;
        for (unsigned i = 0; i < n; i++) {
                m->order[i] = i;
                o.bytes[group[i]] += m->tables->items[i].bytes;
        }
        qsort_r(m->order, n, sizeof *m->order, compare, &o);
        for (unsigned i = 0; i < n; i++)
                if (i == 0 || group[m->order[i]] != group[m->order[i - 1]])
                        m->units[m->units_n++] = i;
        m->units[m->units_n] = n;
        m->next = 0;
        free(group);
        free(o.bytes);
}
