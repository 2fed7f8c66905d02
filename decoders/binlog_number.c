#include "decoders/binlog_number.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POINT_MAX 15 /* digits before the point, or almost as many zeros behind it */

/* "-1.25e-07" with as few digits as do. */
static void shortest(double v, bool single, char *text, size_t size)
{
        bool small = fabs(v) < (single ? (double)FLT_MIN : DBL_MIN);
        int digits = small ? 1 : single ? FLT_DIG : DBL_DIG;
        int most = single ? FLT_DECIMAL_DIG : DBL_DECIMAL_DIG;

        for (; digits <= most; digits++) {
                snprintf(text, size, "%.*e", digits - 1, v);
                if (single ? (double)strtof(text, NULL) == v : strtod(text, NULL) == v)
                        return;
        }
}

/* The digits alone, without zeros at the end; the power of ten that "0.DIGITS" is multiplied by. */
static int take_apart(const char *text, char *digits)
{
        const char *e = strchr(text, 'e');
        size_t n = 0;

        for (; text < e; text++)
                if (*text >= '0' && *text <= '9')
                        digits[n++] = *text;
        while (n > 1 && digits[n - 1] == '0')
                n--;
        digits[n] = '\0';
        return atoi(e + 1) + 1;
}

static void lay_out(const char *digits, int point, struct buf *out)
{
        int n = (int)strlen(digits);

        if (point < 1 - POINT_MAX || point > POINT_MAX) {
                buf_char(out, *digits);
                if (n > 1)
                        buf_printf(out, ".%s", digits + 1);
                buf_printf(out, "e%d", point - 1);
        } else if (point <= 0) {
                buf_printf(out, "0.%.*s%s", -point, "000000000000000", digits);
        } else if (n <= point) {
                buf_printf(out, "%s%.*s", digits, point - n, "000000000000000");
        } else {
                buf_printf(out, "%.*s.%s", point, digits, digits + point);
        }
}

static bool put(double v, bool single, struct buf *out)
{
        char text[40], digits[40];
        int point;

        if (!isfinite(v))
                return false;
        if (signbit(v))
                buf_char(out, '-');
        if (v == 0) {
                buf_char(out, '0');
                return true;
        }
        shortest(fabs(v), single, text, sizeof text);
        point = take_apart(text, digits);
        lay_out(digits, point, out);
        return true;
}

bool binlog_put_float(float v, struct buf *out)
{
        return put((double)v, true, out);
}

bool binlog_put_double(double v, struct buf *out)
{
        return put(v, false, out);
}
