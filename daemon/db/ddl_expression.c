#include "base/memory.h"
#include "db/ddl.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The text is what the server made of the expression (pg_get_expr, information_schema): keywords
 * and operators are spelt in one way, and names are quoted where they need it. */
struct walk {
        const struct table_def *table;
        const struct ddl_names *names;
        enum engine to;
        const char *at;
        struct buf out;
        bool text, order; /* seen: a column of text; a comparison that is not for equality */
        bool failed;
};

static bool my_family(enum engine e)
{
        return e != ENGINE_POSTGRESQL;
}

static void put(struct walk *w, const char *text, size_t len)
{
        buf_add(&w->out, text, len);
}

/* ---- columns ---- */

/* Does a value of it compare in the target as it does in the source? */
static bool plain_class(struct walk *w, const struct coltype *type)
{
        bool same = my_family(w->table->engine) == my_family(w->to);

        switch (type->class) {
        case TYPE_BOOL:
        case TYPE_INTEGER:
        case TYPE_DECIMAL:
        case TYPE_DATE:
        case TYPE_DATETIME:
        case TYPE_YEAR:
                return true;
        case TYPE_CHAR:
        case TYPE_VARCHAR:
        case TYPE_TEXT: /* a MySQL-family source compares by its collation */
                w->text = true;
                return same || w->to != ENGINE_POSTGRESQL;
        default:
                return same;
        }
}

static void column(struct walk *w, const char *name)
{
        int i = table_def_column(w->table, name);
        const char *target = i < 0 ? NULL : ddl_column(w->names, w->table, (unsigned)i);
        struct error ignored = ERROR_INIT;
        struct coltype *type = target ? ddl_type(w->table, (unsigned)i, &ignored) : NULL;

        if (!type || w->table->columns[i].generated || !plain_class(w, type))
                w->failed = true;
        else
                ddl_ident(&w->out, w->to, target);
        coltype_free(type);
}

/* "name" or `name`, the quote doubled inside. */
static void quoted_name(struct walk *w)
{
        char quote = *w->at++;
        AUTO_BUF name = BUF_INIT;

        for (; *w->at; w->at++) {
                if (*w->at == quote && w->at[1] != quote)
                        break;
                w->at += *w->at == quote;
                buf_char(&name, *w->at);
        }
        if (*w->at)
                w->at++;
        else
                w->failed = true;
        column(w, buf_text(&name));
}

/* ---- words ---- */

static bool is_word(char c)
{
        return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

static bool keyword(struct walk *w, const char *word, size_t len)
{
        static const char *const same[] = {"and", "or", "not", "in", "is", "null", "true", "false"};

        for (unsigned i = 0; i < sizeof same / sizeof *same; i++)
                if (strlen(same[i]) == len && !strncasecmp(same[i], word, len)) {
                        put(w, same[i], len);
                        return true;
                }
        if (len == 7 && !strncasecmp(word, "between", 7)) {
                w->order = true;
                put(w, "between", 7);
                return true;
        }
        return false;
}

static void word(struct walk *w)
{
        size_t len = 0;

        while (is_word(w->at[len]))
                len++;
        if (!keyword(w, w->at, len)) {
                AUTO_STRING name = memory_printf("%.*s", (int)len, w->at);

                /* PostgreSQL leaves names unquoted that need no quotes; the others quote all. */
                if (w->table->engine != ENGINE_POSTGRESQL || w->at[len] == '(' || w->at[len] == '.')
                        w->failed = true;
                else
                        column(w, name);
        }
        w->at += len;
}

/* ---- literals ---- */

static void number(struct walk *w)
{
        size_t len = strspn(w->at, "0123456789.");

        if (is_word(w->at[len]))
                w->failed = true;
        put(w, w->at, len);
        w->at += len;
}

/* Without backslashes, which the two sides read differently. */
static void literal(struct walk *w)
{
        const char *start = w->at++;

        for (; *w->at; w->at++) {
                if (*w->at == '\\')
                        break;
                if (*w->at == '\'' && w->at[1] != '\'') {
                        w->at++;
                        put(w, start, (size_t)(w->at - start));
                        return;
                }
                w->at += *w->at == '\'';
        }
        w->failed = true;
}

/* A cast of PostgreSQL's, as it writes them behind literals and columns, to types in which the
 * comparison is the same without it. */
static void cast(struct walk *w)
{
        static const char *const types[] = {"text", "character varying", "numeric", "smallint",
                "integer", "bigint", "date", "timestamp without time zone", "bpchar"};

        w->at += 2;
        for (unsigned i = 0; i < sizeof types / sizeof *types; i++) {
                size_t len = strlen(types[i]);

                if (!strncmp(w->at, types[i], len) && !is_word(w->at[len]) && w->at[len] != '(' &&
                        w->at[len] != '[') {
                        w->at += len;
                        return;
                }
        }
        w->failed = true;
}

/* ---- the rest ---- */

static void sign(struct walk *w)
{
        size_t len = strspn(w->at, "<>=!");

        if (len == 0)
                len = 1;
        if (!strncmp(w->at, "--", 2)) /* a comment */
                w->failed = true;
        if (len == 1 ? !strchr("<>=+-*(),", *w->at)
                     : len > 2 || (strncmp(w->at, "<>", 2) != 0 && strncmp(w->at, "!=", 2) != 0 &&
                                          strncmp(w->at, "<=", 2) != 0 &&
                                          strncmp(w->at, ">=", 2) != 0))
                w->failed = true;
        if (strncmp(w->at, "<>", 2) != 0 && strchr("<>", *w->at))
                w->order = true;
        put(w, w->at, len);
        w->at += len;
}

static void step(struct walk *w)
{
        char c = *w->at;

        if (c == ' ')
                put(w, w->at++, 1);
        else if (c == '`' || c == '"')
                quoted_name(w);
        else if (c == '\'')
                literal(w);
        else if (c >= '0' && c <= '9')
                number(w);
        else if (is_word(c))
                word(w);
        else if (!strncmp(w->at, "::", 2))
                cast(w);
        else
                sign(w);
}

char *ddl_expression(
        const struct table_def *t, const char *text, enum engine to, const struct ddl_names *n)
{
        struct walk w = {.table = t, .names = n, .to = to, .at = text};

        while (*w.at && !w.failed)
                step(&w);
        if (w.failed || (w.text && w.order)) {
                buf_done(&w.out);
                return NULL;
        }
        return buf_take(&w.out);
}
