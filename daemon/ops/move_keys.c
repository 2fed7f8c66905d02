/*
 * Foreign keys with actions as they were when the changes that the stream brings next were made.
 * The source's catalogue may be ahead of that: a key that it has lost by now, or has with other
 * actions, was followed by the engine before. So the keys are recorded with each table's shape, and
 * like a shape they change when the statement that altered them has come in the stream and the
 * operator has accepted it.
 */
#include "base/memory.h"
#include "model/table_keys.h"
#include "ops/move_private.h"

#include <stdlib.h>
#include <string.h>

/* Does the record tell what the stream's changes of the table were made under? */
static bool is_recorded(const struct table_record *k)
{
        return k && (!strcmp(k->state, "copied") || !strcmp(k->state, "joining") ||
                            !strcmp(k->state, "appended"));
}

char *move_keys_text(const struct move *m, const struct table_def *t)
{
        AUTO_BUF text = BUF_INIT;

        if (m->from->engine(m->origin) == ENGINE_POSTGRESQL)
                return NULL;
        table_keys_to_text(t, &text);
        return buf_take(&text);
}

bool move_keys_same(const struct table_def *a, const struct table_def *b)
{
        AUTO_BUF x = BUF_INIT, y = BUF_INIT;

        table_keys_to_text(a, &x);
        table_keys_to_text(b, &y);
        return !strcmp(buf_text(&x), buf_text(&y));
}

/* Records of a format that had none: the catalogue is all there is. */
int move_learn_keys(struct move *m, struct error *e)
{
        for (unsigned i = 0; i < m->p->known->n; i++) {
                struct table_record *k = &m->p->known->items[i];
                const struct table_def *now = table_defs_find(m->tables, k->schema, k->name);

                if (k->keys || !now || !is_recorded(k) || !(k->keys = move_keys_text(m, now)))
                        continue;
                if (move_write_record(m, k, e) < 0)
                        return -1;
        }
        return 0;
}

/* ---- the tables as they were ---- */

static int malformed(const struct table_record *k, struct error *e)
{
        return error_set(e, ERROR_DATA,
                "culvert.tables on the target: the foreign keys of %s.%s are malformed", k->schema,
                k->name);
}

static void add_column(struct table_def *t, const char *name, const struct table_def *now)
{
        int at = now ? table_def_column(now, name) : -1;

        t->columns[t->columns_n++] = (struct def_column){.name = memory_string(name),
                .collation = at < 0 ? NULL : memory_string(now->columns[at].collation)};
}

static void name(struct table_def *t, const char *schema, const char *table, unsigned columns_n)
{
        t->schema = memory_string(schema);
        t->name = memory_string(table);
        t->columns = memory_new((columns_n + 1) * sizeof *t->columns);
}

static int take_keys(struct table_def *t, const struct table_def *now)
{
        AUTO_BUF keys = BUF_INIT;

        table_keys_to_text(now, &keys);
        return table_keys_from_text(t, buf_text(&keys));
}

/* What planning cascades looks at, from the catalogue. */
static int fill_now(struct table_def *t, const struct table_def *now)
{
        name(t, now->schema, now->name, now->columns_n);
        for (unsigned i = 0; i < now->columns_n; i++)
                add_column(t, now->columns[i].name, now);
        return take_keys(t, now);
}

/* From the record; `now` is NULL for a table that the source does not have any more. */
static int fill_recorded(struct table_def *t, const struct table_record *k,
        const struct table_def *now, struct error *e)
{
        name(t, k->schema, k->name, k->shape->columns_n);
        for (unsigned i = 0; i < k->shape->columns_n; i++)
                add_column(t, k->shape->columns[i].name, now);
        if (k->keys)
                return table_keys_from_text(t, k->keys) < 0 ? malformed(k, e) : 0;
        return now ? take_keys(t, now) : 0;
}

static int compare(const void *a, const void *b)
{
        const struct table_def *x = a, *y = b;
        int order = strcmp(x->schema, y->schema);

        return order ? order : strcmp(x->name, y->name);
}

