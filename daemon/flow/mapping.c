#include "flow/mapping.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static int no_target_column(const struct route_table *t, const char *name, struct error *e)
{
        return error_set(e, ERROR_CONFIG, "table %s.%s on the target has no column '%s'", t->schema,
                t->name, name);
}

/* 1: the column travels; 0: it is excluded, or the target works it out by itself; -1. */
static int travels(const struct route_table *t, const struct column *c,
        const struct relation *target, struct error *e)
{
        const char *name = route_column(t, c->name);
        int at;

        if (!name)
                return 0;
        if (!target)
                return 1;
        at = relation_column(target, name);
        if (at >= 0)
                return !column_is_generated(&target->columns[at]);
        return column_is_generated(c) ? 0 : no_target_column(t, name, e);
}

/* The type's name as the log tells it, or as it is known. */
static const char *native_of(const struct column *c, const struct relation *known)
{
        int at;

        if (c->native || !known)
                return c->native;
        at = relation_column(known, c->name);
        return at >= 0 ? known->columns[at].native : NULL;
}

/* `wanted` is the whole shape under the target's names; keeps what travels. */
static int take_columns(struct mapping *m, const struct relation *source,
        const struct mapping_ends *ends, const struct relation *wanted, struct error *e)
{
        const struct relation *target = ends->target, *known = ends->known;
        uint16_t n = 0, at = 0;

        m->source_of = memory_new((source->columns_n + 1u) * sizeof *m->source_of);
        m->target = relation_new(
                wanted->id, wanted->schema, wanted->name, wanted->identity, wanted->columns_n);
        for (uint16_t i = 0; i < source->columns_n; i++) {
                const struct column *c = &source->columns[i], *w;
                int takes = travels(m->table, c, target, e);

                if (!route_column(m->table, c->name))
                        continue;
                w = &wanted->columns[at++];
                if (takes < 0)
                        return -1;
                if (!takes)
                        continue;
                relation_set_column(m->target, n, w->name, w->type, w->modifier, w->key);
                relation_set_native(m->target, n,
                        target ? target->columns[relation_column(target, w->name)].native
                               : native_of(c, known));
                m->source_of[n++] = i;
        }
        m->target->columns_n = n;
        m->identical = n == source->columns_n;
        return 0;
}

static struct coltype *type_of(
        enum engine engine, const struct column *c, const struct relation *known, struct error *e)
{
        const char *native = native_of(c, known);

        return engine == ENGINE_POSTGRESQL ? coltype_pg(c->type, c->modifier, native)
                                           : coltype_my(engine, native ? native : "", e);
}

static int choose_converter(struct mapping *m, uint16_t i, const struct column *from,
        const struct mapping_ends *ends, struct error *e)
{
        struct coltype *a = type_of(ends->from, from, ends->known, e);
        struct coltype *b = a ? type_of(ends->to, &m->target->columns[i], NULL, e) : NULL;
        int rc = b ? convert_new(a, b, &ends->policy, &m->convert[i], e) : -1;

        coltype_free(a);
        coltype_free(b);
        if (m->convert[i])
                m->identical = false;
        return rc < 0 ? error_context(e, "column '%s' of %s.%s", from->name,
                                m->table->source_schema, m->table->source_name)
                      : 0;
}

static int choose_converters(struct mapping *m, const struct relation *source,
        const struct mapping_ends *ends, struct error *e)
{
        if (!ends->target)
                return 0;
        m->convert = memory_new((m->target->columns_n + 1u) * sizeof *m->convert);
        for (uint16_t i = 0; i < m->target->columns_n; i++)
                if (choose_converter(m, i, &source->columns[m->source_of[i]], ends, e) < 0)
                        return -1;
        return 0;
}

static int bind_filter(struct mapping *m, const struct relation *source, struct error *e)
{
        unsigned n;

        if (route_filter(m->table, source, &m->filter, e) < 0)
                return -1;
        n = mapping_scratch(m);
        m->filter_at = memory_new((n + 1) * sizeof *m->filter_at);
        for (unsigned i = 0; i < n; i++)
                m->filter_at[i] = (uint16_t)relation_column(source, filter_column(m->filter, i));
        return 0;
}

