#include "model/convert_private.h"

#include <string.h>

/* ENUM, SET and arrays of text: lists of members. */

/* Index 0 of an ENUM. */
static bool is_enum_error(const struct convert *c, const struct value *v)
{
        return v->len <= 1 && coltype_is_enum_error(c->from, v->data, v->len);
}

/* Within the MySQL family it stays what it is. */
static int enum_error(const struct convert *c, struct value *v, struct error *e)
{
        *v = (struct value){VALUE_TEXT, coltype_empty_member(c->to) && !convert_is_pg(c->to), ""};
        if (!convert_is_pg(c->to))
                return 0;
        if (c->policy.enum_error == ENUM_ERROR_REFUSE)
                return convert_refuse(c,
                        "it is what an ENUM holds that was given none of its members (option "
                        "enum_error)",
                        e);
        if (c->policy.enum_error == ENUM_ERROR_NULL)
                *v = (struct value){.kind = VALUE_NULL};
        return 0;
}

int convert_enum_by_name(const struct convert *c, struct arena *a, struct value *v, struct error *e)
{
        (void)a;
        return is_enum_error(c, v) ? enum_error(c, v, e) : convert_check_text(c, v, e);
}

int convert_enum_to_text(const struct convert *c, struct arena *a, struct value *v, struct error *e)
{
        (void)a;
        if (is_enum_error(c, v))
                v->len = 0;
        return convert_check_text(c, v, e);
}

static int to_enum(const struct convert *c, struct arena *a, struct value *v, struct error *e)
{
        (void)a;
        if (is_enum_error(c, v))
                return enum_error(c, v, e);
        if (!coltype_has_member(c->to, v->data, v->len))
                return convert_refuse(c, "it is none of the members", e);
        return convert_check_text(c, v, e);
}

convert_run *convert_to_enum(
        const struct coltype *from, const struct coltype *to, const struct convert_policy *policy)
{
        (void)to;
        (void)policy;
        if (from->class == TYPE_ENUM || convert_is_text(from))
                return to_enum;
        return from->class == TYPE_OTHER && convert_is_pg(from) ? to_enum : NULL;
}

static int member_index(const struct coltype *t, const char *text, size_t len)
{
        for (unsigned i = 0; i < t->members_n; i++)
                if (strlen(t->members[i]) == len && !memcmp(t->members[i], text, len))
                        return (int)i;
        return -1;
}

/* MySQL writes the members in the order of their definition, each once: a value that is written
 * otherwise would come back changed. */
static int check_members(const struct convert *c, const struct value *v, struct error *e)
{
        const char *at = v->data, *end = at + v->len;
        int before = -1;

        while (c->to->members_n && at < end) {
                const char *comma = memchr(at, ',', (size_t)(end - at));
                const char *stop = comma ? comma : end;
                int index = member_index(c->to, at, (size_t)(stop - at));

                if (index < 0)
                        return convert_refuse(c, "it has what is none of the members", e);
                if (index <= before)
                        return convert_refuse(c, "its members are in another order", e);
                before = index;
                at = stop + 1;
                if (comma && at == end)
                        return convert_refuse(c, "it ends in a comma", e);
        }
        return convert_check_text(c, v, e);
}

static int to_set(const struct convert *c, struct arena *a, struct value *v, struct error *e)
{
        (void)a;
        return check_members(c, v, e);
}

/* One element of {a,"b \"c\"",NULL}; false: NULL, a comma in it, empty, or an array in an array. */
static bool take_element(const char **at, const char *end, struct buf *out)
{
        bool quoted = *at < end && **at == '"';
        size_t before = out->len;
        const char *p = *at + quoted;

        for (; p < end && (quoted ? *p != '"' : *p != ',' && *p != '}'); p++) {
                if (*p == '\\' && ++p == end)
                        return false;
                if (*p == ',' || (!quoted && (*p == '{' || *p == '"')))
                        return false;
                buf_char(out, *p);
        }
        if (p == end || out->len == before)
                return false;
        *at = p + quoted;
        return quoted || out->len - before != 4 || strcasecmp(out->data + before, "null") != 0;
}

static bool take_array(const struct value *v, struct buf *out)
{
        const char *at = v->data, *end = at + v->len;

        if (v->len < 2 || *at++ != '{')
                return false;
        if (*at == '}')
                return at + 1 == end;
        for (;;) {
                if (!take_element(&at, end, out) || at == end)
                        return false;
                if (*at == '}')
                        return at + 1 == end;
                if (*at++ != ',')
                        return false;
                buf_char(out, ',');
        }
}

static int array_to_set(const struct convert *c, struct arena *a, struct value *v, struct error *e)
{
        AUTO_BUF out = BUF_INIT;

        if (!take_array(v, &out))
                return convert_refuse(c,
                        "it is not a plain list: NULL, an empty text, a comma, or more dimensions",
                        e);
        convert_set(a, v, buf_text(&out), out.len);
        return check_members(c, v, e);
}

convert_run *convert_to_set(
        const struct coltype *from, const struct coltype *to, const struct convert_policy *policy)
{
        (void)to;
        (void)policy;
        if (from->class == TYPE_ARRAY)
                return array_to_set;
        return from->class == TYPE_SET || convert_is_text(from) ? to_set : NULL;
}
