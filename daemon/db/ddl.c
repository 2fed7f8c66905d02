#include "db/ddl.h"
#include "base/memory.h"
#include "db/my.h"
#include "db/pg.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ddl_used_add(struct ddl_used *u, const char *schema, const char *name)
{
        u->names = memory_grow(u->names, (u->n + 1) * sizeof *u->names);
        u->names[u->n++] = memory_printf("%s.%s", schema, name);
}

bool ddl_used_has(const struct ddl_used *u, const char *schema, const char *name)
{
        AUTO_STRING whole = memory_printf("%s.%s", schema, name);

        for (unsigned i = 0; i < u->n; i++)
                if (!strcmp(u->names[i], whole))
                        return true;
        return false;
}

void ddl_used_done(struct ddl_used *u)
{
        for (unsigned i = 0; i < u->n; i++)
                free(u->names[i]);
        free(u->names);
        *u = (struct ddl_used){0};
}

static void list_done(struct ddl_list *l)
{
        for (unsigned i = 0; i < l->n; i++) {
                free(l->items[i].name);
                free(l->items[i].sql);
        }
        free(l->items);
        *l = (struct ddl_list){0};
}

void ddl_done(struct ddl *d)
{
        list_done(&d->before);
        list_done(&d->table);
        list_done(&d->indexes);
        list_done(&d->references);
        list_done(&d->left_out);
        free(d->made);
        d->made = NULL;
}

void ddl_take(struct ddl_list *l, const char *name, char *sql)
{
        l->items = memory_grow(l->items, (l->n + 1) * sizeof *l->items);
        l->items[l->n++] = (struct ddl_statement){memory_string(name), sql};
}

void ddl_left_out(struct ddl *d, const struct table_def *t, const char *format, ...)
{
        AUTO_STRING text = NULL;
        va_list args;

        va_start(args, format);
        if (vasprintf(&text, format, args) < 0)
                abort();
        va_end(args);
        for (char *at = text; (at = strpbrk(at, "\r\n"));) /* of an expression: it is one line */
                *at = ' ';
        ddl_take(&d->left_out, "", memory_printf("%s.%s: %s", t->schema, t->name, text));
}

void ddl_index_left_out(
        struct ddl *d, const struct table_def *t, const struct def_index *i, const char *why)
{
        bool exclusion = i->what && !strcmp(i->what, "exclusion");
        AUTO_BUF on = BUF_INIT;

        for (unsigned p = 0; p < i->columns_n; p++)
                if (i->columns[p].expression)
                        buf_printf(&on, "%s%s", on.len ? ", " : " on ", i->columns[p].expression);
        ddl_left_out(d, t, "%s %s%s: %s, so it is not made%s", i->primary ? "key" : "index",
                i->name, buf_text(&on), why,
                i->unique   ? "; nothing on the target keeps its values unique"
                : exclusion ? "; nothing on the target does what it did"
                            : "");
}

const char *ddl_column(const struct ddl_names *n, const struct table_def *t, unsigned column)
{
        const char *name = t->columns[column].name;

        return n->column ? n->column(n->context, name) : name;
}

bool ddl_index_made(const struct ddl *d, const struct def_index *i)
{
        for (unsigned p = 0; p < i->columns_n; p++)
                if (!i->columns[p].expression && !d->made[i->columns[p].column])
                        return false;
        return true;
}

/* At most `max` bytes of it, without half a character at the end (UTF-8). */
static size_t cut(const char *text, size_t max)
{
        size_t n = strlen(text);

        if (n <= max)
                return n;
        for (n = max; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80;)
                n--;
        return n;
}

char *ddl_name(const struct ddl_names *n, unsigned max, const char *wanted)
{
        char *name = memory_printf("%.*s", (int)cut(wanted, max), wanted);

        for (unsigned i = 1; n->used && ddl_used_has(n->used, n->schema, name); i++) {
                AUTO_STRING end = memory_printf("_%u", i);

                free(name);
                name = memory_printf("%.*s%s", (int)cut(wanted, max - strlen(end)), wanted, end);
        }
        if (n->used)
                ddl_used_add(n->used, n->schema, name);
        return name;
}

struct coltype *ddl_type(const struct table_def *t, unsigned column, struct error *e)
{
        const struct def_column *c = &t->columns[column];
        struct coltype *type;

        if (t->engine != ENGINE_POSTGRESQL) {
                type = coltype_my(t->engine, c->native, e);
                if (!type)
                        error_context(e, "column %s of %s.%s", c->name, t->schema, t->name);
                return type;
        }
        type = coltype_pg(c->oid, c->modifier, c->native);
        if (c->members_n)
                coltype_set_members(type, c->members, c->members_n);
        return type;
}

void ddl_ident(struct buf *out, enum engine to, const char *name)
{
        if (to == ENGINE_POSTGRESQL)
                pg_ident(out, name);
        else
                my_ident(out, name);
}
