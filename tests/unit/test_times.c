#include "flow/times.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_ring(void **state)
{
        struct times t = {0};
        uint64_t in = 0, out = 0;

        (void)state;
        assert_int_equal(times_oldest(&t), 0);
        times_pop_until(&t, (struct position){.lsn = 100});
        for (int round = 0; round < 500; round++) { /* grows and wraps */
                for (int i = 0; i < 7; i++, in++)
                        times_push(&t, (struct position){.lsn = 1000 + in * 10}, (int64_t)in + 5);
                for (int i = 0; i < (round < 100 ? 3 : 8) && out < in; i++, out++) {
                        assert_int_equal(times_oldest(&t), out + 5);
                        times_pop_until(&t, (struct position){.lsn = 1000 + out * 10 - 1}); /* not yet */
                        assert_int_equal(times_oldest(&t), out + 5);
                        times_pop_until(&t, (struct position){.lsn = 1000 + out * 10});
                }
        }
        assert_int_equal(t.n, in - out);
        times_pop_until(&t, (struct position){.lsn = UINT64_MAX});
        assert_int_equal(times_oldest(&t), 0);
        times_push(&t, (struct position){.lsn = 1}, 9);
        assert_int_equal(times_oldest(&t), 9);
        times_clear(&t);
        assert_int_equal(times_oldest(&t), 0);
        times_done(&t);
        times_done(&t);
}

static void test_several_at_once(void **state)
{
        struct times t = {0};

        (void)state;
        for (unsigned i = 1; i <= 10; i++)
                times_push(&t, (struct position){.lsn = i}, i * 100);
        times_pop_until(&t, (struct position){.lsn = 7});
        assert_int_equal(times_oldest(&t), 800);
        assert_int_equal(t.n, 3);
        times_done(&t);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ring),
                cmocka_unit_test(test_several_at_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
