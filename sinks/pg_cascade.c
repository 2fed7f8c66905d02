#include "sinks/pg_cascade.h"
#include "base/memory.h"
#include "model/cascade.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define STATEMENTS_MAX 256 /* of one parent and kind of change */
#define NAMED_MAX 16

/* One key of a path, and the one before it, which leads to the parent's child. */
struct step {
        const struct step *before;
        const struct cascade_key *key;
        enum cascade_rule rule;
};

/* A table that rows are deleted from. */
struct gone {
        const char *schema, *table;
};

/* Where a statement stands among the others: how deep the table lies that it writes. */
struct place {
        const struct cascade_key *ends; /* NULL: it deletes */
        unsigned depth;
};

struct writer {
        const struct relation *parent;
        const struct cascades *all;
        uint64_t serial;
        struct pg_cascade *out;
        struct place *places; /* of each statement */
        struct gone *gone;
        unsigned gone_n;
        bool deep; /* what is deleted has children, so the rows are gathered first */
        /* the statement in the making */
        struct buf sql;
        struct pg_parameter *parameters;
        int n;
        bool full;
        const char *lost; /* a column of the parent that is not on the target */
};

/* ---- parts ---- */

static void add_parameter(struct writer *w, const char *column, bool old)
{
        int at = relation_column(w->parent, column);

        w->parameters = memory_grow(w->parameters, ((size_t)w->n + 1) * sizeof *w->parameters);
        if (at < 0)
                w->lost = column;
        w->parameters[w->n++] = (struct pg_parameter){(uint16_t)at, old};
        buf_printf(&w->sql, "$%d", w->n);
}

static void add_columns(struct writer *w, const char *alias, char **columns, unsigned n)
{
        for (unsigned i = 0; i < n; i++) {
                buf_printf(&w->sql, "%s%s.", i ? ", " : "", alias);
                pg_ident(&w->sql, columns[i]);
        }
}

static bool is_parent(const struct writer *w, const struct cascade_key *k)
{
        return cascade_is_to(k, w->parent->schema, w->parent->name);
}

static int gone_index(const struct writer *w, const char *schema, const char *table)
{
        for (unsigned i = 0; i < w->gone_n; i++)
                if (!strcmp(w->gone[i].table, table) && !strcmp(w->gone[i].schema, schema))
                        return (int)i;
        return -1;
}

/* `alias`.fk = what the changed row itself had. */
static void add_direct(struct writer *w, const struct cascade_key *k, const char *alias)
{
        for (unsigned i = 0; i < k->columns_n; i++) {
                buf_printf(&w->sql, "%s%s.", i ? " and " : "", alias);
                pg_ident(&w->sql, k->columns[i]);
                buf_str(&w->sql, " = ");
                add_parameter(w, k->to_columns[i], true);
        }
}

/* (fk) in (select what it refers to from rows that are deleted). */
static void add_of_gone(struct writer *w, const struct cascade_key *k, const char *alias, int gone)
{
        buf_char(&w->sql, '(');
        add_columns(w, alias, k->columns, k->columns_n);
        buf_str(&w->sql, ") in (select ");
        add_columns(w, "p", k->to_columns, k->columns_n);
        buf_str(&w->sql, " from gone g join ");
        pg_table(&w->sql, k->to_schema, k->to_table);
        buf_printf(&w->sql, " p on p.tableoid = g.part and p.ctid = g.line where g.number = %d)",
                gone);
}

/* The children that the change itself, or the deletes that follow from it, lead to. */
static void add_seed(struct writer *w, const struct cascade_key *k, const char *alias)
{
        int gone = w->deep ? gone_index(w, k->to_schema, k->to_table) : -1;

        if (is_parent(w, k)) {
                buf_str(&w->sql, gone >= 0 ? "(" : "");
                add_direct(w, k, alias);
                buf_str(&w->sql, gone >= 0 ? " or " : "");
        }
        if (gone >= 0)
                add_of_gone(w, k, alias, gone);
        if (is_parent(w, k) && gone >= 0)
                buf_char(&w->sql, ')');
}

/* Rows of the last table of the path, before any table of it was changed. */
static void add_where(struct writer *w, const struct step *s, unsigned level)
{
        char alias[16], inner[16];

        snprintf(alias, sizeof alias, "t%u", level);
        snprintf(inner, sizeof inner, "t%u", level + 1);
        if (!s->before) {
                add_seed(w, s->key, alias);
                return;
        }
        buf_char(&w->sql, '(');
        add_columns(w, alias, s->key->columns, s->key->columns_n);
        buf_str(&w->sql, ") in (select ");
        add_columns(w, inner, s->key->to_columns, s->key->columns_n);
        buf_str(&w->sql, " from ");
        pg_table(&w->sql, s->key->to_schema, s->key->to_table);
        buf_printf(&w->sql, " %s where ", inner);
        add_where(w, s->before, level + 1);
        buf_char(&w->sql, ')');
}

