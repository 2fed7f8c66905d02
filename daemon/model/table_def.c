#include "model/table_def.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static void strings_free(char **list, unsigned n)
{
        for (unsigned i = 0; list && i < n; i++)
                free(list[i]);
        free(list);
}

static void column_done(struct def_column *c)
{
        free(c->name);
        free(c->native);
        strings_free(c->members, c->members_n);
        free(c->generated);
        free(c->default_text);
        free(c->collation);
        free(c->comment);
        free(c->shown);
        free(c->shown_default);
}

static void index_done(struct def_index *i)
{
        free(i->name);
        free(i->what);
        for (unsigned p = 0; i->columns && p < i->columns_n; p++)
                free(i->columns[p].expression);
        free(i->columns);
}

static void reference_done(struct def_reference *r)
{
        free(r->name);
        free(r->columns);
        strings_free(r->to_columns, r->columns_n);
        free(r->to_schema);
        free(r->to_table);
        free(r->on_delete);
        free(r->on_update);
}

/* A list may be missing where its count was set first and the rest was never read. */
static void lists_done(struct table_def *t)
{
        for (unsigned i = 0; t->columns && i < t->columns_n; i++)
                column_done(&t->columns[i]);
        for (unsigned i = 0; t->indexes && i < t->indexes_n; i++)
                index_done(&t->indexes[i]);
        for (unsigned i = 0; t->references && i < t->references_n; i++)
                reference_done(&t->references[i]);
        for (unsigned i = 0; t->checks && i < t->checks_n; i++) {
                free(t->checks[i].name);
                free(t->checks[i].expression);
        }
        free(t->columns);
        free(t->indexes);
        free(t->references);
        free(t->checks);
}

static void table_done(struct table_def *t)
{
        lists_done(t);
        free(t->schema);
        free(t->name);
        free(t->comment);
        free(t->storage);
        free(t->verbatim);
        relation_unref(t->shape);
}

struct table_defs *table_defs_free(struct table_defs *t)
{
        if (!t)
                return NULL;
        for (unsigned i = 0; t->items && i < t->n; i++)
                table_done(&t->items[i]);
        free(t->items);
        free(t);
        return NULL;
}

static int compare(const struct table_def *t, const char *schema, const char *name)
{
        int order = strcmp(t->schema, schema);

        return order ? order : strcmp(t->name, name);
}

const struct table_def *table_defs_find(
        const struct table_defs *t, const char *schema, const char *name)
{
        unsigned low = 0, high = t->n;

        while (low < high) {
                unsigned middle = low + (high - low) / 2;
                int order = compare(&t->items[middle], schema, name);

                if (order == 0)
                        return &t->items[middle];
                if (order < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return NULL;
}

bool def_column_is_period(const struct def_column *c)
{
        return c->generated && !strncmp(c->generated, "ROW ", 4);
}

int table_def_column(const struct table_def *t, const char *name)
{
        for (unsigned i = 0; i < t->columns_n; i++)
                if (!strcmp(t->columns[i].name, name))
                        return (int)i;
        return -1;
}

const struct def_index *table_def_primary(const struct table_def *t)
{
        for (unsigned i = 0; i < t->indexes_n; i++)
                if (t->indexes[i].primary)
                        return &t->indexes[i];
        return NULL;
}

static bool has_whole(const struct def_index *i, unsigned column)
{
        for (unsigned p = 0; p < i->columns_n; p++)
                if (i->columns[p].column == column && i->columns[p].prefix == 0)
                        return true;
        return false;
}

/* A partial key, or one that is checked late, is none there. */
bool table_def_is_key(const struct table_def *t, unsigned column)
{
        for (unsigned i = 0; i < t->indexes_n; i++) {
                const struct def_index *x = &t->indexes[i];
                bool key = x->primary || (x->unique && !x->what && !x->deferrable);

                if (key && has_whole(x, column))
                        return true;
        }
        for (unsigned i = 0; i < t->references_n; i++)
                for (unsigned p = 0; p < t->references[i].columns_n; p++)
                        if (t->references[i].columns[p] == column)
                                return true;
        return false;
}
