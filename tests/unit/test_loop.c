#include "base/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What ran, one letter each. */
static char trace[4096];
static size_t trace_n;
static struct loop *loop;

static void note(char c)
{
        trace[trace_n++] = c;
        trace[trace_n] = '\0';
}

static void start(struct loop *l)
{
        loop = l;
        trace_n = 0;
        *trace = '\0';
}

static void letter(void *context)
{
        note(*(const char *)context);
}

static void timer_letter(struct timer *t, const char *c)
{
        timer_init(t, loop, letter, (void *)(uintptr_t)c);
}

static void stop(void *context)
{
        (void)context;
        loop_stop(loop);
}

/* ---- simulated clock ---- */

static void test_timers_in_order(void **state)
{
        struct timer a, b, c, d;
        int64_t began;

        (void)state;
        start(loop_new_simulated());
        began = loop_now(loop);
        assert_true(began == INT64_C(1767225600) * SECOND);
        assert_true(loop_wall(loop) == began);
        assert_null(loop_base(loop));
        timer_letter(&a, "a");
        timer_letter(&b, "b");
        timer_letter(&c, "c");
        timer_letter(&d, "d");
        timer_set(&c, 3 * SECOND);
        timer_set(&a, SECOND);
        timer_set(&b, SECOND); /* same time: in the order of setting */
        timer_set(&d, 9 * SECOND);
        timer_set(&d, 2 * SECOND); /* replaces */
        assert_true(timer_pending(&d));
        loop_run(loop);
        assert_string_equal(trace, "abdc");
        assert_true(loop_now(loop) == began + 3 * SECOND);
        assert_false(timer_pending(&d));
        timer_cancel(&d);
        loop_free(loop);
}

static struct timer other, again;

static void cancel_other(void *context)
{
        (void)context;
        note('x');
        timer_cancel(&other);
}

static void test_cancel_inside_a_callback(void **state)
{
        struct timer x, z;

        (void)state;
        start(loop_new_simulated());
        timer_init(&x, loop, cancel_other, NULL);
        timer_letter(&other, "o");
        timer_letter(&z, "z");
        timer_set(&x, SECOND);
        timer_set(&other, SECOND); /* due in the same round */
        timer_set(&z, SECOND);
        loop_run(loop);
        assert_string_equal(trace, "xz");
        loop_free(loop);
}

static int left;

static void set_again(void *context)
{
        (void)context;
        note('r');
        if (--left)
                timer_set(&again, SECOND);
}

static void test_timer_sets_itself(void **state)
{
        int64_t began;

        (void)state;
        start(loop_new_simulated());
        began = loop_now(loop);
        left = 5;
        timer_init(&again, loop, set_again, NULL);
        timer_set(&again, -7); /* the past is now */
        loop_run(loop);
        assert_string_equal(trace, "rrrrr");
        assert_true(loop_now(loop) == began + 4 * SECOND);
        loop_free(loop);
}

static struct task task_a, task_b, task_c;

static void defer_again(void *context)
{
        (void)context;
        note('a');
        if (--left)
                loop_defer(loop, &task_a);
        task_cancel(loop, &task_b);
        loop_defer(loop, &task_c);
        loop_defer(loop, &task_c); /* once */
}

static void test_tasks(void **state)
{
        struct timer t;

        (void)state;
        start(loop_new_simulated());
        left = 3;
        timer_letter(&t, "t");
        timer_set(&t, 0);
        task_init(&task_a, defer_again, NULL);
        task_init(&task_b, letter, (void *)(uintptr_t) "b");
        task_init(&task_c, letter, (void *)(uintptr_t) "c");
        loop_defer(loop, &task_a);
        loop_defer(loop, &task_b);
        assert_true(loop_run_once(loop)); /* what a task defers waits for the next round */
        assert_string_equal(trace, "ta");
        loop_run(loop);
        assert_string_equal(trace, "taacac");
        task_cancel(loop, &task_a); /* not queued */
        loop_defer(loop, &task_a);
        loop_defer(loop, &task_c);
        task_cancel(loop, &task_c); /* the last one */
        task_cancel(loop, &task_a);
        loop_defer(loop, &task_b);
        loop_run(loop);
        assert_string_equal(trace, "taacacb");
        loop_free(loop);
}

static void test_stop_and_nothing_left(void **state)
{
        struct timer s, t;

        (void)state;
        start(loop_new_simulated());
        assert_false(loop_run_once(loop));
        timer_init(&s, loop, stop, NULL);
        timer_letter(&t, "t");
        timer_set(&s, SECOND);
        timer_set(&t, 2 * SECOND);
        loop_run(loop);
        assert_string_equal(trace, "");
        assert_false(loop_run_once(loop));
        loop_free(loop);
        assert_null(loop_free(NULL));
}

/* ---- the real one ---- */

static struct loop *real(void)
{
        struct error e = ERROR_INIT;
        struct loop *l = loop_new(&e);

        assert_non_null(l);
        assert_non_null(loop_base(l));
        return l;
}