/* ---- new values ---- */

enum source { STAYS, BECOMES_NULL, BECOMES_VALUE };

static int key_column(const struct cascade_key *k, const char *name)
{
        for (unsigned i = 0; i < k->columns_n; i++)
                if (!strcmp(k->columns[i], name))
                        return (int)i;
        return -1;
}

/* What column `i` of the path's last key becomes; `*from`: the parent's column. */
static enum source new_value(const struct step *s, unsigned i, const char **from)
{
        const char *refers = s->key->to_columns[i];
        int at;

        if (s->rule == RULE_SET_NULL)
                return BECOMES_NULL;
        if (!s->before) {
                *from = refers;
                return BECOMES_VALUE;
        }
        at = key_column(s->before->key, refers);
        return at < 0 ? STAYS : new_value(s->before, (unsigned)at, from);
}

static void add_set(struct writer *w, const struct step *s)
{
        const char *comma = " set ";

        for (unsigned i = 0; i < s->key->columns_n; i++) {
                const char *from = NULL;
                enum source source = new_value(s, i, &from);

                if (source == STAYS)
                        continue;
                buf_str(&w->sql, comma);
                pg_ident(&w->sql, s->key->columns[i]);
                buf_str(&w->sql, " = ");
                if (source == BECOMES_NULL)
                        buf_str(&w->sql, "null");
                else
                        add_parameter(w, from, false);
                comma = ", ";
        }
}

/* ---- statements ---- */

static void begin_statement(struct writer *w)
{
        buf_clear(&w->sql);
        w->parameters = NULL;
        w->n = 0;
}

/* `key`: must have been followed, or NULL. */
static void end_statement(struct writer *w, const struct cascade_key *key, struct place place)
{
        struct pg_cascade *c = w->out;
        struct pg_cascade_statement *s;

        if (c->n == STATEMENTS_MAX) {
                w->full = true;
                free(w->parameters);
                return;
        }
        c->statements = memory_grow(c->statements, (c->n + 1) * sizeof *c->statements);
        w->places = memory_grow(w->places, (c->n + 1) * sizeof *w->places);
        w->places[c->n] = place;
        s = &c->statements[c->n++];
        *s = (struct pg_cascade_statement){
                .name = c->n <= NAMED_MAX ? memory_printf("k%" PRIu64 "_%u", w->serial, c->n)
                                          : memory_string(""),
                .sql = memory_copy(buf_text(&w->sql), w->sql.len + 1),
                .n = w->n,
                .parameters = w->parameters,
                .key = key};
}

/* Rows that are deleted, as (number of the table, table or partition, place in it). */
static void add_gone(struct writer *w)
{
        const char * or = "";
        unsigned number;

        buf_str(&w->sql, "with recursive gone(number, part, line) as ((");
        for (unsigned i = 0; i < w->all->n; i++) {
                const struct cascade_key *k = &w->all->keys[i];

                if (k->on_delete != RULE_CASCADE || !is_parent(w, k))
                        continue;
                number = (unsigned)gone_index(w, k->schema, k->table);
                buf_printf(&w->sql, "%sselect %u, c.tableoid, c.ctid from ", or, number);
                pg_table(&w->sql, k->schema, k->table);
                buf_str(&w->sql, " c where ");
                add_direct(w, k, "c");
                or = " union all ";
        }
        buf_str(&w->sql,
                ") union select x.number, x.part, x.line from gone g cross join lateral (");
        or = "";
        for (unsigned i = 0; i < w->all->n; i++) {
                const struct cascade_key *k = &w->all->keys[i];
                int from = gone_index(w, k->to_schema, k->to_table);

                if (k->on_delete != RULE_CASCADE || from < 0)
                        continue;
                number = (unsigned)gone_index(w, k->schema, k->table);
                buf_printf(&w->sql, "%sselect %u, c.tableoid, c.ctid from ", or, number);
                pg_table(&w->sql, k->to_schema, k->to_table);
                buf_str(&w->sql, " p join ");
                pg_table(&w->sql, k->schema, k->table);
                buf_str(&w->sql, " c on ");
                for (unsigned j = 0; j < k->columns_n; j++) {
                        buf_str(&w->sql, j ? " and c." : "c.");
                        pg_ident(&w->sql, k->columns[j]);
                        buf_str(&w->sql, " = p.");
                        pg_ident(&w->sql, k->to_columns[j]);
                }
                buf_printf(&w->sql,
                        " where g.number = %d and p.tableoid = g.part and p.ctid = g.line", from);
                or = " union all ";
        }
        /* a union of nothing: the rows that go have children that are set to NULL only */
        if (!* or)
                buf_str(&w->sql, "select 0, null::oid, null::tid where false");
        buf_str(&w->sql, ") x(number, part, line)) ");
}

