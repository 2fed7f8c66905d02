#include "decoders/binlog_column.h"
#include "decoders/binlog_map.h"

#include <inttypes.h>
#include <string.h>

/* ---- does a column fit a known type? ---- */

static bool length_is(const struct binlog_column *c, uint8_t type, size_t length)
{
        return c->type == type && c->length == length;
}

static bool integer_fits(const struct binlog_column *c, const struct coltype *t)
{
        static const uint8_t types[] = {[1] = BINLOG_TINY,
                [2] = BINLOG_SHORT,
                [3] = BINLOG_INT24,
                [4] = BINLOG_LONG,
                [8] = BINLOG_LONGLONG};

        return t->width < sizeof types && types[t->width] && c->type == types[t->width] &&
               (c->sign < 0 || (c->sign == 1) == t->is_unsigned);
}

static bool decimal_fits(const struct binlog_column *c, const struct coltype *t)
{
        return length_is(c, BINLOG_NEWDECIMAL, t->length) && c->scale == t->scale &&
               (c->sign < 0 || (c->sign == 1) == t->is_unsigned);
}

/* The old types have no fraction. MariaDB's with mysql56_temporal_format=OFF can, in a form that
 * the event does not tell: only the catalogue does, which marks each column in an old form. */
static bool time_fits(
        const struct binlog_column *c, const struct coltype *t, uint8_t old, uint8_t new)
{
        if (c->type == old)
                return t->fsp == 0 &&
                       (t->engine != ENGINE_MARIADB || strstr(t->native, "/* mariadb-5.3 */"));
        return c->type == new && c->scale == t->fsp;
}

/* Bytes that the length of a BLOB or TEXT takes. */
static unsigned blob_bytes(const struct coltype *t)
{
        if (t->length == 0 || t->length > 0xffffff)
                return 4;
        return t->length > 0xffff ? 3 : t->length > 0xff ? 2 : 1;
}

static bool blob_fits(const struct binlog_column *c, const struct coltype *t)
{
        return (c->type == BINLOG_BLOB || c->type == BINLOG_BLOB_COMPRESSED) &&
               c->length == blob_bytes(t);
}

/* Collations may change; what a byte means may not. */
static bool charset_fits(const struct binlog_column *c, const struct coltype *t)
{
        const struct charset *told = c->collation ? charset_by_collation(c->collation) : NULL;

        return !told || !t->charset || !strcmp(told->name, t->charset->name);
}

static size_t text_bytes(const struct coltype *t)
{
        return (size_t)t->length * (t->charset ? t->charset->max_bytes : 1);
}

/* A compressed one has a byte more, for its header. */
static bool varchar_fits(const struct binlog_column *c, size_t bytes)
{
        if (c->type == BINLOG_VARCHAR_COMPRESSED)
                return c->length == bytes + 1;
        return (c->type == BINLOG_VARCHAR || c->type == BINLOG_VAR_STRING) && c->length == bytes;
}

static bool same_member(
        const struct binlog_column *c, const void *data, size_t len, const char *known)
{
        const struct charset *from = c->collation ? charset_by_collation(c->collation) : NULL;
        struct error ignored = ERROR_INIT;
        AUTO_BUF text = BUF_INIT;

        if (from && !charset_is_utf8(from)) {
                if (charset_to_utf8(from, data, len, &text, &ignored) < 0)
                        return false;
        } else {
                buf_add(&text, data, len);
        }
        return text.len == strlen(known) && !memcmp(buf_text(&text), known, text.len);
}

static bool members_fit(const struct binlog_column *c, const struct coltype *t)
{
        struct reader in = reader_of(c->members, c->members_len);

        if (!c->members)
                return true;
        if (binlog_packed(&in) != t->members_n)
                return false;
        for (unsigned i = 0; i < t->members_n; i++) {
                uint64_t len = binlog_packed(&in);
                const void *data = reader_bytes(&in, len);

                if (!data || !same_member(c, data, len, t->members[i]))
                        return false;
        }
        return true;
}

