#include "decoders/binlog_column.h"
#include "decoders/binlog_compressed.h"
#include "decoders/binlog_decimal.h"
#include "decoders/binlog_json.h"
#include "decoders/binlog_number.h"
#include "decoders/binlog_time.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What a compressed value may unpack to: LONGTEXT is 4 GiB, packets end at 1 GiB. */
#define INFLATED_MAX (1u << 30)

static int malformed(struct error *e)
{
        return error_set(e, ERROR_DATA, "a value that is truncated or not of its type");
}

static void keep(struct value *out, struct arena *a, const void *data, size_t len)
{
        *out = (struct value){VALUE_TEXT, (uint32_t)len, arena_text(a, data, len)};
}

/* ---- numbers ---- */

/* "int(5) unsigned zerofill" to 5; a server that no longer tells widths does for zerofill. */
static int display_width(const struct coltype *t)
{
        const char *open = t->zerofill && t->native ? strchr(t->native, '(') : NULL;
        long width = open ? strtol(open + 1, NULL, 10) : 0;

        return width > 0 && width <= 255 ? (int)width : 0;
}

static bool put_integer(struct reader *in, unsigned bytes, const struct coltype *t, struct buf *out)
{
        uint64_t v = reader_le(in, bytes);
        uint64_t sign = UINT64_C(1) << (bytes * 8 - 1);

        if (t->is_unsigned)
                buf_printf(out, "%0*" PRIu64, display_width(t), v);
        else
                buf_printf(out, "%" PRId64, (int64_t)((v ^ sign) - sign));
        return reader_ok(in);
}

static bool put_float(struct reader *in, struct buf *out)
{
        uint32_t bits = reader_le32(in);
        float v;

        memcpy(&v, &bits, sizeof v);
        return reader_ok(in) && binlog_put_float(v, out);
}

/* "double(12,4)" has its four decimals always. 0: as many as it takes. */
static int decimals(const struct coltype *t)
{
        const char *comma = t->native ? strchr(t->native, ',') : NULL;
        long n = comma ? strtol(comma + 1, NULL, 10) : 0;

        return n > 0 && n <= 30 ? (int)n : 0;
}

static bool put_double(struct reader *in, const struct coltype *t, struct buf *out)
{
        uint64_t bits = reader_le64(in);
        double v;

        memcpy(&v, &bits, sizeof v);
        if (!reader_ok(in) || !isfinite(v))
                return false;
        if (!decimals(t))
                return binlog_put_double(v, out);
        buf_printf(out, "%.*f", decimals(t), v);
        return true;
}

/* ---- characters and bytes ---- */

static const void *sized(struct reader *in, unsigned length_bytes, size_t *len)
{
        *len = reader_le(in, length_bytes);
        return reader_bytes(in, *len);
}

static int put_text(const struct coltype *t, const void *data, size_t len, struct arena *a,
        struct value *out, struct error *e)
{
        AUTO_BUF utf8 = BUF_INIT;
        const char *text = data;

        if (charset_text(t->charset, &text, &len, &utf8, e) < 0)
                return -1;
        keep(out, a, text, len);
        return 0;
}

/* Zeros at the end of a BINARY, INET4, INET6 or UUID are not in the log. */
static const uint8_t *padded(
        const void *data, size_t len, size_t full, uint8_t *room, size_t room_len)
{
        if (len > full || full > room_len)
                return NULL;
        memset(room, 0, full);
        if (len)
                memcpy(room, data, len);
        return room;
}

static int put_binary(const struct coltype *t, const void *data, size_t len, struct arena *a,
        struct value *out, struct error *e)
{
        uint8_t room[255];
        const uint8_t *full = padded(data, len, t->length, room, sizeof room);

        if (!full)
                return malformed(e);
        keep(out, a, full, t->length);
        return 0;
}

