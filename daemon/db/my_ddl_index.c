#include "base/memory.h"
#include "db/my.h"
#include "db/my_ddl_private.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TEXT_PREFIX 191
#define ADDED_MAX 62 /* beside a primary key and one for auto_increment */

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

/* UTF-8 is counted with four a character. */
unsigned my_ddl_key_bytes(const char *native, uint32_t prefix)
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

/* What is checked at the end of a transaction cannot be checked at each row of it. */
static bool is_unique(const struct def_index *i)
{
        return i->unique && (i->primary || !i->deferrable);
}

/* The same family has full-text and spatial indexes alike. */
static bool carries(const struct table_def *t, const struct def_index *i)
{
        if (!i->what)
                return true;
        return t->engine != ENGINE_POSTGRESQL &&
               (!strcmp(i->what, "fulltext") || !strcmp(i->what, "spatial"));
}

bool my_ddl_counts(const struct table_def *t, const struct ddl_names *n, const char *expression)
{
        for (unsigned i = 0; i < t->columns_n; i++) {
                const char *name = ddl_column(n, t, i);
                AUTO_BUF quoted = BUF_INIT;

                if (!name || t->columns[i].default_kind != DEFAULT_COUNTER)
                        continue;
                my_ident(&quoted, name);
                if (strstr(expression, buf_text(&quoted)))
                        return true;
        }
        return false;
}

/* `a` in brackets or not, which is no functional key part. */
static bool is_column(const char *sql)
{
        sql += strspn(sql, "( ");
        if (*sql != '`')
                return false;
        for (sql++; *sql && (*sql != '`' || sql[1] == '`'); sql++)
                sql += *sql == '`';
        return *sql && strspn(sql + 1, ") ") == strlen(sql + 1);
}

/* A functional key part, which MySQL has; NULL: it has no equal. */
static char *functional(const struct table_def *t, const char *expression, enum engine to,
        const struct ddl_names *n)
{
        char *sql = to == ENGINE_MYSQL ? ddl_expression(t, expression, to, n) : NULL;

        if (sql && (is_column(sql) || my_ddl_counts(t, n, sql))) {
                free(sql);
                sql = NULL;
        }
        return sql;
}

static const char *expression_obstacle(const struct table_def *t, const struct def_index *i,
        enum engine to, const struct ddl_names *n)
{
        if (t->engine != ENGINE_POSTGRESQL)
                return i->what;
        if (to == ENGINE_MARIADB)
                return "MariaDB has no indexes on expressions";
        for (unsigned p = 0; p < i->columns_n; p++) {
                AUTO_STRING sql = i->columns[p].expression
                                          ? functional(t, i->columns[p].expression, to, n)
                                          : NULL;

                if (i->columns[p].expression && !sql)
                        return "it has no equal";
        }
        return NULL;
}

static bool is_expression(const struct def_index *i)
{
        return i->what && !strcmp(i->what, "expression");
}

/* In it, or as to its length. */
static const char *column_obstacle(const struct def_index *i, char *const *natives)
{
        unsigned bytes = 0;

        for (unsigned p = 0; p < i->columns_n; p++) {
                const char *native = natives[i->columns[p].column];
                uint32_t prefix;

                if (i->columns[p].expression)
                        continue;
                prefix = prefix_of(&i->columns[p], native, is_unique(i));
                if (begins(native, "json"))
                        return "JSON cannot be indexed";
                if (!prefix && (is_text(native) || is_blob(native)))
                        return "its values may be too long for a unique key";
                bytes += my_ddl_key_bytes(native, prefix);
        }
        return bytes > MY_KEY_BYTES_MAX ? "it would be longer than 3072 bytes" : NULL;
}

static bool is_generated(const struct table_def *t, const struct def_index *i)
{
        for (unsigned p = 0; p < i->columns_n; p++)
                if (t->columns[i->columns[p].column].generated)
                        return true;
        return false;
}

