#include "flow/route.h"
#include "flow/tally.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct position at(uint64_t lsn)
{
        return (struct position){.lsn = lsn};
}

static void assert_counts(
        const struct route_table *t, uint64_t inserts, uint64_t updates, uint64_t deletes)
{
        assert_int_equal(t->durable.inserts, inserts);
        assert_int_equal(t->durable.updates, updates);
        assert_int_equal(t->durable.deletes, deletes);
}

static void test_only_what_is_durable_counts(void **state)
{
        struct route_table a = {0}, b = {0};
        struct tally t = {0};

        (void)state;
        tally_add(&t, &a, CHANGE_INSERT);
        tally_add(&t, &b, CHANGE_DELETE);
        tally_add(&t, &a, CHANGE_INSERT);
        tally_close(&t, at(10));
        tally_add(&t, &a, CHANGE_UPDATE);
        tally_close(&t, at(20));
        assert_int_equal(t.n, 3);
        tally_durable(&t, at(9));
        assert_counts(&a, 0, 0, 0);
        tally_durable(&t, at(10));
        assert_counts(&a, 2, 0, 0);
        assert_counts(&b, 0, 0, 1);
        tally_durable(&t, at(10));
        tally_durable(&t, at(25));
        assert_counts(&a, 2, 1, 0);
        assert_int_equal(t.n, 0);
        tally_done(&t);
}

/* Its pieces come one by one; the position of an earlier one says nothing about it. */
static void test_open_transaction_waits(void **state)
{
        struct route_table a = {0};
        struct tally t = {0};

        (void)state;
        tally_add(&t, &a, CHANGE_INSERT);
        tally_durable(&t, at(UINT64_MAX));
        assert_counts(&a, 0, 0, 0);
        tally_add(&t, &a, CHANGE_INSERT);
        tally_close(&t, at(5));
        tally_durable(&t, at(5));
        assert_counts(&a, 2, 0, 0);
        tally_done(&t);
}

static void test_lost_and_delivered_again(void **state)
{
        struct route_table a = {0};
        struct tally t = {0};

        (void)state;
        tally_add(&t, &a, CHANGE_INSERT);
        tally_close(&t, at(5));
        tally_add(&t, &a, CHANGE_DELETE);
        tally_drop_open(&t);
        tally_add(&t, &a, CHANGE_UPDATE);
        tally_close(&t, at(6));
        tally_durable(&t, at(5));
        tally_clear(&t);
        tally_add(&t, &a, CHANGE_UPDATE);
        tally_close(&t, at(6));
        tally_durable(&t, at(6));
        assert_counts(&a, 1, 1, 0);
        tally_done(&t);
}

static void test_committed_is_taken_back(void **state)
{
        struct route_table a = {0};
        struct tally t = {0};

        (void)state;
        for (uint64_t i = 1; i <= 3; i++) {
                tally_add(&t, &a, CHANGE_INSERT);
                tally_close(&t, at(i));
        }
        tally_add(&t, &a, CHANGE_INSERT);
        tally_committed(&t, at(2));
        assert_counts(&a, 0, 0, 0);
        assert_int_equal(a.committed.inserts, 2);
        tally_committed(&t, at(3));
        assert_int_equal(a.committed.inserts, 3);
        tally_durable(&t, at(1));
        assert_counts(&a, 1, 0, 0);
        assert_int_equal(a.committed.inserts, 2);
        tally_clear(&t); /* the target crashed, and those two are gone */
        assert_counts(&a, 1, 0, 0);
        assert_int_equal(a.committed.inserts, 0);
        tally_done(&t);
}

static void test_many_under_way(void **state)
{
        struct route_table tables[3] = {{0}};
        struct tally t = {0};

        (void)state;
        for (uint64_t i = 0; i < 1000; i++) {
                tally_add(&t, &tables[i % 3], CHANGE_INSERT);
                tally_close(&t, at(i + 1));
                if (i % 10 == 9)
                        tally_durable(&t, at(i / 2));
        }
        tally_durable(&t, at(1000));
        assert_counts(&tables[0], 334, 0, 0);
        assert_counts(&tables[1], 333, 0, 0);
        assert_counts(&tables[2], 333, 0, 0);
        tally_done(&t);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_only_what_is_durable_counts),
                cmocka_unit_test(test_open_transaction_waits),
                cmocka_unit_test(test_lost_and_delivered_again),
                cmocka_unit_test(test_committed_is_taken_back),
                cmocka_unit_test(test_many_under_way),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
