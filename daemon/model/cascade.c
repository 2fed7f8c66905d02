#include "model/cascade.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

struct cascades *cascades_new(void)
{
        struct cascades *c = memory_new_of(struct cascades);

        c->references = 1;
        return c;
}

/* The count is the one thing that changes in a shared list. */
static struct cascades *writable(const struct cascades *c)
{
        return (struct cascades *)(uintptr_t)c;
}

struct cascades *cascades_ref(const struct cascades *c)
{
        if (c)
                writable(c)->references++;
        return writable(c);
}

static void key_done(struct cascade_key *k)
{
        for (unsigned i = 0; i < k->columns_n; i++) {
                free(k->columns[i]);
                free(k->to_columns[i]);
        }
        free(k->columns);
        free(k->to_columns);
        free(k->name);
        free(k->schema);
        free(k->table);
        free(k->to_schema);
        free(k->to_table);
}

struct cascades *cascades_unref(const struct cascades *shared)
{
        struct cascades *c = writable(shared);

        if (!c || --c->references > 0)
                return NULL;
        for (unsigned i = 0; i < c->n; i++)
                key_done(&c->keys[i]);
        free(c->keys);
        free(c);
        return NULL;
}

struct cascade_key *cascades_add(struct cascades *c, unsigned n)
{
        struct cascade_key *k;

        c->keys = memory_grow(c->keys, (c->n + 1) * sizeof *c->keys);
        k = &c->keys[c->n++];
        *k = (struct cascade_key){.columns_n = n,
                .columns = memory_new((n + 1) * sizeof *k->columns),
                .to_columns = memory_new((n + 1) * sizeof *k->to_columns)};
        return k;
}

enum cascade_rule cascade_rule_of(const char *text)
{
        if (text && !strcmp(text, "CASCADE"))
                return RULE_CASCADE;
        return text && !strcmp(text, "SET NULL") ? RULE_SET_NULL : RULE_NONE;
}

enum cascade_rule cascade_rule_for(const struct cascade_key *k, enum change_op op)
{
        return op == CHANGE_DELETE ? k->on_delete : op == CHANGE_UPDATE ? k->on_update : RULE_NONE;
}

bool cascade_is_to(const struct cascade_key *k, const char *schema, const char *table)
{
        return !strcmp(k->to_table, table) && !strcmp(k->to_schema, schema);
}

bool cascade_is_from(const struct cascade_key *k, const char *schema, const char *table)
{
        return !strcmp(k->table, table) && !strcmp(k->schema, schema);
}

bool cascades_have_parent(const struct cascades *c, const char *schema, const char *table)
{
        for (unsigned i = 0; c && i < c->n; i++)
                if (cascade_is_to(&c->keys[i], schema, table))
                        return true;
        return false;
}

bool cascades_touch(const struct cascades *c, const char *schema, const char *table)
{
        for (unsigned i = 0; c && i < c->n; i++) {
                const struct cascade_key *k = &c->keys[i];

                if ((k->on_delete != RULE_NONE || k->on_update != RULE_NONE) &&
                        (cascade_is_to(k, schema, table) || cascade_is_from(k, schema, table)))
                        return true;
        }
        return false;
}

static bool differs(const struct value *old, const struct value *new)
{
        if (new->kind == VALUE_UNCHANGED)
                return false;
        if (old->kind != new->kind)
                return true;
        return old->kind == VALUE_TEXT &&
               (old->len != new->len || memcmp(old->data, new->data, old->len) != 0);
}

bool cascade_fires(const struct cascade_key *k, const struct change *c)
{
        if (cascade_rule_for(k, c->op) == RULE_NONE)
                return false;
        if (c->op == CHANGE_DELETE)
                return true;
        for (unsigned i = 0; c->old && i < k->columns_n; i++) {
                int at = relation_column(c->relation, k->to_columns[i]);

                if (at >= 0 && differs(&c->old[at], &c->new[at]))
                        return true;
        }
        return false;
}

bool cascades_fire(const struct change *c)
{
        const struct cascades *all = c->relation->cascades;

        for (unsigned i = 0; c->cascades && all && i < all->n; i++)
                if (cascade_is_to(&all->keys[i], c->relation->schema, c->relation->name) &&
                        cascade_fires(&all->keys[i], c))
                        return true;
        return false;
}
