#include "decoders/binlog_json.h"
#include "decoders/binlog_column.h"
#include "decoders/binlog_decimal.h"
#include "decoders/binlog_number.h"
#include "decoders/binlog_time.h"

#include <inttypes.h>
#include <string.h>

/*
 * A document is a type byte and a value. Values:
 *   object   count, bytes, count * (key offset, key length 2), count * (type, value or offset),
 * keys, values array    count, bytes, count * (type, value or offset), values literal  0 null, 1
 * true, 2 false numbers  little-endian string   length (7 bits a byte, the lowest first, the
 * highest bit: more), bytes opaque   type of MySQL, length as of strings, bytes Counts, bytes and
 * offsets take 2 bytes in small containers and 4 in large ones; offsets count from where the
 * container's value begins. Literals, 16-bit and in large containers 32-bit integers stand in the
 * entry itself.
 */
enum {
        SMALL_OBJECT = 0,
        LARGE_OBJECT = 1,
        SMALL_ARRAY = 2,
        LARGE_ARRAY = 3,
        LITERAL = 4,
        INT16 = 5,
        UINT16 = 6,
        INT32 = 7,
        UINT32 = 8,
        INT64 = 9,
        UINT64 = 10,
        DOUBLE = 11,
        STRING = 12,
        OPAQUE = 15
};

static unsigned width(const struct binlog_json *v)
{
        return v->large ? 4 : 2;
}

bool binlog_json_root(const void *data, size_t len, struct binlog_json *v)
{
        struct reader in = reader_of(data, len);

        *v = (struct binlog_json){.type = LITERAL, .data = reader_of("", 1)};
        if (!len)
                return true;
        v->type = reader_u8(&in);
        v->data = in;
        return reader_ok(&in);
}

bool binlog_json_is_container(const struct binlog_json *v)
{
        return v->type <= LARGE_ARRAY;
}

/* The bytes that it says it has bound everything inside. */
bool binlog_json_open(struct binlog_json *v)
{
        struct reader in = v->data;
        uint64_t bytes, entry;

        v->object = v->type <= LARGE_OBJECT;
        v->large = v->type & 1;
        v->count = (uint32_t)reader_le(&in, width(v));
        bytes = reader_le(&in, width(v));
        entry = 1u + width(v) + (v->object ? width(v) + 2u : 0);
        if (!reader_ok(&in) || bytes > reader_left(&v->data) ||
                2u * width(v) + entry * v->count > bytes)
                return false;
        v->data = reader_of(v->data.at, bytes);
        return true;
}

static bool is_inlined(uint8_t type, bool large)
{
        return type == LITERAL || type == INT16 || type == UINT16 ||
               (large && (type == INT32 || type == UINT32));
}

static bool read_key(const struct binlog_json *v, uint32_t i, const char **key, size_t *len)
{
        struct reader in = v->data;
        uint64_t offset;

        reader_bytes(&in, 2u * width(v) + (size_t)i * (width(v) + 2u));
        offset = reader_le(&in, width(v));
        *len = reader_le16(&in);
        in = v->data;
        reader_bytes(&in, offset);
        *key = reader_bytes(&in, *len);
        return *key != NULL;
}

bool binlog_json_at(const struct binlog_json *v, uint32_t i, const char **key, size_t *key_len,
        struct binlog_json *element)
{
        struct reader in = v->data;
        size_t keys = v->object ? (size_t)v->count * (width(v) + 2u) : 0;
        uint64_t offset;

        *key = NULL;
        *key_len = 0;
        if (v->object && !read_key(v, i, key, key_len))
                return false;
        reader_bytes(&in, 2u * width(v) + keys + (size_t)i * (width(v) + 1u));
        *element = (struct binlog_json){.type = reader_u8(&in)};
        element->data = reader_of(in.at, reader_left(&in) < width(v) ? 0 : width(v));
        offset = reader_le(&in, width(v));
        if (!reader_ok(&in))
                return false;
        if (is_inlined(element->type, v->large))
                return true;
        in = v->data;
        reader_bytes(&in, offset);
        element->data = in;
        return reader_ok(&in);
}

/* ---- scalars ---- */

void binlog_json_quote(const char *data, size_t len, struct buf *out)
{
        static const char plain[] = "\b\f\n\r\t", letters[] = "bfnrt";

        buf_char(out, '"');
        for (size_t i = 0; i < len; i++) {
                unsigned char c = (unsigned char)data[i];
                const char *at = c ? strchr(plain, c) : NULL;

                if (c == '"' || c == '\\')
                        buf_printf(out, "\\%c", c);
                else if (at)
                        buf_printf(out, "\\%c", letters[at - plain]);
                else if (c < 0x20)
                        buf_printf(out, "\\u%04x", c);
                else
                        buf_char(out, (char)c);
        }
        buf_char(out, '"');
}

/* It stays a double where it is put in again. */
static bool put_double(struct reader in, struct buf *out)
{
        uint64_t bits = reader_le64(&in);
        size_t begin = out->len;
        double v;

        memcpy(&v, &bits, sizeof v);
        if (!reader_ok(&in) || !binlog_put_double(v, out))
                return false;
        if (!strpbrk(out->data + begin, ".e"))
                buf_str(out, ".0");
        return true;
}

static bool put_literal(struct reader in, struct buf *out)
{
        static const char *const names[] = {"null", "true", "false"};
        uint8_t v = reader_u8(&in);

        if (!reader_ok(&in) || v > 2)
                return false;
        buf_str(out, names[v]);
        return true;
}

