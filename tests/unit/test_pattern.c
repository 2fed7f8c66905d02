#include "model/pattern.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static void test_split(void **state)
{
        static const struct {
                const char *text, *schema, *name;
        } good[] = {{"public.orders", "public", "orders"}, {"*.a?", "*", "a?"},
                {"\"Odd.Name\".t", "Odd.Name", "t"}, {"s.\"a\"\"b\"", "s", "a\"b"},
                {"s.\"a*?\\\"", "s", "a\\*\\?\\\\"}, {"s.a\\b", "s", "a\\\\b"},
                {"\xc3\xa9.x-y$1", "\xc3\xa9", "x-y$1"}};
        static const char *const bad[] = {"", "orders", ".t", "s.", "a.b.c", "\"a.b", "\"\".t",
                "\"a\"b.t", "a\"b\".t", "a b.t", "s.t,u", "s.t "};
        char *schema, *name;
        struct error e;

        (void)state;
        for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
                assert_int_equal(pattern_split(good[i].text, &schema, &name, &e), 0);
                assert_string_equal(schema, good[i].schema);
                assert_string_equal(name, good[i].name);
                free(schema);
                free(name);
        }
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
                assert_int_equal(pattern_split(bad[i], &schema, &name, &e), -1);
}

static void test_matches(void **state)
{
        (void)state;
        assert_true(pattern_matches("public.orders", "public", "orders"));
        assert_false(pattern_matches("public.orders", "Public", "orders"));
        assert_false(pattern_matches("public.orders", "public", "orders2"));
        assert_true(pattern_matches("*.*", "", ""));
        assert_true(pattern_matches("p*c.*_log", "public", "a_log_log"));
        assert_false(pattern_matches("p*c.*_log", "public", "a_log_lo"));
        assert_true(pattern_matches("s.a?c", "s", "abc"));
        assert_true(pattern_matches("s.a?c", "s",
                "a\xe2\x82\xac"
                "c"));
        assert_true(pattern_matches("s.*?c", "s",
                "\xe2\x82\xac"
                "c"));
        assert_false(pattern_matches("s.*?c", "s", "c"));
        assert_false(pattern_matches("s.??", "s", "\xe2\x82\xac"));
        assert_true(pattern_matches("s.\"a*\"", "s", "a*"));
        assert_false(pattern_matches("s.\"a*\"", "s", "ab"));
        assert_true(pattern_matches("s.*\\", "s", "x\\"));
        assert_true(pattern_matches("\"A.b\".\"c\"\"d\"", "A.b", "c\"d"));
        assert_false(pattern_matches("nodot", "nodot", ""));
}

/* Many stars must not take exponential time. */
static void test_backtracking(void **state)
{
        char name[201], pattern[251] = "s.";

        (void)state;
        memset(name, 'a', 200);
        name[200] = '\0';
        for (int i = 0; i < 60; i++)
                strcat(pattern, "a*");
        strcat(pattern, "b");
        assert_false(pattern_matches(pattern, "s", name));
        name[199] = 'b';
        assert_true(pattern_matches(pattern, "s", name));
}

static void test_plain_and_names(void **state)
{
        char *schema, *name, long_name[300];
        struct error e;

        (void)state;
        assert_true(pattern_is_plain("public.\"a*\""));
        assert_false(pattern_is_plain("public.a?"));
        assert_int_equal(pattern_name("orders", &schema, &name, &e), 0);
        assert_null(schema);
        assert_string_equal(name, "orders");
        free(name);
        assert_int_equal(pattern_name("\"S*\".\"o\\\"", &schema, &name, &e), 0);
        assert_string_equal(schema, "S*");
        assert_string_equal(name, "o\\");
        free(schema);
        free(name);
        assert_int_equal(pattern_name("a.*", &schema, &name, &e), -1);
        assert_int_equal(pattern_name("a.b", NULL, &name, &e), -1);
        memset(long_name, 'x', 299);
        long_name[255] = '\0';
        assert_int_equal(pattern_name(long_name, NULL, &name, &e), 0);
        free(name);
        long_name[255] = 'x';
        long_name[256] = '\0';
        assert_int_equal(pattern_name(long_name, NULL, &name, &e), -1);
}

static void test_list(void **state)
{
        static const char *const bad[] = {",", "a,", ",a", "a,,b", "a, ,b"};
        char **items;
        unsigned n;
        struct error e;

        (void)state;
        assert_int_equal(pattern_list(" a.b ,\"c,d\".e,\tf ", &items, &n, &e), 0);
        assert_int_equal(n, 3);
        assert_string_equal(items[0], "a.b");
        assert_string_equal(items[1], "\"c,d\".e");
        assert_string_equal(items[2], "f");
        while (n > 0)
                free(items[--n]);
        free(items);
        assert_int_equal(pattern_list("  ", &items, &n, &e), 0);
        assert_int_equal(n, 0);
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
                assert_int_equal(pattern_list(bad[i], &items, &n, &e), -1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_split),
                cmocka_unit_test(test_matches),
                cmocka_unit_test(test_backtracking),
                cmocka_unit_test(test_plain_and_names),
                cmocka_unit_test(test_list),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
