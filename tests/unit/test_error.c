#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void test_set(void **state)
{
        struct error e = ERROR_INIT;

        (void)state;
        strcpy(e.code, "23505");
        strcpy(e.table, "public.t");
        assert_int_equal(error_set(&e, ERROR_DATA, "row %d is\nbad\t!\n\n", 7), -1);
        assert_int_equal(e.class, ERROR_DATA);
        assert_string_equal(e.message, "row 7 is bad !");
        assert_string_equal(e.code, ""); /* nothing of an earlier error stays */
        assert_string_equal(e.table, "");
        error_clear(&e);
        assert_int_equal(e.class, ERROR_NONE);
        assert_string_equal(e.message, "");
}

static void test_context(void **state)
{
        struct error e = ERROR_INIT;

        (void)state;
        error_set(&e, ERROR_RETRY, "no route to host");
        strcpy(e.code, "08006");
        assert_int_equal(error_context(&e, "source %s", "db1"), -1);
        assert_int_equal(error_context(&e, "start"), -1);
        assert_string_equal(e.message, "start: source db1: no route to host");
        assert_string_equal(e.code, "08006");
        assert_int_equal(e.class, ERROR_RETRY);
}

static void test_long_messages_are_cut(void **state)
{
        struct error e = ERROR_INIT;
        char text[5000];

        (void)state;
        memset(text, 'x', sizeof text - 1);
        text[sizeof text - 1] = '\0';
        error_set(&e, ERROR_BUG, "%s", text);
        assert_int_equal(strlen(e.message), sizeof e.message - 1);
        error_context(&e, "%s", text);
        assert_true(strlen(e.message) < sizeof e.message);
        error_context(&e, "front");
        assert_memory_equal(e.message, "front: xxxx", 11);
}

static void test_class_names(void **state)
{
        (void)state;
        assert_string_equal(error_class_name(ERROR_NONE), "none");
        assert_string_equal(error_class_name(ERROR_RETRY), "retry");
        assert_string_equal(error_class_name(ERROR_CONFIG), "config");
        assert_string_equal(error_class_name(ERROR_DATA), "data");
        assert_string_equal(error_class_name(ERROR_BUG), "bug");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_set),
                cmocka_unit_test(test_context),
                cmocka_unit_test(test_long_messages_are_cut),
                cmocka_unit_test(test_class_names),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
