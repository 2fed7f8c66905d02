/* From the source's shapes and changes to the target's. */
#include "flow/route_private.h"
#include "base/memory.h"
#include "model/cascade.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void binding_free(void *p)
{
        struct binding *b = p;

        mapping_done(&b->mapping);
        relation_unref(b->source);
        free(b->scratch);
        free(b);
}

static int ddl_error(const struct route_table *t, const char *what, struct error *e)
{
        error_set(e, ERROR_DATA,
                "the definition of %s.%s changed on the source (ddl = stop): %s; change the target "
                "alike (a column that was added with a default: old rows there must have it, too), "
                "then resume accepts it",
                t->source_schema, t->source_name, what);
        snprintf(e->table, sizeof e->table, "%s.%s", t->source_schema, t->source_name);
        return -1;
}

static bool is_expected(
        const struct expected *known, const struct relation *shape, struct buf *what)
{
        AUTO_BUF ignored = BUF_INIT;

        return (known->next && relation_same(known->next, shape, &ignored)) ||
               relation_same(known->shape, shape, what);
}

/* A change that waits would keep back what the source's engine did to children by it, or come back
 * after they are gone; one that overwrites would take what it did for its own. */
static int check_quarantine(const struct route *r, const struct route_table *t, struct error *e)
{
        if (t->on_conflict == CONFLICT_STOP || !cascades_touch(r->cascades, t->schema, t->name))
                return 0;
        error_set(e, ERROR_CONFIG,
                "[table %s.%s] on_conflict = %s: foreign keys with CASCADE or SET NULL "
                "lead to or from the table, and what the source does by them is not in its log: "
                "on_conflict = stop",
                t->source_schema, t->source_name,
                t->on_conflict == CONFLICT_OVERWRITE ? "overwrite" : "quarantine");
        snprintf(e->table, sizeof e->table, "%s.%s", t->source_schema, t->source_name);
        return -1;
}

static int bind(const struct route *r, struct binding *b, const struct relation *shape,
        const struct expected *known, struct error *e)
{
        struct mapping_ends ends = r->ends;

        ends.known = known->shape;
        ends.target = known->target;
        if (check_quarantine(r, b->table, e) < 0 ||
                mapping_init(&b->mapping, b->table, shape, &ends, e) < 0)
                return -1;
        if (cascades_have_parent(r->cascades, b->table->schema, b->table->name))
                relation_set_cascades(b->mapping.target, r->cascades);
        b->scratch = memory_new((mapping_scratch(&b->mapping) + 1) * sizeof *b->scratch);
        if (b->table->on_conflict == CONFLICT_QUARANTINE && b->mapping.convert)
                b->source = mapping_source_shape(shape, known->shape);
        return 0;
}

int route_relation(struct route *r, const struct relation *shape, struct error *e)
{
        const struct expected *known = route_expected(r, shape);
        struct route_table *t = known ? route_table_of(r, known->shape->schema, known->shape->name)
                                      : route_table_of(r, shape->schema, shape->name);
        AUTO_BUF what = BUF_INIT;
        struct binding *b = memory_new_of(struct binding);
        struct relation *mine = relation_ref(shape);

        if (mine->binding_free) /* told before: rows on their way name the target's relation */
                mine->binding_free(mine->binding);
        mine->binding = b;
        mine->binding_free = binding_free;
        relation_unref(mine);
        if (!t || !known) /* tables that came after the start are not migrated */
                return 0;
        if (!is_expected(known, shape, &what)) {
                route_keep(&r->refused, shape);
                return ddl_error(t, buf_text(&what), e);
        }
        b->table = t;
        b->from = known->from;
        return bind(r, b, shape, known, e);
}

static int passes(const struct binding *b, const struct value *row, struct error *e)
{
        return mapping_passes(&b->mapping, row, b->scratch, e);
}

/* An update that moves a row into the filter becomes an insert, which needs every value. */
static int complete_row(const struct binding *b, struct change *c, struct error *e)
{
        for (uint16_t i = 0; i < c->relation->columns_n; i++) {
                if (c->new[i].kind != VALUE_UNCHANGED)
                        continue;
                if (!c->old || c->old[i].kind == VALUE_UNCHANGED) {
                        error_set(e, ERROR_DATA,
                                "an update moves a row of %s.%s into its filter, but column '%s' "
                                "is not in the log: alter table ... replica identity full",
                                b->table->source_schema, b->table->source_name,
                                c->relation->columns[i].name);
                        return -1;
                }
                c->new[i] = c->old[i];
        }
        return 0;
}

/* A short row image leaves out what an INSERT did not name: the column's default was stored. */
static void fill_absent(struct change *c)
{
        for (uint16_t i = 0; i < c->relation->columns_n; i++) {
                const struct column *k = &c->relation->columns[i];

                if (c->new[i].kind != VALUE_UNCHANGED || !k->absent_known)
                        continue;
                c->new[i].kind = k->absent ? VALUE_TEXT : VALUE_NULL;
                c->new[i].data = k->absent;
                c->new[i].len = k->absent ? (uint32_t)strlen(k->absent) : 0;
        }
}

