/* What is to be migrated, what the target holds of it, and what is recorded of both. */
#include "base/log.h"
#include "base/memory.h"
#include "ops/move_private.h"
#include "ops/pg_marks.h"
#include "ops/selection.h"

#include <stdlib.h>
#include <string.h>

static bool select_table(void *context, const char *schema, const char *name)
{
        return selection_see(context, schema, name);
}

static void forget_mappings(struct move *m)
{
        for (unsigned i = 0; m->mappings && i < m->tables->n; i++)
                mapping_done(&m->mappings[i]);
        free(m->mappings);
        m->mappings = NULL;
}

static void forget_targets(struct move *m)
{
        for (unsigned i = 0; m->targets && i < m->tables->n; i++)
                relation_unref(m->targets[i]);
        free(m->targets);
        m->targets = NULL;
}

void move_forget_tables(struct move *m)
{
        forget_mappings(m);
        forget_targets(m);
        pg_marks_free(m->marks, m->tables ? m->tables->n : 0);
        m->marks = NULL;
        free(m->destined);
        free(m->begins);
        free(m->append);
        free(m->order);
        free(m->units);
        m->destined = NULL;
        m->begins = NULL;
        m->append = NULL;
        m->order = NULL;
        m->units = NULL;
        m->tables = table_defs_free(m->tables);
}

static void take_tables(struct move *m)
{
        m->destined = memory_new((m->tables->n + 1) * sizeof *m->destined);
        m->targets = memory_new((m->tables->n + 1) * sizeof(*m->targets));
        m->append = memory_new((m->tables->n + 1) * sizeof *m->append);
        for (unsigned i = 0; i < m->tables->n; i++) {
                const struct table_def *t = &m->tables->items[i];

                m->destined[i].def = t;
                m->destined[i].route = route_find(m->p->route, t->schema, t->name);
        }
}

/* A pattern whose tables were dropped since is no mistake. */
static void see_known(struct selection *s, const struct table_records *known)
{
        for (unsigned i = 0; known && i < known->n; i++)
                selection_see(s, known->items[i].schema, known->items[i].name);
}

int move_read_tables(struct move *m, struct error *e)
{
        struct selection s;
        int rc;

        move_forget_tables(m);
        selection_init(&s, m->p->config, m->p->route);
        m->tables = m->from->tables(m->origin, select_table, &s, e);
        see_known(&s, m->p->known);
        rc = m->tables ? selection_check(&s, e) : error_context(e, "source");
        selection_done(&s);
        if (rc == 0)
                take_tables(m);
        return rc;
}

static bool select_only(void *context, const char *schema, const char *name)
{
        const struct move *m = context;
        const struct route_table *t = route_find(m->p->route, schema, name);

        for (unsigned i = 0; t && i < m->only_n; i++)
                if (m->only[i] == t)
                        return true;
        return false;
}

int move_read_only(struct move *m, struct error *e)
{
        move_forget_tables(m);
        if (!(m->tables = m->from->tables(m->origin, select_only, m, e)))
                return error_context(e, "source");
        take_tables(m);
        return 0;
}

static bool select_read(void *context, const char *schema, const char *name)
{
        const struct move *m = context;

        return table_defs_find(m->tables, schema, name) != NULL;
}

/* DDL between the look at the catalogue and the position would be in the copy, or not, unseen. */
int move_check_same(struct move *m, struct error *e)
{
        struct table_defs *now = m->from->tables(m->origin, select_read, m, e);
        AUTO_BUF what = BUF_INIT;
        int rc = now ? 0 : error_context(e, "source");

        for (unsigned i = 0; rc == 0 && i < m->tables->n; i++) {
                const struct table_def *t = &m->tables->items[i];
                const struct table_def *n = table_defs_find(now, t->schema, t->name);

                if (!n || !relation_same(t->shape, n->shape, &what) || !move_keys_same(t, n))
                        rc = error_set(e, ERROR_RETRY, "table %s.%s was %s while its copy began",
                                t->schema, t->name, n ? "altered" : "dropped");
        }
        table_defs_free(now);
        return rc;
}

int move_check(struct move *m, struct error *e)
{
        struct checks found = {0};
        int rc;

        if (m->p->checked)
                return 0;
        if ((rc = m->from->check(m->origin, m->tables, &found, e)) < 0)
                error_context(e, "source");
        else if ((rc = m->to->check(m->destination, m->destined, m->tables->n, &found, e)) < 0)
                error_context(e, "target");
        else if ((rc = move_check_cascades(m, &found, e)) == 0)
                rc = prepare_judge(&found, e);
        checks_done(&found);
        m->p->checked = rc == 0;
        return rc;
}

/* Two source tables must not end in one. */
static int check_distinct(const struct move *m, unsigned i, struct error *e)
{
        const struct route_table *r = m->destined[i].route;

        for (unsigned k = 0; k < i; k++) {
                const struct route_table *o = m->destined[k].route;

                if (!strcmp(o->name, r->name) && !strcmp(o->schema, r->schema))
                        return error_set(e, ERROR_CONFIG,
                                "tables %s.%s and %s.%s would both go to %s.%s on the target",
                                o->source_schema, o->source_name, r->source_schema, r->source_name,
                                r->schema, r->name);
        }
        return 0;
}

/* Do the table's options fit its columns? */
static int check_options(const struct move *m, unsigned i, struct error *e)
{
        const struct table_def *t = &m->tables->items[i];
        struct relation *shape = route_target_shape(m->destined[i].route, t->shape, e);
        struct filter *f = NULL;
        int rc = shape ? route_filter(m->destined[i].route, t->shape, &f, e) : -1;

        filter_free(f);
        relation_unref(shape);
        return rc;
}

