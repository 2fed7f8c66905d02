#include "model/filter_private.h"

#include <stdlib.h>
#include <string.h>

struct filter *filter_free(struct filter *f)
{
        if (!f)
                return NULL;
        for (unsigned i = 0; i < f->columns_n; i++)
                free(f->columns[i]);
        for (unsigned i = 0; i < f->literals_n; i++)
                free(f->literals[i].text);
        free(f->columns);
        free(f->literals);
        free(f->conditions);
        free(f);
        return NULL;
}

unsigned filter_columns(const struct filter *f)
{
        return f->columns_n;
}

const char *filter_column(const struct filter *f, unsigned i)
{
        return f->columns[i];
}

static int bind_literal(
        struct literal *l, enum filter_class class, const char *column, struct error *e)
{
        static const char *const wanted[] = {
                [FILTER_TEXT] = "a 'string'",
                [FILTER_NUMBER] = "a number",
                [FILTER_BOOL] = "TRUE or FALSE",
                [FILTER_TIME] = "a date or time such as '2026-01-31 12:00:00'",
                [FILTER_PADDED] = "a 'string'",
        };
        bool fits = l->kind == LITERAL_STRING ||
                    (l->kind == LITERAL_NUMBER && class == FILTER_NUMBER) ||
                    (l->kind == LITERAL_BOOL && class == FILTER_BOOL);

        l->operand = filter_operand_of(class, l->text, strlen(l->text));
        if (fits && l->operand.read)
                return 0;
        return error_set(e, ERROR_CONFIG, "column %s is compared with a literal that is not %s",
                column, wanted[class]);
}

int filter_bind(struct filter *f, unsigned i, enum filter_class class, struct error *e)
{
        for (unsigned c = 0; c < f->conditions_n; c++) {
                const struct condition *at = &f->conditions[c];

                if (at->column != i)
                        continue;
                for (unsigned l = at->first; l < at->first + at->n; l++)
                        if (bind_literal(&f->literals[l], class, f->columns[i], e) < 0)
                                return -1;
        }
        return 0;
}

/* 1 if the value is among the condition's literals, 0 if not, -1 if that cannot be said. */
static int is_among(
        const struct filter *f, const struct condition *c, const struct filter_operand *value)
{
        int order;

        for (unsigned i = c->first; i < c->first + c->n; i++) {
                if (!filter_compare(value, &f->literals[i].operand, &order))
                        return -1;
                if (order == 0)
                        return 1;
        }
        return 0;
}

static bool holds(enum operator op, int order)
{
        switch (op) {
        case OP_EQUAL:
                return order == 0;
        case OP_DIFFERS:
                return order != 0;
        case OP_LESS:
                return order < 0;
        case OP_AT_MOST:
                return order <= 0;
        case OP_GREATER:
                return order > 0;
        case OP_AT_LEAST:
                return order >= 0;
        default:
                return false;
        }
}

static bool condition_passes(
        const struct filter *f, const struct condition *c, const struct filter_value *v)
{
        struct filter_operand value;
        int order;

        if (c->op == OP_IS_NULL || c->op == OP_NOT_NULL)
                return v->null == (c->op == OP_IS_NULL);
        if (v->null)
                return false;
        value = filter_operand_of(f->literals[c->first].operand.class, v->text, v->len);
        if (c->op == OP_IN)
                return is_among(f, c, &value) == 1;
        if (c->op == OP_NOT_IN)
                return is_among(f, c, &value) == 0;
        return filter_compare(&value, &f->literals[c->first].operand, &order) &&
               holds(c->op, order);
}

bool filter_passes(const struct filter *f, const struct filter_value *values)
{
        for (unsigned i = 0; i < f->conditions_n; i++)
                if (!condition_passes(f, &f->conditions[i], &values[f->conditions[i].column]))
                        return false;
        return true;
}
