#include "db/pg_timeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char history[] = "# how it came here\n"
                              "1\t0/3000150\tno recovery target specified\n"
                              "\n"
                              "12\t16/B374D848\tat restore point \"2\t0/1\"\n"
                              "13\t16/B3750000\treason";

static void expect_left(uint32_t timeline, uint64_t lsn)
{
        struct position left = POSITION_NONE;
        struct error e = ERROR_INIT;

        assert_int_equal(pg_timeline_left(history, timeline, &left, &e), 0);
        assert_int_equal(left.lsn, lsn);
        assert_int_equal(left.file, 0);
}

static void test_left(void **state)
{
        (void)state;
        expect_left(1, 0x3000150);
        expect_left(12, UINT64_C(0x16B374D848));
        expect_left(13, UINT64_C(0x16B3750000));
}

static void expect_stranger(const char *text, uint32_t timeline)
{
        struct position left = POSITION_NONE;
        struct error e = ERROR_INIT;

        assert_int_equal(pg_timeline_left(text, timeline, &left, &e), -1);
        assert_int_equal(e.class, ERROR_DATA);
        assert_non_null(strstr(e.message, "resync required"));
        assert_true(position_is_none(left));
}

static void test_stranger(void **state)
{
        (void)state;
        expect_stranger(history, 2);
        expect_stranger(history, 14);
        expect_stranger("", 1);
        expect_stranger("1", 1);
        expect_stranger("1\n0/3000150\n2\t0/1\tx", 1);
        expect_stranger("4294967297\t0/1\tx", 1);
        expect_stranger("-1\t0/1\tx", UINT32_MAX);
        expect_stranger("\t\t\n0\t0/1\tx", 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_left),
                cmocka_unit_test(test_stranger),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