static bool enum_fits(const struct binlog_column *c, const struct coltype *t)
{
        return length_is(c, BINLOG_ENUM, t->members_n > 255 ? 2 : 1) && charset_fits(c, t) &&
               members_fit(c, t);
}

static bool set_fits(const struct binlog_column *c, const struct coltype *t)
{
        unsigned bytes = (t->members_n + 7) / 8;

        return length_is(c, BINLOG_SET, bytes > 4 ? 8 : bytes) && charset_fits(c, t) &&
               members_fit(c, t);
}

bool binlog_column_fits(const struct binlog_column *c, const struct coltype *t)
{
        switch (t->class) {
        case TYPE_BOOL:
                return c->type == BINLOG_TINY;
        case TYPE_INTEGER:
                return integer_fits(c, t);
        case TYPE_DECIMAL:
                return decimal_fits(c, t);
        case TYPE_FLOAT:
                return c->type == BINLOG_FLOAT;
        case TYPE_DOUBLE:
                return c->type == BINLOG_DOUBLE;
        case TYPE_BIT:
                return length_is(c, BINLOG_BIT, t->length);
        case TYPE_CHAR:
                return length_is(c, BINLOG_STRING, text_bytes(t)) && charset_fits(c, t);
        case TYPE_VARCHAR:
                return varchar_fits(c, text_bytes(t)) && charset_fits(c, t);
        case TYPE_TEXT:
                return blob_fits(c, t) && charset_fits(c, t);
        case TYPE_BINARY:
                return length_is(c, BINLOG_STRING, t->length);
        case TYPE_VARBINARY:
                return varchar_fits(c, t->length);
        case TYPE_BLOB:
                return blob_fits(c, t);
        case TYPE_DATE:
                return c->type == BINLOG_DATE || c->type == BINLOG_NEWDATE;
        case TYPE_TIME:
                return time_fits(c, t, BINLOG_TIME, BINLOG_TIME2);
        case TYPE_DATETIME:
                return time_fits(c, t, BINLOG_DATETIME, BINLOG_DATETIME2);
        case TYPE_TIMESTAMPTZ:
                return time_fits(c, t, BINLOG_TIMESTAMP, BINLOG_TIMESTAMP2);
        case TYPE_YEAR:
                return c->type == BINLOG_YEAR;
        case TYPE_ENUM:
                return enum_fits(c, t);
        case TYPE_SET:
                return set_fits(c, t);
        case TYPE_JSON: /* LONGTEXT on MariaDB */
                if (t->engine == ENGINE_MYSQL)
                        return c->type == BINLOG_JSON;
                return length_is(c, BINLOG_BLOB, 4) || length_is(c, BINLOG_BLOB_COMPRESSED, 4);
        case TYPE_UUID:
        case TYPE_INET6:
                return length_is(c, BINLOG_STRING, 16);
        case TYPE_INET4:
                return length_is(c, BINLOG_STRING, 4);
        case TYPE_GEOMETRY:
                return c->type == BINLOG_GEOMETRY;
        case TYPE_OTHER:
                return c->type == BINLOG_VECTOR &&
                       (c->dimensions == 0 || c->dimensions == t->length);
        default:
                return false;
        }
}

/* ---- what the event says of a type, for a message to an operator ---- */

static const char *integer_name(uint8_t type)
{
        switch (type) {
        case BINLOG_TINY:
                return "tinyint";
        case BINLOG_SHORT:
                return "smallint";
        case BINLOG_INT24:
                return "mediumint";
        case BINLOG_LONG:
                return "int";
        case BINLOG_LONGLONG:
                return "bigint";
        default:
                return NULL;
        }
}

