#include "sinks/my_change.h"
#include "sinks/my_value.h"

#include <string.h>

/* NULL in a column that takes none is not refused everywhere: a counter takes its next number, and
 * a TIMESTAMP, on some servers, the time. */
static int add_value(struct buf *out, const struct my_binding *b, uint16_t i, const struct value *v,
        struct error *e)
{
        const struct relation *r = b->relation;
        struct value stored = my_value_stored(b->columns[i].type, v);

        if (v->kind == VALUE_NULL && b->columns[i].not_null)
                error_set(e, ERROR_DATA,
                        "NULL for column '%s' of %s.%s, which is NOT NULL on the target",
                        r->columns[i].name, r->schema, r->name);
        else if (my_value(out, b->columns[i].type, &stored, e) < 0)
                error_context(e, "column '%s' of %s.%s", r->columns[i].name, r->schema, r->name);
        else
                return 0;
        e->of_row = true;
        return -1;
}

int my_change_row(
        struct buf *out, const struct my_binding *b, const struct change *c, struct error *e)
{
        const struct relation *r = b->relation;
        const char *comma = "";

        buf_char(out, '(');
        for (uint16_t i = 0; i < r->columns_n; i++) {
                if (!b->columns[i].written)
                        continue;
                if (c->new[i].kind == VALUE_UNCHANGED)
                        return error_set(e, ERROR_DATA, "insert into %s.%s without column '%s'",
                                r->schema, r->name, r->columns[i].name);
                buf_str(out, comma);
                if (add_value(out, b, i, &c->new[i], e) < 0)
                        return -1;
                comma = ", ";
        }
        buf_char(out, ')');
        return 0;
}

static int check_logged(
        const struct my_binding *b, uint16_t i, const struct value *v, struct error *e)
{
        const struct relation *r = b->relation;

        if (v->kind != VALUE_UNCHANGED)
                return 0;
        return error_set(e, ERROR_DATA, "the log has no value of key column '%s' of %s.%s",
                r->columns[i].name, r->schema, r->name);
}

static int add_match(struct buf *out, const struct my_binding *b, uint16_t i, const struct value *v,
        struct error *e)
{
        const struct relation *r = b->relation;
        const struct my_column *column = &b->columns[i];

        if (check_logged(b, i, v, e) < 0)
                return -1;
        if (b->whole_row || v->kind == VALUE_NULL || coltype_empty_member(column->type)) {
                if (my_value_match(out, column->quoted, column->type, v, e) == 0)
                        return 0;
        } else {
                buf_printf(out, "%s = ", column->quoted);
                if (my_value(out, column->type, v, e) == 0)
                        return 0;
        }
        return error_context(e, "column '%s' of %s.%s", r->columns[i].name, r->schema, r->name);
}

static int add_where(
        struct buf *out, const struct my_binding *b, const struct change *c, struct error *e)
{
        const struct relation *r = b->relation;
        const struct value *row = c->old ? c->old : c->new;
        const char *and = " where ";
        bool keyed = b->whole_row;

        for (uint16_t i = 0; i < r->columns_n; i++) {
                if (!b->columns[i].key)
                        continue;
                buf_str(out, and);
                if (add_match(out, b, i, &row[i], e) < 0)
                        return -1;
                and = " and ";
                keyed = true;
        }
        buf_str(out, b->whole_row ? " limit 1" : "");
        if (!keyed)
                return error_set(e, ERROR_DATA,
                        "%s.%s has no key by which a row could be found: give it a primary key, or "
                        "full row images on the source",
                        r->schema, r->name);
        return 0;
}

int my_change_key(
        struct buf *out, const struct my_binding *b, const struct change *c, struct error *e)
{
        const struct relation *r = b->relation;
        const char *and = "";

        for (uint16_t i = 0; i < b->relation->columns_n; i++) {
                if (!b->columns[i].key)
                        continue;
                if (check_logged(b, i, &c->old[i], e) < 0)
                        return -1;
                if (!b->many_keys && my_value(out, b->columns[i].type, &c->old[i], e) < 0)
                        return error_context(
                                e, "column '%s' of %s.%s", r->columns[i].name, r->schema, r->name);
                if (!b->many_keys)
                        return 0;
                buf_str(out, and);
                if (add_match(out, b, i, &c->old[i], e) < 0)
                        return -1;
                and = " and ";
        }
        return 0;
}

