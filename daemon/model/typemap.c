#include "model/typemap.h"
#include "base/memory.h"
#include "model/typemap_private.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ENUM_MEMBERS_MAX 65535
#define ENUM_MEMBER_MAX 255
#define DECIMAL_SCALE_MAX 30

static bool mysql_keeps_members(const struct coltype *t)
{
        for (unsigned i = 0; i < t->members_n; i++) {
                size_t len = strlen(t->members[i]);

                if (len > ENUM_MEMBER_MAX || (len > 0 && t->members[i][len - 1] == ' '))
                        return false;
        }
        return t->members_n > 0 && t->members_n <= ENUM_MEMBERS_MAX;
}

static bool fits(const struct typemap_rule *r, const struct coltype *from, enum engine to)
{
        if (r->class != from->class || (r->class == TYPE_INTEGER && r->width != from->width))
                return false;
        switch (r->when) {
        case WHEN_ALWAYS:
                return true;
        case WHEN_SIGNED:
                return !from->is_unsigned;
        case WHEN_UNSIGNED:
                return from->is_unsigned;
        case WHEN_UP_TO:
                return from->length > 0 && from->length <= r->limit && !from->varying;
        case WHEN_LONGER: /* there is no decimal beyond the longest */
                return r->class != TYPE_DECIMAL || from->length == 0;
        case WHEN_MEMBERS:
                return mysql_keeps_members(from);
        case WHEN_NO_MARIADB:
                return to == ENGINE_MYSQL;
        }
        return false;
}

static const struct typemap_rule *find(
        const struct typemap_rule *rules, const struct coltype *from, enum engine to)
{
        for (const struct typemap_rule *r = rules; r->sample; r++)
                if (fits(r, from, to))
                        return r;
        return NULL;
}

static void put_members(struct buf *out, const struct coltype *from)
{
        for (unsigned i = 0; i < from->members_n; i++) {
                if (i)
                        buf_char(out, ',');
                coltype_my_member(out, from->members[i], strlen(from->members[i]));
        }
}

/* A collation whose equality is that of PostgreSQL: bytes, blanks at the end included. */
static const char *text_attributes(enum engine to)
{
        return to == ENGINE_MYSQL ? " character set utf8mb4 collate utf8mb4_0900_bin"
                                  : " character set utf8mb4 collate utf8mb4_nopad_bin";
}

static void put_placeholder(struct buf *out, char what, const struct coltype *from, enum engine to)
{
        switch (what) {
        case 'n':
                buf_printf(out, "%" PRIu32, from->length);
                break;
        case 's':
                buf_printf(out, "%" PRIu32, from->scale);
                break;
        case 'f':
                buf_printf(out, "%u", from->fsp);
                break;
        case 'm':
                put_members(out, from);
                break;
        default:
                buf_str(out, text_attributes(to));
        }
}

static char *expand(const char *form, const struct coltype *from, enum engine to)
{
        AUTO_BUF out = BUF_INIT;

        for (const char *p = form; *p; p++) {
                if (*p == '{') {
                        put_placeholder(&out, p[1], from, to);
                        p += 2;
                } else {
                        buf_char(&out, *p);
                }
        }
        return buf_take(&out);
}

/* The type's own text up to what was appended to it: character set, collation, remarks. */
static size_t head_of(const struct coltype *t)
{
        static const char *const ends[] = {
                " charset ", " character set ", " collate ", " generated", " /*"};
        const char *close = t->members_n ? strrchr(t->native, ')') : NULL;
        size_t len = strlen(t->native);

        if (close)
                return (size_t)(close - t->native) + 1;
        for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
                const char *at = strstr(t->native, ends[i]);

                if (at && (size_t)(at - t->native) < len)
                        len = (size_t)(at - t->native);
        }
        return len;
}

/* MariaDB has no gb18030, and knows MySQL's geomcollection by its longer name. */
static char *same_family(const struct coltype *from, enum engine to)
{
        const char *charset = from->charset ? from->charset->name : NULL;

        if (to == ENGINE_MARIADB && charset && !strcmp(charset, "gb18030"))
                charset = "utf8mb4";
        if (to == ENGINE_MARIADB && !strncmp(from->native, "geomcollection", 14))
                return memory_string("geometrycollection");
        if (!charset || from->class == TYPE_JSON)
                return memory_printf("%.*s", (int)head_of(from), from->native);
        return memory_printf("%.*s charset %s", (int)head_of(from), from->native, charset);
}

static const struct typemap_rule *rules_of(enum engine from, enum engine to)
{
        if (from == ENGINE_POSTGRESQL)
                return typemap_pg_to_my;
        return to == ENGINE_POSTGRESQL ? typemap_my_to_pg : typemap_my_to_my;
}

int typemap_native(const struct coltype *from, enum engine to, bool key, struct typemap_result *out,
        struct error *e)
{
        bool pg = from->engine == ENGINE_POSTGRESQL, to_pg = to == ENGINE_POSTGRESQL;
        const struct typemap_rule *r = NULL;
        const char *form;

        *out = (struct typemap_result){0};
        if (!pg || !to_pg)
                r = find(rules_of(from->engine, to), from, to);
        if (!r && pg == to_pg && !(coltype_is_vector(from) && to != from->engine)) {
                out->native = pg ? memory_string(from->native) : same_family(from, to);
                return 0;
        }
        if (!r || (!to_pg && from->class == TYPE_DECIMAL && from->scale > DECIMAL_SCALE_MAX))
                return error_set(e, ERROR_CONFIG, "no type of %s holds what %.80s does",
                        to_pg                  ? "PostgreSQL"
                        : to == ENGINE_MARIADB ? "MariaDB"
                                               : "MySQL",
                        from->native);
        form = key && r->key ? r->key : to == ENGINE_MYSQL && r->mysql ? r->mysql : r->to;
        out->native = expand(form, from, to);
        out->note = r->note;
        return 0;
}
