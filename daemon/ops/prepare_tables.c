/* What is to be migrated, and what the target holds of it. */
#include "base/memory.h"
#include "ops/prepare_private.h"
#include "ops/selection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reading {
        struct selection selection;
        const struct pg_tables *only;
};

static bool select_table(void *context, const char *schema, const char *name)
{
        struct reading *r = context;

        return selection_see(&r->selection, schema, name) &&
               (!r->only || pg_tables_find(r->only, schema, name));
}

int prepare_read_tables(struct prepare *p, PGconn *c, struct error *e)
{
        struct reading reading = {.only = p->only};
        struct pg_tables *t;
        int rc;

        selection_init(&reading.selection, p->config, p->route);
        t = pg_tables_read(c, select_table, &reading, e);
        rc = t ? selection_check(&reading.selection, e) : error_context(e, "source");
        selection_done(&reading.selection);
        if (rc < 0) {
                pg_tables_free(t);
                return -1;
        }
        pg_tables_free(p->tables);
        p->tables = t;
        return 0;
}

int prepare_read_marks(struct prepare *p, PGconn *c, struct error *e)
{
        const struct relation **shapes = prepare_shapes(p);
        struct pg_published all = {.shapes = shapes, .n = p->tables->n};

        pg_marks_free(p->marks, p->marks_n);
        p->marks_n = p->tables->n;
        p->marks = pg_marks_read(c, &all, e);
        free(shapes);
        return p->marks ? 0 : error_context(e, "source");
}

const struct relation **prepare_shapes(const struct prepare *p)
{
        const struct relation **shapes = memory_new((p->tables->n + 1) * sizeof(*shapes));

        for (unsigned i = 0; i < p->tables->n; i++)
                shapes[i] = p->tables->items[i].shape;
        return shapes;
}

/* Do the table's options fit its columns? */
static int check_options(
        const struct route_table *r, const struct pg_table_info *t, struct error *e)
{
        struct relation *shape = route_target_shape(r, t->shape, e);
        struct filter *f = NULL;
        int rc = shape ? route_filter(r, t->shape, &f, e) : -1;

        filter_free(f);
        relation_unref(shape);
        return rc;
}

static int has_rows(
        struct prepare *p, const char *schema, const char *name, bool *rows, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;
        AUTO_RESULT found = NULL;

        buf_str(&sql, "select exists (select from ");
        pg_table(&sql, schema, name);
        buf_str(&sql, ")");
        if (!(found = pg_query(p->target, e, buf_text(&sql), 0, NULL)))
                return error_context(e, "target, table %s.%s", schema, name);
        *rows = pg_true(found, 0, 0);
        return 0;
}

/* 1: there is a table of that name on the target; 0: there is nothing; -1. */
static int is_there(struct prepare *p, const char *schema, const char *name, struct error *e)
{
        const char *values[] = {schema, name};
        AUTO_RESULT kind = pg_query(p->target, e,
                "select c.relkind from pg_catalog.pg_class c join pg_catalog.pg_namespace n "
                "on n.oid = c.relnamespace where n.nspname = $1 and c.relname = $2",
                2, values);

        if (!kind)
                return error_context(e, "target");
        if (PQntuples(kind) == 0)
                return 0;
        if (!strchr("rp", *pg_text(kind, 0, 0)))
                return error_set(
                        e, ERROR_CONFIG, "%s.%s on the target is not a table", schema, name);
        return 1;
}

/* Is it the staging name of a table of ours, which will be away in the end? */
static bool is_passing(const struct prepare *p, const char *schema, const char *name)
{
        const struct table_record *k = table_records_find(p->known, schema, name);

        return k && k->staged;
}

/*
 * A missing table that is to have other names is made under the source's and placed in the end. 1:
 * so it is with this one, and p->targets says whether it is made already; 0: it is not; -1.
 */
static int look_at_staged(struct prepare *p, unsigned i, const struct route_table *r, int placed,
        const struct table_record *k, struct error *e)
{
        const char *schema = r->source_schema, *name = r->source_name;
        bool same = !strcmp(schema, r->schema) && !strcmp(name, r->name), ours = k && k->staged;
        int there = same ? placed : is_there(p, schema, name, e);

        if (there < 0)
                return -1;
        placed = placed && (same || !is_passing(p, r->schema, r->name));
        if (placed && ours && !same)
                return error_set(e, ERROR_CONFIG,
                        "the target has table %s.%s and %s.%s, which was to become it: drop one of "
                        "them",
                        r->schema, r->name, schema, name);
        if (placed && !(ours && same))
                return 0;
        if (there && !ours)
                return error_set(e, ERROR_CONFIG,
                        "%s.%s on the target is in the way: the table that is to be %s.%s is made "
                        "under that name first; move it away, or create %s.%s by hand",
                        schema, name, r->schema, r->name, r->schema, r->name);
        p->staged[i] = true;
        p->targets[i].created = true;
        p->targets[i].exists = there;
        return there && has_rows(p, schema, name, &p->targets[i].rows, e) < 0 ? -1 : 1;
}

