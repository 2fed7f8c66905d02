#include "ops/counters_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_values_go_to_text_and_back(void **state)
{
        static const char *const texts[] = {"0", "7", "-1", "9223372036854775807",
                "-9223372036854775808", "18446744073709551615", "18446744073709551616"};

        (void)state;
        for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++) {
                char text[COUNTER_TEXT];
                counter_value v = 1;

                assert_true(counter_parse(texts[i], &v));
                assert_string_equal(counter_text(v, text), texts[i]);
        }
}

static void test_what_is_no_whole_number(void **state)
{
        static const char *const texts[] = {"", "-", "1.5", "NaN", "Infinity", "1e3", " 1", "1 ",
                "1000000000000000000000000000000"};

        (void)state;
        for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++) {
                counter_value v = 42;

                assert_false(counter_parse(texts[i], &v));
                assert_true(v == 42);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_values_go_to_text_and_back),
                cmocka_unit_test(test_what_is_no_whole_number),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
