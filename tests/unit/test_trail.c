#include "flow/trail.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct position at(uint64_t lsn)
{
        return (struct position){.lsn = lsn};
}

static void test_state_of_what_is_durable(void **state)
{
        struct trail t = {0};

        (void)state;
        trail_start(&t, "begin");
        trail_push(&t, at(10), "ten");
        trail_push(&t, at(20), NULL);
        trail_push(&t, at(30), "thirty");
        trail_durable(&t, at(9));
        assert_string_equal(t.state, "begin");
        assert_string_equal(trail_at(&t, at(9)), "begin");
        assert_string_equal(trail_at(&t, at(10)), "ten");
        assert_string_equal(trail_at(&t, at(19)), "ten");
        assert_null(trail_at(&t, at(20)));
        assert_string_equal(trail_at(&t, at(99)), "thirty");
        trail_durable(&t, at(15));
        assert_string_equal(t.state, "ten");
        trail_durable(&t, at(20));
        assert_null(t.state);
        trail_durable(&t, at(100));
        assert_string_equal(t.state, "thirty");
        assert_int_equal(t.n, 0);
        trail_push(&t, at(40), "forty");
        trail_start(&t, "again");
        assert_string_equal(t.state, "again");
        assert_int_equal(t.n, 0);
        trail_done(&t);
}

static void test_nothing_to_keep(void **state)
{
        struct trail t = {0};

        (void)state;
        trail_start(&t, NULL);
        for (uint64_t i = 1; i < 1000; i++)
                trail_push(&t, at(i), NULL);
        assert_int_equal(t.n, 0);
        assert_int_equal(t.room, 0);
        trail_durable(&t, at(1000));
        assert_null(t.state);
        trail_done(&t);
}

static void test_ring_grows_in_order(void **state)
{
        struct trail t = {0};
        uint64_t in = 0, out = 0;

        (void)state;
        for (unsigned round = 0; round < 50; round++) {
                for (unsigned i = 0; i < 9; i++, in++) {
                        AUTO_STRING text = memory_printf("%u", (unsigned)in);

                        trail_push(&t, at(in), text);
                }
                for (unsigned i = 0; i < 5; i++, out++) {
                        AUTO_STRING text = memory_printf("%u", (unsigned)out);

                        trail_durable(&t, at(out));
                        assert_string_equal(t.state, text);
                }
        }
        trail_done(&t);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_state_of_what_is_durable),
                cmocka_unit_test(test_nothing_to_keep),
                cmocka_unit_test(test_ring_grows_in_order),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
