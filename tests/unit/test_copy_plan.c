#include "ops/copy_plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)
#define PAGE UINT64_C(8192)

static struct pg_leaf leaf(const char *name, uint64_t bytes)
{
        struct pg_leaf l = {.pages = bytes / PAGE};

        l.schema = (char *)(uintptr_t) "s";
        l.name = (char *)(uintptr_t)name;
        return l;
}

static struct pg_table_info table(struct pg_leaf *leaves, unsigned n, double rows)
{
        struct pg_table_info t = {.rows = rows, .leaves = leaves, .leaves_n = n};

        for (unsigned i = 0; i < n; i++)
                t.bytes += leaves[i].pages * PAGE;
        return t;
}

static const char *range(const struct copy_part *p)
{
        static char text[200];
        AUTO_BUF b = BUF_INIT;

        copy_part_range(p, &b);
        snprintf(text, sizeof text, "%s", buf_text(&b));
        return text;
}

/* Every page of the leaf is in exactly one part, and the last part is open. */
static void assert_covers(const struct copy_plan *p, const struct pg_leaf *l)
{
        uint64_t at = 0;
        unsigned met = 0, all = 0;
        bool open = false;

        for (unsigned i = 0; i < p->n; i++)
                all += p->parts[i].leaf == l;
        while (met < all && !open) {
                unsigned i;

                for (i = 0; i < p->n; i++)
                        if (p->parts[i].leaf == l && p->parts[i].from == at)
                                break;
                assert_true(i < p->n);
                met++;
                open = p->parts[i].to == 0;
                assert_true(open || p->parts[i].to > at);
                at = p->parts[i].to;
        }
        assert_true(open);
        assert_int_equal(met, all);
}

static void test_small_tables_stay_whole(void **state)
{
        struct pg_leaf a = leaf("a", 20 * MIB), b = leaf("b", 0), c = leaf("c", 40 * MIB);
        struct pg_table_info items[] = {table(&a, 1, 100), table(&b, 1, 0), table(&c, 1, -1)};
        struct pg_tables t = {.items = items, .n = 3};
        bool whole[3] = {false};
        struct copy_plan *p = copy_plan_new(&t, whole, 2, true);

        (void)state;
        assert_int_equal(p->n, 3);
        /* largest first */
        assert_int_equal(p->parts[0].table, 2);
        assert_int_equal(p->parts[1].table, 0);
        assert_int_equal(p->parts[2].table, 1);
        assert_string_equal(range(&p->parts[0]), "");
        assert_true(p->parts[0].rows < 0);
        assert_true(p->parts[1].rows == 100);
        assert_true(p->bytes == 60.0 * MIB);
        copy_plan_free(p);
}

static void test_large_table_is_divided(void **state)
{
        struct pg_leaf big = leaf("big", 1000 * MIB + 3 * PAGE), small = leaf("small", MIB);
        struct pg_table_info items[] = {table(&big, 1, 1e6), table(&small, 1, 10)};
        struct pg_tables t = {.items = items, .n = 2};
        bool whole[2] = {false};
        struct copy_plan *p = copy_plan_new(&t, whole, 4, true);
        double rows = 0;

        (void)state;
        assert_in_range(p->n, 9, 40);
        assert_covers(p, &big);
        assert_covers(p, &small);
        for (unsigned i = 0; i < p->n; i++)
                rows += p->parts[i].rows;
        assert_true(rows > 1000009 && rows < 1000011);
        copy_plan_free(p);
}

static void test_ranges_as_sql(void **state)
{
        struct copy_part first = {.to = 10}, middle = {.from = 10, .to = 20}, last = {.from = 20};

        (void)state;
        assert_string_equal(range(&first), " where ctid < '(10,0)'::pg_catalog.tid");
        assert_string_equal(range(&middle),
                " where ctid >= '(10,0)'::pg_catalog.tid and ctid < '(20,0)'::pg_catalog.tid");
        assert_string_equal(range(&last), " where ctid >= '(20,0)'::pg_catalog.tid");
}

