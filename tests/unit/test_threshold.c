#include "flow/threshold.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_share_of_the_last_rows(void **state)
{
        struct threshold t = {0};

        (void)state;
        assert_false(threshold_passed(&t, 0));
        threshold_add(&t, 1, 1);
        assert_true(threshold_passed(&t, 0));
        assert_false(threshold_passed(&t, 0.0001));
        threshold_add(&t, 200, 100);
        assert_true(threshold_passed(&t, 0.01));
        assert_false(threshold_passed(&t, 0.0101));
        assert_int_equal(t.quarantined, 101);
        threshold_clear(&t);
        threshold_add(&t, 3, 3);
        assert_false(threshold_passed(&t, 0.0003));
        threshold_add(&t, 1, 1);
        assert_true(threshold_passed(&t, 0.0003));
}

static void test_older_rows_do_not_count(void **state)
{
        struct threshold t = {0};

        (void)state;
        threshold_add(&t, 50, 50);
        threshold_add(&t, 9850, 0);
        assert_int_equal(t.quarantined, 50);
        threshold_add(&t, 101, 0);
        assert_int_equal(t.quarantined, 0);
        for (int i = 0; i < 30000; i++)
                threshold_add(&t, 10, 1);
        assert_true(t.quarantined >= 990 && t.quarantined <= 1000);
        threshold_add(&t, UINT64_C(1) << 60, 0);
        assert_int_equal(t.quarantined, 0);
        threshold_add(&t, UINT64_C(1) << 60, UINT64_C(1) << 60);
        assert_true(t.quarantined > THRESHOLD_ROWS - 100 && t.quarantined <= THRESHOLD_ROWS);
        assert_false(threshold_passed(&t, 1));
        threshold_clear(&t);
        assert_false(threshold_passed(&t, 0));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_share_of_the_last_rows),
                cmocka_unit_test(test_older_rows_do_not_count),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
