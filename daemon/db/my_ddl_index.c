#include "base/memory.h"
#include "db/my.h"
#include "db/my_ddl_private.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* InnoDB, row format DYNAMIC. */
#define KEY_BYTES_MAX 3072
#define TEXT_PREFIX 191

static bool begins(const char *text, const char *with)
{
        return !strncmp(text, with, strlen(with));
}

static bool is_text(const char *native)
{
        return begins(native, "text") || begins(native, "tinytext") ||
               begins(native, "mediumtext") || begins(native, "longtext");
}

static bool is_blob(const char *native)
{
        return begins(native, "blob") || begins(native, "tinyblob") ||
               begins(native, "mediumblob") || begins(native, "longblob");
}

/* Bytes that a column takes in a key, at most; UTF-8 is counted with four a character. */
static unsigned key_bytes(const char *native, uint32_t prefix)
{
        const char *length = strchr(native, '(');
        bool characters = begins(native, "char") || begins(native, "varchar") || is_text(native);
        unsigned n = length ? (unsigned)atoi(length + 1) : 0;

        if (prefix)
                return prefix * (characters ? 4 : 1);
        if (characters)
                return n * 4;
        return begins(native, "binary") || begins(native, "varbinary") ? n : 8;
}

static uint32_t prefix_of(const struct def_index_column *p, const char *native, bool unique)
{
        if (p->prefix)
                return p->prefix;
        return !unique && (is_text(native) || is_blob(native)) ? TEXT_PREFIX : 0;
}

/* The same family has full-text and spatial indexes alike. */
static bool carries(const struct table_def *t, const struct def_index *i)
{
        if (!i->what)
                return true;
        return t->engine != ENGINE_POSTGRESQL &&
               (!strcmp(i->what, "fulltext") || !strcmp(i->what, "spatial"));
}

static const char *obstacle(const struct table_def *t, const struct def_index *i,
        char *const *natives, const struct ddl *out)
{
        unsigned bytes = 0;

        if (!carries(t, i))
                return i->what;
        if (i->columns_n == 0)
                return "its columns are not known";
        if (!ddl_index_made(out, i))
                return "a column of it is left out";
        for (unsigned p = 0; p < i->columns_n && !i->what; p++) {
                const char *native = natives[i->columns[p].column];
                uint32_t prefix = prefix_of(&i->columns[p], native, i->unique);

                if (begins(native, "json"))
                        return "JSON cannot be indexed";
                if (!prefix && (is_text(native) || is_blob(native)))
                        return "its values may be too long for a unique key";
                bytes += key_bytes(native, prefix);
        }
        return bytes > KEY_BYTES_MAX ? "it would be longer than 3072 bytes" : NULL;
}

static const char *kind(const struct def_index *i)
{
        if (i->primary)
                return "primary key";
        if (i->what)
                return !strcmp(i->what, "fulltext") ? "fulltext key " : "spatial key ";
        return i->unique ? "unique key " : "key ";
}

char *my_ddl_index(const struct table_def *t, const struct def_index *i, const struct ddl_names *n,
        char *const *natives, struct ddl *out)
{
        AUTO_BUF sql = BUF_INIT;
        const char *why = obstacle(t, i, natives, out);

        if (why) {
                ddl_left_out(out, t, "%s %s: %s, so it is not made", i->primary ? "key" : "index",
                        i->name, why);
                return NULL;
        }
        buf_str(&sql, kind(i));
        if (!i->primary)
                my_ident(&sql, i->name);
        for (unsigned p = 0; p < i->columns_n; p++) {
                const struct def_index_column *c = &i->columns[p];
                uint32_t prefix = i->what ? 0 : prefix_of(c, natives[c->column], i->unique);

                buf_str(&sql, p ? ", " : " (");
                my_ident(&sql, ddl_column(n, t, c->column));
                if (prefix)
                        buf_printf(&sql, "(%u)", prefix);
                buf_str(&sql, c->descending ? " desc" : "");
        }
        buf_char(&sql, ')');
        return buf_take(&sql);
}

int my_ddl_counter_index(const struct table_def *t, const struct ddl *out, unsigned column)
{
        for (unsigned i = 0; i < t->indexes_n; i++) {
                const struct def_index *x = &t->indexes[i];

                if (!x->what && x->columns_n && x->columns[0].column == column &&
                        !x->columns[0].descending && ddl_index_made(out, x))
                        return (int)i;
        }
        return -1;
}

void my_ddl_indexes(const struct table_def *t, const struct ddl_names *n, int kept,
        char *const *natives, struct ddl *out)
{
        for (unsigned i = 0; i < t->indexes_n; i++) {
                const struct def_index *x = &t->indexes[i];
                AUTO_BUF sql = BUF_INIT;
                AUTO_STRING key = NULL;

                if (x->primary || (int)i == kept)
                        continue;
                if (!(key = my_ddl_index(t, x, n, natives, out)))
                        continue;
                buf_str(&sql, "alter table ");
                my_table(&sql, n->schema, n->table);
                buf_printf(&sql, " add %s", key);
                ddl_take(&out->indexes, x->name, buf_take(&sql));
        }
}
