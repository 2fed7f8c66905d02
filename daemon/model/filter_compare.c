#include "model/filter_private.h"

#include <string.h>
#include <strings.h>

#define EXPONENT_MAX 1000000000
#define DAY_SECONDS 86400

static int sign_of(int64_t n)
{
        return (n > 0) - (n < 0);
}

static bool is_word(const char *s, size_t len, const char *word)
{
        return len == strlen(word) && !strncasecmp(s, word, len);
}

static bool is_digit(char c)
{
        return c >= '0' && c <= '9';
}

/* Numbers */

static bool read_exponent(const char *s, const char *end, int64_t *out)
{
        bool minus = s < end && *s == '-';
        int64_t n = 0;

        if (s < end && (*s == '-' || *s == '+'))
                s++;
        if (s == end)
                return false;
        for (; s < end; s++) {
                if (!is_digit(*s))
                        return false;
                n = n * 10 + (*s - '0');
                if (n > EXPONENT_MAX)
                        return false;
        }
        *out = minus ? -n : n;
        return true;
}

static bool read_special(
        const char *s, size_t len, int sign, bool has_sign, struct filter_number *n)
{
        if (is_word(s, len, "nan") && !has_sign)
                n->rank = 2;
        else if (is_word(s, len, "infinity") || is_word(s, len, "inf"))
                n->rank = sign;
        else
                return false;
        return true;
}

/* Digits with at most one point; returns where they end, NULL when there is none. */
static const char *read_mantissa(const char *s, const char *end, struct filter_number *n)
{
        const char *first = NULL, *p;
        int64_t whole = 0, zeros = 0, digits = 0;
        bool point = false;

        for (p = s; p < end && (is_digit(*p) || (*p == '.' && !point)); p++) {
                if (*p == '.') {
                        point = true;
                        continue;
                }
                digits++;
                whole += !point;
                if (!first && *p != '0')
                        first = p;
                zeros += !first;
        }
        if (digits == 0)
                return NULL;
        n->digits = first ? first : p;
        n->len = (size_t)(p - n->digits);
        n->top = whole - zeros;
        return p;
}

static bool read_number(const char *s, size_t len, struct filter_number *n)
{
        const char *end = s + len;
        bool has_sign = len > 0 && (*s == '-' || *s == '+');
        int sign = has_sign && *s == '-' ? -1 : 1;
        int64_t exponent = 0;

        *n = (struct filter_number){0};
        s += has_sign;
        if (read_special(s, (size_t)(end - s), sign, has_sign, n))
                return true;
        s = read_mantissa(s, end, n);
        if (!s)
                return false;
        if (s < end && ((*s != 'e' && *s != 'E') || !read_exponent(s + 1, end, &exponent)))
                return false;
        n->top += exponent;
        n->sign = n->len ? sign : 0;
        return true;
}

static char next_digit(const struct filter_number *n, size_t *at)
{
        if (*at < n->len && n->digits[*at] == '.')
                (*at)++;
        return *at < n->len ? n->digits[(*at)++] : '0';
}

static int compare_magnitude(const struct filter_number *a, const struct filter_number *b)
{
        size_t i = 0, j = 0;

        if (a->top != b->top)
                return sign_of(a->top - b->top);
        while (i < a->len || j < b->len) {
                char x = next_digit(a, &i), y = next_digit(b, &j);

                if (x != y)
                        return x < y ? -1 : 1;
        }
        return 0;
}

static int compare_numbers(const struct filter_number *a, const struct filter_number *b)
{
        if (a->rank != b->rank)
                return sign_of(a->rank - b->rank);
        if (a->rank || a->sign != b->sign)
                return sign_of(a->sign - b->sign);
        return a->sign == 0 ? 0 : a->sign * compare_magnitude(a, b);
}

/* Dates and times */

struct scan {
        const char *at, *end;
};

/* From min to max digits. */
static bool take_number(struct scan *s, int min, int max, int64_t *out)
{
        int n = 0;

        for (*out = 0; s->at < s->end && is_digit(*s->at) && n < max; n++)
                *out = *out * 10 + (*s->at++ - '0');
        return n >= min && (s->at == s->end || !is_digit(*s->at));
}

static bool take(struct scan *s, char c)
{
        if (s->at == s->end || *s->at != c)
                return false;
        s->at++;
        return true;
}

static bool take_fraction(struct scan *s, int64_t *us)
{
        const char *from = s->at;

        if (!take_number(s, 1, 6, us))
                return false;
        for (ptrdiff_t n = s->at - from; n < 6; n++)
                *us *= 10;
        return true;
}

static bool read_clock(struct scan *s, int64_t *us)
{
        int64_t hour, minute, second = 0, fraction = 0;

        if (!take_number(s, 2, 2, &hour) || !take(s, ':') || !take_number(s, 2, 2, &minute))
                return false;
        if (take(s, ':')) {
                if (!take_number(s, 2, 2, &second))
                        return false;
                if (take(s, '.') && !take_fraction(s, &fraction))
                        return false;
        }
        *us = ((hour * 60 + minute) * 60 + second) * 1000000 + fraction;
        return minute < 60 && second < 60 && *us <= DAY_SECONDS * INT64_C(1000000);
}