/* 1: keep, 0: drop, -1: error. May change the operation. */
static int apply_filter(const struct binding *b, struct change *c, struct error *e)
{
        const struct mapping *m = &b->mapping;
        int before, after;

        if (!m->filter || c->op == CHANGE_TRUNCATE)
                return 1;
        if (c->op == CHANGE_INSERT)
                return passes(b, c->new, e);
        if (c->op == CHANGE_DELETE)
                return passes(b, c->old, e);
        if (c->old) /* an unchanged TOAST value of the new row is the old one's */
                for (unsigned i = 0; i < filter_columns(m->filter); i++)
                        if (c->new[m->filter_at[i]].kind == VALUE_UNCHANGED)
                                c->new[m->filter_at[i]] = c->old[m->filter_at[i]];
        after = passes(b, c->new, e);
        before = c->old && after >= 0 ? passes(b, c->old, e) : after;
        if (before < 0)
                return -1;
        if (before && !after) {
                c->op = CHANGE_DELETE;
                c->new = NULL;
        } else if (!before && after) {
                if (complete_row(b, c, e) < 0)
                        return -1;
                c->op = CHANGE_INSERT;
                c->old = NULL;
        }
        return before || after;
}

/* The key of a row that has no place on the target, for the error. */
static int blame(
        const struct binding *b, const struct relation *r, const struct value *row, struct error *e)
{
        row_blame(r, row, e);
        snprintf(
                e->table, sizeof e->table, "%s.%s", b->table->source_schema, b->table->source_name);
        return error_context(e, "table %s", e->table);
}

static int map_row(struct txn *t, const struct binding *b, const struct relation *r,
        struct value **row, struct error *e)
{
        struct value *mapped = mapping_row(&b->mapping, t->arena, *row, e);

        if (*row && !mapped)
                return blame(b, r, *row, e);
        *row = mapped;
        return 0;
}

static int map_rows(struct txn *t, const struct binding *b, struct change *c, struct error *e)
{
        return map_row(t, b, c->relation, &c->old, e) < 0 ? -1
                                                          : map_row(t, b, c->relation, &c->new, e);
}

/* The sink sets aside what has no place on the target, by the key that it finds the row by. */
static void map_rows_partly(
        const struct route *r, struct txn *t, const struct binding *b, struct change *c)
{
        struct value *old = c->old, *new = c->new;

        c->old = mapping_row_partly(&b->mapping, t->arena, old, MISFIT_OLD, &c->misfit);
        c->new = mapping_row_partly(&b->mapping, t->arena, new, MISFIT_NEW, &c->misfit);
        if (!c->misfit)
                return;
        txn_hold(t, b->source);
        c->misfit->from = r->ends.from;
        c->misfit->source = b->source;
        c->misfit->old = old;
        c->misfit->new = new;
}

/* Is it migrated, and not in its copy already? */
static bool takes(const struct binding *b, const struct txn *t)
{
        return b && b->table && position_compare(t->commit, b->from) >= 0;
}

static int map_truncate(struct route *r, struct txn *t, struct change *c, struct error *e)
{
        uint32_t n = 0;

        for (uint32_t i = 0; i < c->truncated_n; i++) {
                const struct binding *b = c->truncated[i]->binding;

                if (!takes(b, t))
                        continue;
                txn_hold(t, b->mapping.target);
                c->truncated[n++] = b->mapping.target;
        }
        c->truncated_n = n;
        if (n == 0 || r->config->tables.on_truncate == ON_TRUNCATE_IGNORE)
                return 0;
        if (r->config->tables.on_truncate == ON_TRUNCATE_STOP) {
                error_set(e, ERROR_DATA, "%s.%s was truncated on the source (on_truncate = stop)",
                        c->truncated[0]->schema, c->truncated[0]->name);
                snprintf(e->table, sizeof e->table, "%s.%s", c->truncated[0]->schema,
                        c->truncated[0]->name);
                return -1;
        }
        c->relation = c->truncated[0];
        return 1;
}

static int route_change(struct route *r, struct txn *t, struct change *c, struct error *e)
{
        const struct binding *b = c->relation->binding;
        int keep;

        if (c->op == CHANGE_TRUNCATE)
                return map_truncate(r, t, c, e);
        if (!takes(b, t))
                return 0;
        if (c->op == CHANGE_INSERT)
                fill_absent(c);
        if ((keep = apply_filter(b, c, e)) <= 0)
                return keep;
        b->table->doubted = true;
        r->parents_changed |= c->op != CHANGE_INSERT;
        if (b->source)
                map_rows_partly(r, t, b, c);
        else if (map_rows(t, b, c, e) < 0)
                return -1;
        txn_hold(t, b->mapping.target);
        c->relation = b->mapping.target;
        return 1;
}

int route_apply(struct route *r, struct txn *t, struct error *e)
{
        struct change **at = &t->changes;

        while (*at) {
                int keep = route_change(r, t, *at, e);

                if (keep < 0)
                        return -1;
                if (keep) {
                        at = &(*at)->next;
                } else {
                        *at = (*at)->next;
                        t->changes_n--;
                }
        }
        t->tail = at;
        return 0;
}