static void test_real_timers(void **state)
{
        struct timer a, b, s;
        int64_t began;

        (void)state;
        start(real());
        began = loop_now(loop);
        timer_letter(&a, "a");
        timer_letter(&b, "b");
        timer_init(&s, loop, stop, NULL);
        timer_set(&s, 30 * MILLISECOND);
        timer_set(&b, 20 * MILLISECOND);
        timer_set(&a, 1 * MILLISECOND);
        loop_run(loop);
        assert_string_equal(trace, "ab");
        assert_true(loop_now(loop) - began >= 30 * MILLISECOND);
        assert_true(loop_wall(loop) > INT64_C(1700000000) * SECOND);
        loop_free(loop);
}

#define THREADS 4
#define POSTS 500
static unsigned got[THREADS], got_all;
static bool in_order;

struct post {
        unsigned thread, number;
};

static struct post posts[THREADS][POSTS];

static void on_post(void *context)
{
        const struct post *p = context;

        in_order &= got[p->thread]++ == p->number;
        if (++got_all == THREADS * POSTS)
                loop_stop(loop);
}

static void *poster(void *context)
{
        struct post *mine = context;

        for (unsigned i = 0; i < POSTS; i++)
                loop_post(loop, on_post, &mine[i]);
        return NULL;
}

static void test_posts_from_threads(void **state)
{
        pthread_t threads[THREADS];

        (void)state;
        start(real());
        in_order = true;
        for (unsigned t = 0; t < THREADS; t++) {
                for (unsigned i = 0; i < POSTS; i++)
                        posts[t][i] = (struct post){t, i};
                assert_int_equal(pthread_create(&threads[t], NULL, poster, posts[t]), 0);
        }
        loop_run(loop); /* has nothing else to wake it */
        for (unsigned t = 0; t < THREADS; t++)
                pthread_join(threads[t], NULL);
        assert_true(in_order);
        assert_int_equal(got_all, THREADS * POSTS);
        loop_post(loop, on_post, &posts[0][0]); /* never run, and not leaked */
        loop_free(loop);
}

static void test_unpost(void **state)
{
        static const char a = 'a', b = 'b', c = 'c';

        (void)state;
        start(real());
        loop_post(loop, letter, (void *)(uintptr_t)&a);
        loop_post(loop, letter, (void *)(uintptr_t)&b);
        loop_post(loop, letter, (void *)(uintptr_t)&a);
        loop_post(loop, stop, (void *)(uintptr_t)&c);
        loop_unpost(loop, &c); /* the last one: what is posted next goes behind the others */
        loop_unpost(loop, &a);
        loop_post(loop, letter, (void *)(uintptr_t)&c);
        loop_post(loop, stop, NULL);
        loop_run(loop);
        assert_string_equal(trace, "bc");
        loop_free(loop);
}

static void on_usr1(void *context)
{
        (void)context;
        note('s');
        loop_stop(loop);
}

static void raise_it(void *context)
{
        (void)context;
        raise(SIGUSR1);
}

static void test_signal(void **state)
{
        struct timer t;
        struct error e = ERROR_INIT;

        (void)state;
        start(real());
        assert_int_equal(loop_signal(loop, SIGUSR1, on_usr1, NULL, &e), 0);
        timer_init(&t, loop, raise_it, NULL);
        timer_set(&t, 0);
        loop_run(loop);
        assert_string_equal(trace, "s");
        loop_free(loop);
}

static int ends[2];
static struct watch *reader, *writer;

static void on_read(void *context, int ready)
{
        char c;

        (void)context;
        assert_int_equal(ready, LOOP_READ);
        assert_int_equal(read(ends[0], &c, 1), 1);
        note(c);
        if (c == 'z')
                loop_stop(loop);
}

static void on_write(void *context, int ready)
{
        (void)context;
        assert_int_equal(ready, LOOP_WRITE);
        note('w');
        watch_set(writer, 0);
        assert_int_equal(write(ends[1], "yz", 2), 2);
}

static void test_descriptors(void **state)
{
        (void)state;
        start(real());
        assert_int_equal(pipe(ends), 0);
        reader = watch_new(loop, ends[0], on_read, NULL);
        writer = watch_new(loop, ends[1], on_write, NULL);
        watch_set(reader, LOOP_READ);
        watch_set(writer, LOOP_WRITE);
        loop_run(loop);
        assert_string_equal(trace, "wyz");
        assert_null(watch_free(reader));
        watch_free(writer);
        assert_null(watch_free(NULL));
        loop_free(loop);
        close(ends[0]);
        close(ends[1]);
}

/* Tasks that defer themselves for ever must not keep timers from running. */
static void busy(void *context)
{
        (void)context;
        loop_defer(loop, &task_a);
}

static void test_busy_tasks_let_timers_run(void **state)
{
        struct timer s;

        (void)state;
        start(real());
        task_init(&task_a, busy, NULL);
        loop_defer(loop, &task_a);
        timer_init(&s, loop, stop, NULL);
        timer_set(&s, 2 * MILLISECOND);
        loop_run(loop);
        loop_free(loop);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_timers_in_order),
                cmocka_unit_test(test_cancel_inside_a_callback),
                cmocka_unit_test(test_timer_sets_itself),
                cmocka_unit_test(test_tasks),
                cmocka_unit_test(test_stop_and_nothing_left),
                cmocka_unit_test(test_real_timers),
                cmocka_unit_test(test_posts_from_threads),
                cmocka_unit_test(test_unpost),
                cmocka_unit_test(test_signal),
                cmocka_unit_test(test_descriptors),
                cmocka_unit_test(test_busy_tasks_let_timers_run),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