static void add_name(struct buf *list, const struct route_table *r)
{
        if (list->len < 600)
                buf_printf(list, "%s%s.%s", list->len ? ", " : "", r->schema, r->name);
        else if (list->data[list->len - 1] != '.')
                buf_str(list, ", ...");
}

static int look_at(struct move *m, unsigned i, bool fresh, struct buf *missing, struct buf *full,
        struct error *e)
{
        const struct config *c = m->p->config;
        bool none = c->snapshot.mode == SNAPSHOT_NONE, rows = false;
        struct destined *d = &m->destined[i];
        const struct table_record *k =
                table_records_find(m->p->known, d->def->schema, d->def->name);
        int there;

        if (check_options(m, i, e) < 0 || check_distinct(m, i, e) < 0)
                return -1;
        m->targets[i] = relation_unref(m->targets[i]);
        there = m->to->table(
                m->destination, d->route->schema, d->route->name, &m->targets[i], &rows, e);
        if (there < 0)
                return error_context(e, "target, table %s.%s", d->route->schema, d->route->name);
        if (k)
                d->create = k->created;
        else if (fresh)
                d->create = !there && c->tables.create && !none;
        if (!there && !d->create)
                add_name(missing, d->route);
        if (!fresh || !rows || none)
                return 0;
        if (c->tables.existing == EXISTING_REFUSE)
                add_name(full, d->route);
        m->append[i] = c->tables.existing == EXISTING_APPEND;
        return 0;
}

int move_look_at_target(struct move *m, bool fresh, struct error *e)
{
        AUTO_BUF missing = BUF_INIT, full = BUF_INIT;

        for (unsigned i = 0; i < m->tables->n; i++)
                if (look_at(m, i, fresh, &missing, &full, e) < 0)
                        return -1;
        if (missing.len)
                return error_set(e, ERROR_CONFIG,
                        "the target does not have %s, and nothing creates them (tables.create = "
                        "no, or snapshot.mode = none)",
                        buf_text(&missing));
        if (full.len)
                return error_set(e, ERROR_CONFIG,
                        "the target has rows in %s; tables.existing = refuse (or truncate, append)",
                        buf_text(&full));
        return 0;
}

static void set_counter(const struct move *m, struct copy_counter *n, unsigned i)
{
        const struct table_def *t = &m->tables->items[i];
        const struct table_record *k = table_records_find(m->p->known, t->schema, t->name);
        bool copied = m->p->record.stage >= STAGE_LOADED && k;

        n->route = m->destined[i].route;
        n->estimated = t->rows < 0 ? -1 : (int64_t)t->rows;
        atomic_store(&n->state, copied ? TABLE_COPIED : TABLE_WAITING);
        atomic_store(&n->rows, copied ? k->rows : 0);
}

void move_set_counters(struct move *m)
{
        struct copy_counter *n = memory_new((m->tables->n + 1) * sizeof *n);

        for (unsigned i = 0; i < m->tables->n; i++)
                set_counter(m, &n[i], i);
        prepare_show_counters(m->p, n, m->tables->n);
}

int move_write_table(struct move *m, unsigned i, struct error *e)
{
        const struct destined *d = &m->destined[i];
        struct table_record k = {.schema = d->def->schema,
                .name = d->def->name,
                .target_schema = d->route->schema,
                .target_name = d->route->name,
                .created = d->create,
                .shape = d->def->shape,
                .mark = m->marks ? m->marks[i] : NULL};
        AUTO_STRING state = memory_string(m->append[i] ? "append" : "waiting");
        AUTO_STRING keys = move_keys_text(m, d->def);

        k.state = state;
        k.keys = keys;
        return m->to->write_table(m->destination, &k, e);
}

int move_write_record(struct move *m, const struct table_record *k, struct error *e)
{
        if (m->to->begin(m->destination, e) < 0)
                return -1;
        if (m->to->write_table(m->destination, k, e) < 0) {
                m->to->rollback(m->destination);
                return -1;
        }
        return m->to->commit(m->destination, e);
}

int move_write_records(struct move *m, enum copy_stage stage, struct error *e)
{
        struct prepare *p = m->p;

        p->record.stage = stage;
        if (m->to->begin(m->destination, e) < 0 ||
                m->to->write_record(m->destination, &p->record, e) < 0 ||
                m->to->clear_tables(m->destination, e) < 0)
                return error_context(e, "target");
        for (unsigned i = 0; i < m->tables->n; i++)
                if (move_write_table(m, i, e) < 0)
                        return error_context(e, "target");
        return m->to->commit(m->destination, e) < 0 ? error_context(e, "target") : 0;
}

static bool is_loaded(const struct move *m, const struct table_record *k)
{
        return !strcmp(k->state, "copying") ||
               (m->p->record.stage != STAGE_DONE && !strcmp(k->state, "copied"));
}

/* Is it one of m->only? */
static bool is_meant(const struct move *m, const struct table_record *k)
{
        return !m->only || select_only((void *)(uintptr_t)m, k->schema, k->name);
}

int move_empty_loaded(struct move *m, struct error *e)
{
        for (unsigned i = 0; i < m->p->known->n; i++) {
                const struct table_record *k = &m->p->known->items[i];

                if (!is_meant(m, k))
                        continue;
                if (!strcmp(k->state, "appended"))
                        return error_set(e, ERROR_CONFIG,
                                "the copy was interrupted after rows were added to table %s.%s, "
                                "which had rows before (existing = append): the two can not be "
                                "told apart; put the table back to what it was and delete its row "
                                "in culvert.tables",
                                k->target_schema, k->target_name);
                if (is_loaded(m, k) &&
                        m->to->empty(m->destination, k->target_schema, k->target_name, e) < 0)
                        return error_context(e, "target");
        }
        return 0;
}
