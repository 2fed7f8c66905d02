#include "model/convert_private.h"
#include "model/utf8.h"

#include <ctype.h>
#include <string.h>

/* Text, and what PostgreSQL reads from text: types that are known by their name alone. */

/* How much of it there may be: VARCHAR counts characters; MySQL's TEXT bytes. */
static int check_length(
        const struct convert *c, const struct value *v, int64_t characters, struct error *e)
{
        const struct coltype *to = c->to;
        bool pg = convert_is_pg(to), bounded = to->length > 0 || (!pg && to->class != TYPE_TEXT);
        uint64_t size = (uint64_t)characters;

        if (to->class == TYPE_TEXT && !(to->charset && to->charset->max_bytes == 1))
                size = v->len;
        if (bounded && size > to->length)
                return convert_refuse(c, "it is too long", e);
        return 0;
}

int convert_check_text(const struct convert *c, const struct value *v, struct error *e)
{
        int64_t characters = utf8_count(v->data, v->len);

        if (characters < 0)
                return convert_refuse(c, "it is not valid UTF-8", e);
        if (convert_is_pg(c->to) && memchr(v->data, 0, v->len))
                return convert_refuse(c, "it contains a zero byte", e);
        if (!convert_is_text(c->to))
                return 0;
        if (c->to->class == TYPE_CHAR && c->from->class != TYPE_CHAR && v->len > 0 &&
                v->data[v->len - 1] == ' ')
                return convert_refuse(c, "it ends in blanks, which such a column loses", e);
        return check_length(c, v, characters, e);
}

/* PostgreSQL pads character(n), and takes no notice of the blanks; MySQL never gives them. */
static void strip(struct arena *a, struct value *v)
{
        uint32_t len = v->len;

        while (len > 0 && v->data[len - 1] == ' ')
                len--;
        if (len < v->len)
                convert_set(a, v, v->data, len);
}

static void undash(struct arena *a, struct value *v)
{
        AUTO_BUF text = BUF_INIT;

        for (uint32_t i = 0; i < v->len; i++)
                if (v->data[i] != '-')
                        buf_char(&text, v->data[i]);
        convert_set(a, v, buf_text(&text), text.len);
}

/* The source's text, where it is not text already. */
static int as_text(const struct convert *c, struct arena *a, struct value *v, struct error *e)
{
        const struct coltype *from = c->from;

        if (coltype_is_number(from))
                convert_number_text(from, a, v);
        else if (from->class == TYPE_BIT)
                convert_bits_text(from, a, v);
        else if (from->class == TYPE_CHAR && convert_is_pg(from))
                strip(a, v);
        else if (from->class == TYPE_UUID && c->to->length >= 32 && c->to->length < 36)
                undash(a, v);
        else if (from->class == TYPE_BLOB && convert_is_pg(from) && !convert_unhex(a, v))
                return convert_refuse(c, "it is not bytea in hex form", e);
        return 0;
}

static int to_text(const struct convert *c, struct arena *a, struct value *v, struct error *e)
{
        if (as_text(c, a, v, e) < 0)
                return -1;
        return convert_check_text(c, v, e);
}

convert_run *convert_to_text(
        const struct coltype *from, const struct coltype *to, const struct convert_policy *policy)
{
        (void)to;
        (void)policy;
        if (from->class == TYPE_ENUM)
                return convert_enum_to_text;
        return from->class == TYPE_GEOMETRY || coltype_is_vector(from) ? NULL : to_text;
}

static int check_only(const struct convert *c, struct arena *a, struct value *v, struct error *e)
{
        (void)a;
        return convert_check_text(c, v, e);
}

/* PostgreSQL reads these from text, and refuses what they cannot hold. */
convert_run *convert_to_known_text(
        const struct coltype *from, const struct coltype *to, const struct convert_policy *policy)
{
        (void)policy;
        if (!convert_is_pg(to)) /* vector: the same bytes on both */
                return coltype_is_vector(from) && from->length == to->length ? convert_pass : NULL;
        if (from->class == TYPE_GEOMETRY)
                return convert_is_named(to, "geometry") || convert_is_named(to, "geography")
                               ? convert_to_geometry(from, to, policy)
                               : NULL;
        if (from->class == TYPE_INET4 || from->class == TYPE_INET6)
                return convert_is_named(to, "inet") ? convert_pass : NULL;
        if (from->class == TYPE_ENUM)
                return convert_enum_by_name;
        return convert_is_text(from) ? check_only : NULL;
}

