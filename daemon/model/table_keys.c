#include "model/table_keys.h"
#include "base/memory.h"
#include "model/cascade.h"

#include <stdio.h>
#include <stdlib.h>

#define FORMAT 1

bool table_key_acts(const struct def_reference *f)
{
        return cascade_rule_of(f->on_delete) != RULE_NONE ||
               cascade_rule_of(f->on_update) != RULE_NONE;
}

static void put_key(const struct table_def *t, const struct def_reference *f, struct buf *out)
{
        const char *names[] = {f->name, f->to_schema, f->to_table, f->on_delete, f->on_update};

        buf_printf(out, " %u ", f->columns_n);
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
                buf_name(out, names[i] ? names[i] : "");
        for (unsigned i = 0; i < f->columns_n; i++) {
                buf_name(out, t->columns[f->columns[i]].name);
                buf_name(out, f->to_columns[i]);
        }
}

void table_keys_to_text(const struct table_def *t, struct buf *out)
{
        unsigned n = 0;

        for (unsigned i = 0; i < t->references_n; i++)
                n += table_key_acts(&t->references[i]);
        buf_printf(out, "%d %u", FORMAT, n);
        for (unsigned i = 0; i < t->references_n; i++)
                if (table_key_acts(&t->references[i]))
                        put_key(t, &t->references[i], out);
}

/* Takes the name. */
static unsigned column_of(struct table_def *t, char *name)
{
        int at = table_def_column(t, name);

        if (at >= 0) {
                free(name);
                return (unsigned)at;
        }
        t->columns = memory_grow(t->columns, (t->columns_n + 1) * sizeof *t->columns);
        t->columns[t->columns_n] = (struct def_column){.name = name};
        return t->columns_n++;
}

static int take_pair(struct table_def *t, struct def_reference *f, const char **at)
{
        unsigned n = f->columns_n;
        char *from = buf_take_name(at);
        char *to = from ? buf_take_name(at) : NULL;

        if (!to) {
                free(from);
                return -1;
        }
        f->columns = memory_grow(f->columns, (n + 1) * sizeof *f->columns);
        f->to_columns = memory_grow(f->to_columns, (n + 1) * sizeof *f->to_columns);
        f->columns[n] = column_of(t, from);
        f->to_columns[n] = to;
        f->columns_n++;
        return 0;
}

static int take_key(struct table_def *t, const char **at)
{
        struct def_reference *f;
        unsigned columns_n;
        int used = 0;

        if (sscanf(*at, " %u %n", &columns_n, &used) != 1 || used == 0)
                return -1;
        *at += used;
        t->references = memory_grow(t->references, (t->references_n + 1) * sizeof *t->references);
        f = &t->references[t->references_n++];
        *f = (struct def_reference){.name = buf_take_name(at)};
        if (!f->name || !(f->to_schema = buf_take_name(at)) || !(f->to_table = buf_take_name(at)) ||
                !(f->on_delete = buf_take_name(at)) || !(f->on_update = buf_take_name(at)))
                return -1;
        for (unsigned i = 0; i < columns_n; i++)
                if (take_pair(t, f, at) < 0)
                        return -1;
        return 0;
}

int table_keys_from_text(struct table_def *t, const char *text)
{
        unsigned format, n;
        int used = 0;

        if (sscanf(text, "%u %u%n", &format, &n, &used) != 2 || used == 0 || format != FORMAT)
                return -1;
        text += used;
        for (unsigned i = 0; i < n; i++)
                if (take_key(t, &text) < 0)
                        return -1;
        return *text == '\0' ? 0 : -1;
}
