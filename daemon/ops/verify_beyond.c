#include "ops/verify_beyond.h"
#include "base/memory.h"
#include "model/number.h"
#include "ops/json.h"
#include "ops/origin.h"

#include <stdlib.h>
#include <string.h>

struct beyond {
        struct verify *verify;
        const struct table_defs *source;
        struct table_defs *target;
        struct verify_side *side;
};

void verify_forget_notes(struct verify *v)
{
        for (unsigned i = 0; i < v->notes_n; i++)
                cJSON_free(memory_unconst(v->notes[i].finding.key));
        free(v->notes);
        v->notes = NULL;
        v->notes_n = 0;
}

void verify_note(struct verify *v, const struct verify_task *t, enum verify_kind kind,
        const char *name, const char *detail)
{
        cJSON *o;

        if (v->notes_n >= VERIFY_NOTES_MAX)
                return;
        o = json_object();
        json_text(o, "name", name);
        json_text(o, "detail", detail);
        v->notes = memory_grow(v->notes, (v->notes_n + 1) * sizeof *v->notes);
        v->notes[v->notes_n++] = (struct verify_note){.line = t ? t->line : VERIFY_NO_LINE,
                .schema = t ? t->at.schema : "",
                .name = t ? t->at.name : "",
                .finding = {.kind = kind, .key = cJSON_PrintUnformatted(o), .columns = "[]"}};
        cJSON_Delete(o);
}

static void note(struct beyond *b, const struct verify_task *t, enum verify_kind kind,
        const char *name, const char *detail)
{
        verify_note(b->verify, t, kind, name, detail);
}

/* What may be over when it is tried again is an error; all else a note. */
static int unchecked(struct beyond *b, const struct verify_task *t, const char *what,
        const struct error *why, struct error *e)
{
        if (why->class == ERROR_RETRY || halt_asked(b->verify->halt)) {
                *e = *why;
                return -1;
        }
        note(b, t, VERIFY_UNCHECKED, what, why->message);
        return 0;
}

/* ---- what one side has and the other lacks ---- */

static bool same_column(const struct route_table *route, const struct table_def *source,
        unsigned column, const struct table_def *target, unsigned there)
{
        const char *name = route_column(route, source->columns[column].name);

        return name && !strcmp(name, target->columns[there].name);
}

static bool is_index_for(const struct route_table *route, const struct table_def *source,
        const struct def_index *x, const struct table_def *target, const struct def_index *y)
{
        if (y->what || (x->unique && !y->unique) || y->columns_n < x->columns_n ||
                (x->unique && y->columns_n != x->columns_n))
                return false;
        for (unsigned i = 0; i < x->columns_n; i++)
                if (x->columns[i].expression || y->columns[i].expression ||
                        !same_column(
                                route, source, x->columns[i].column, target, y->columns[i].column))
                        return false;
        return true;
}

/* Does an index of the target what `x` of the source does: the same columns under the target's
 * names, unique where that one is, or more columns where it is not? */
static bool has_index(const struct route_table *route, const struct table_def *source,
        const struct def_index *x, const struct table_def *target)
{
        for (unsigned i = 0; i < target->indexes_n; i++) {
                const struct def_index *y = &target->indexes[i];

                /* Of a kind that only its own engine knows: the name is all there is to go by. */
                if (x->what ? y->what && y->name && x->name && !strcmp(x->name, y->name)
                            : is_index_for(route, source, x, target, y))
                        return true;
        }
        return false;
}

/* The same of a foreign key; `parent`: the route of the table that it refers to. */
static bool has_reference(const struct route_table *route, const struct table_def *source,
        const struct def_reference *x, const struct route_table *parent,
        const struct table_def *target)
{
        for (unsigned i = 0; i < target->references_n; i++) {
                const struct def_reference *y = &target->references[i];
                bool same = y->columns_n == x->columns_n && !strcmp(y->to_table, parent->name) &&
                            !strcmp(y->to_schema, parent->schema);

                for (unsigned k = 0; same && k < x->columns_n; k++) {
                        const char *to = route_column(parent, x->to_columns[k]);

                        same = to && !strcmp(to, y->to_columns[k]) &&
                               same_column(route, source, x->columns[k], target, y->columns[k]);
                }
                if (same)
                        return true;
        }
        return false;
}

static bool is_excluded(
        const struct route_table *route, const struct table_def *source, const struct def_index *x)
{
        for (unsigned i = 0; i < x->columns_n; i++)
                if (!x->columns[i].expression &&
                        !route_column(route, source->columns[x->columns[i].column].name))
                        return true;
        return false;
}