static int to_array(const struct convert *c, struct arena *a, struct value *v, struct error *e)
{
        AUTO_BUF out = BUF_INIT;

        if (convert_check_text(c, v, e) < 0)
                return -1;
        buf_str(&out, v->len ? "{\"" : "{");
        for (uint32_t i = 0; i < v->len; i++) {
                if (v->data[i] == ',') {
                        buf_str(&out, "\",\"");
                        continue;
                }
                if (v->data[i] == '"' || v->data[i] == '\\')
                        buf_char(&out, '\\');
                buf_char(&out, v->data[i]);
        }
        buf_str(&out, v->len ? "\"}" : "}");
        convert_set(a, v, buf_text(&out), out.len);
        return 0;
}

convert_run *convert_to_array(
        const struct coltype *from, const struct coltype *to, const struct convert_policy *policy)
{
        if (from->class == TYPE_SET)
                return to_array;
        return convert_to_known_text(from, to, policy);
}

/* 32 hexadecimal digits, with dashes at their four places or none; also from 16 bytes. */
static bool put_uuid(struct arena *a, struct value *v)
{
        char text[37];
        unsigned n = 0;

        for (uint32_t i = 0; i < v->len; i++) {
                bool dash = n == 8 || n == 13 || n == 18 || n == 23;

                if (dash)
                        text[n++] = '-';
                if (dash && v->data[i] == '-')
                        continue;
                if (n == 36 || !isxdigit((unsigned char)v->data[i]))
                        return false;
                text[n++] = (char)tolower((unsigned char)v->data[i]);
        }
        if (n != 36)
                return false;
        if (v->len != n || memcmp(text, v->data, n) != 0)
                convert_set(a, v, text, n);
        return true;
}

static void hex(struct arena *a, struct value *v)
{
        AUTO_BUF text = BUF_INIT;

        for (uint32_t i = 0; i < v->len; i++)
                buf_printf(&text, "%02x", (unsigned char)v->data[i]);
        convert_set(a, v, buf_text(&text), text.len);
}

static int to_uuid(const struct convert *c, struct arena *a, struct value *v, struct error *e)
{
        if (coltype_is_bytes(c->from))
                hex(a, v);
        return put_uuid(a, v) ? 0 : convert_refuse(c, "it is not a UUID", e);
}

convert_run *convert_to_uuid(
        const struct coltype *from, const struct coltype *to, const struct convert_policy *policy)
{
        (void)to;
        (void)policy;
        if (from->class == TYPE_UUID)
                return convert_pass;
        if (from->class == TYPE_BINARY || from->class == TYPE_VARBINARY)
                return to_uuid;
        return convert_is_text(from) ? to_uuid : NULL;
}

/* MariaDB holds an address without its network. */
static int to_inet(const struct convert *c, struct arena *a, struct value *v, struct error *e)
{
        (void)a;
        if (memchr(v->data, '/', v->len))
                return convert_refuse(c, "it is a network, not an address", e);
        if (c->to->class == TYPE_INET4 && memchr(v->data, ':', v->len))
                return convert_refuse(c, "it is an IPv6 address", e);
        if (c->to->class == TYPE_INET6 && !memchr(v->data, ':', v->len))
                return convert_refuse(c, "it is an IPv4 address", e);
        return convert_check_text(c, v, e);
}

convert_run *convert_to_inet(
        const struct coltype *from, const struct coltype *to, const struct convert_policy *policy)
{
        (void)policy;
        if (from->class == to->class)
                return convert_pass;
        if (convert_is_text(from) || from->class == TYPE_INET4 || from->class == TYPE_INET6)
                return to_inet;
        return from->class == TYPE_OTHER && convert_is_named(from, "inet") ? to_inet : NULL;
}
