#include "flow/queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct txn *piece(uint32_t xid, bool first, bool last, size_t size)
{
        struct txn *t = txn_new();

        t->xid = xid;
        t->first = first;
        t->last = last;
        arena_alloc(t->arena, size);
        return t;
}

static void push(struct queue *q, uint32_t xid, bool first, bool last)
{
        struct txn *t = piece(xid, first, last, 100);

        queue_push(q, &t);
        assert_null(t);
}

static void assert_pop(struct queue *q, uint32_t xid)
{
        struct txn *t = queue_pop(q);

        assert_non_null(t);
        assert_int_equal(t->xid, xid);
        assert_null(t->next);
        txn_free(t);
}

static void assert_empty(const struct queue *q)
{
        assert_null(q->head);
        assert_int_equal(q->bytes, 0);
        assert_int_equal(q->pieces, 0);
        assert_int_equal(q->transactions, 0);
}

static void test_order_and_counts(void **state)
{
        struct queue q;
        struct txn *t;

        (void)state;
        queue_init(&q, 1 << 20);
        assert_null(queue_pop(&q));
        push(&q, 1, true, true);
        push(&q, 2, true, false);
        push(&q, 2, false, true);
        push(&q, 3, true, true);
        assert_int_equal(q.pieces, 4);
        assert_int_equal(q.transactions, 3);
        t = queue_pop(&q);
        assert_int_equal(t->xid, 1);
        queue_unpop(&q, &t);
        assert_null(t);
        assert_int_equal(q.pieces, 4);
        assert_pop(&q, 1);
        assert_pop(&q, 2);
        assert_pop(&q, 2);
        t = queue_pop(&q);
        queue_unpop(&q, &t); /* into an empty queue */
        push(&q, 4, true, true);
        assert_pop(&q, 3);
        assert_pop(&q, 4);
        assert_empty(&q);
        push(&q, 5, true, true);
        queue_done(&q);
        assert_empty(&q);
}

static void test_marks(void **state)
{
        struct queue q;
        struct txn *t;
        unsigned n = 0;

        (void)state;
        queue_init(&q, 100000);
        while (!queue_is_high(&q)) {
                t = piece(++n, true, true, 9000);
                assert_true(q.bytes < 100000);
                queue_push(&q, &t);
        }
        assert_in_range(n, 9, 12);
        assert_in_range(q.bytes, 100000, 112000);
        assert_false(queue_is_low(&q));
        while (!queue_is_low(&q))
                txn_free(queue_pop(&q));
        assert_in_range(q.bytes, 30000, 50000);
        assert_false(queue_is_high(&q));
        queue_done(&q);
        assert_true(queue_is_low(&q));
}

static void test_partial_at_the_tail(void **state)
{
        struct queue q;

        (void)state;
        queue_init(&q, 1 << 20);
        queue_drop_partial(&q);
        assert_empty(&q);
        push(&q, 1, false, true); /* the end of one whose beginning is gone already */
        push(&q, 2, true, true);
        queue_drop_partial(&q);
        assert_int_equal(q.pieces, 2);
        push(&q, 3, true, false);
        push(&q, 3, false, false);
        queue_drop_partial(&q);
        assert_int_equal(q.pieces, 2);
        assert_int_equal(q.transactions, 2);
        push(&q, 4, true, true);
        assert_pop(&q, 1);
        assert_pop(&q, 2);
        assert_pop(&q, 4);
        assert_empty(&q);
        push(&q, 5, true, false);
        push(&q, 5, false, false);
        queue_drop_partial(&q); /* nothing whole at all */
        assert_empty(&q);
        push(&q, 6, true, true);
        assert_pop(&q, 6);
        queue_done(&q);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_order_and_counts),
                cmocka_unit_test(test_marks),
                cmocka_unit_test(test_partial_at_the_tail),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