static int look_at(struct prepare *p, unsigned i, const struct route_table *r, struct error *e)
{
        const struct pg_table_info *t = &p->tables->items[i];
        const struct table_record *k = table_records_find(p->known, t->schema, t->name);
        int rc, there = is_there(p, r->schema, r->name, e);

        if (there < 0)
                return -1;
        p->targets[i].created = k && k->created;
        if (route_is_renamed(r) && p->config->tables.create &&
                (rc = look_at_staged(p, i, r, there, k, e)) != 0)
                return rc < 0 ? -1 : 0;
        p->targets[i].exists = there;
        return there ? has_rows(p, r->schema, r->name, &p->targets[i].rows, e) : 0;
}

/* Two source tables must not end in one. */
static int check_distinct(
        const struct prepare *p, unsigned i, const struct route_table *r, struct error *e)
{
        for (unsigned k = 0; k < i; k++) {
                const struct pg_table_info *t = &p->tables->items[k];
                const struct route_table *other = route_find(p->route, t->schema, t->name);

                if (!strcmp(other->name, r->name) && !strcmp(other->schema, r->schema))
                        return error_set(e, ERROR_CONFIG,
                                "tables %s.%s and %s.%s would both go to %s.%s on the target",
                                t->schema, t->name, r->source_schema, r->source_name, r->schema,
                                r->name);
        }
        return 0;
}

static void add_name(struct buf *list, const struct route_table *r)
{
        if (list->len < 600)
                buf_printf(list, "%s%s.%s", list->len ? ", " : "", r->schema, r->name);
        else if (list->data[list->len - 1] != '.')
                buf_str(list, ", ...");
}

static int refuse(const struct buf *missing, const struct buf *full, struct error *e)
{
        if (missing->len)
                return error_set(e, ERROR_CONFIG,
                        "the target does not have %s, and nothing creates them (tables.create = "
                        "no, or "
                        "snapshot.mode = none)",
                        buf_text(missing));
        if (full->len)
                return error_set(e, ERROR_CONFIG,
                        "the target has rows in %s; tables.existing = refuse (or truncate, append)",
                        buf_text(full));
        return 0;
}

int prepare_look_at_target(struct prepare *p, struct error *e)
{
        bool none = p->config->snapshot.mode == SNAPSHOT_NONE;
        bool create = p->config->tables.create && !none;
        AUTO_BUF missing = BUF_INIT, full = BUF_INIT;

        free(p->targets);
        free(p->append);
        free(p->staged);
        p->targets = memory_new((p->tables->n + 1) * sizeof *p->targets);
        p->append = memory_new((p->tables->n + 1) * sizeof *p->append);
        p->staged = memory_new((p->tables->n + 1) * sizeof *p->staged);
        for (unsigned i = 0; i < p->tables->n; i++) {
                const struct pg_table_info *t = &p->tables->items[i];
                const struct route_table *r = route_find(p->route, t->schema, t->name);
                struct prepare_target *g = &p->targets[i];

                if (check_options(r, t, e) < 0 || check_distinct(p, i, r, e) < 0 ||
                        look_at(p, i, r, e) < 0)
                        return -1;
                if (!g->exists && create)
                        g->created = true;
                else if (!g->exists)
                        add_name(&missing, r);
                if (g->rows && !none && p->config->tables.existing == EXISTING_REFUSE)
                        add_name(&full, r);
                p->append[i] = g->rows && p->config->tables.existing == EXISTING_APPEND;
        }
        return refuse(&missing, &full, e);
}

int prepare_truncate(struct prepare *p, const char *tables, struct error *e)
{
        if (!*tables)
                return 0;
        if (copy_book_begin(&p->book, e) < 0 ||
                pg_run(p->target, e, "set local lock_timeout = '30s'") < 0)
                return -1;
        if (pg_runf(p->target, e, "truncate %s", tables) < 0) {
                copy_book_rollback(&p->book);
                return error_context(e, "target: emptying tables");
        }
        return copy_book_commit(&p->book, e);
}

int prepare_write_table(
        struct prepare *p, unsigned i, const char *state, struct position start, struct error *e)
{
        const struct pg_table_info *t = &p->tables->items[i];
        const struct route_table *r = route_find(p->route, t->schema, t->name);
        AUTO_STRING own = memory_string(state);
        struct table_record k = {.schema = t->schema,
                .name = t->name,
                .target_schema = r->schema,
                .target_name = r->name,
                .state = own,
                .created = p->targets[i].created,
                .staged = p->staged[i],
                .rows = p->counters ? atomic_load(&p->counters[i].rows) : 0,
                .mark = p->marks ? p->marks[i] : NULL,
                .start = start,
                .shape = t->shape};

        return table_record_write(&p->book, &k, e);
}

int prepare_write_records(struct prepare *p, enum copy_stage stage, struct error *e)
{
        p->record.stage = stage;
        if (copy_book_begin(&p->book, e) < 0 || copy_record_write(&p->book, &p->record, e) < 0 ||
                table_records_clear(&p->book, e) < 0)
                return -1;
        for (unsigned i = 0; i < p->tables->n; i++)
                if (prepare_write_table(
                            p, i, p->append[i] ? "append" : "waiting", POSITION_NONE, e) < 0)
                        return -1;
        return copy_book_commit(&p->book, e);
}
