#include "model/number.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPONENT_MAX 400 /* no double needs more */
#define SIGNIFICANT_MAX 17

static bool digit(char c)
{
        return c >= '0' && c <= '9';
}

static size_t digits(const char *at, const char *end)
{
        size_t n = 0;

        while (at + n < end && digit(at[n]))
                n++;
        return n;
}

/* At 'e': the exponent, held to what any type may need; false: malformed. */
static bool take_exponent(const char *at, const char *end, int *exponent)
{
        bool negative = false;
        size_t n;
        int v = 0;

        at++;
        if (at < end && (*at == '+' || *at == '-'))
                negative = *at++ == '-';
        n = digits(at, end);
        if (n == 0 || at + n != end)
                return false;
        for (; n > 0; n--, at++)
                if (v < 1000000)
                        v = v * 10 + (*at - '0');
        *exponent = negative ? -v : v;
        return true;
}

static void trim(struct number *n)
{
        while (n->whole_n > 0 && *n->whole == '0') {
                n->whole++;
                n->whole_n--;
        }
        while (n->part_n > 0 && n->part[n->part_n - 1] == '0')
                n->part_n--;
}

bool number_parse(const char *text, size_t len, struct number *n)
{
        const char *at = text, *end = text + len;

        *n = (struct number){.whole = text, .part = text};
        if (at < end && *at == '-') {
                n->negative = true;
                at++;
        }
        n->whole = at;
        at += n->whole_n = digits(at, end);
        if (at < end && *at == '.') {
                n->part = ++at;
                at += n->part_n = digits(at, end);
        }
        if (n->whole_n + n->part_n == 0)
                return false;
        trim(n);
        if (at == end)
                return true;
        return (*at == 'e' || *at == 'E') && take_exponent(at, end, &n->exponent);
}

bool number_is_zero(const struct number *n)
{
        if (n->whole_n > 0)
                return false;
        for (size_t i = 0; i < n->part_n; i++)
                if (n->part[i] != '0')
                        return false;
        return true;
}

bool number_expand(struct number *n, struct arena *a)
{
        size_t all = n->whole_n + n->part_n, before, behind;
        long point = (long)n->whole_n + n->exponent; /* digits in front of the point */
        char *text;

        if (n->exponent == 0)
                return true;
        if (number_is_zero(n)) {
                n->exponent = 0;
                n->part_n = 0;
                return true;
        }
        if (n->exponent > EXPONENT_MAX || n->exponent < -EXPONENT_MAX)
                return false;
        before = point < 0 ? (size_t)-point : 0;
        behind = point > (long)all ? (size_t)point - all : 0;
        text = arena_alloc(a, before + all + behind + 1);
        memset(text, '0', before + all + behind);
        memcpy(text + before, n->whole, n->whole_n);
        memcpy(text + before + n->whole_n, n->part, n->part_n);
        n->whole = text;
        n->whole_n = point < 0 ? 0 : (size_t)point;
        n->part = text + n->whole_n;
        n->part_n = before + all + behind - n->whole_n;
        n->exponent = 0;
        trim(n);
        return true;
}

char *number_text(const struct number *n, struct arena *a, size_t *len)
{
        char *text = arena_alloc(a, n->whole_n + n->part_n + 4), *at = text;

        if (n->negative && !number_is_zero(n))
                *at++ = '-';
        if (n->whole_n == 0)
                *at++ = '0';
        memcpy(at, n->whole, n->whole_n);
        at += n->whole_n;
        if (n->part_n > 0) {
                *at++ = '.';
                memcpy(at, n->part, n->part_n);
                at += n->part_n;
        }
        *at = '\0';
        *len = (size_t)(at - text);
        return text;
}

bool number_u64(const struct number *n, uint64_t *size)
{
        uint64_t v = 0;

        if (n->part_n > 0 || n->exponent != 0 || n->whole_n > 20)
                return false;
        for (size_t i = 0; i < n->whole_n; i++) {
                uint64_t next = (uint64_t)(n->whole[i] - '0');

                if (v > (UINT64_MAX - next) / 10)
                        return false;
                v = v * 10 + next;
        }
        *size = v;
        return true;
}

/* Any number of DBL_DIG digits is another double; subnormal ones have fewer. */
int number_of_double(char out[NUMBER_MAX], double d)
{
        int n = 0;

        for (int precision = fabs(d) < DBL_MIN ? 1 : DBL_DIG; precision <= 17; precision++) {
                n = snprintf(out, NUMBER_MAX, "%.*g", precision, d);
                if (strtod(out, NULL) == d)
                        break;
        }
        return n;
}

int number_of_float(char out[NUMBER_MAX], float f)
{
        int n = 0;

        for (int precision = fabsf(f) < FLT_MIN ? 1 : FLT_DIG; precision <= 9; precision++) {
                n = snprintf(out, NUMBER_MAX, "%.*g", precision, (double)f);
                if (strtof(out, NULL) == f)
                        break;
        }
        return n;
}

/* Digits without zeros at either end, and where the point is before them: 0.DIGITS x 10^point. */
struct significant {
        char digits[SIGNIFICANT_MAX];
        size_t n;
        long point;
};

static bool significant_of(const struct number *n, struct significant *s)
{
        size_t all = n->whole_n + n->part_n, first = 0, last = all;

        memset(s, 0, sizeof *s);
#define AT(i) ((i) < n->whole_n ? n->whole[i] : n->part[(i)-n->whole_n])
        while (first < all && AT(first) == '0')
                first++;
        while (last > first && AT(last - 1) == '0')
                last--;
        if (last - first > SIGNIFICANT_MAX)
                return false;
        for (size_t i = first; i < last; i++)
                s->digits[s->n++] = AT(i);
#undef AT
        s->point = s->n ? (long)n->whole_n - (long)first + n->exponent : 0;
        return true;
}

static bool same_number(const struct number *n, const char *text, int len)
{
        struct significant a, b;
        struct number other;

        return number_parse(text, (size_t)len, &other) && significant_of(n, &a) &&
               significant_of(&other, &b) && a.n == b.n && a.point == b.point &&
               !memcmp(a.digits, b.digits, a.n);
}

bool number_survives_double(const struct number *n, const char *text)
{
        double d = strtod(text, NULL);
        char out[NUMBER_MAX];

        return isfinite(d) && same_number(n, out, number_of_double(out, d));
}

bool number_survives_float(const struct number *n, const char *text)
{
        float f = strtof(text, NULL);
        char out[NUMBER_MAX];

        return isfinite(f) && same_number(n, out, number_of_float(out, f));
}
