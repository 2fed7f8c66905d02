#include "db/my_catalog.h"
#include "db/my_check.h"

#include <string.h>
#include <strings.h>

static bool wanted(void *context, const char *schema, const char *name)
{
        const struct cascades *c = context;

        for (unsigned i = 0; i < c->n; i++)
                if (!strcasecmp(c->keys[i].table, name) && !strcasecmp(c->keys[i].schema, schema))
                        return true;
        return false;
}

static bool has_pair(
        const struct table_def *t, const struct def_reference *f, const char *from, const char *to)
{
        for (unsigned i = 0; i < f->columns_n; i++)
                if (!strcasecmp(t->columns[f->columns[i]].name, from) &&
                        !strcasecmp(f->to_columns[i], to))
                        return true;
        return false;
}

static bool is_same(
        const struct table_def *t, const struct def_reference *f, const struct cascade_key *k)
{
        if (strcasecmp(f->to_table, k->to_table) != 0 ||
                strcasecmp(f->to_schema, k->to_schema) != 0 || f->columns_n != k->columns_n ||
                cascade_rule_of(f->on_delete) != k->on_delete ||
                cascade_rule_of(f->on_update) != k->on_update)
                return false;
        for (unsigned i = 0; i < k->columns_n; i++)
                if (!has_pair(t, f, k->columns[i], k->to_columns[i]))
                        return false;
        return true;
}

static bool has_key(const struct table_defs *there, const struct cascade_key *k)
{
        for (unsigned i = 0; i < there->n; i++) {
                const struct table_def *t = &there->items[i];

                if (strcasecmp(t->name, k->table) != 0 || strcasecmp(t->schema, k->schema) != 0)
                        continue;
                for (unsigned n = 0; n < t->references_n; n++)
                        if (is_same(t, &t->references[n], k))
                                return true;
        }
        return false;
}

static void add_columns(struct buf *sql, char **columns, unsigned n)
{
        buf_str(sql, " (");
        for (unsigned i = 0; i < n; i++) {
                buf_str(sql, i ? ", " : "");
                my_ident(sql, columns[i]);
        }
        buf_char(sql, ')');
}

static void add_rule(struct buf *sql, const char *event, enum cascade_rule rule)
{
        if (rule != RULE_NONE)
                buf_printf(sql, " on %s %s", event, rule == RULE_CASCADE ? "cascade" : "set null");
}

static void say_missing(const struct cascade_key *k, struct checks *out)
{
        AUTO_BUF mend = BUF_INIT;

        buf_str(&mend, "alter table ");
        my_table(&mend, k->schema, k->table);
        buf_str(&mend, " add foreign key");
        add_columns(&mend, k->columns, k->columns_n);
        buf_str(&mend, " references ");
        my_table(&mend, k->to_schema, k->to_table);
        add_columns(&mend, k->to_columns, k->columns_n);
        add_rule(&mend, "delete", k->on_delete);
        add_rule(&mend, "update", k->on_update);
        checks_add(out, CHECK_ERROR, buf_text(&mend),
                "target: table %s.%s has no such foreign key as %s on the source, which changes "
                "rows by itself: the binary log does not tell, so the target's own key has to do "
                "the same",
                k->schema, k->table, k->name);
}

static bool lists(char *const *columns, unsigned n, const char *name)
{
        for (unsigned i = 0; i < n; i++)
                if (!strcmp(columns[i], name))
                        return true;
        return false;
}

/* Does what the first key changes in its table make the second one act? */
static bool follows(const struct cascade_key *first, const struct cascade_key *second)
{
        if (!cascade_is_to(second, first->schema, first->table))
                return false;
        if (first->on_delete == RULE_CASCADE && second->on_delete != RULE_NONE)
                return true;
        if (second->on_update == RULE_NONE ||
                (first->on_update == RULE_NONE && first->on_delete != RULE_SET_NULL))
                return false;
        for (unsigned i = 0; i < second->columns_n; i++)
                if (lists(first->columns, first->columns_n, second->to_columns[i]))
                        return true;
        return false;
}

/*
 * MySQL 9.7.4, where it follows keys above InnoDB: an update that is to go through two keys fails
 * (error 1452), and a delete that does so by way of a table's own or in a ring leaves rows behind
 * whose parents are gone.
 */
static void check_chains(const struct cascades *keys, struct checks *out)
{
        for (unsigned i = 0; i < keys->n; i++)
                for (unsigned k = 0; k < keys->n; k++) {
                        const struct cascade_key *a = &keys->keys[i], *b = &keys->keys[k];

                        if (!follows(a, b))
                                continue;
                        checks_add(out, CHECK_ERROR,
                                "innodb_native_foreign_keys = ON in the server's configuration "
                                "([mysqld]), and a restart",
                                "target: a change that goes on from foreign key %s of %s.%s to %s "
                                "of %s.%s is not followed as InnoDB does while "
                                "innodb_native_foreign_keys is OFF there",
                                a->name, a->schema, a->table, b->name, b->schema, b->table);
                        return;
                }
}

int my_check_cascades(MYSQL *c, const struct cascades *keys, const bool *made, struct checks *out,
        struct error *e)
{
        struct table_defs *there = my_catalog_read(c, NULL, wanted, (void *)(uintptr_t)keys, e);

        if (!there)
                return -1;
        for (unsigned i = 0; i < keys->n; i++)
                if (!made[i] && !has_key(there, &keys->keys[i]))
                        say_missing(&keys->keys[i], out);
        if (my_check_logs_cascades(c))
                check_chains(keys, out);
        table_defs_free(there);
        return 0;
}