static void write_update(struct writer *w, const struct step *s, unsigned depth, bool deleted)
{
        const struct step *first = s;

        while (first->before)
                first = first->before;
        begin_statement(w);
        if (deleted && w->deep)
                add_gone(w);
        buf_str(&w->sql, "update ");
        pg_table(&w->sql, s->key->schema, s->key->table);
        buf_str(&w->sql, " t0");
        add_set(w, s);
        buf_str(&w->sql, " where ");
        add_where(w, s, 0);
        end_statement(w, deleted ? NULL : first->key, (struct place){s->key, depth});
}

/* Does the key refer to a column that the path's last step writes? */
static bool goes_on(const struct step *s, const struct cascade_key *k)
{
        const char *from;

        if (k->on_update == RULE_NONE || !cascade_is_to(k, s->key->schema, s->key->table))
                return false;
        for (unsigned i = 0; i < k->columns_n; i++) {
                int at = key_column(s->key, k->to_columns[i]);

                if (at >= 0 && new_value(s, (unsigned)at, &from) != STAYS)
                        return true;
        }
        return false;
}

static bool was_updated(
        const struct writer *w, const struct step *s, bool deleted, const struct cascade_key *k)
{
        for (; s; s = s->before)
                if (cascade_is_from(k, s->key->schema, s->key->table))
                        return true;
        return !deleted && cascade_is_from(k, w->parent->schema, w->parent->name);
}

static void write_path(struct writer *w, const struct step *s, unsigned depth, bool deleted)
{
        write_update(w, s, depth, deleted);
        for (unsigned i = 0; i < w->all->n && !w->full; i++) {
                const struct cascade_key *k = &w->all->keys[i];
                const struct step next = {s, k, k->on_update};

                if (goes_on(s, k) && !was_updated(w, s, deleted, k))
                        write_path(w, &next, depth + 1, deleted);
        }
}

/* ---- deletes ---- */

/* Every table that ON DELETE CASCADE leads to. */
static void find_gone(struct writer *w)
{
        w->gone = memory_new((w->all->n + 1) * sizeof *w->gone);
        for (bool more = true; more;) {
                more = false;
                for (unsigned i = 0; i < w->all->n; i++) {
                        const struct cascade_key *k = &w->all->keys[i];

                        if (k->on_delete != RULE_CASCADE ||
                                gone_index(w, k->schema, k->table) >= 0 ||
                                (!is_parent(w, k) && gone_index(w, k->to_schema, k->to_table) < 0))
                                continue;
                        w->gone[w->gone_n++] = (struct gone){k->schema, k->table};
                        more = true;
                }
        }
        for (unsigned i = 0; i < w->all->n; i++)
                w->deep |= w->all->keys[i].on_delete != RULE_NONE &&
                           gone_index(w, w->all->keys[i].to_schema, w->all->keys[i].to_table) >= 0;
}

static void write_plain_delete(struct writer *w, const struct cascade_key *k)
{
        begin_statement(w);
        buf_str(&w->sql, "delete from ");
        pg_table(&w->sql, k->schema, k->table);
        buf_str(&w->sql, " c where ");
        add_direct(w, k, "c");
        end_statement(w, NULL, (struct place){NULL, 0});
}

/* One statement for all tables: none sees what another has deleted. */
static void write_deep_delete(struct writer *w)
{
        begin_statement(w);
        add_gone(w);
        for (unsigned i = 0; i < w->gone_n; i++) {
                bool last = i + 1 == w->gone_n;

                if (!last)
                        buf_printf(&w->sql, ", d%u as (", i);
                buf_str(&w->sql, "delete from ");
                pg_table(&w->sql, w->gone[i].schema, w->gone[i].table);
                buf_printf(&w->sql,
                        " t using gone g where g.number = %u and t.tableoid = g.part and t.ctid = "
                        "g.line%s",
                        i, last ? "" : ")");
        }
        end_statement(w, NULL, (struct place){NULL, 0});
}