static const char *time_name(uint8_t type)
{
        switch (type) {
        case BINLOG_DATE:
        case BINLOG_NEWDATE:
                return "date";
        case BINLOG_YEAR:
                return "year";
        case BINLOG_TIME:
        case BINLOG_TIME2:
                return "time";
        case BINLOG_DATETIME:
        case BINLOG_DATETIME2:
                return "datetime";
        case BINLOG_TIMESTAMP:
        case BINLOG_TIMESTAMP2:
                return "timestamp";
        default:
                return NULL;
        }
}

static void put_members(const struct binlog_column *c, struct buf *out)
{
        struct reader in = reader_of(c->members, c->members_len);
        uint64_t n = c->members ? binlog_packed(&in) : 0;

        buf_str(out, c->type == BINLOG_ENUM ? "enum(" : "set(");
        for (uint64_t i = 0; i < n && reader_ok(&in); i++) {
                uint64_t len = binlog_packed(&in);
                const char *data = reader_bytes(&in, len);

                buf_str(out, i ? ",'" : "'");
                for (uint64_t k = 0; data && k < len && data[k]; k++) {
                        if (data[k] == '\'')
                                buf_char(out, '\'');
                        buf_char(out, data[k]);
                }
                buf_char(out, '\'');
        }
        buf_char(out, ')');
}

static void put_string_native(
        const struct binlog_column *c, const struct charset *charset, struct buf *out)
{
        static const char *const sizes[] = {"", "tiny", "", "medium", "long"};
        bool bytes = charset && !strcmp(charset->name, "binary");
        unsigned width = charset ? charset->max_bytes : 1;
        unsigned length = c->length - (c->type == BINLOG_VARCHAR_COMPRESSED);

        switch (c->type) {
        case BINLOG_STRING:
                buf_printf(out, "%s(%u)", bytes ? "binary" : "char", length / width);
                break;
        case BINLOG_BLOB:
        case BINLOG_BLOB_COMPRESSED:
                buf_printf(out, "%s%s", sizes[c->length], bytes ? "blob" : "text");
                break;
        default:
                buf_printf(out, "%s(%u)", bytes ? "varbinary" : "varchar", length / width);
        }
        if (charset && !bytes)
                buf_printf(out, " charset %s", charset->name);
}

static void put_fraction(const struct binlog_column *c, struct buf *out)
{
        if (c->scale)
                buf_printf(out, "(%u)", c->scale);
}

void binlog_column_native(const struct binlog_column *c, struct buf *out)
{
        const struct charset *charset = c->collation ? charset_by_collation(c->collation) : NULL;

        switch (c->type) {
        case BINLOG_TINY:
        case BINLOG_SHORT:
        case BINLOG_INT24:
        case BINLOG_LONG:
        case BINLOG_LONGLONG:
                buf_printf(out, "%s%s", integer_name(c->type), c->sign == 1 ? " unsigned" : "");
                break;
        case BINLOG_NEWDECIMAL:
                buf_printf(out, "decimal(%u,%u)%s", c->length, c->scale,
                        c->sign == 1 ? " unsigned" : "");
                break;
        case BINLOG_FLOAT:
        case BINLOG_DOUBLE:
                buf_str(out, c->type == BINLOG_FLOAT ? "float" : "double");
                break;
        case BINLOG_BIT:
                buf_printf(out, "bit(%u)", c->length);
                break;
        case BINLOG_ENUM:
        case BINLOG_SET:
                put_members(c, out);
                break;
        case BINLOG_JSON:
                buf_str(out, "json");
                break;
        case BINLOG_GEOMETRY:
                buf_str(out, "geometry");
                break;
        case BINLOG_VECTOR:
                buf_str(out, "vector");
                if (c->dimensions)
                        buf_printf(out, "(%" PRIu32 ")", c->dimensions);
                break;
        default:
                if (time_name(c->type)) {
                        buf_str(out, time_name(c->type));
                        put_fraction(c, out);
                } else {
                        put_string_native(c, charset, out);
                }
        }
}
