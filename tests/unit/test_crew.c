#include "ops/crew.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <unistd.h>

struct job {
        struct halt *halt;
        atomic_uint ran, ticks;
        unsigned failing; /* worker that fails; others wait for the halt */
};

static int count(void *context, unsigned worker, struct error *e)
{
        struct job *j = context;

        (void)worker;
        (void)e;
        atomic_fetch_add(&j->ran, 1);
        return 0;
}

static int fail_or_wait(void *context, unsigned worker, struct error *e)
{
        struct job *j = context;

        atomic_fetch_add(&j->ran, 1);
        if (worker == j->failing)
                return error_set(e, ERROR_DATA, "worker %u failed", worker);
        while (!halt_asked(j->halt))
                usleep(1000);
        return halt_check(j->halt, e);
}

static int wait_for_tick(void *context, unsigned worker, struct error *e)
{
        struct job *j = context;

        (void)worker;
        (void)e;
        while (atomic_load(&j->ticks) == 0 && !halt_asked(j->halt))
                usleep(1000);
        return 0;
}

static int tick(void *context, struct error *e)
{
        struct job *j = context;

        (void)e;
        atomic_fetch_add(&j->ticks, 1);
        return 0;
}

static int bad_tick(void *context, struct error *e)
{
        (void)context;
        return error_set(e, ERROR_RETRY, "the anchor is gone");
}

static void test_all_run(void **state)
{
        struct job j = {.halt = halt_new()};
        struct error e = ERROR_INIT;

        (void)state;
        assert_int_equal(crew_run(4, count, NULL, &j, j.halt, &e), 0);
        assert_int_equal(j.ran, 4);
        assert_int_equal(crew_run(0, count, NULL, &j, j.halt, &e), 0);
        assert_int_equal(j.ran, 4);
        halt_free(j.halt);
}

/* The others end with "stopped", but what is reported is why. */
static void test_first_failure_counts(void **state)
{
        struct job j = {.halt = halt_new(), .failing = 2};
        struct error e = ERROR_INIT;

        (void)state;
        assert_int_equal(crew_run(4, fail_or_wait, NULL, &j, j.halt, &e), -1);
        assert_int_equal(j.ran, 4);
        assert_string_equal(e.message, "worker 2 failed");
        assert_int_equal(e.class, ERROR_DATA);
        halt_wait(j.halt, 1000);
        halt_free(j.halt);
}

static void test_tick(void **state)
{
        struct job j = {.halt = halt_new(), .failing = 99};
        struct error e = ERROR_INIT;

        (void)state;
        assert_int_equal(crew_run(2, wait_for_tick, tick, &j, j.halt, &e), 0);
        assert_true(j.ticks > 0);
        assert_int_equal(crew_run(2, fail_or_wait, bad_tick, &j, j.halt, &e), -1);
        assert_string_equal(e.message, "the anchor is gone");
        halt_wait(j.halt, 1000);
        halt_free(j.halt);
}

static void test_halted_before(void **state)
{
        struct job j = {.halt = halt_new()};
        struct error e = ERROR_INIT;

        (void)state;
        halt_ask(j.halt);
        halt_ask(j.halt);
        assert_int_equal(crew_run(1, count, NULL, &j, j.halt, &e), -1);
        assert_int_equal(e.class, ERROR_RETRY);
        halt_wait(j.halt, 1000);
        halt_free(j.halt);
        assert_null(halt_free(NULL));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_all_run),
                cmocka_unit_test(test_first_failure_counts),
                cmocka_unit_test(test_tick),
                cmocka_unit_test(test_halted_before),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
