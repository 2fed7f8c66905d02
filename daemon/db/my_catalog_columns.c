#include "db/my_catalog_private.h"
#include "base/memory.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool begins(const char *text, const char *with)
{
        return !strncasecmp(text, with, strlen(with));
}

static bool is_binary(const char *native)
{
        return begins(native, "binary") || begins(native, "varbinary") || strstr(native, "blob");
}

/* "current_timestamp", "CURRENT_TIMESTAMP(3)", "current_timestamp()", "now(6)". */
static bool is_now(const char *text)
{
        size_t name = begins(text, "current_timestamp") ? 17 : begins(text, "now(") ? 3 : 0;

        if (name == 0)
                return false;
        text += name;
        if (*text == '(') {
                text++;
                text += isdigit((unsigned char)*text) != 0;
                return !strcmp(text, ")");
        }
        return *text == '\0';
}

/*
 * A literal as MariaDB writes it into its catalogue: 'it''s', with backslash escapes for \0, \n, \r
 * and \\ besides. NULL: not one literal, but an expression that begins with one, or it has a zero
 * byte.
 */
static char *unquoted(const char *text)
{
        AUTO_BUF out = BUF_INIT;

        for (text++; *text; text++) {
                if (*text == '\'' && text[1] != '\'')
                        return text[1] ? NULL : memory_string(buf_text(&out));
                text += *text == '\'';
                if (*text == '\\' && text[1]) {
                        if (*++text == '0')
                                return NULL;
                        buf_char(&out, *text == 'n' ? '\n' : *text == 'r' ? '\r' : *text);
                } else {
                        buf_char(&out, *text);
                }
        }
        return NULL;
}

static bool is_number(const char *text)
{
        char *end;

        if (!isdigit((unsigned char)*text) && *text != '-' && *text != '.')
                return false;
        strtod(text, &end);
        return end != text && *end == '\0' && !strpbrk(text, "xX");
}

static void set_default(struct def_column *c, enum default_kind kind, char *text)
{
        c->default_kind = kind;
        c->default_text = text;
}

/* DEFAULT_VALUE of a binary column is 0x and digits. MariaDB's catalogue shows bytes that are no
 * text as question marks, so only plain text is taken from it. */
static void set_binary_default(struct def_column *c, const char *plain, const char *sql)
{
        AUTO_BUF hex = BUF_INIT;

        buf_str(&hex, "0x");
        for (const char *at = plain; *at; at++) {
                if (*at == '?' || !isprint((unsigned char)*at)) {
                        set_default(c, DEFAULT_EXPRESSION, memory_string(sql));
                        return;
                }
                buf_printf(&hex, "%02X", (unsigned char)*at);
        }
        set_default(c, DEFAULT_VALUE, buf_take(&hex));
}

static void set_mariadb_default(struct def_column *c, const char *text)
{
        AUTO_STRING plain = *text == '\'' ? unquoted(text) : NULL;

        if (!strcasecmp(text, "NULL"))
                return;
        if (plain && is_binary(c->native))
                set_binary_default(c, plain, text);
        else if (plain)
                set_default(c, DEFAULT_VALUE, memory_string(plain));
        else if (is_number(text) || !strncmp(text, "b'", 2))
                set_default(c, DEFAULT_VALUE, memory_string(text));
        else
                set_default(c, DEFAULT_EXPRESSION, memory_string(text));
}

/* "_utf8mb4\\'abc\\'", as MySQL keeps the default of a TEXT column. NULL: it is no such literal. */
static char *introduced(const char *text)
{
        size_t n = *text == '_' ? strcspn(text, "\\") : 0, len = strlen(text);

        if (n == 0 || len < n + 4 || strncmp(text + n, "\\'", 2) != 0 ||
                strcmp(text + len - 2, "\\'") != 0)
                return NULL;
        if (strcspn(text + n + 2, "\\'") != len - n - 4)
                return NULL;
        return memory_printf("%.*s", (int)(len - n - 4), text + n + 2);
}

/* MySQL cuts what it shows of a binary default at the first zero byte, so that only an empty one is
 * known for sure. */
static void set_mysql_default(struct def_column *c, const char *text, bool expression)
{
        AUTO_STRING plain = expression ? introduced(text) : NULL;

        if (plain)
                set_default(c, DEFAULT_VALUE, memory_string(plain));
        else if (is_binary(c->native) && !*text)
                set_default(c, DEFAULT_VALUE, memory_string("0x"));
        else if (expression || is_binary(c->native))
                set_default(c, DEFAULT_EXPRESSION, memory_string(text));
        else
                set_default(c, DEFAULT_VALUE, memory_string(text));
}

void my_catalog_default(
        enum engine engine, struct def_column *c, const char *text, const char *extra)
{
        c->invisible = strcasestr(extra, "invisible") != NULL;
        c->on_update_now = strcasestr(extra, "on update") != NULL;
        c->stored = begins(extra, "stored") || begins(extra, "persistent");
        if (strcasestr(extra, "auto_increment"))
                set_default(c, DEFAULT_COUNTER, NULL);
        else if (!text || c->generated)
                return;
        else if (is_now(text) && (engine == ENGINE_MARIADB || !strncmp(c->native, "datetime", 8) ||
                                         !strncmp(c->native, "timestamp", 9)))
                set_default(c, DEFAULT_NOW, memory_string(text));
        else if (engine == ENGINE_MARIADB)
                set_mariadb_default(c, text);
        else
                set_mysql_default(c, text, strcasestr(extra, "default_generated") != NULL);
}

/* Columns of the query: schema, table, name, column_type, character_set_name, column_default,
 * is_nullable, extra, generation_expression, column_comment, collation_name. */
static void add_column(struct table_def *d, MYSQL_ROW row)
{
        struct def_column *c;

        d->columns = memory_grow(d->columns, (d->columns_n + 1) * sizeof *d->columns);
        c = &d->columns[d->columns_n++];
        *c = (struct def_column){.name = memory_string(row[2]),
                .native = row[4] ? memory_printf("%s charset %s", my_catalog_text(row, 3), row[4])
                                 : memory_string(my_catalog_text(row, 3)),
                .modifier = -1,
                .not_null = !strcmp(my_catalog_text(row, 6), "NO"),
                .generated = row[8] && *row[8] ? memory_string(row[8]) : NULL,
                .comment = row[9] && *row[9] ? memory_string(row[9]) : NULL,
                .collation = memory_string(row[10])};
        my_catalog_default(d->engine, c, row[5], my_catalog_text(row, 7));
}

int my_catalog_columns(
        MYSQL *c, struct table_defs *t, const struct my_catalog_scope *s, struct error *e)
{
        AUTO_MY_RESULT r = my_queryf(c, e,
                "select table_schema, table_name, column_name, column_type, character_set_name,"
                " column_default, is_nullable, extra, generation_expression, column_comment,"
                " collation_name"
                " from information_schema.columns where %s"
                " order by table_schema, table_name, ordinal_position",
                s->tables);

        if (!r)
                return -1;
        for (MYSQL_ROW row; (row = mysql_fetch_row(r));) {
                struct table_def *d = my_catalog_at(t, row);

                if (d)
                        add_column(d, row);
        }
        for (unsigned i = 0; i < t->n; i++)
                if (t->items[i].columns_n == 0)
                        return error_set(e, ERROR_CONFIG,
                                "the catalogue shows no columns of table %s.%s: it is damaged, or "
                                "the role has no rights on it",
                                t->items[i].schema, t->items[i].name);
        return 0;
}