/* Z, +HH, +HH:MM, +HH:MM:SS or nothing. */
static bool read_zone(struct scan *s, int *west)
{
        int64_t hour, minute = 0, second = 0;
        int sign = s->at < s->end && *s->at == '-' ? 1 : -1;

        *west = 0;
        if (take(s, 'Z') || (!take(s, '+') && !take(s, '-')))
                return true;
        if (!take_number(s, 2, 2, &hour))
                return false;
        if (take(s, ':') && !take_number(s, 2, 2, &minute))
                return false;
        if (minute && take(s, ':') && !take_number(s, 2, 2, &second))
                return false;
        *west = sign * (int)((hour * 60 + minute) * 60 + second);
        return hour < 16 && minute < 60 && second < 60;
}

static bool is_leap(int64_t year)
{
        return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar; year 0 is 1 BC. */
static int64_t day_number(int64_t year, int64_t month, int64_t day)
{
        int64_t y = year - (month <= 2);
        int64_t era = (y >= 0 ? y : y - 399) / 400;
        int64_t of_era = y - era * 400;
        int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

        return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool valid_date(int64_t year, int64_t month, int64_t day)
{
        static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

        return month >= 1 && month <= 12 && day >= 1 &&
               day <= days[month - 1] + (month == 2 && is_leap(year));
}

static bool read_date(struct scan *s, struct filter_time *t)
{
        int64_t year, month, day;

        if (!take_number(s, 4, 7, &year) || !take(s, '-') || !take_number(s, 2, 2, &month) ||
                !take(s, '-') || !take_number(s, 2, 2, &day) || year == 0)
                return false;
        if (s->end - s->at >= 3 && !memcmp(s->end - 3, " BC", 3)) {
                s->end -= 3;
                year = 1 - year;
        }
        if (!valid_date(year, month, day))
                return false;
        t->day = day_number(year, month, day);
        return true;
}

/* Moves the time to UTC and carries into the day. */
static void normalise(struct filter_time *t)
{
        const int64_t day = DAY_SECONDS * INT64_C(1000000);

        t->us += t->zone * INT64_C(1000000);
        if (t->clock)
                return;
        t->zone = 0;
        if (t->us < 0) {
                t->us += day;
                t->day--;
        } else if (t->us >= day) {
                t->us -= day;
                t->day++;
        }
}

static bool read_time(const char *text, size_t len, struct filter_time *t)
{
        struct scan s = {text, text + len};

        *t = (struct filter_time){.clock = len > 2 && text[2] == ':'};
        if (is_word(text, len, "infinity") || is_word(text, len, "-infinity")) {
                t->infinity = *text == '-' ? -1 : 1;
                return true;
        }
        if (!t->clock) {
                if (!read_date(&s, t))
                        return false;
                if (s.at == s.end)
                        return true;
                if (!take(&s, ' ') && !take(&s, 'T'))
                        return false;
        }
        if (!read_clock(&s, &t->us) || !read_zone(&s, &t->zone) || s.at != s.end)
                return false;
        normalise(t);
        return true;
}

static bool compare_times(const struct filter_time *a, const struct filter_time *b, int *order)
{
        if (a->clock != b->clock)
                return false;
        if (a->infinity || b->infinity)
                *order = sign_of(a->infinity - b->infinity);
        else if (a->day != b->day)
                *order = sign_of(a->day - b->day);
        else if (a->us != b->us)
                *order = sign_of(a->us - b->us);
        else
                *order = sign_of(a->zone - b->zone);
        return true;
}

/* The rest */

static bool read_bool(const char *s, size_t len, bool *truth)
{
        static const char *const words[] = {
                "f", "t", "false", "true", "no", "yes", "off", "on", "0", "1", "n", "y"};

        for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
                if (is_word(s, len, words[i])) {
                        *truth = i % 2;
                        return true;
                }
        }
        return false;
}

static int compare_bytes(const struct filter_operand *a, const struct filter_operand *b)
{
        int order = memcmp(a->text, b->text, a->len < b->len ? a->len : b->len);

        return order ? sign_of(order) : (a->len > b->len) - (a->len < b->len);
}

struct filter_operand filter_operand_of(enum filter_class class, const char *text, size_t len)
{
        struct filter_operand o = {.class = class, .text = text, .len = len};

        switch (class) {
        case FILTER_NUMBER:
                o.read = read_number(text, len, &o.number);
                break;
        case FILTER_BOOL:
                o.read = read_bool(text, len, &o.truth);
                break;
        case FILTER_TIME:
                o.read = read_time(text, len, &o.time);
                break;
        case FILTER_PADDED:
                while (o.len > 0 && text[o.len - 1] == ' ')
                        o.len--;
                o.read = true;
                break;
        case FILTER_TEXT:
                o.read = true;
                break;
        }
        return o;
}

bool filter_compare(const struct filter_operand *a, const struct filter_operand *b, int *order)
{
        bool read = a->read && b->read;

        if (read && a->class == FILTER_TIME)
                return compare_times(&a->time, &b->time, order);
        if (read && a->class == FILTER_NUMBER)
                *order = compare_numbers(&a->number, &b->number);
        else if (read && a->class == FILTER_BOOL)
                *order = a->truth - b->truth;
        else
                *order = compare_bytes(a, b);
        return true;
}
