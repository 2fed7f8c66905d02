/* A start that stands on an earlier one: the stream goes on with the tables that it has. */
#include "base/log.h"
#include "base/memory.h"
#include "ops/move_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The mark of how the tables come into the log was of it, too: both at once, or the next start
 * would miss it there. */
static int leave(struct move *m, struct table_record *k, const char *why, struct error *e)
{
        log_warning("table %s.%s %s: its changes are left out from now on, and what the target has "
                    "of it stays",
                k->schema, k->name, why);
        free(k->state);
        k->state = memory_string("left");
        k->start = POSITION_NONE;
        free(m->p->record.published);
        m->p->record.published = NULL;
        if (m->to->begin(m->destination, e) < 0)
                return -1;
        if (m->to->write_table(m->destination, k, e) < 0 ||
                m->to->write_record(m->destination, &m->p->record, e) < 0) {
                m->to->rollback(m->destination);
                return -1;
        }
        return m->to->commit(m->destination, e);
}

/* ---- definitions that the operator has accepted ---- */

/* The error that stopped the stream may have cut the name. */
static bool is_altered(const struct prepare *p, const struct table_record *k)
{
        struct error named;

        snprintf(named.table, sizeof named.table, "%s.%s", k->schema, k->name);
        return p->accepted_table && !strcmp(p->accepted_table, named.table);
}

static bool is_refused(const struct prepare *p, const struct table_record *k)
{
        return p->accepted && !strcmp(p->accepted->name, k->name) &&
               !strcmp(p->accepted->schema, k->schema);
}

/* All rows of the old definition are on the target: what comes next has the new one. `keys` NULL:
 * they stay what they were. */
static int record_definition(struct move *m, struct table_record *k, const struct relation *shape,
        const char *keys, struct error *e)
{
        AUTO_BUF what = BUF_INIT;
        bool same = relation_same(k->shape, shape, &what) && !k->next;

        if (keys && (!k->keys || strcmp(k->keys, keys) != 0)) {
                buf_str(&what, what.len ? ", foreign keys changed" : "foreign keys changed");
                free(k->keys);
                k->keys = memory_string(keys);
        } else if (same) {
                return 0;
        }
        relation_unref(k->next);
        k->next = NULL;
        relation_unref(k->shape);
        k->shape = relation_ref(shape);
        log_info("the new definition of %s.%s on the source is accepted%s%s", k->schema, k->name,
                what.len ? ": " : "", buf_text(&what));
        return move_write_record(m, k, e);
}

/* The log does not tell which columns are generated, the catalogue does. */
static void take_generated(struct relation *shape, const struct relation *now)
{
        for (uint16_t i = 0; now && i < shape->columns_n; i++) {
                int at = relation_column(now, shape->columns[i].name);
                const char *native = shape->columns[i].native;
                size_t len = native ? strlen(native) : 0;

                if (at < 0 || !native || !column_is_generated(&now->columns[at]))
                        continue;
                if (!strncmp(now->columns[at].native, native, len) &&
                        now->columns[at].native[len] == ' ')
                        relation_set_native(shape, i, now->columns[at].native);
        }
}

/* What the log described is exact, whatever was done to the table since. */
static int accept_refused(
        struct move *m, struct table_record *k, const struct relation *now, struct error *e)
{
        struct relation *shape = m->p->accepted;
        AUTO_BUF what = BUF_INIT;

        if (now && relation_same(now, shape, &what))
                return record_definition(m, k, now, NULL, e);
        if (m->from->describe(m->origin, shape, e) < 0)
                return -1;
        take_generated(shape, now);
        return record_definition(m, k, shape, NULL, e);
}

static bool has_keys(const char *text)
{
        return text && strcmp(text, "1 0") != 0;
}

/* What comes next in the log is taken for what the source has now, which may be later still. */
static int accept_altered(
        struct move *m, struct table_record *k, const struct table_def *now, struct error *e)
{
        struct prepare_result *r = m->p->result;
        AUTO_STRING keys = move_keys_text(m, now);
        int unnamed = m->from->doubt(m->origin, &r->doubt, e);
        int followed = unnamed < 0 ? -1 : move_follow_parent(m, k, e);