static const char *obstacle(const struct table_def *t, const struct def_index *i, enum engine to,
        const struct ddl_names *n, char *const *natives, const struct ddl *out)
{
        const char *why = NULL;

        if (is_expression(i))
                why = expression_obstacle(t, i, to, n);
        else if (!carries(t, i))
                why = i->what;
        if (why)
                return why;
        if (i->columns_n == 0)
                return "its columns are not known";
        if (!ddl_index_made(out, i))
                return "a column of it is left out";
        if (i->columns_n > (to == ENGINE_MYSQL ? 16 : 32))
                return "it has more columns than an index has there";
        if (i->primary && to == ENGINE_MARIADB && is_generated(t, i))
                return "no primary key is made of a generated column there";
        return i->what && !is_expression(i) ? NULL : column_obstacle(i, natives);
}

static const char *kind(const struct def_index *i)
{
        if (i->primary)
                return "primary key";
        if (i->what && !is_expression(i))
                return !strcmp(i->what, "fulltext") ? "fulltext key " : "spatial key ";
        return is_unique(i) ? "unique key " : "key ";
}

static void put_part(struct buf *sql, const struct table_def *t, const struct def_index *i,
        const struct def_index_column *c, enum engine to, const struct ddl_names *n,
        char *const *natives)
{
        AUTO_STRING text = c->expression ? functional(t, c->expression, to, n) : NULL;
        uint32_t prefix = 0;

        if (text) {
                buf_printf(sql, "(%s)", text);
        } else {
                my_ident(sql, ddl_column(n, t, c->column));
                if (!i->what || is_expression(i))
                        prefix = prefix_of(c, natives[c->column], is_unique(i));
        }
        if (prefix)
                buf_printf(sql, "(%u)", prefix);
        buf_str(sql, c->descending ? " desc" : "");
}

/* Upper and lower case are one there, and PRIMARY is the primary key's. */
static void put_name(struct buf *sql, const struct table_def *t, const struct def_index *i)
{
        unsigned same = !strcasecmp(i->name, "PRIMARY");
        AUTO_STRING name = NULL;

        if (i->primary)
                return;
        for (const struct def_index *before = t->indexes; before < i; before++)
                same += !strcasecmp(before->name, i->name);
        if (same)
                name = memory_printf("%s_%u", i->name, same);
        my_ident(sql, name ? name : i->name);
}

char *my_ddl_index(const struct table_def *t, const struct def_index *i, enum engine to,
        const struct ddl_names *n, char *const *natives, struct ddl *out)
{
        AUTO_BUF sql = BUF_INIT;
        const char *why = obstacle(t, i, to, n, natives, out);

        if (why) {
                ddl_index_left_out(out, t, i, why);
                return NULL;
        }
        if (i->unique && !is_unique(i))
                ddl_left_out(out, t,
                        "key %s is DEFERRABLE, which is not known there: it is an ordinary index; "
                        "nothing on the target keeps its values unique",
                        i->name);
        buf_str(&sql, kind(i));
        put_name(&sql, t, i);
        for (unsigned p = 0; p < i->columns_n; p++) {
                buf_str(&sql, p ? ", " : " (");
                put_part(&sql, t, i, &i->columns[p], to, n, natives);
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

void my_ddl_indexes(const struct table_def *t, enum engine to, const struct ddl_names *n, int kept,
        char *const *natives, struct ddl *out)
{
        for (unsigned i = 0; i < t->indexes_n; i++) {
                const struct def_index *x = &t->indexes[i];
                AUTO_BUF sql = BUF_INIT;
                AUTO_STRING key = NULL;

                if (x->primary || (int)i == kept)
                        continue;
                if (out->indexes.n == ADDED_MAX && t->engine == ENGINE_POSTGRESQL) {
                        ddl_index_left_out(out, t, x, "a table has 64 keys at most there");
                        continue;
                }
                if (!(key = my_ddl_index(t, x, to, n, natives, out)))
                        continue;
                buf_str(&sql, "alter table ");
                my_table(&sql, n->schema, n->table);
                buf_printf(&sql, " add %s", key);
                ddl_take(&out->indexes, x->name, buf_take(&sql));
        }
}
