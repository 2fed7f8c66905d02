#include "base/unit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define DAY INT64_C(86400000000)

static void test_durations(void **state)
{
        static const struct {
                const char *text;
                int64_t us;
        } good[] = {{"0", 0}, {"0ms", 0}, {"7us", 7}, {"150ms", 150000}, {"10s", 10000000},
                {"5m", 300000000}, {"2h", INT64_C(7200000000)}, {"1d", DAY}};
        static const char *const bad[] = {"", "5", "s", "-1s", "1 s", "1S", "1.5s", "1s ", "1h30m",
                "99999999999999999999s", "9999999999999d"};
        struct error e;
        int64_t n;

        (void)state;
        for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
                assert_int_equal(unit_duration(good[i].text, 0, DAY, &n, &e), 0);
                assert_int_equal(n, good[i].us);
        }
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
                n = 42;
                assert_int_equal(unit_duration(bad[i], 0, INT64_MAX, &n, &e), -1);
                assert_int_equal(e.class, ERROR_CONFIG);
                assert_int_equal(n, 42);
        }
        assert_int_equal(unit_duration("25h", 1000000, DAY, &n, &e), -1);
        assert_string_equal(e.message, "out of range: 1s to 1d");
}

static void test_sizes(void **state)
{
        static const struct {
                const char *text;
                int64_t bytes;
        } good[] = {{"0", 0}, {"4096", 4096}, {"12B", 12}, {"10kB", 10000}, {"1KiB", 1024},
                {"8MiB", 8388608}, {"20GiB", INT64_C(21474836480)},
                {"2TB", INT64_C(2000000000000)}};
        static const char *const bad[] = {"", "MiB", "-1", "1K", "1mib", "1 MiB", "0x10",
                "9223372036854775808", "9999999TiB"};
        struct error e;
        int64_t n;

        (void)state;
        for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
                assert_int_equal(unit_size(good[i].text, 0, INT64_MAX, &n, &e), 0);
                assert_int_equal(n, good[i].bytes);
        }
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
                assert_int_equal(unit_size(bad[i], 0, INT64_MAX, &n, &e), -1);
        assert_int_equal(unit_size("1KiB", 4096, 1048576, &n, &e), -1);
        assert_string_equal(e.message, "out of range: 4KiB to 1MiB");
}

static void test_integers_and_words(void **state)
{
        struct error e;
        int64_t n;
        bool b;

        (void)state;
        assert_int_equal(unit_integer("-5", -10, 10, &n, &e), 0);
        assert_int_equal(n, -5);
        assert_int_equal(unit_integer("11", -10, 10, &n, &e), -1);
        assert_string_equal(e.message, "out of range: -10 to 10");
        assert_int_equal(unit_integer("9223372036854775807", 0, INT64_MAX, &n, &e), 0);
        assert_true(n == INT64_MAX);
        assert_int_equal(unit_integer("9223372036854775808", 0, INT64_MAX, &n, &e), -1);
        assert_int_equal(unit_integer("", 0, 9, &n, &e), -1);
        assert_int_equal(unit_integer("-", -9, 9, &n, &e), -1);
        assert_int_equal(unit_integer("1x", 0, 9, &n, &e), -1);
        for (int i = 0; i < 6; i++) {
                assert_int_equal(
                        unit_bool(((const char *[]){"no", "yes", "false", "true", "off", "on"})[i],
                                &b, &e),
                        0);
                assert_int_equal(b, i % 2);
        }
        assert_int_equal(unit_bool("1", &b, &e), -1);
        assert_int_equal(unit_bool("YES", &b, &e), -1);
        assert_int_equal(unit_bool("", &b, &e), -1);
}

/* Everything printed reads back to the same value. */
static void test_print(void **state)
{
        static const int64_t values[] = {0, 1, 999, 1000, 1001, 1024, 1536, 8388608, 10000,
                INT64_C(21474836480), DAY, DAY + 1, INT64_C(5400000000), INT64_MAX};
        struct error e;
        int64_t n;

        (void)state;
        for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
                AUTO_BUF size = BUF_INIT;
                AUTO_BUF duration = BUF_INIT;

                unit_print_size(&size, values[i]);
                unit_print_duration(&duration, values[i]);
                assert_int_equal(unit_size(buf_text(&size), 0, INT64_MAX, &n, &e), 0);
                assert_true(n == values[i]);
                assert_int_equal(unit_duration(buf_text(&duration), 0, INT64_MAX, &n, &e), 0);
                assert_true(n == values[i]);
        }
        AUTO_BUF out = BUF_INIT;
        unit_print_size(&out, 8388608);
        buf_char(&out, ' ');
        unit_print_duration(&out, INT64_C(5400000000));
        assert_string_equal(buf_text(&out), "8MiB 90m");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_durations),
                cmocka_unit_test(test_sizes),
                cmocka_unit_test(test_integers_and_words),
                cmocka_unit_test(test_print),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
