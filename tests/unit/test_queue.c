#include "flow/queue.h"
#include "base/memory.h"
#include "tests/support/pieces.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOURCE "42/1/slot"

static struct position at(uint64_t lsn)
{
        return (struct position){.lsn = lsn};
}

/* ---- in memory ---- */

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

static struct txn *pop(struct queue *q)
{
        struct queue_item item;
        struct error e = ERROR_INIT;
        int rc = queue_pop(q, &item, &e);

        assert_true(rc == QUEUE_NOTHING || rc == QUEUE_PIECE);
        return item.piece;
}

static void assert_pop(struct queue *q, uint32_t xid)
{
        struct txn *t = pop(q);

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

static void init(struct queue *q, uint64_t memory)
{
        const struct queue_setup setup = {.memory = memory};

        queue_init(q, &setup, NULL, NULL);
        assert_true(queue_is_open(q));
        assert_false(queue_has_disk(q));
}

static void test_order_and_counts(void **state)
{
        struct queue q;
        struct txn *t;

        (void)state;
        init(&q, 1 << 20);
        assert_null(pop(&q));
        assert_true(queue_is_drained(&q));
        push(&q, 1, true, true);
        push(&q, 2, true, false);
        assert_false(queue_is_drained(&q));
        push(&q, 2, false, true);
        push(&q, 3, true, true);
        assert_int_equal(q.pieces, 4);
        assert_int_equal(queue_transactions(&q), 3);
        t = pop(&q);
        assert_int_equal(t->xid, 1);
        queue_unpop(&q, &t);
        assert_null(t);
        assert_int_equal(q.pieces, 4);
        assert_pop(&q, 1);
        assert_pop(&q, 2);
        assert_pop(&q, 2);
        t = pop(&q);
        queue_unpop(&q, &t); /* into an empty queue */
        push(&q, 4, true, true);
        assert_pop(&q, 3);
        assert_pop(&q, 4);
        assert_empty(&q);
        assert_true(queue_is_drained(&q));
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
        init(&q, 100000);
        while (queue_wants(&q)) {
                t = piece(++n, true, true, 9000);
                assert_true(q.bytes < 100000);
                queue_push(&q, &t);
        }
        assert_in_range(n, 9, 12);
        assert_in_range(q.bytes, 100000, 112000);
        while (!queue_wants(&q))
                txn_free(pop(&q));
        assert_in_range(q.bytes, 30000, 50000);
        push(&q, n, true, true);
        assert_true(queue_wants(&q));
        queue_done(&q);
}

static void test_partial_at_the_tail(void **state)
{
        struct queue q;

        (void)state;
        init(&q, 1 << 20);
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

/* ---- on disk ---- */

struct world {
        char top[64];
        struct loop *loop;
        struct queue q;
        struct relation *table;
        bool opened;
        unsigned more, failures;
        struct position durable;
};

static void opened(void *context)
{
        ((struct world *)context)->opened = true;
}

static void more(void *context)
{
        ((struct world *)context)->more++;
}

static void room(void *context)
{
        (void)context;
}

static void durable(void *context, struct position p)
{
        ((struct world *)context)->durable = p;
}

static void failed(void *context, const struct error *e)
{
        ((struct world *)context)->failures++;
        fail_msg("%s", e->message);
}

static const struct queue_events events = {opened, more, room, durable, failed};

static void open_queue(struct world *w, uint64_t memory, uint64_t disk)
{
        AUTO_STRING folder = memory_printf("%s/queue", w->top);
        const struct queue_setup setup = {w->loop, memory, disk, folder, "shop"};

        w->opened = false;
        queue_init(&w->q, &setup, &events, w);
        assert_false(queue_is_open(&w->q));
        while (!w->opened)
                loop_run_once(w->loop);
        assert_true(queue_has_disk(&w->q));
}

static int set_up(void **state)
{
        struct world *w = memory_new_of(struct world);
        const char *top = getenv("TMPDIR");
        struct error e = ERROR_INIT;

        snprintf(w->top, sizeof w->top, "%.40s/queue-XXXXXX", top ? top : "/tmp");
        if (!mkdtemp(w->top))
                return -1;
        w->loop = loop_new(&e);
        w->table = piece_table("t");
        *state = w;
        return 0;
}

static int tear_down(void **state)
{
        struct world *w = *state;
        AUTO_STRING command = memory_printf("rm -rf '%s'", w->top);

        queue_done(&w->q);
        loop_free(w->loop);
        assert_int_equal(w->table->references, 1); /* all pieces were freed */
        relation_unref(w->table);
        free(w);
        return system(command);
}

static void give(struct world *w, uint64_t end)
{
        struct txn *t = piece_whole(w->table, end, 3, 100);

        queue_push(&w->q, &t);
        assert_null(t);
}

static void give_all(struct world *w, uint64_t first, uint64_t last)
{
        for (uint64_t end = first; end <= last; end += 100)
                give(w, end);
}

/* The next transaction, waited for if need be. */
static void take(struct world *w, uint64_t end, bool from_disk)
{
        struct queue_item item;
        struct error e = ERROR_INIT;
        int rc;

        while ((rc = queue_pop(&w->q, &item, &e)) != QUEUE_PIECE) {
                unsigned seen = w->more;

                if (rc < 0 || rc == QUEUE_ABANDONED)
                        fail_msg("%d instead of %d: %s", rc, (int)end, e.message);
                while (rc == QUEUE_NOTHING && w->more == seen)
                        loop_run_once(w->loop);
        }
        if (item.piece->last)
                assert_int_equal(item.piece->end.lsn, end);
        else
                assert_int_equal(end, 0);
        assert_int_equal(item.from_disk, from_disk);
        txn_free(item.piece);
}

static void take_all(struct world *w, uint64_t first, uint64_t last, bool from_disk)
{
        for (uint64_t end = first; end <= last; end += 100)
                take(w, end, from_disk);
}

static void wait_durable(struct world *w, uint64_t lsn)
{
        while (w->durable.lsn < lsn)
                loop_run_once(w->loop);
}

static void divert(struct world *w, struct position begin, const char *state)
{
        const struct queue_point point = {begin, state};

        queue_divert(&w->q, point, point, SOURCE);
}

/* What memory has comes before what went to disk, and behind that it is memory again. */
static void test_there_and_back(void **state)
{
        struct world *w = *state;

        open_queue(w, 1 << 20, 1 << 30);
        give_all(w, 100, 1000);
        for (uint64_t round = 0; round < 3; round++) {
                uint64_t from = 10000 * round;

                divert(w, at(from + 1000), NULL);
                assert_true(queue_covers(&w->q, at(from + 1000)));
                assert_false(queue_covers(&w->q, at(from + 900)));
                give_all(w, from + 1100, from + 9000);
                take_all(w, from + 100, from + 1000, false);
                assert_false(queue_is_drained(&w->q));
                take_all(w, from + 1100, from + 9000, true);
                assert_true(queue_is_drained(&w->q));
                wait_durable(w, from + 9000);
                queue_leave(&w->q);
                assert_false(queue_covers(&w->q, at(from + 1000)));
                give_all(w, from + 10100, from + 11000);
        }
        take_all(w, 30100, 31000, false);
        assert_true(queue_is_drained(&w->q));
        assert_true(queue_disk_bytes(&w->q) > 0);
        queue_applied(&w->q, at(31000));
        while (queue_disk_bytes(&w->q) > 0) /* the thread deletes them */
                loop_run_once(w->loop);
}

/* The sink begins again where it was, and what follows comes from disk a second time. */
static void test_rewind(void **state)
{
        struct world *w = *state;

        open_queue(w, 1 << 20, 1 << 30);
        give_all(w, 100, 500);
        assert_false(queue_rewind(&w->q, at(300), SOURCE)); /* memory is lost */
        assert_empty(&w->q);
        divert(w, at(300), "g");
        give_all(w, 400, 5000);
        take_all(w, 400, 3000, true);
        assert_false(queue_rewind(&w->q, at(200), SOURCE));
        divert(w, at(200), "g");
        give_all(w, 300, 5000);
        take_all(w, 300, 3000, true);
        assert_true(queue_rewind(&w->q, at(1000), SOURCE));
        give_all(w, 5100, 6000);
        take_all(w, 1100, 6000, true);
        assert_false(queue_rewind(&w->q, at(1000), "43/1/slot")); /* another server's positions */
}

/* A process later; the state at the end is known, and without a gap behind the target's position.
 */
static void test_found_again(void **state)
{
        struct world *w = *state;
        static const struct {
                uint64_t from;
                const char *source;
                bool taken;
        } starts[] = {{900, SOURCE, false}, {5100, SOURCE, false}, {2000, "43/1/slot", false},
                {5000, SOURCE, true}, {2000, SOURCE, true}};

        open_queue(w, 1 << 20, 1 << 30);
        divert(w, at(1000), "begin");
        give_all(w, 1100, 4000);
        queue_passed(&w->q, at(5000), "end");
        wait_durable(w, 5000);
        for (unsigned i = 0; i < sizeof starts / sizeof *starts; i++) {
                queue_done(&w->q);
                open_queue(w, 1 << 20, 1 << 30);
                assert_int_equal(
                        queue_rewind(&w->q, at(starts[i].from), starts[i].source), starts[i].taken);
                if (!starts[i].taken)
                        continue;
                assert_int_equal(w->q.end.lsn, 5000);
                assert_string_equal(w->q.state, "end");
                assert_true(queue_covers(&w->q, at(1000)));
        }
        give_all(w, 5100, 6000);
        take_all(w, 2100, 4000, true);
        take_all(w, 5100, 6000, true);
        assert_true(queue_is_drained(&w->q));
}

/* Nothing was between the last transaction and where the source is: what is durable up to the
 * former is enough, also a process later. */
static void test_nothing_in_between(void **state)
{
        struct world *w = *state;

        open_queue(w, 1 << 20, 1 << 30);
        queue_divert(&w->q, (struct queue_point){at(100), "a"}, (struct queue_point){at(900), "b"},
                SOURCE);
        assert_true(queue_covers(&w->q, at(100)));
        assert_int_equal(w->q.end.lsn, 900);
        assert_string_equal(w->q.state, "b");
        give_all(w, 1000, 2000);
        wait_durable(w, 2000);
        queue_done(&w->q);
        open_queue(w, 1 << 20, 1 << 30);
        assert_true(queue_rewind(&w->q, at(100), SOURCE));
        assert_true(queue_covers(&w->q, at(100)));
        take_all(w, 1000, 2000, true);
        assert_true(queue_rewind(&w->q, at(500), SOURCE));
        take_all(w, 1000, 2000, true);
        assert_true(queue_is_drained(&w->q));
}

/* The source's connection is lost inside a transaction, which comes again from its beginning. */
static void test_abandoned_on_disk(void **state)
{
        struct world *w = *state;
        struct queue_item item;
        struct error e = ERROR_INIT;
        struct txn *t;
        int rc;

        open_queue(w, 1 << 20, 1 << 30);
        divert(w, at(100), NULL);
        give(w, 200);
        t = piece_whole(w->table, 300, 3, 100);
        t->last = false;
        queue_push(&w->q, &t);
        assert_false(queue_is_drained(&w->q));
        take(w, 200, true);
        while ((rc = queue_pop(&w->q, &item, &e)) != QUEUE_PIECE)
                loop_run_once(w->loop);
        assert_false(item.piece->last);
        txn_free(item.piece);
        queue_drop_partial(&w->q);
        give(w, 300);
        while ((rc = queue_pop(&w->q, &item, &e)) == QUEUE_AGAIN || rc == QUEUE_NOTHING)
                loop_run_once(w->loop);
        assert_int_equal(rc, QUEUE_ABANDONED);
        assert_true(queue_rewind(&w->q, at(200), SOURCE));
        take(w, 300, true);
}

/* One that began to arrive in memory, as long as nothing of it was popped. */
static void test_diverted_inside_a_transaction(void **state)
{
        struct world *w = *state;
        struct txn *t;

        open_queue(w, 1 << 20, 1 << 30);
        give(w, 100);
        for (unsigned i = 0; i < 3; i++) {
                t = piece_whole(w->table, 200, 3, 100);
                t->first = i == 0;
                t->last = false;
                queue_push(&w->q, &t);
        }
        assert_true(queue_may_divert(&w->q));
        divert(w, at(100), NULL);
        t = piece_whole(w->table, 200, 3, 100);
        t->first = false;
        queue_push(&w->q, &t);
        take(w, 100, false);
        for (unsigned i = 0; i < 4; i++)
                take(w, i == 3 ? 200 : 0, true);
        assert_true(queue_is_drained(&w->q));
        queue_leave(&w->q);

        t = piece_whole(w->table, 300, 3, 100);
        t->last = false;
        queue_push(&w->q, &t);
        take(w, 0, false);
        t = piece_whole(w->table, 300, 3, 100);
        t->first = t->last = false;
        queue_push(&w->q, &t);
        assert_false(queue_may_divert(&w->q));
}

/* Neither memory nor disk grows past its limit. */
static void test_bounded(void **state)
{
        struct world *w = *state;
        uint64_t end = 100, taken = 100;

        open_queue(w, 100000, 1 << 20);
        divert(w, at(100), NULL);
        while (queue_wants(&w->q)) {
                struct txn *t = piece_whole(w->table, end += 100, 20, 2000);

                queue_push(&w->q, &t);
                assert_true(w->q.bytes < 200000);
                loop_run_once(w->loop);
        }
        wait_durable(w, end);
        while (w->q.waiting)
                loop_run_once(w->loop);
        if (queue_disk_bytes(&w->q) < 1 << 20) /* it was the spool's memory */
                assert_true(queue_wants(&w->q));
        while (taken < end) {
                struct queue_item item;
                struct error e = ERROR_INIT;

                if (queue_pop(&w->q, &item, &e) == QUEUE_PIECE) {
                        taken = item.piece->end.lsn;
                        txn_free(item.piece);
                }
        }
        queue_applied(&w->q, at(end));
        while (!queue_wants(&w->q))
                loop_run_once(w->loop);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_order_and_counts),
                cmocka_unit_test(test_marks),
                cmocka_unit_test(test_partial_at_the_tail),
                cmocka_unit_test_setup_teardown(test_there_and_back, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_rewind, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_found_again, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_abandoned_on_disk, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_nothing_in_between, set_up, tear_down),
                cmocka_unit_test_setup_teardown(
                        test_diverted_inside_a_transaction, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_bounded, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
