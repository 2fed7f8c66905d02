#include "base/memory.h"
#include "db/my.h"
#include "db/my_ddl_private.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool begins(const char *text, const char *with)
{
        return !strncmp(text, with, strlen(with));
}

/* MySQL takes defaults of these as expressions only. */
static bool is_long(const char *native)
{
        return strstr(native, "text") || strstr(native, "blob") || begins(native, "json");
}

static void literal(struct buf *out, const char *text, enum engine to, const char *native)
{
        bool parentheses = to == ENGINE_MYSQL && is_long(native);

        buf_str(out, parentheses ? " default (" : " default ");
        my_literal(out, text, strlen(text));
        buf_str(out, parentheses ? ")" : "");
}

static bool number(struct buf *out, const char *text)
{
        char *end;

        strtod(text, &end);
        if (end == text || *end || (!isdigit((unsigned char)end[-1]) && end[-1] != '.'))
                return false;
        buf_printf(out, " default %s", text);
        return true;
}

/* PostgreSQL's dates without BC, infinity or a year of five digits; the zone must be UTC. */
static bool date(struct buf *out, const char *text, enum engine to, const char *native)
{
        size_t n = strspn(text, "0123456789-: .");

        if (n < 10 || text[4] != '-' || (text[n] && strcmp(text + n, "+00") != 0))
                return false;
        AUTO_STRING plain = memory_printf("%.*s", (int)n, text);

        literal(out, plain, to, native);
        return true;
}

/* "101", or "b'101'" of the same family; as text where the bits vary in number. */
static bool bits(struct buf *out, const char *text, enum engine to, const char *native)
{
        if (!begins(native, "bit"))
                literal(out, text, to, native);
        else if (begins(text, "b'"))
                buf_printf(out, " default %s", text);
        else if (*text && strspn(text, "01") == strlen(text))
                buf_printf(out, " default b'%s'", text);
        else
                return false;
        return true;
}

/* "\x00ff" of PostgreSQL, "0x00FF" of the same family. */
static bool bytes(struct buf *out, const char *text, enum engine to, const char *native)
{
        bool parentheses = to == ENGINE_MYSQL && is_long(native);

        if ((!begins(text, "\\x") && !begins(text, "0x")) ||
                strspn(text + 2, "0123456789abcdefABCDEF") != strlen(text + 2))
                return false;
        buf_printf(out, parentheses ? " default (x'%s')" : " default x'%s'", text + 2);
        return true;
}

static bool boolean(struct buf *out, const char *text)
{
        if (*text != 't' && *text != 'f')
                return false;
        buf_str(out, *text == 't' ? " default 1" : " default 0");
        return true;
}

static bool value(struct buf *out, const char *text, const struct coltype *type, enum engine to,
        const char *native)
{
        switch (type->class) {
        case TYPE_BOOL:
                return type->engine == ENGINE_POSTGRESQL ? boolean(out, text) : number(out, text);
        case TYPE_BIT:
                return bits(out, text, to, native);
        case TYPE_BINARY:
        case TYPE_VARBINARY:
        case TYPE_BLOB:
                return bytes(out, text, to, native);
        case TYPE_DATE:
        case TYPE_DATETIME:
        case TYPE_TIMESTAMPTZ:
                return date(out, text, to, native);
        case TYPE_CHAR:
        case TYPE_VARCHAR:
        case TYPE_TEXT:
        case TYPE_ENUM:
        case TYPE_SET:
        case TYPE_UUID:
        case TYPE_INET4:
        case TYPE_INET6:
        case TYPE_TIME:
        case TYPE_JSON:
        case TYPE_JSONB:
                literal(out, text, to, native);
                return true;
        default:
                return coltype_is_number(type) && number(out, text);
        }
}

/* What was a moment is kept in UTC; DATETIME on its own would be the session's time. */
static bool now(struct buf *out, const struct coltype *type, const char *native)
{
        const char *digits = strchr(native, '(');
        unsigned n = digits ? (unsigned)atoi(digits + 1) : 0;

        if (!begins(native, "datetime") && !begins(native, "timestamp"))
                return false;
        if (type->class == TYPE_TIMESTAMPTZ && begins(native, "datetime"))
                buf_printf(out, " default (utc_timestamp(%u))", n);
        else
                buf_printf(out, " default current_timestamp(%u)", n);
        return true;
}

/* The few that mean the same; they need parentheses on MySQL, and take them on MariaDB. */
static bool expression(struct buf *out, const char *text, const char *native)
{
        static const char *const dates[] = {"CURRENT_DATE", "curdate()", "(curdate())"};
        static const char *const uuids[] = {"gen_random_uuid()", "uuid()", "(uuid())"};

        for (unsigned i = 0; i < 3; i++)
                if (!strcasecmp(text, dates[i]) && !strcmp(native, "date")) {
                        buf_str(out, " default (curdate())");
                        return true;
                } else if (!strcasecmp(text, uuids[i]) &&
                           (begins(native, "char(36)") || begins(native, "uuid"))) {
                        buf_str(out, " default (uuid())");
                        return true;
                }
        return false;
}

void my_ddl_default(struct buf *out, const struct table_def *t, const struct def_column *c,
        const struct coltype *type, enum engine to, const char *native, struct ddl *ddl)
{
        bool done = true;

        if (c->default_kind == DEFAULT_NOW)
                done = now(out, type, native);
        else if (c->default_kind == DEFAULT_VALUE)
                done = value(out, c->default_text, type, to, native);
        else if (c->default_kind == DEFAULT_EXPRESSION)
                done = expression(out, c->default_text, native);
        if (!done)
                ddl_left_out(
                        ddl, t, "column %s: default %s has no equal", c->name, c->default_text);
}

/*
 * Each engine has collations by Unicode's later tables that the other lacks. MariaDB's newest are
 * utf8mb4_uca1400_*, MySQL's utf8mb4_0900_*; both tell upper from lower case, and accents, by the
 * ending.
 */
const char *my_ddl_collation(const char *name, enum engine to)
{
        if (to == ENGINE_MARIADB && !strncmp(name, "utf8mb4_", 8) && strstr(name, "_0900_"))
                return strstr(name, "_bin")     ? "utf8mb4_nopad_bin"
                       : strstr(name, "_as_cs") ? "utf8mb4_bin"
                                                : "utf8mb4_unicode_520_ci";
        if (to == ENGINE_MYSQL && strstr(name, "uca1400"))
                return strstr(name, "_as_cs")   ? "utf8mb4_0900_as_cs"
                       : strstr(name, "_as_ci") ? "utf8mb4_0900_as_ci"
                                                : "utf8mb4_0900_ai_ci";
        if (to == ENGINE_MYSQL && strstr(name, "_nopad_"))
                return strstr(name, "_bin") ? "utf8mb4_0900_bin" : "utf8mb4_0900_ai_ci";
        return name;
}
