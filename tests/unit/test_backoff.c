#include "base/backoff.h"
#include "base/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_doubles_to_the_limit(void **state)
{
        static const int64_t steps[] = {1, 2, 4, 8, 16, 30, 30, 30};
        struct backoff b;

        (void)state;
        for (uint64_t seed = 0; seed < 200; seed++) {
                backoff_init(&b, seed);
                for (unsigned i = 0; i < sizeof steps / sizeof *steps; i++)
                        assert_in_range(backoff_next(&b), steps[i] * SECOND / 2, steps[i] * SECOND);
        }
}

static void test_reset_begins_again(void **state)
{
        struct backoff b;

        (void)state;
        backoff_init(&b, 1);
        for (int i = 0; i < 100000; i++)
                backoff_next(&b);
        assert_in_range(backoff_next(&b), 15 * SECOND, 30 * SECOND);
        backoff_reset(&b);
        assert_in_range(backoff_next(&b), SECOND / 2, SECOND);
}

static void test_jitter_differs(void **state)
{
        struct backoff a, b;
        int same = 0;

        (void)state;
        backoff_init(&a, 1);
        backoff_init(&b, 2);
        for (int i = 0; i < 50; i++)
                same += backoff_next(&a) == backoff_next(&b);
        assert_in_range(same, 0, 2);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_doubles_to_the_limit),
                cmocka_unit_test(test_reset_begins_again),
                cmocka_unit_test(test_jitter_differs),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
