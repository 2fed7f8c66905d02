#include "base/memory.h"
#include "db/pg.h"
#include "db/pg_ddl_private.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void quoted(struct buf *out, const char *text)
{
        buf_str(out, " default ");
        pg_literal(out, text);
}

static bool number(struct buf *out, const char *text)
{
        char *end;

        strtod(text, &end);
        if (end == text || *end)
                return false;
        buf_printf(out, " default %s", text);
        return true;
}

/* "b'101'": as many digits as the type has. */
static bool bits(struct buf *out, const char *text, uint32_t length)
{
        size_t n = strlen(text) < 3 ? 0 : strlen(text) - 3;

        if (strncasecmp(text, "b'", 2) != 0 || strspn(text + 2, "01") != n || n > length)
                return false;
        buf_str(out, " default B'");
        for (size_t i = n; i < length; i++)
                buf_char(out, '0');
        buf_add(out, text + 2, n);
        buf_char(out, '\'');
        return true;
}

/* "0x00ff"; BINARY(n) fills up with zeros. */
static bool bytes(struct buf *out, const char *text, const struct coltype *type)
{
        size_t n = strlen(text);

        if (strncasecmp(text, "0x", 2) != 0 ||
                strspn(text + 2, "0123456789abcdefABCDEF") != n - 2 || n % 2)
                return false;
        buf_printf(out, " default '\\x%s", text + 2);
        for (size_t i = n / 2 - 1; type->class == TYPE_BINARY && i < type->length; i++)
                buf_str(out, "00");
        buf_char(out, '\'');
        return true;
}

/* A year, month or day of zero is no date there. */
static bool date(struct buf *out, const char *text)
{
        if (strlen(text) < 10 || !strncmp(text, "0000", 4) || !strncmp(text + 5, "00", 2) ||
                !strncmp(text + 8, "00", 2))
                return false;
        quoted(out, text);
        return true;
}

/* 'a,b' becomes an array, as SET does. */
static bool set(struct buf *out, const char *text)
{
        AUTO_STRING array = memory_printf("{%s}", text);

        if (strpbrk(text, "\"\\{} ") || !strcasecmp(text, "null"))
                return false;
        quoted(out, array);
        return true;
}

static bool value(struct buf *out, const char *text, const struct coltype *type)
{
        if (type->engine == ENGINE_POSTGRESQL) {
                quoted(out, text);
                return true;
        }
        switch (type->class) {
        case TYPE_BIT:
                return bits(out, text, type->length ? type->length : 1);
        case TYPE_BINARY:
        case TYPE_VARBINARY:
        case TYPE_BLOB:
                return bytes(out, text, type);
        case TYPE_DATE:
        case TYPE_DATETIME:
        case TYPE_TIMESTAMPTZ:
                return date(out, text);
        case TYPE_SET:
                return set(out, text);
        case TYPE_GEOMETRY:
        case TYPE_OTHER:
                return false;
        default:
                break;
        }
        if (coltype_is_number(type))
                return number(out, text);
        quoted(out, text);
        return true;
}

/* The few expressions that mean the same. */
static bool expression(struct buf *out, const char *text, enum engine from, const char *native)
{
        if (from == ENGINE_POSTGRESQL)
                buf_printf(out, " default %s", text);
        else if ((!strcasecmp(text, "curdate()") || !strcasecmp(text, "(curdate())")) &&
                 !strcmp(native, "date"))
                buf_str(out, " default CURRENT_DATE");
        else if (!strcasecmp(text, "uuid()") || !strcasecmp(text, "(uuid())"))
                buf_printf(out, " default gen_random_uuid()%s",
                        !strcmp(native, "uuid") ? "" : "::text");
        else
                return false;
        return true;
}

static void now(struct buf *out, const char *text)
{
        unsigned digits = text && strchr(text, '(') ? (unsigned)atoi(strchr(text, '(') + 1) : 0;

        if (digits)
                buf_printf(out, " default CURRENT_TIMESTAMP(%u)", digits);
        else
                buf_str(out, " default CURRENT_TIMESTAMP");
}

void pg_ddl_default(struct buf *out, const struct table_def *t, const struct def_column *c,
        const struct coltype *type, const char *native, struct ddl *ddl)
{
        bool done = true;

        if (c->default_kind == DEFAULT_NOW)
                now(out, c->default_text);
        else if (c->default_kind == DEFAULT_VALUE)
                done = value(out, c->default_text, type);
        else if (c->default_kind == DEFAULT_EXPRESSION)
                done = expression(out, c->default_text, t->engine, native);
        if (!done)
                ddl_left_out(
                        ddl, t, "column %s: default %s has no equal", c->name, c->default_text);
}