static void say_index(struct buf *out, const struct table_def *t, const struct def_index *x)
{
        buf_str(out, x->primary ? "primary key (" : x->unique ? "unique index (" : "index (");
        for (unsigned i = 0; i < x->columns_n; i++) {
                buf_str(out, i ? ", " : "");
                buf_str(out, x->columns[i].expression ? "an expression"
                                                      : t->columns[x->columns[i].column].name);
        }
        buf_char(out, ')');
        if (x->what)
                buf_printf(out, ", %s", x->what);
}

static void look_at_indexes(struct beyond *b, const struct verify_task *task,
        const struct route_table *route, const struct table_def *from, const struct table_def *to)
{
        for (unsigned i = 0; i < from->indexes_n; i++) {
                const struct def_index *x = &from->indexes[i];
                AUTO_BUF text = BUF_INIT;

                if (is_excluded(route, from, x) || has_index(route, from, x, to))
                        continue;
                say_index(&text, from, x);
                note(b, task, VERIFY_OBJECT_MISSING, x->name ? x->name : "", buf_text(&text));
        }
}

/* What only the target demands may refuse rows that the source takes. */
static void look_at_demands(struct beyond *b, const struct verify_task *task,
        const struct route_table *route, const struct table_def *from, const struct table_def *to)
{
        for (unsigned i = 0; i < to->indexes_n; i++) {
                const struct def_index *y = &to->indexes[i];
                AUTO_BUF text = BUF_INIT;
                bool known = !y->unique;

                for (unsigned k = 0; k < from->indexes_n && !known; k++) {
                        const struct def_index *x = &from->indexes[k];

                        known = x->unique &&
                                (x->what && y->what
                                                ? x->name && y->name && !strcmp(x->name, y->name)
                                                : is_index_for(route, from, x, to, y));
                }
                if (known)
                        continue;
                say_index(&text, to, y);
                note(b, task, VERIFY_OBJECT_EXTRA, y->name ? y->name : "", buf_text(&text));
        }
}

static void look_at_references(struct beyond *b, const struct verify_task *task,
        const struct route_table *route, const struct table_def *from, const struct table_def *to)
{
        for (unsigned i = 0; i < from->references_n; i++) {
                const struct def_reference *x = &from->references[i];
                const struct route_table *parent =
                        route_find(b->verify->route, x->to_schema, x->to_table);
                AUTO_STRING detail = NULL;

                if (parent && has_reference(route, from, x, parent, to))
                        continue;
                detail = memory_printf(parent ? "foreign key to %s.%s"
                                              : "foreign key to %s.%s, which is not migrated",
                        x->to_schema, x->to_table);
                note(b, task, VERIFY_OBJECT_MISSING, x->name ? x->name : "", detail);
        }
}

static bool has_check(const struct table_def *t, const char *name)
{
        for (unsigned i = 0; i < t->checks_n; i++)
                if (t->checks[i].name && !strcmp(t->checks[i].name, name))
                        return true;
        return false;
}

static void look_at_checks(struct beyond *b, const struct verify_task *task,
        const struct table_def *from, const struct table_def *to)
{
        for (unsigned i = 0; i < from->checks_n; i++)
                if (from->checks[i].name && !has_check(to, from->checks[i].name))
                        note(b, task, VERIFY_OBJECT_MISSING, from->checks[i].name,
                                "check constraint");
        for (unsigned i = 0; i < to->checks_n; i++)
                if (to->checks[i].name && !has_check(from, to->checks[i].name))
                        note(b, task, VERIFY_OBJECT_EXTRA, to->checks[i].name, "check constraint");
}

/* ---- what does not hold on the target ---- */

static void add_field(
        struct buf *sql, const struct verify_side *s, const char *alias, const char *column)
{
        buf_printf(sql, "%s.", alias);
        verify_add_name(sql, s, column);
}

static void orphans_sql(struct buf *sql, const struct verify_side *s, const struct table_def *t,
        const struct def_reference *r)
{
        buf_str(sql, "select count(*) from ");
        verify_add_table(sql, s, t->schema, t->name);
        buf_str(sql, " c where ");
        for (unsigned i = 0; i < r->columns_n; i++) {
                add_field(sql, s, "c", t->columns[r->columns[i]].name);
                buf_str(sql, " is not null and ");
        }
        buf_str(sql, "not exists (select 1 from ");
        verify_add_table(sql, s, r->to_schema, r->to_table);
        buf_str(sql, " p where ");
        for (unsigned i = 0; i < r->columns_n; i++) {
                buf_str(sql, i ? " and " : "");
                add_field(sql, s, "p", r->to_columns[i]);
                buf_str(sql, " = ");
                add_field(sql, s, "c", t->columns[r->columns[i]].name);
        }
        buf_char(sql, ')');
}