static int fill_all(struct move *m, struct table_defs *t, struct error *e)
{
        const struct table_records *known = m->p->known;

        t->items = memory_new((m->tables->n + known->n + 1) * sizeof *t->items);
        for (unsigned i = 0; i < m->tables->n; i++) {
                const struct table_def *now = &m->tables->items[i];
                struct table_record *k = table_records_find(known, now->schema, now->name);
                struct table_def *to = &t->items[t->n++];

                if ((is_recorded(k) ? fill_recorded(to, k, now, e) : fill_now(to, now)) < 0)
                        return -1;
        }
        for (unsigned i = 0; i < known->n; i++) {
                const struct table_record *k = &known->items[i];

                if (is_recorded(k) && route_find(m->p->route, k->schema, k->name) &&
                        !table_defs_find(m->tables, k->schema, k->name) &&
                        fill_recorded(&t->items[t->n++], k, NULL, e) < 0)
                        return -1;
        }
        qsort(t->items, t->n, sizeof *t->items, compare);
        return 0;
}

int move_recorded(struct move *m, struct move_recorded *out, struct error *e)
{
        out->tables = memory_new_of(struct table_defs);
        if (fill_all(m, out->tables, e) < 0)
                return -1;
        out->destined = memory_new((out->tables->n + 1) * sizeof *out->destined);
        for (unsigned i = 0; i < out->tables->n; i++) {
                const struct table_def *t = &out->tables->items[i];

                out->destined[i].def = t;
                out->destined[i].route = route_find(m->p->route, t->schema, t->name);
        }
        return 0;
}

void move_recorded_done(struct move_recorded *r)
{
        table_defs_free(r->tables);
        free(r->destined);
        *r = (struct move_recorded){0};
}

/* ---- a table that others refer to ---- */

static bool same_but_parent(const struct table_def *t, const struct def_reference *a,
        const struct table_def *now, const struct def_reference *b)
{
        if (strcmp(a->name, b->name) != 0 || a->columns_n != b->columns_n ||
                strcmp(a->on_delete, b->on_delete) != 0 || strcmp(a->on_update, b->on_update) != 0)
                return false;
        for (unsigned i = 0; i < a->columns_n; i++)
                if (strcmp(t->columns[a->columns[i]].name, now->columns[b->columns[i]].name) != 0)
                        return false;
        return true;
}

static bool follow_key(struct table_def *t, struct def_reference *f, const struct table_def *now)
{
        for (unsigned i = 0; i < now->references_n; i++) {
                const struct def_reference *n = &now->references[i];

                if (!same_but_parent(t, f, now, n) ||
                        (!strcmp(f->to_table, n->to_table) && !strcmp(f->to_schema, n->to_schema)))
                        continue;
                free(f->to_schema);
                free(f->to_table);
                f->to_schema = memory_string(n->to_schema);
                f->to_table = memory_string(n->to_table);
                return true;
        }
        return false;
}

/* 1: a key of `k` that referred to `parent` refers to another name now. */
static int follow_keys(struct table_record *k, const struct table_record *parent,
        const struct table_def *now, struct error *e)
{
        struct table_defs *recorded = memory_new_of(struct table_defs);
        struct table_def *t = memory_new_of(struct table_def);
        AUTO_BUF text = BUF_INIT;
        int changed = fill_recorded(t, k, now, e);

        recorded->items = t;
        recorded->n = 1;
        for (unsigned i = 0; changed >= 0 && i < t->references_n; i++) {
                struct def_reference *f = &t->references[i];

                if (!strcmp(f->to_table, parent->name) && !strcmp(f->to_schema, parent->schema))
                        changed |= follow_key(t, f, now);
        }
        if (changed > 0) {
                table_keys_to_text(t, &text);
                free(k->keys);
                k->keys = buf_take(&text);
        }
        table_defs_free(recorded);
        return changed;
}

int move_follow_parent(struct move *m, const struct table_record *parent, struct error *e)
{
        int any = 0;

        for (unsigned i = 0; i < m->p->known->n; i++) {
                struct table_record *k = &m->p->known->items[i];
                const struct table_def *now = table_defs_find(m->tables, k->schema, k->name);
                int changed;

                if (k == parent || !k->keys || !now || !is_recorded(k))
                        continue;
                if ((changed = follow_keys(k, parent, now, e)) < 0 ||
                        (changed && move_write_record(m, k, e) < 0))
                        return -1;
                any |= changed;
        }
        return any;
}