        if (unnamed < 0)
                return error_context(e, "source");
        if (followed < 0)
                return -1;
        r->doubt_rows = unnamed;
        r->doubt_keys = followed || has_keys(k->keys) || has_keys(keys);
        if (r->doubt_rows || r->doubt_keys)
                r->doubtful = route_find(m->p->route, k->schema, k->name);
        return record_definition(m, k, now->shape, keys, e);
}

static int accept_gone(struct move *m, struct table_record *k, struct error *e)
{
        return move_follow_parent(m, k, e) < 0 ? -1 : leave(m, k, "is gone from the source", e);
}

static int accept(struct move *m, struct table_record *k, struct error *e)
{
        const struct table_def *now = table_defs_find(m->tables, k->schema, k->name);

        if (is_refused(m->p, k))
                return accept_refused(m, k, now ? now->shape : NULL, e);
        if (!is_altered(m->p, k))
                return 0;
        return now ? accept_altered(m, k, now, e) : accept_gone(m, k, e);
}

/* ---- those that are streamed ---- */

static bool is_streamed(const struct table_record *k)
{
        return !strcmp(k->state, "copied");
}

static int expect(struct move *m, const struct table_record *k, struct relation *target)
{
        struct prepare_result *r = m->p->result;

        r->targets[r->shapes_n] = move_is_as_it_is(m) ? relation_unref(target) : target;
        r->begin[r->shapes_n] = k->start;
        r->next[r->shapes_n] = k->next ? relation_ref(k->next) : NULL;
        r->shapes[r->shapes_n++] = relation_ref(k->shape);
        return 0;
}

static int take_table(
        struct move *m, struct table_record *k, const struct route_table *t, struct error *e)
{
        struct relation *target = NULL;
        bool rows;
        int there;

        if (accept(m, k, e) < 0)
                return -1;
        if (!is_streamed(k))
                return 0;
        there = m->to->table(m->destination, t->schema, t->name, &target, &rows, e);
        if (there < 0)
                return error_context(e, "target, table %s.%s", t->schema, t->name);
        if (there)
                return expect(m, k, target);
        if (!table_defs_find(m->tables, k->schema, k->name))
                return leave(m, k, "is gone from both sides", e);
        return error_set(
                e, ERROR_CONFIG, "table %s.%s is gone from the target", t->schema, t->name);
}

/* Those that are recorded and still selected; others are left out from now on. */
static int take_known(struct move *m, struct error *e)
{
        struct prepare *p = m->p;
        struct prepare_result *r = p->result;
        unsigned n = p->known->n + 1;

        r->shapes = memory_new(n * sizeof(*r->shapes));
        r->next = memory_new(n * sizeof(*r->next));
        r->targets = memory_new(n * sizeof(*r->targets));
        r->begin = memory_new(n * sizeof *r->begin);
        for (unsigned i = 0; i < p->known->n; i++) {
                struct table_record *k = &p->known->items[i];
                const struct route_table *t = route_find(p->route, k->schema, k->name);

                if (!t && strcmp(k->state, "left") != 0) {
                        if (leave(m, k, "is no longer migrated", e) < 0)
                                return -1;
                } else if (t && is_streamed(k) && take_table(m, k, t, e) < 0) {
                        return -1;
                }
        }
        return 0;
}

int move_resume(struct move *m, struct error *e)
{
        struct prepare *p = m->p;
        struct source_identity stored;

        if (identity_parse(&stored, p->stored_source, e) < 0)
                return error_context(e, "culvert.checkpoint on the target");
        p->record.stage = STAGE_DONE;
        if (move_follow(m, &stored, e) < 0 || move_read_tables(m, e) < 0 || move_join(m, e) < 0 ||
                move_learn_keys(m, e) < 0 || take_known(m, e) < 0 || move_resume_cascades(m, e) < 0)
                return -1;
        return move_check_streamed(m, e) < 0 ? -1 : move_add(m, e);
}