static int look_for_orphans(struct beyond *b, const struct verify_task *task,
        const struct table_def *t, struct error *e)
{
        for (unsigned i = 0; i < t->references_n; i++) {
                const struct def_reference *r = &t->references[i];
                struct error why = ERROR_INIT;
                AUTO_STRING rows = NULL;
                AUTO_BUF sql = BUF_INIT;

                orphans_sql(&sql, b->side, t, r);
                if (verify_side_text(b->side, buf_text(&sql), &rows, &why) < 0) {
                        if (unchecked(b, task, r->name, &why, e) < 0)
                                return -1;
                } else if (rows && strcmp(rows, "0") != 0) {
                        AUTO_STRING detail = memory_printf(
                                "%s rows refer to none of %s.%s", rows, r->to_schema, r->to_table);

                        note(b, task, VERIFY_ORPHANS, r->name, detail);
                }
        }
        return 0;
}

struct counting {
        struct beyond *b;
        const struct verify_task *task;
};

/* Both are whole numbers above zero, or there is nothing to say. */
static bool is_used_up(const char *next, const char *highest)
{
        struct number a, b;
        uint64_t x, y;

        return next && highest && number_parse(next, strlen(next), &a) && !a.negative &&
               number_parse(highest, strlen(highest), &b) && !b.negative && number_u64(&a, &x) &&
               number_u64(&b, &y) && x <= y;
}

static int take_counter(void *context, const struct table_def *t, const char *column,
        const char *next, struct error *e)
{
        struct counting *c = context;
        struct error why = ERROR_INIT;
        AUTO_STRING highest = NULL;
        AUTO_BUF sql = BUF_INIT;

        buf_str(&sql, "select max(");
        add_field(&sql, c->b->side, "t", column);
        buf_str(&sql, ") from ");
        verify_add_table(&sql, c->b->side, t->schema, t->name);
        buf_str(&sql, " t");
        if (verify_side_text(c->b->side, buf_text(&sql), &highest, &why) < 0)
                return unchecked(c->b, c->task, column, &why, e);
        if (is_used_up(next, highest))
                note(c->b, c->task, VERIFY_COUNTER, column,
                        "its counter's next value is not above the column's highest");
        return 0;
}

/* One table at a time, so that one that cannot be read hides no other. */
static int look_at_counters(struct beyond *b, const struct origin_ops *ops, struct origin *o,
        const struct verify_task *task, const struct table_def *t, struct error *e)
{
        struct table_defs one = {.items = &b->target->items[t - b->target->items], .n = 1};
        struct counting c = {b, task};
        struct error why = ERROR_INIT;

        if (ops->counters(o, &one, take_counter, &c, &why) == 0)
                return 0;
        return unchecked(b, task, "counters", &why, e);
}

/* ---- all tables ---- */

static bool select_target(void *context, const char *schema, const char *name)
{
        const struct verify *v = context;

        for (unsigned i = 0; i < v->tasks_n; i++) {
                const struct route_table *r =
                        route_find(v->route, v->tasks[i].at.schema, v->tasks[i].at.name);

                if (r && !strcmp(r->schema, schema) && !strcmp(r->name, name))
                        return true;
        }
        return false;
}

static int look_at_table(struct beyond *b, const struct origin_ops *ops, struct origin *o,
        const struct verify_task *task, struct error *e)
{
        const struct route_table *route =
                route_find(b->verify->route, task->at.schema, task->at.name);
        const struct table_def *from = table_defs_find(b->source, task->at.schema, task->at.name);
        const struct table_def *to =
                route ? table_defs_find(b->target, route->schema, route->name) : NULL;

        if (!from || !to)
                return 0; /* gone meanwhile: the rows' comparison says so */
        look_at_indexes(b, task, route, from, to);
        look_at_demands(b, task, route, from, to);
        look_at_references(b, task, route, from, to);
        if (from->engine == to->engine)
                look_at_checks(b, task, from, to);
        if (look_for_orphans(b, task, to, e) < 0)
                return -1;
        return look_at_counters(b, ops, o, task, to, e);
}

int verify_beyond(struct verify *v, const struct table_defs *source, struct verify_side *target,
        struct error *e)
{
        /* The target, read as a source is. */
        struct config seen = *v->config;
        const struct origin_ops *ops = origin_ops_of(seen.target.kind);
        struct beyond b = {.verify = v, .source = source, .side = target};
        struct origin *o;
        int rc = -1;

        verify_forget_notes(v);
        seen.source = seen.target;
        if ((o = ops->open(&seen, v->halt, e)) && (b.target = ops->tables(o, select_target, v, e)))
                rc = 0;
        for (unsigned i = 0; rc == 0 && i < v->tasks_n; i++)
                rc = look_at_table(&b, ops, o, &v->tasks[i], e);
        table_defs_free(b.target);
        ops->close(o);
        return rc < 0 ? error_context(e, "the target's definitions, read as a source's are") : 0;
}
