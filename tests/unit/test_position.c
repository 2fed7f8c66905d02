#include "model/position.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void assert_round(uint64_t lsn, const char *text)
{
        struct position p = {.lsn = lsn}, back = {.lsn = 1};
        struct error e = ERROR_INIT;
        char out[POSITION_TEXT];

        assert_string_equal(position_format(p, out), text);
        assert_int_equal(position_parse(&back, text, &e), 0);
        assert_true(back.lsn == lsn);
}

static void test_text_both_ways(void **state)
{
        struct position p;
        struct error e = ERROR_INIT;

        (void)state;
        assert_round(0, "");
        assert_round(1, "0/1");
        assert_round(UINT64_C(0x16B374D848), "16/B374D848");
        assert_round(UINT64_MAX, "FFFFFFFF/FFFFFFFF");
        assert_int_equal(position_parse(&p, "16/b374d848", &e), 0);
        assert_true(p.lsn == UINT64_C(0x16B374D848));
}

static void test_binlog_positions(void **state)
{
        static const char *const bad[] = {"1:", ":4", "0:4", "1:2:3", "1:-4", "4294967296:4", "a:4",
                "1 :4", "1:99999999999999999999999"};
        struct position a, b, c;
        struct error e = ERROR_INIT;
        char text[POSITION_TEXT];

        (void)state;
        assert_int_equal(position_parse(&a, "999999:18446744073", &e), 0);
        assert_string_equal(position_format(a, text), "999999:18446744073");
        assert_int_equal(position_parse(&b, "1000000:4", &e), 0); /* as numbers, EDGE-CASES 13 */
        assert_int_equal(position_parse(&c, "1000000:1004", &e), 0);
        assert_true(position_compare(a, b) < 0 && position_compare(b, a) > 0);
        assert_true(position_compare(b, c) < 0);
        assert_int_equal(position_distance(b, c), 1000);
        assert_int_equal(position_distance(c, b), 0);
        assert_int_equal(position_distance(a, c), 1004); /* at least */
        for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
                if (position_parse(&a, bad[i], &e) != -1 || !position_is_none(a))
                        fail_msg("'%s' was taken", bad[i]);
}

static void test_what_is_no_lsn(void **state)
{
        static const char *const bad[] = {"/", "1", "1/", "/1", "1/2/3", "1/2 ", " 1/2", "-1/2",
                "1/-2", "0x1/2", "1/0x2", "123456789/1", "1/123456789", "G/1", "1/2x", "+1/2"};

        (void)state;
        for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
                struct position p = {.lsn = 7};
                struct error e = ERROR_INIT;

                if (position_parse(&p, bad[i], &e) != -1)
                        fail_msg("'%s' was taken", bad[i]);
                assert_int_equal(e.class, ERROR_DATA);
                assert_true(position_is_none(p));
        }
}

static void test_order(void **state)
{
        struct position a = {.lsn = UINT64_C(0xFFFFFFFF)}, b = {.lsn = UINT64_C(0x100000000)};

        (void)state;
        assert_true(position_compare(a, b) < 0);
        assert_true(position_compare(b, a) > 0);
        assert_int_equal(position_compare(a, a), 0);
        assert_true(position_max(a, b).lsn == b.lsn);
        assert_true(position_max(b, a).lsn == b.lsn);
        assert_true(position_is_none(POSITION_NONE));
        assert_false(position_is_none(a));
}

static void test_identity_text(void **state)
{
        struct source_identity id = {"7512345678901234567", 3, "culvert_shop"}, back;
        struct error e = ERROR_INIT;
        char text[IDENTITY_TEXT];

        (void)state;
        assert_string_equal(identity_format(&id, text), "7512345678901234567/3/culvert_shop");
        assert_int_equal(identity_parse(&back, text, &e), 0);
        assert_int_equal(identity_check(&id, &back, &e), 0);
        assert_int_equal(identity_parse(&back, "", &e), -1);
        assert_int_equal(identity_parse(&back, "75/3", &e), -1);
        assert_int_equal(identity_parse(&back, "75/3/", &e), -1);
        assert_int_equal(identity_parse(&back, "x/3/slot", &e), -1);
        assert_int_equal(identity_parse(&back, "75/3/slot more", &e), -1);
        assert_int_equal(e.class, ERROR_DATA);
}

static void assert_differs(struct source_identity now, const char *a, const char *b)
{
        struct source_identity stored = {"100", 3, "slot_a"};
        struct error e = ERROR_INIT;

        assert_int_equal(identity_check(&stored, &now, &e), -1);
        assert_int_equal(e.class, ERROR_DATA);
        assert_non_null(strstr(e.message, "resync required"));
        assert_non_null(strstr(e.message, a));
        assert_non_null(strstr(e.message, b));
}

static void test_another_source(void **state)
{
        (void)state;
        assert_differs((struct source_identity){"200", 3, "slot_a"}, "200", "100");
        assert_differs((struct source_identity){"100", 4, "slot_a"}, "timeline 4", "timeline 3");
        assert_differs((struct source_identity){"100", 3, "slot_b"}, "slot_b", "slot_a");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_text_both_ways),
                cmocka_unit_test(test_binlog_positions),
                cmocka_unit_test(test_what_is_no_lsn),
                cmocka_unit_test(test_order),
                cmocka_unit_test(test_identity_text),
                cmocka_unit_test(test_another_source),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
