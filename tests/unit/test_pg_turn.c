#include "sinks/pg_turn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void update(struct pg_turn *t, const char *ctid)
{
        pg_turn_sent(t);
        pg_turn_answer(t, ctid);
}

static void test_one_page(void **state)
{
        struct pg_turn t;

        (void)state;
        pg_turn_start(&t, 7);
        for (int i = 0; i < 1000; i++)
                update(&t, i % 2 ? "(0,1)" : "(0,60)");
        assert_int_equal(t.now, 7);
        assert_int_equal(t.next, 7);
        assert_int_equal(t.taken, 0);
}

/* The move itself is under the old key; the update behind it, wherever it goes, is enough. */
static void test_another_page(void **state)
{
        struct pg_turn t;

        (void)state;
        pg_turn_start(&t, 7);
        update(&t, "(5,1)");
        update(&t, "(6,1)");
        assert_int_equal(t.now, 7);
        assert_int_equal(t.next, 8);
        update(&t, "(6,2)");
        assert_int_equal(t.now, 8);
        assert_int_equal(t.next, 8);
        update(&t, "(6,3)");
        update(&t, "(2,1)");
        assert_int_equal(t.next, 9);
        assert_int_equal(t.taken, 2);
}

/* A transaction that arrives in pieces moves the row twice before the first answer is seen. */
static void test_answers_that_come_late(void **state)
{
        struct pg_turn t;

        (void)state;
        pg_turn_start(&t, 0);
        update(&t, "(0,1)");
        pg_turn_sent(&t);
        pg_turn_sent(&t);
        pg_turn_answer(&t, "(1,1)");
        pg_turn_answer(&t, "(2,1)");
        assert_int_equal(t.now, 0);
        assert_int_equal(t.next, 1);
        assert_int_equal(t.taken, 1);
}

static void test_no_ctid(void **state)
{
        struct pg_turn t;

        (void)state;
        pg_turn_start(&t, 1);
        update(&t, "(3,1)");
        update(&t, "");
        update(&t, "x");
        assert_int_equal(t.next, 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_one_page),
                cmocka_unit_test(test_another_page),
                cmocka_unit_test(test_answers_that_come_late),
                cmocka_unit_test(test_no_ctid),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
