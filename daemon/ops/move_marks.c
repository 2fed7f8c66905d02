/*
 * What the source's log does not tell of its tables, where it is of that kind (ops/origin.h): marks
 * of each table and of how they come into the log are taken when a copy begins, and compared at
 * each start.
 */
#include "base/memory.h"
#include "ops/move_private.h"
#include "ops/pg_marks.h"

#include <stdlib.h>
#include <string.h>

/* What the stream has, what is joining it and, with `tables`, what m->tables has; the caller frees.
 */
static const struct relation **all_shapes(const struct move *m, bool tables, unsigned *n)
{
        const struct prepare_result *r = m->p->result;
        unsigned more = tables ? m->tables->n : 0;
        const struct relation **all =
                memory_new((r->shapes_n + r->joining_n + more + 1) * sizeof(*all));

        *n = 0;
        for (unsigned i = 0; i < r->shapes_n; i++)
                all[(*n)++] = r->shapes[i];
        for (unsigned i = 0; i < r->joining_n; i++)
                all[(*n)++] = r->joining[i];
        for (unsigned i = 0; i < more; i++)
                all[(*n)++] = m->tables->items[i].shape;
        return all;
}

int move_read_marks(struct move *m, struct error *e)
{
        const struct relation **shapes;
        struct carried tables = {.n = m->tables->n};

        if (!m->from->marks)
                return 0;
        shapes = memory_new((tables.n + 1) * sizeof(*shapes));
        for (unsigned i = 0; i < tables.n; i++)
                shapes[i] = m->tables->items[i].shape;
        tables.shapes = shapes;
        pg_marks_free(m->marks, tables.n);
        m->marks = m->from->marks(m->origin, &tables, e);
        free(shapes);
        return m->marks ? 0 : error_context(e, "source");
}

int move_take_published(struct move *m, bool tables, struct error *e)
{
        struct copy_record *r = &m->p->record;
        const struct relation **shapes;
        struct carried all = {0};
        char *now;

        if (!m->from->published)
                return 0;
        shapes = all_shapes(m, tables, &all.n);
        all.shapes = shapes;
        now = m->from->published(m->origin, &all, e);
        free(shapes);
        if (!now)
                return error_context(e, "source");
        if (r->published && !strcmp(r->published, now)) {
                free(now);
                return 0;
        }
        free(r->published);
        r->published = now;
        return 1;
}

static int write_changed(struct move *m, const struct table_record *k, struct error *e)
{
        if (m->to->begin(m->destination, e) < 0 ||
                (k ? m->to->write_table(m->destination, k, e)
                   : m->to->write_record(m->destination, &m->p->record, e)) < 0)
                return error_context(e, "target");
        return m->to->commit(m->destination, e) < 0 ? error_context(e, "target") : 0;
}

static int check_mark(
        struct move *m, const struct relation *shape, const char *now, struct error *e)
{
        struct table_record *k = table_records_find(m->p->known, shape->schema, shape->name);
        int rc;

        if (!k)
                return 0;
        rc = m->from->compare(m->origin, shape, k->mark, now, e);
        rc = prepare_take_mark(m->p, k, now, rc, e);
        return rc > 0 ? write_changed(m, k, e) : rc;
}

static int check_streamed(struct move *m, struct error *e)
{
        struct prepare_result *r = m->p->result;
        const struct carried streamed = {
                .shapes = (const struct relation *const *)r->shapes, .n = r->shapes_n};

        if (!m->from->marks)
                return 0;
        if (!(r->marks = m->from->marks(m->origin, &streamed, e)))
                return error_context(e, "source");
        for (unsigned i = 0; i < r->shapes_n; i++)
                if (check_mark(m, r->shapes[i], r->marks[i], e) < 0)
                        return -1;
        return 0;
}

int move_check_streamed(struct move *m, struct error *e)
{
        struct carried all = {.published = m->p->record.published};
        const struct relation **shapes = all_shapes(m, false, &all.n);
        int rc;

        all.shapes = shapes;
        rc = m->from->resume(m->origin, &all, e);
        free(shapes);
        if (rc < 0)
                return error_context(e, "source");
        if ((rc = move_take_published(m, false, e)) < 0 ||
                (rc > 0 && write_changed(m, NULL, e) < 0))
                return -1;
        return check_streamed(m, e);
}

int move_check_loaded(struct move *m, struct error *e)
{
        struct carried all = {.published = m->p->record.published};
        const struct relation **shapes = all_shapes(m, true, &all.n);
        int rc;

        all.shapes = shapes;
        rc = m->from->watch(m->origin, &all, e);
        free(shapes);
        if (rc < 0)
                return error_context(e, "source");
        if (move_read_marks(m, e) < 0)
                return -1;
        for (unsigned i = 0; m->marks && i < m->tables->n; i++)
                if (check_mark(m, m->tables->items[i].shape, m->marks[i], e) < 0)
                        return -1;
        return 0;
}