static const char *read_sized(struct reader *in, size_t *len)
{
        uint64_t n = 0;

        for (unsigned shift = 0; shift < 35; shift += 7) {
                uint8_t byte = reader_u8(in);

                n |= (uint64_t)(byte & 0x7f) << shift;
                if (!(byte & 0x80)) {
                        *len = n;
                        return reader_bytes(in, n);
                }
        }
        return NULL;
}

static bool put_string(struct reader in, struct buf *out)
{
        size_t len;
        const char *data = read_sized(&in, &len);

        if (data)
                binlog_json_quote(data, len, out);
        return data != NULL;
}

/* As mysys/base64.c writes it: a new line (in JSON "\n") after each 76 characters. */
static void put_base64(const uint8_t *p, size_t len, struct buf *out)
{
        static const char digits[] =
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

        for (size_t i = 0; i < len; i += 3) {
                uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < len ? (uint32_t)p[i + 1] << 8 : 0) |
                             (i + 2 < len ? p[i + 2] : 0);

                if (i && i % 57 == 0)
                        buf_str(out, "\\n");
                buf_char(out, digits[v >> 18]);
                buf_char(out, digits[v >> 12 & 63]);
                buf_char(out, i + 1 < len ? digits[v >> 6 & 63] : '=');
                buf_char(out, i + 2 < len ? digits[v & 63] : '=');
        }
}

static bool put_packed_time(uint8_t type, struct reader in, struct buf *out)
{
        int64_t packed = (int64_t)reader_le64(&in);
        bool ok;

        buf_char(out, '"');
        if (type == BINLOG_DATE)
                ok = binlog_packed_date(packed, out);
        else if (type == BINLOG_TIME)
                ok = binlog_packed_time(packed, out);
        else
                ok = binlog_packed_datetime(packed, out);
        buf_char(out, '"');
        return ok && reader_done(&in);
}

static bool put_decimal(struct reader in, struct buf *out)
{
        unsigned digits = reader_u8(&in), scale = reader_u8(&in);

        return binlog_decimal(&in, digits, scale, false, out) && reader_done(&in);
}

static bool put_opaque(struct reader in, struct buf *out)
{
        uint8_t type = reader_u8(&in);
        size_t len;
        const char *data = read_sized(&in, &len);

        if (!data)
                return false;
        switch (type) {
        case BINLOG_NEWDECIMAL:
                return put_decimal(reader_of(data, len), out);
        case BINLOG_DATE:
        case BINLOG_TIME:
        case BINLOG_DATETIME:
        case BINLOG_TIMESTAMP:
                return put_packed_time(type, reader_of(data, len), out);
        default:
                buf_printf(out, "\"base64:type%u:", type);
                put_base64((const uint8_t *)data, len, out);
                buf_char(out, '"');
                return true;
        }
}

static bool put_integer(const struct binlog_json *v, struct buf *out)
{
        static const uint8_t bytes[] = {
                [INT16] = 2, [UINT16] = 2, [INT32] = 4, [UINT32] = 4, [INT64] = 8, [UINT64] = 8};
        struct reader in = v->data;
        uint64_t n = reader_le(&in, bytes[v->type]);
        uint64_t sign = UINT64_C(1) << (bytes[v->type] * 8 - 1);

        if (v->type == UINT16 || v->type == UINT32 || v->type == UINT64)
                buf_printf(out, "%" PRIu64, n);
        else
                buf_printf(out, "%" PRId64, (int64_t)((n ^ sign) - sign));
        return reader_ok(&in);
}

bool binlog_json_scalar(const struct binlog_json *v, struct buf *out)
{
        switch (v->type) {
        case LITERAL:
                return put_literal(v->data, out);
        case INT16:
        case UINT16:
        case INT32:
        case UINT32:
        case INT64:
        case UINT64:
                return put_integer(v, out);
        case DOUBLE:
                return put_double(v->data, out);
        case STRING:
                return put_string(v->data, out);
        case OPAQUE:
                return put_opaque(v->data, out);
        default:
                return false;
        }
}

/* ---- documents ---- */

static bool put_value(struct binlog_json *v, unsigned depth, size_t limit, struct buf *out)
{
        bool object;

        if (out->len > limit || depth > BINLOG_JSON_DEPTH)
                return false;
        if (!binlog_json_is_container(v))
                return binlog_json_scalar(v, out);
        if (!binlog_json_open(v))
                return false;
        object = v->object;
        buf_char(out, object ? '{' : '[');
        for (uint32_t i = 0; i < v->count; i++) {
                struct binlog_json element;
                const char *key;
                size_t len;

                if (!binlog_json_at(v, i, &key, &len, &element))
                        return false;
                buf_str(out, i ? ", " : "");
                if (object) {
                        binlog_json_quote(key, len, out);
                        buf_str(out, ": ");
                }
                if (!put_value(&element, depth + 1, limit, out))
                        return false;
        }
        buf_char(out, object ? '}' : ']');
        return true;
}

size_t binlog_json_limit(size_t len)
{
        return 1024 + len * 32;
}

int binlog_json_text(const void *data, size_t len, struct buf *out, struct error *e)
{
        struct binlog_json v;

        if (!binlog_json_root(data, len, &v) ||
                !put_value(&v, 0, out->len + binlog_json_limit(len), out))
                return error_set(e, ERROR_DATA, "a JSON value that is malformed");
        return 0;
}
