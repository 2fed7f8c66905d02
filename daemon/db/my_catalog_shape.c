#include "db/my_catalog_private.h"
#include "base/memory.h"

#include <string.h>

static bool identifies(const struct table_def *d, const struct def_index *i)
{
        if (!i->unique || i->what || i->columns_n == 0)
                return false;
        for (unsigned p = 0; p < i->columns_n; p++) {
                const struct def_column *c = &d->columns[i->columns[p].column];

                if (i->columns[p].prefix || !c->not_null || c->generated)
                        return false;
        }
        return true;
}

static const struct def_index *identity(const struct table_def *d)
{
        for (unsigned i = 0; i < d->indexes_n; i++)
                if (identifies(d, &d->indexes[i]))
                        return &d->indexes[i];
        return NULL;
}

/* What the binlog carries and the catalogue does not show (MariaDB 10.11: sql/table.cc adds them
 * behind the table's own columns). */
struct hidden {
        bool period;
        unsigned hashes;
};

static struct hidden hidden_columns(const struct table_def *d)
{
        struct hidden h = {.period = d->versioned};

        for (unsigned i = 0; i < d->columns_n; i++)
                if (def_column_is_period(&d->columns[i]))
                        h.period = false;
        for (unsigned i = 0; d->engine == ENGINE_MARIADB && i < d->indexes_n; i++)
                h.hashes += d->indexes[i].what && !strcmp(d->indexes[i].what, "hash");
        return h;
}

static void set_hidden(struct relation *r, uint16_t at, struct hidden h)
{
        if (h.period) {
                relation_set_column(r, at, "row_start", 0, 0, false);
                relation_set_native(r, at++, "timestamp(6) generated as row start");
                relation_set_column(r, at, "row_end", 0, 0, false);
                relation_set_native(r, at++, "timestamp(6) generated as row end");
        }
        for (unsigned i = 1; i <= h.hashes; i++) {
                AUTO_STRING name = memory_printf("DB_ROW_HASH_%u", i);

                relation_set_column(r, at, name, 0, 0, false);
                relation_set_native(r, at++, "bigint(20) unsigned generated");
        }
}

static const char *generated_as(const struct def_column *c)
{
        if (!def_column_is_period(c))
                return c->generated ? " generated" : "";
        return !strcmp(c->generated, "ROW START") ? " generated as row start"
                                                  : " generated as row end";
}

static void set_columns(struct relation *r, const struct table_def *d, bool all_key)
{
        for (unsigned i = 0; i < d->columns_n; i++) {
                const struct def_column *c = &d->columns[i];
                AUTO_STRING native = memory_printf("%s%s", c->native, generated_as(c));

                relation_set_column(r, (uint16_t)i, c->name, 0, 0, all_key && !c->generated);
                relation_set_native(r, (uint16_t)i, native);
        }
}

void my_catalog_shape(struct table_def *d)
{
        const struct def_index *key = identity(d);
        struct hidden h = hidden_columns(d);
        unsigned n = d->columns_n + (h.period ? 2 : 0) + h.hashes;

        relation_unref(d->shape);
        d->shape = relation_new(
                0, d->schema, d->name, key ? IDENTITY_DEFAULT : IDENTITY_FULL, (uint16_t)n);
        set_columns(d->shape, d, key == NULL);
        set_hidden(d->shape, (uint16_t)d->columns_n, h);
        for (unsigned i = 0; key && i < key->columns_n; i++)
                d->shape->columns[key->columns[i].column].key = true;
}