static void write_deletes(struct writer *w)
{
        if (w->deep) {
                write_deep_delete(w);
                return;
        }
        for (unsigned i = 0; i < w->all->n; i++)
                if (w->all->keys[i].on_delete == RULE_CASCADE && is_parent(w, &w->all->keys[i]))
                        write_plain_delete(w, &w->all->keys[i]);
}

/* ---- the whole ---- */

static void write_all(struct writer *w, enum change_op op)
{
        bool deleted = op == CHANGE_DELETE;

        if (deleted)
                find_gone(w);
        for (unsigned i = 0; i < w->all->n && !w->full; i++) {
                const struct cascade_key *k = &w->all->keys[i];
                const struct step first = {NULL, k, deleted ? k->on_delete : k->on_update};
                bool leads = is_parent(w, k) || gone_index(w, k->to_schema, k->to_table) >= 0;

                if (!leads || first.rule == RULE_NONE || (deleted && first.rule == RULE_CASCADE) ||
                        was_updated(w, NULL, deleted, k))
                        continue;
                write_path(w, &first, 1, deleted);
        }
        if (deleted)
                write_deletes(w);
}

/* The longest path to a table counts. */
static void level_depths(struct writer *w)
{
        for (unsigned i = 0; i < w->out->n; i++)
                for (unsigned k = 0; w->places[i].ends && k < w->out->n; k++) {
                        const struct cascade_key *other = w->places[k].ends;

                        if (other && w->places[k].depth > w->places[i].depth &&
                                cascade_is_from(w->places[i].ends, other->schema, other->table))
                                w->places[i].depth = w->places[k].depth;
                }
}

/* A table's rows are written when nobody needs them as they were: the deepest first. */
static void sort(struct writer *w)
{
        struct pg_cascade *c = w->out;

        if (!w->places) /* nothing was written */
                return;
        level_depths(w);
        for (unsigned i = 1; i < c->n; i++)
                for (unsigned k = i; k && w->places[k].depth > w->places[k - 1].depth; k--) {
                        struct pg_cascade_statement s = c->statements[k];
                        struct place place = w->places[k];

                        c->statements[k] = c->statements[k - 1];
                        w->places[k] = w->places[k - 1];
                        c->statements[k - 1] = s;
                        w->places[k - 1] = place;
                }
}

struct pg_cascade *pg_cascade_new(
        const struct relation *r, enum change_op op, uint64_t serial, struct error *e)
{
        struct writer w = {.parent = r,
                .all = r->cascades,
                .serial = serial,
                .out = memory_new_of(struct pg_cascade)};

        write_all(&w, op);
        sort(&w);
        free(w.gone);
        free(w.places);
        buf_done(&w.sql);
        if (!w.full && !w.lost)
                return w.out;
        if (w.lost)
                error_set(e, ERROR_CONFIG,
                        "column '%s' of %s.%s, to which a foreign key with an action refers, is "
                        "not "
                        "carried",
                        w.lost, r->schema, r->name);
        else
                error_set(e, ERROR_CONFIG,
                        "the foreign keys that act on changes of %s.%s lead along more than %d "
                        "paths",
                        r->schema, r->name, STATEMENTS_MAX);
        return pg_cascade_free(w.out);
}

struct pg_cascade *pg_cascade_free(struct pg_cascade *c)
{
        if (!c)
                return NULL;
        for (unsigned i = 0; i < c->n; i++) {
                free(c->statements[i].name);
                free(c->statements[i].sql);
                free(c->statements[i].parameters);
        }
        free(c->statements);
        free(c);
        return NULL;
}

bool pg_cascade_applies(const struct pg_cascade_statement *s, const struct change *c)
{
        return !s->key || cascade_fires(s->key, c);
}

int pg_cascade_values(const struct pg_cascade_statement *s, const struct change *c,
        const char **values, struct error *e)
{
        const struct relation *r = c->relation;

        for (int i = 0; i < s->n; i++) {
                const struct pg_parameter *p = &s->parameters[i];
                const struct value *v = p->old ? &c->old[p->column] : &c->new[p->column];

                if (v->kind == VALUE_UNCHANGED && !p->old)
                        v = &c->old[p->column];
                if (v->kind == VALUE_UNCHANGED)
                        return error_set(e, ERROR_DATA,
                                "the log has no old value of column '%s' of %s.%s, to which a "
                                "foreign key with an action refers: binlog_row_image must be FULL "
                                "on the source",
                                r->columns[p->column].name, r->schema, r->name);
                values[i] = v->kind == VALUE_TEXT ? v->data : NULL;
        }
        return 0;
}
