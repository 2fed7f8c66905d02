#include "decoders/binlog_decimal.h"

#include <inttypes.h>
#include <string.h>

/* Digits go in groups of nine, four bytes each, counted from the point outwards; the group at
 * either end is shorter and takes as many bytes as its digits need. */
#define GROUP 9

static const uint8_t bytes_of[GROUP + 1] = {0, 1, 1, 2, 2, 3, 3, 4, 4, 4};
static const uint32_t limit_of[GROUP + 1] = {
        1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000};

static size_t bytes_for(unsigned digits)
{
        return digits / GROUP * 4 + bytes_of[digits % GROUP];
}

/* One group of digits, with its leading zeros. */
static bool put_group(struct reader *in, unsigned digits, struct buf *out)
{
        uint64_t v = digits ? reader_be(in, bytes_of[digits]) : 0;

        if (!reader_ok(in) || v >= limit_of[digits])
                return false;
        if (digits)
                buf_printf(out, "%0*" PRIu64, (int)digits, v);
        return true;
}

static bool put_digits(struct reader *in, unsigned digits, bool short_first, struct buf *out)
{
        if (short_first && !put_group(in, digits % GROUP, out))
                return false;
        for (unsigned i = 0; i < digits / GROUP; i++)
                if (!put_group(in, GROUP, out))
                        return false;
        return short_first || put_group(in, digits % GROUP, out);
}

static void strip_zeros(struct buf *b, size_t from)
{
        size_t zeros = strspn(b->data + from, "0");

        if (from + zeros == b->len)
                zeros--;
        memmove(b->data + from, b->data + from + zeros, b->len - from - zeros + 1);
        b->len -= zeros;
}

static bool valid(unsigned digits, unsigned scale)
{
        return digits > 0 && digits <= BINLOG_DECIMAL_DIGITS && scale <= digits &&
               scale <= BINLOG_DECIMAL_SCALE;
}

/* The first bit says "not negative"; of a negative number all bits are inverted. */
bool binlog_decimal(
        struct reader *in, unsigned digits, unsigned scale, bool zerofill, struct buf *out)
{
        uint8_t packed[40]; /* 65 digits in two runs: 32 bytes at most */
        size_t len = valid(digits, scale) ? bytes_for(digits - scale) + bytes_for(scale) : 0, from;
        const uint8_t *p = len ? reader_bytes(in, len) : NULL;
        bool negative;
        struct reader r;

        if (!p || len > sizeof packed)
                return false;
        negative = !(*p & 0x80);
        for (size_t i = 0; i < len; i++)
                packed[i] = (uint8_t)(negative ? ~p[i] : p[i]);
        packed[0] ^= 0x80;
        if (negative)
                buf_char(out, '-');
        from = out->len;
        r = reader_of(packed, len);
        if (!put_digits(&r, digits - scale, true, out))
                return false;
        if (out->len == from)
                buf_char(out, '0');
        else if (!zerofill)
                strip_zeros(out, from);
        if (scale)
                buf_char(out, '.');
        return put_digits(&r, scale, false, out);
}

bool binlog_decimal_skip(struct reader *in, unsigned digits, unsigned scale)
{
        return valid(digits, scale) &&
               reader_bytes(in, bytes_for(digits - scale) + bytes_for(scale));
}
