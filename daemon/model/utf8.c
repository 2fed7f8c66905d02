#include "model/utf8.h"

#include <string.h>

/* What the second byte may be tells surrogates and overlong forms (RFC 3629, section 4). */
unsigned utf8_next(const uint8_t *p, size_t len)
{
        uint8_t low = 0x80, high = 0xbf;
        unsigned n;

        if (p[0] < 0x80)
                return 1;
        if (p[0] < 0xc2 || p[0] > 0xf4)
                return 0;
        n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
        if (p[0] == 0xe0)
                low = 0xa0;
        else if (p[0] == 0xed)
                high = 0x9f;
        else if (p[0] == 0xf0)
                low = 0x90;
        else if (p[0] == 0xf4)
                high = 0x8f;
        if (len < n || p[1] < low || p[1] > high)
                return 0;
        for (unsigned i = 2; i < n; i++)
                if ((p[i] & 0xc0) != 0x80)
                        return 0;
        return n;
}

/* How many bytes in front are ASCII, eight at a time. */
static size_t ascii(const uint8_t *p, size_t len)
{
        uint64_t eight;
        size_t at = 0;

        for (; len - at >= sizeof eight; at += sizeof eight) {
                memcpy(&eight, p + at, sizeof eight);
                if (eight & UINT64_C(0x8080808080808080))
                        break;
        }
        return at;
}

int64_t utf8_count(const char *text, size_t len)
{
        const uint8_t *p = (const uint8_t *)text;
        size_t at = ascii(p, len);
        int64_t count = (int64_t)at;

        for (; at < len; count++) {
                unsigned n = p[at] < 0x80 ? 1 : utf8_next(p + at, len - at);

                if (n == 0)
                        return -1;
                at += n;
        }
        return count;
}

void utf8_add(struct buf *out, uint32_t point)
{
        if (point < 0x80) {
                buf_char(out, (char)point);
        } else if (point < 0x800) {
                buf_char(out, (char)(0xc0 | point >> 6));
                buf_char(out, (char)(0x80 | (point & 0x3f)));
        } else if (point < 0x10000) {
                buf_char(out, (char)(0xe0 | point >> 12));
                buf_char(out, (char)(0x80 | (point >> 6 & 0x3f)));
                buf_char(out, (char)(0x80 | (point & 0x3f)));
        } else {
                buf_char(out, (char)(0xf0 | point >> 18));
                buf_char(out, (char)(0x80 | (point >> 12 & 0x3f)));
                buf_char(out, (char)(0x80 | (point >> 6 & 0x3f)));
                buf_char(out, (char)(0x80 | (point & 0x3f)));
        }
}