/* The bytes of a UUID are in the order of its text, whatever the table file does with them. */
static bool put_uuid(const uint8_t *p, struct buf *out)
{
        for (unsigned i = 0; i < 16; i++)
                buf_printf(out, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", p[i]);
        return true;
}

static bool put_inet(int family, const uint8_t *p, struct buf *out)
{
        char text[INET6_ADDRSTRLEN];

        if (!inet_ntop(family, p, text, sizeof text))
                return false;
        buf_str(out, text);
        return true;
}

static int put_fixed(const struct coltype *t, const void *data, size_t len, struct arena *a,
        struct value *out, struct error *e)
{
        AUTO_BUF text = BUF_INIT;
        uint8_t room[16];
        const uint8_t *p =
                padded(data, len, t->class == TYPE_INET4 ? 4 : sizeof room, room, sizeof room);
        bool ok;

        if (!p)
                return malformed(e);
        if (t->class == TYPE_UUID)
                ok = put_uuid(p, &text);
        else
                ok = put_inet(t->class == TYPE_INET4 ? AF_INET : AF_INET6, p, &text);
        if (!ok)
                return malformed(e);
        keep(out, a, buf_text(&text), text.len);
        return 0;
}

static int put_string(const struct coltype *t, const void *data, size_t len, struct arena *a,
        struct value *out, struct error *e)
{
        switch (t->class) {
        case TYPE_BINARY:
                return put_binary(t, data, len, a, out, e);
        case TYPE_UUID:
        case TYPE_INET4:
        case TYPE_INET6:
                return put_fixed(t, data, len, a, out, e);
        case TYPE_CHAR:
        case TYPE_VARCHAR:
        case TYPE_TEXT:
        case TYPE_JSON: /* MariaDB's, which is text */
                return put_text(t, data, len, a, out, e);
        default:
                keep(out, a, data, len);
                return 0;
        }
}

static int put_inflated(const struct coltype *t, const void *data, size_t len, struct arena *a,
        struct value *out, struct error *e)
{
        AUTO_BUF plain = BUF_INIT;

        if (!binlog_inflate_column(reader_of(data, len), INFLATED_MAX, &plain))
                return error_set(e, ERROR_DATA, "a compressed value that is damaged");
        return put_string(t, buf_text(&plain), plain.len, a, out, e);
}

static int put_json(
        const void *data, size_t len, struct arena *a, struct value *out, struct error *e)
{
        AUTO_BUF text = BUF_INIT;

        if (binlog_json_text(data, len, &text, e) < 0)
                return -1;
        keep(out, a, buf_text(&text), text.len);
        return 0;
}

static unsigned length_bytes(const struct binlog_column *c)
{
        switch (c->type) {
        case BINLOG_STRING:
        case BINLOG_VARCHAR:
        case BINLOG_VAR_STRING:
        case BINLOG_VARCHAR_COMPRESSED:
                return c->length > 255 ? 2 : 1;
        default:
                return c->length;
        }
}

static int sized_value(struct reader *in, const struct binlog_column *c, const struct coltype *t,
        struct arena *a, struct value *out, struct error *e)
{
        size_t len;
        const void *data = sized(in, length_bytes(c), &len);

        if (!data)
                return malformed(e);
        if (!t)
                return 0;
        switch (c->type) {
        case BINLOG_JSON:
                return put_json(data, len, a, out, e);
        case BINLOG_BLOB_COMPRESSED:
        case BINLOG_VARCHAR_COMPRESSED:
                return put_inflated(t, data, len, a, out, e);
        default:
                return put_string(t, data, len, a, out, e);
        }
}

static int bit_value(struct reader *in, const struct binlog_column *c, struct arena *a,
        struct value *out, struct error *e)
{
        size_t len = (c->length + 7u) / 8;
        const void *data = reader_bytes(in, len);

        if (!data)
                return malformed(e);
        keep(out, a, data, len);
        return 0;
}

/* ---- members ---- */

static bool put_enum(struct reader *in, unsigned bytes, const struct coltype *t, struct buf *out)
{
        uint64_t v = reader_le(in, bytes);

        if (!reader_ok(in) || v > t->members_n)
                return false;
        if (v)
                buf_str(out, t->members[v - 1]);
        else if (coltype_empty_member(t))
                buf_char(out, '\0');
        return true;
}

static bool put_set(struct reader *in, unsigned bytes, const struct coltype *t, struct buf *out)
{
        uint64_t v = reader_le(in, bytes);

        if (!reader_ok(in) || (t->members_n < 64 && v >> t->members_n))
                return false;
        for (unsigned i = 0; i < t->members_n && i < 64; i++) {
                if (!(v >> i & 1))
                        continue;
                if (v & ((UINT64_C(1) << i) - 1))
                        buf_char(out, ',');
                buf_str(out, t->members[i]);
        }
        return true;
}

/* ---- all ---- */

static bool put_short_text(
        struct reader *in, const struct binlog_column *c, const struct coltype *t, struct buf *out)
{
        switch (c->type) {
        case BINLOG_TINY:
                return put_integer(in, 1, t, out);
        case BINLOG_SHORT:
                return put_integer(in, 2, t, out);
        case BINLOG_INT24:
                return put_integer(in, 3, t, out);
        case BINLOG_LONG:
                return put_integer(in, 4, t, out);
        case BINLOG_LONGLONG:
                return put_integer(in, 8, t, out);
        case BINLOG_NEWDECIMAL:
                return binlog_decimal(in, c->length, c->scale, t->zerofill, out);
        case BINLOG_FLOAT:
                return put_float(in, out);
        case BINLOG_DOUBLE:
                return put_double(in, t, out);
        case BINLOG_YEAR:
                return binlog_year(in, out);
        case BINLOG_DATE:
        case BINLOG_NEWDATE:
                return binlog_date(in, out);
        case BINLOG_TIME:
                return binlog_time(in, out);
        case BINLOG_TIME2:
                return binlog_time2(in, c->scale, out);
        case BINLOG_DATETIME:
                return binlog_datetime(in, out);
        case BINLOG_DATETIME2:
                return binlog_datetime2(in, c->scale, out);
        case BINLOG_TIMESTAMP:
                return binlog_timestamp(in, out);
        case BINLOG_TIMESTAMP2:
                return binlog_timestamp2(in, c->scale, out);
        case BINLOG_ENUM:
                return put_enum(in, c->length, t, out);
        case BINLOG_SET:
                return put_set(in, c->length, t, out);
        default:
                return false;
        }
}

/* Bytes of what has the same length whatever its value. */
static size_t fixed_bytes(const struct binlog_column *c)
{
        static const uint8_t bytes[] = {[BINLOG_TINY] = 1,
                [BINLOG_YEAR] = 1,
                [BINLOG_SHORT] = 2,
                [BINLOG_INT24] = 3,
                [BINLOG_DATE] = 3,
                [BINLOG_NEWDATE] = 3,
                [BINLOG_TIME] = 3,
                [BINLOG_LONG] = 4,
                [BINLOG_FLOAT] = 4,
                [BINLOG_TIMESTAMP] = 4,
                [BINLOG_DOUBLE] = 8,
                [BINLOG_LONGLONG] = 8,
                [BINLOG_DATETIME] = 8,
                [BINLOG_TIME2] = 3,
                [BINLOG_TIMESTAMP2] = 4,
                [BINLOG_DATETIME2] = 5};

        if (c->type == BINLOG_ENUM || c->type == BINLOG_SET)
                return c->length;
        if (c->type >= sizeof bytes || !bytes[c->type])
                return 0;
        return bytes[c->type] + (c->type >= BINLOG_TIMESTAMP2 ? (c->scale + 1u) / 2 : 0);
}

static int skip_value(struct reader *in, const struct binlog_column *c, struct error *e)
{
        size_t fixed = fixed_bytes(c);

        if (c->type == BINLOG_NEWDECIMAL)
                return binlog_decimal_skip(in, c->length, c->scale) ? 0 : malformed(e);
        return fixed && reader_bytes(in, fixed) ? 0 : malformed(e);
}

int binlog_value(struct reader *in, const struct binlog_column *c, const struct coltype *t,
        struct arena *a, struct value *out, struct error *e)
{
        AUTO_BUF text = BUF_INIT;

        switch (c->type) {
        case BINLOG_STRING:
        case BINLOG_VARCHAR:
        case BINLOG_VAR_STRING:
        case BINLOG_BLOB:
        case BINLOG_JSON:
        case BINLOG_GEOMETRY:
        case BINLOG_VECTOR:
        case BINLOG_BLOB_COMPRESSED:
        case BINLOG_VARCHAR_COMPRESSED:
                return sized_value(in, c, t, a, out, e);
        case BINLOG_BIT:
                return bit_value(in, c, a, out, e);
        default:
                break;
        }
        if (!t)
                return skip_value(in, c, e);
        if (!put_short_text(in, c, t, &text))
                return malformed(e);
        keep(out, a, buf_text(&text), text.len);
        return 0;
}