static void test_never_divided(void **state)
{
        struct pg_leaf big = leaf("big", 4000 * MIB);
        struct pg_table_info items[] = {table(&big, 1, 1e6)};
        struct pg_tables t = {.items = items, .n = 1};
        bool no[1] = {false}, yes[1] = {true};
        struct copy_plan *old = copy_plan_new(&t, no, 4, false);
        struct copy_plan *one = copy_plan_new(&t, no, 1, true);
        struct copy_plan *whole = copy_plan_new(&t, yes, 4, true);

        (void)state;
        assert_int_equal(old->n, 1);
        assert_int_equal(one->n, 1);
        assert_int_equal(whole->n, 1);
        copy_plan_free(old);
        copy_plan_free(one);
        copy_plan_free(whole);
}

/* Half of all: not above the fixed limit, but more than a worker's share. */
static void test_share_of_total(void **state)
{
        struct pg_leaf a = leaf("a", 200 * MIB), b = leaf("b", 50 * MIB);
        struct pg_table_info items[] = {table(&a, 1, 1000), table(&b, 1, 1000)};
        struct pg_tables t = {.items = items, .n = 2};
        bool whole[2] = {false};
        struct copy_plan *p = copy_plan_new(&t, whole, 2, true);

        (void)state;
        assert_int_equal(p->n, 7); /* 200 MiB in parts of 32 MiB, and b */
        assert_covers(p, &a);
        copy_plan_free(p);
}

static void test_partitions(void **state)
{
        struct pg_leaf leaves[] = {leaf("p1", 900 * MIB), leaf("p2", 10 * MIB), leaf("p3", 0)};
        struct pg_table_info items[] = {table(leaves, 3, 910), {.leaves_n = 0}};
        struct pg_tables t = {.items = items, .n = 2};
        bool whole[2] = {false};
        struct copy_plan *p = copy_plan_new(&t, whole, 2, true);

        (void)state;
        for (unsigned i = 0; i < 3; i++)
                assert_covers(p, &leaves[i]);
        assert_true(p->n > 4);
        for (unsigned i = 0; i < p->n; i++)
                assert_int_equal(p->parts[i].table, 0);
        copy_plan_free(p);
}

static void test_absurd_sizes(void **state)
{
        struct pg_leaf huge = leaf("huge", 0);
        struct pg_table_info items[1];
        struct pg_tables t = {.items = items, .n = 1};
        bool whole[1] = {false};
        struct copy_plan *p;

        (void)state;
        huge.pages = UINT32_MAX;
        items[0] = table(&huge, 1, -1);
        items[0].bytes = UINT64_MAX;
        p = copy_plan_new(&t, whole, 8, true);
        assert_in_range(p->n, 2, 5000);
        assert_covers(p, &huge);
        copy_plan_free(p);
        assert_null(copy_plan_free(NULL));
}

static void test_eta(void **state)
{
        (void)state;
        assert_true(copy_eta(0, 100, 5) < 0);
        assert_true(copy_eta(10, 0, 5) < 0);
        assert_true(copy_eta(10, 100, 0) < 0);
        assert_true(copy_eta(25, 100, 5) == 15);
        assert_true(copy_eta(100, 100, 5) == 0);
        assert_true(copy_eta(101, 100, 5) == 0);
}

static void test_share(void **state)
{
        struct copy_part known = {.rows = 200, .bytes = 1000};
        struct copy_part unknown = {.rows = -1, .bytes = 1000}, empty = {.rows = 0, .bytes = 0};

        (void)state;
        assert_true(copy_part_share(&known, 50, 999) == 0.25);
        assert_true(copy_part_share(&known, 500, 0) == 1);
        assert_true(copy_part_share(&unknown, 50, 500) == 0.5);
        assert_true(copy_part_share(&empty, 50, 500) == 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_small_tables_stay_whole),
                cmocka_unit_test(test_large_table_is_divided),
                cmocka_unit_test(test_ranges_as_sql),
                cmocka_unit_test(test_never_divided),
                cmocka_unit_test(test_share_of_total),
                cmocka_unit_test(test_partitions),
                cmocka_unit_test(test_absurd_sizes),
                cmocka_unit_test(test_eta),
                cmocka_unit_test(test_share),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