int mapping_init(struct mapping *m, const struct route_table *t, const struct relation *source,
        const struct mapping_ends *ends, struct error *e)
{
        struct relation *wanted = route_target_shape(t, source, e);
        int rc;

        *m = (struct mapping){.table = t};
        rc = wanted ? take_columns(m, source, ends, wanted, e) : -1;
        if (rc == 0)
                rc = choose_converters(m, source, ends, e);
        if (rc == 0)
                rc = bind_filter(m, source, e);
        relation_unref(wanted);
        return rc;
}

void mapping_done(struct mapping *m)
{
        for (uint16_t i = 0; m->convert && i < m->target->columns_n; i++)
                convert_free(m->convert[i]);
        free(m->convert);
        relation_unref(m->target);
        filter_free(m->filter);
        free(m->source_of);
        free(m->filter_at);
        *m = (struct mapping){0};
}

unsigned mapping_scratch(const struct mapping *m)
{
        return m->filter ? filter_columns(m->filter) : 0;
}

int mapping_passes(const struct mapping *m, const struct value *row, struct filter_value *scratch,
        struct error *e)
{
        if (!m->filter)
                return 1;
        for (unsigned i = 0; i < filter_columns(m->filter); i++) {
                const struct value *v = &row[m->filter_at[i]];

                if (v->kind == VALUE_UNCHANGED)
                        return error_set(e, ERROR_DATA,
                                "the filter of %s.%s needs column '%s', which is not in the log: "
                                "alter table ... replica identity full",
                                m->table->source_schema, m->table->source_name,
                                filter_column(m->filter, i));
                scratch[i] = (struct filter_value){v->kind == VALUE_NULL, v->data, v->len};
        }
        return filter_passes(m->filter, scratch);
}

/* -1: it has no place there, and the error names the column. */
static int map_value(const struct mapping *m, struct arena *a, const struct value *row, uint16_t i,
        struct value *mapped, struct error *e)
{
        const struct value *v = &row[m->source_of[i]];

        if (!m->convert || !m->convert[i]) {
                *mapped = *v;
                return 0;
        }
        if (convert_value(m->convert[i], a, v, mapped, e) == 0)
                return 0;
        return error_context(e, "column '%s'", m->target->columns[i].name);
}

struct value *mapping_row(
        const struct mapping *m, struct arena *a, struct value *row, struct error *e)
{
        struct value *mapped;

        if (!row || m->identical)
                return row;
        mapped = arena_alloc(a, (m->target->columns_n + 1u) * sizeof *mapped);
        for (uint16_t i = 0; i < m->target->columns_n; i++)
                if (map_value(m, a, row, i, &mapped[i], e) < 0)
                        return NULL;
        return mapped;
}

static void note_misfit(const struct mapping *m, struct arena *a, uint16_t i, unsigned which,
        const struct error *e, struct misfit **x)
{
        if (!*x) {
                *x = arena_zero(a, sizeof **x);
                (*x)->at = arena_zero(a, m->target->columns_n);
                (*x)->message = arena_text(a, e->message, strlen(e->message));
        }
        (*x)->at[i] |= (uint8_t)which;
}

struct value *mapping_row_partly(const struct mapping *m, struct arena *a, struct value *row,
        unsigned which, struct misfit **x)
{
        struct value *mapped;

        if (!row || m->identical)
                return row;
        mapped = arena_alloc(a, (m->target->columns_n + 1u) * sizeof *mapped);
        for (uint16_t i = 0; i < m->target->columns_n; i++) {
                struct error e = ERROR_INIT;

                if (map_value(m, a, row, i, &mapped[i], &e) == 0)
                        continue;
                mapped[i] = (struct value){.kind = VALUE_UNCHANGED};
                note_misfit(m, a, i, which, &e, x);
        }
        return mapped;
}

struct relation *mapping_source_shape(const struct relation *source, const struct relation *known)
{
        struct relation *r = relation_new(
                source->id, source->schema, source->name, source->identity, source->columns_n);

        for (uint16_t i = 0; i < source->columns_n; i++) {
                const struct column *c = &source->columns[i];

                relation_set_column(r, i, c->name, c->type, c->modifier, c->key);
                relation_set_native(r, i, native_of(c, known));
        }
        return r;
}
