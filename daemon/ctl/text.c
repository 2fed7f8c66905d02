#include "ctl/text.h"
#include "base/memory.h"
#include "ops/json.h"

#include <math.h>
#include <string.h>

static bool is_control(const unsigned char *p)
{
        return p[0] < 0x20 || p[0] == 0x7f || (p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0);
}

void text_safe(struct buf *out, const char *s, bool lines)
{
        size_t size = strlen(s) + 1;
        AUTO_STRING clean = memory_new(size);

        json_utf8(clean, size, s);
        for (const char *p = clean; *p; p++) {
                bool two = (unsigned char)*p == 0xc2;

                if (*p == '\n' && lines)
                        buf_char(out, '\n');
                else if (!is_control((const unsigned char *)p))
                        buf_char(out, *p);
                else {
                        buf_char(out, '?');
                        p += two;
                }
        }
}

void text_bytes(struct buf *out, double bytes)
{
        static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
        unsigned u = 0;

        while (bytes >= 1024 && u < 5) {
                bytes /= 1024;
                u++;
        }
        buf_printf(out, u ? "%.1f %s" : "%.0f %s", bytes, units[u]);
}

void text_duration(struct buf *out, double seconds)
{
        unsigned long s = seconds > 0 && seconds < 1e12 ? (unsigned long)seconds : 0;

        if (seconds < 60)
                buf_printf(out, "%.1f s", seconds);
        else if (s < 3600)
                buf_printf(out, "%lu min %lu s", s / 60, s % 60);
        else if (s < 86400)
                buf_printf(out, "%lu h %lu min", s / 3600, s / 60 % 60);
        else
                buf_printf(out, "%lu d %lu h", s / 86400, s / 3600 % 24);
}

void text_count(struct buf *out, double n)
{
        buf_printf(out, "%.0f", n);
}

void text_bar(struct buf *out, double part, unsigned width)
{
        unsigned full;

        part = isfinite(part) ? fmin(fmax(part, 0), 1) : 0;
        full = (unsigned)(part * width);
        buf_char(out, '[');
        for (unsigned i = 0; i < width; i++)
                buf_char(out, i < full ? '#' : '-');
        buf_char(out, ']');
}

size_t text_fit(const char *s, unsigned columns)
{
        size_t n = 0;

        while (s[n] && s[n] != '\n') {
                bool begins = ((unsigned char)s[n] & 0xc0) != 0x80;

                if (begins && columns-- == 0)
                        break;
                n++;
        }
        return n;
}