/* `ts = ts` keeps a column that the server would otherwise set to the time of the update. */
static void keep_touched(struct buf *out, const struct my_binding *b, const struct change *c)
{
        for (uint16_t i = 0; i < b->relation->columns_n; i++)
                if (b->columns[i].touched && b->columns[i].written &&
                        c->new[i].kind == VALUE_UNCHANGED)
                        buf_printf(out, ", %s = %s", b->columns[i].quoted, b->columns[i].quoted);
        for (unsigned i = 0; i < b->others_n; i++)
                buf_printf(out, ", %s = %s", b->others[i], b->others[i]);
}

static bool is_same(const struct value *a, const struct value *b)
{
        return a->kind == b->kind &&
               (a->kind != VALUE_TEXT || (a->len == b->len && !memcmp(a->data, b->data, a->len)));
}

/* With both whole rows in the log what the update left alone is not written. A time that the server
 * would set by itself is (HAZARDS A11). */
static bool is_left_alone(const struct my_binding *b, const struct change *c, uint16_t i)
{
        return c->old && c->old_full && !b->columns[i].touched && is_same(&c->old[i], &c->new[i]);
}

/* Where rows are overwritten, the others are, too: the target's may differ. */
static bool is_sparse(const struct my_binding *b)
{
        return !b->quarantine || !b->quarantine->overwrite;
}

static bool is_set(const struct my_binding *b, const struct change *c, uint16_t i, bool sparse)
{
        return b->columns[i].written && c->new[i].kind != VALUE_UNCHANGED &&
               !(sparse && is_left_alone(b, c, i));
}

/* How many columns it sets; -1. `sparse`: only those that differ. */
static int add_set(struct buf *out, const struct my_binding *b, const struct change *c, bool sparse,
        struct error *e)
{
        int n = 0;

        for (uint16_t i = 0; i < b->relation->columns_n; i++) {
                if (!is_set(b, c, i, sparse))
                        continue;
                buf_printf(out, "%s%s = ", n++ ? ", " : "", b->columns[i].quoted);
                if (add_value(out, b, i, &c->new[i], e) < 0)
                        return -1;
        }
        return n;
}

/* Of what add_set writes; *set: is that anything? */
static unsigned count_warnings(
        const struct my_binding *b, const struct change *c, bool sparse, bool *set)
{
        unsigned n = 0;

        *set = false;
        for (uint16_t i = 0; i < b->relation->columns_n; i++) {
                if (!is_set(b, c, i, sparse))
                        continue;
                *set = true;
                n += my_value_warns(b->columns[i].type, &c->new[i]);
        }
        return n;
}

unsigned my_change_warnings(const struct my_binding *b, const struct change *c)
{
        unsigned n = 0;
        bool set = false;

        if (!b->warns || !c->new)
                return 0;
        n = count_warnings(b, c, c->op == CHANGE_UPDATE && is_sparse(b), &set);
        return set ? n : count_warnings(b, c, false, &set);
}

/* One that changes nothing is written whole: the row must be there. */
static int add_update(
        struct buf *out, const struct my_binding *b, const struct change *c, struct error *e)
{
        int n;

        buf_printf(out, "update %s set ", b->table);
        n = add_set(out, b, c, is_sparse(b), e);
        if (n == 0)
                n = add_set(out, b, c, false, e);
        if (n < 0)
                return -1;
        if (n == 0)
                return MY_CHANGE_NOTHING;
        keep_touched(out, b, c);
        return add_where(out, b, c, e);
}

int my_change_sql(
        struct buf *out, const struct my_binding *b, const struct change *c, struct error *e)
{
        size_t before = out->len;
        int result;

        if (c->op == CHANGE_UPDATE) {
                result = add_update(out, b, c, e);
        } else {
                buf_printf(out, "delete from %s", b->table);
                result = add_where(out, b, c, e);
        }
        if (result == MY_CHANGE_NOTHING) {
                out->len = before;
                out->data[before] = '\0';
        }
        return result;
}
