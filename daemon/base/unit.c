#include "base/unit.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

struct unit {
        const char *name;
        int64_t factor;
};

#define KI INT64_C(1024)

/* Largest first, as printing tries them; sizes are printed in powers of 1024 only. */
static const struct unit sizes[] = {
        {"TiB", KI *KI *KI *KI},
        {"GiB", KI *KI *KI},
        {"MiB", KI *KI},
        {"KiB", KI},
        {"", 1},
        {"B", 1},
        {"kB", 1000},
        {"MB", 1000000},
        {"GB", 1000000000},
        {"TB", INT64_C(1000000000000)},
        {NULL, 0},
};

static const struct unit durations[] = {
        {"d", INT64_C(86400000000)},
        {"h", INT64_C(3600000000)},
        {"m", 60000000},
        {"s", 1000000},
        {"ms", 1000},
        {"us", 1},
        {NULL, 0},
};

static void print(struct buf *out, const struct unit *units, int64_t value)
{
        const struct unit *u = units;

        if (value == 0) {
                buf_char(out, '0');
                return;
        }
        while (value % u->factor)
                u++;
        buf_printf(out, "%" PRId64 "%s", value / u->factor, u->name);
}

void unit_print_size(struct buf *out, int64_t bytes)
{
        print(out, sizes, bytes);
}

void unit_print_duration(struct buf *out, int64_t microseconds)
{
        print(out, durations, microseconds);
}

/* Digits at the front; -1: none, or more than fit. */
static int read_digits(const char **text, int64_t *out)
{
        const char *p = *text;
        int64_t n = 0;

        for (; *p >= '0' && *p <= '9'; p++)
                if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *p - '0', &n))
                        return -1;
        if (p == *text)
                return -1;
        *text = p;
        *out = n;
        return 0;
}

int unit_integer(const char *text, int64_t min, int64_t max, int64_t *out, struct error *e)
{
        bool minus = *text == '-';
        int64_t n;

        text += minus;
        if (read_digits(&text, &n) < 0 || *text)
                return error_set(e, ERROR_CONFIG, "not a whole number");
        if (minus)
                n = -n;
        if (n < min || n > max)
                return error_set(
                        e, ERROR_CONFIG, "out of range: %" PRId64 " to %" PRId64, min, max);
        *out = n;
        return 0;
}

static int with_unit(const char *text, const struct unit *units, int64_t *out)
{
        int64_t n;

        if (read_digits(&text, &n) < 0)
                return -1;
        if (n == 0 && !*text) {
                *out = 0;
                return 0;
        }
        while (units->name && strcmp(units->name, text) != 0)
                units++;
        if (!units->name || __builtin_mul_overflow(n, units->factor, &n))
                return -1;
        *out = n;
        return 0;
}

static int in_range(const struct unit *units, int64_t min, int64_t max, int64_t n, struct error *e)
{
        AUTO_BUF range = BUF_INIT;

        if (n >= min && n <= max)
                return 0;
        print(&range, units, min);
        buf_str(&range, " to ");
        print(&range, units, max);
        return error_set(e, ERROR_CONFIG, "out of range: %s", buf_text(&range));
}

int unit_size(const char *text, int64_t min, int64_t max, int64_t *out, struct error *e)
{
        int64_t n;

        if (with_unit(text, sizes, &n) < 0)
                return error_set(e, ERROR_CONFIG, "not a size such as 4096, 10kB, 8MiB or 20GiB");
        if (in_range(sizes, min, max, n, e) < 0)
                return -1;
        *out = n;
        return 0;
}

int unit_duration(const char *text, int64_t min, int64_t max, int64_t *out, struct error *e)
{
        int64_t n;

        if (with_unit(text, durations, &n) < 0)
                return error_set(
                        e, ERROR_CONFIG, "not a duration such as 150ms, 10s, 5m, 2h or 1d");
        if (in_range(durations, min, max, n, e) < 0)
                return -1;
        *out = n;
        return 0;
}

int unit_bool(const char *text, bool *out, struct error *e)
{
        static const char *const words[] = {"no", "yes", "false", "true", "off", "on"};

        for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
                if (!strcmp(words[i], text)) {
                        *out = i % 2;
                        return 0;
                }
        }
        return error_set(e, ERROR_CONFIG, "neither yes nor no");
}
