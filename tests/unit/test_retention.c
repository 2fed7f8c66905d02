#include "base/loop.h"
#include "flow/retention.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define MIB (INT64_C(1) << 20)
#define GIB (INT64_C(1) << 30)

/* A source that writes, and that holds what is left of it. */
static struct retention watch;
static struct source_retention now;

static int begin(void **state)
{
        (void)state;
        watch = (struct retention)RETENTION_INIT;
        now = SOURCE_RETENTION_UNKNOWN;
        now.asked = 1000 * SECOND;
        now.held = 0;
        now.written = 1 << 20;
        now.limit = "max_slot_wal_keep_size";
        now.clock = "idle_replication_slot_timeout";
        return 0;
}

static void limit(int64_t bytes)
{
        now.allowed = bytes;
        now.used = now.held;
}

/* `seconds` with a poll every 10 s; returns how often the level changed. */
static unsigned run(int seconds, int64_t written, int64_t released)
{
        unsigned changes = 0;

        for (int s = 0; s < seconds; s += 10) {
                now.asked += 10 * SECOND;
                now.written += (uint64_t)(10 * written);
                now.held += 10 * (written - released);
                now.used = now.held;
                changes += retention_take(&watch, &now);
        }
        return changes;
}

static void test_unknown_until_it_is_measured(void **state)
{
        (void)state;
        limit(100 * GIB);
        retention_take(&watch, &now);
        assert_true(watch.hours_left < 0);
        run(30, MIB, 0);
        assert_true(watch.hours_left < 0);
        run(30, MIB, 0);
        assert_true(watch.hours_left > 27 && watch.hours_left < 29);
}

static void test_no_limit(void **state)
{
        (void)state;
        run(600, MIB, 0);
        assert_true(watch.hours_left < 0 && watch.share < 0);
        assert_null(watch.limit);
        assert_int_equal(watch.level, RETENTION_FINE);
}

static void test_rate_is_what_is_written_less_what_is_let_go(void **state)
{
        (void)state;
        limit(36 * GIB);
        run(600, 4 * MIB, 3 * MIB);
        /* 36 GiB less 600 MiB at 1 MiB a second */
        assert_true(watch.hours_left > 9.9 && watch.hours_left < 10.2);
        run(600, 4 * MIB, 0);
        assert_true(watch.hours_left > 2.1 && watch.hours_left < 2.4);
}

static void test_idle_source(void **state)
{
        (void)state;
        now.held = 100 * MIB;
        limit(GIB);
        run(600, 0, 0);
        assert_true(watch.hours_left < 0);
        assert_int_equal(watch.level, RETENTION_FINE);
}

/* Slots let go in steps: what is held is a saw, and there is no end in sight. */
static void test_keeping_up(void **state)
{
        (void)state;
        limit(2 * GIB);
        for (int i = 0; i < 100; i++) {
                assert_int_equal(run(10, 8 * MIB, 0), 0);
                assert_int_equal(run(10, 8 * MIB, 16 * MIB), 0);
                assert_true(watch.hours_left < 0);
        }
        assert_int_equal(watch.level, RETENTION_FINE);
}

static void test_log_begun_anew(void **state)
{
        (void)state;
        limit(36 * GIB);
        run(600, MIB, 0);
        now.written = 0;
        now.held = 0;
        run(10, MIB, 0);
        assert_true(watch.hours_left < 0);
        run(600, MIB, 0);
        assert_true(watch.hours_left > 9.7 && watch.hours_left < 10.2);
}

/* The loop's clock is monotonic; a poll may come late by hours (SIGSTOP), or be shown again. */
static void test_clock(void **state)
{
        struct retention before;

        (void)state;
        limit(36 * GIB);
        run(600, MIB, 0);
        before = watch;
        assert_false(retention_take(&watch, &now));
        assert_int_equal(watch.n, before.n);
        now.asked -= 100 * SECOND;
        now.held = 0;
        assert_false(retention_take(&watch, &now));
        assert_int_equal(watch.n, before.n);
        now.asked += 100 * SECOND + 3600 * SECOND;
        now.held = (600 + 3600) * MIB;
        now.written += 3600 * (uint64_t)MIB;
        now.used = now.held;
        retention_take(&watch, &now);
        run(30, MIB, 0);
        assert_true(watch.hours_left > 8.6 && watch.hours_left < 9.2);
}

static void test_no_answer(void **state)
{
        struct source_retention none = SOURCE_RETENTION_UNKNOWN;

        (void)state;
        limit(GIB);
        now.held = 800 * MIB;
        run(10, 0, 0);
        assert_int_equal(watch.level, RETENTION_HALF);
        assert_false(retention_take(&watch, &none));
        assert_true(watch.hours_left < 0 && watch.share < 0);
        assert_int_equal(watch.level, RETENTION_HALF);
        assert_int_equal(run(10, 0, 0), 0);
        assert_true(watch.share > 0.7);
}

static void test_half_once(void **state)
{
        (void)state;
        limit(1000 * MIB);
        now.held = 499 * MIB;
        assert_int_equal(run(10, 0, 0), 0);
        now.held = 500 * MIB;
        assert_int_equal(run(10, 0, 0), 1);
        assert_int_equal(watch.level, RETENTION_HALF);
        assert_string_equal(watch.limit, "max_slot_wal_keep_size");
        for (int i = 0; i < 10; i++) {
                now.held = (i % 2 ? 510 : 410) * MIB;
                assert_int_equal(run(10, 0, 0), 0);
        }
        now.held = 390 * MIB;
        assert_int_equal(run(10, 0, 0), 1);
        assert_int_equal(watch.level, RETENTION_FINE);
        now.held = 490 * MIB;
        assert_int_equal(run(10, 0, 0), 0);
}

static void test_short(void **state)
{
        (void)state;
        limit(36 * GIB);
        assert_int_equal(run(600, 10 * MIB, 0), 1);
        assert_int_equal(watch.level, RETENTION_SHORT);
        assert_true(watch.hours_left > 0.7 && watch.hours_left < 1);
        /* a pause between two bursts does not end it, and no burst begins it again */
        assert_int_equal(run(240, 10 * MIB, 10 * MIB), 0);
        assert_int_equal(run(240, 10 * MIB, 0), 0);
        assert_int_equal(watch.level, RETENTION_SHORT);
        assert_int_equal(run(1200, 10 * MIB, 10 * MIB), 1);
        assert_int_equal(watch.level, RETENTION_FINE);
}

/* Caught up: what was short is fine at once when nothing is held any more. */
static void test_used_up(void **state)
{
        (void)state;
        limit(100 * MIB);
        now.held = 100 * MIB;
        run(10, 0, 0);
        assert_true(watch.hours_left == 0);
        assert_true(watch.share == 1);
        assert_int_equal(watch.level, RETENTION_SHORT);
        limit(0);
        run(10, 0, 0);
        assert_true(watch.hours_left == 0 && watch.share == 1);
        limit(100 * MIB);
        now.held = 0;
        assert_int_equal(run(10, 0, 0), 1);
        assert_int_equal(watch.level, RETENTION_FINE);
}

static void test_time(void **state)
{
        (void)state;
        now.expiry = 7 * 86400;
        now.age = 86400;
        assert_int_equal(run(10, 0, 0), 0);
        assert_true(watch.hours_left == 144);
        now.age = 3.5 * 86400;
        assert_int_equal(run(10, 0, 0), 1);
        assert_int_equal(watch.level, RETENTION_HALF);
        assert_string_equal(watch.limit, "idle_replication_slot_timeout");
        now.age = 7 * 86400 - 3600;
        assert_int_equal(run(10, 0, 0), 1);
        assert_int_equal(watch.level, RETENTION_SHORT);
        assert_true(watch.hours_left == 1);
        now.age = 8 * 86400;
        run(10, 0, 0);
        assert_true(watch.hours_left == 0);
        now.age = -1;
        assert_int_equal(run(10, 0, 0), 1);
        assert_int_equal(watch.level, RETENTION_FINE);
        assert_true(watch.hours_left < 0);
}

/* An expiry of an hour is below two hours from its beginning. */
static void test_short_expiry(void **state)
{
        (void)state;
        now.expiry = 3600;
        now.age = 40;
        assert_int_equal(run(10, 0, 0), 0);
        assert_true(watch.hours_left < 1);
        now.age = 2800;
        assert_int_equal(run(10, 0, 0), 1);
        assert_int_equal(watch.level, RETENTION_SHORT);
}

static void test_nearer_limit(void **state)
{
        (void)state;
        limit(36 * GIB);
        now.expiry = 86400;
        now.age = 3600;
        run(600, MIB, 0);
        assert_true(watch.hours_left < 10.2);
        now.age = 86400 - 7200;
        run(10, MIB, 0);
        assert_true(watch.hours_left == 2);
        assert_string_equal(watch.limit, "idle_replication_slot_timeout");
}

static void test_lost(void **state)
{
        (void)state;
        run(10, 0, 0);
        now.held = -1;
        error_set(&now.lost, ERROR_DATA, "resync required: gone");
        now.asked += SECOND;
        assert_true(retention_take(&watch, &now));
        assert_int_equal(watch.level, RETENTION_LOST);
        now.asked += SECOND;
        assert_false(retention_take(&watch, &now));
        error_clear(&now.lost);
        now.held = 0;
        assert_int_equal(run(10, 0, 0), 1);
        assert_int_equal(watch.level, RETENTION_FINE);
}

/* Numbers of a server that lies are no undefined arithmetic. */
static void test_absurd_numbers(void **state)
{
        (void)state;
        for (int i = 0; i < 40; i++) {
                now.asked += 20 * SECOND;
                now.held = i % 3 ? INT64_MAX : i % 2 ? 0 : INT64_MIN;
                now.used = i % 2 ? INT64_MAX : INT64_MIN;
                now.allowed = i % 5 ? INT64_MAX : 0;
                now.written = i % 4 ? UINT64_MAX : 0;
                now.age = i % 2 ? 1e300 : -1e300;
                now.expiry = i % 3 ? 1e300 : -1;
                retention_take(&watch, &now);
                assert_true(watch.hours_left >= 0 || watch.hours_left == -1);
                assert_true(watch.n <= RETENTION_LOWS);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_unknown_until_it_is_measured, begin),
                cmocka_unit_test_setup(test_no_limit, begin),
                cmocka_unit_test_setup(test_rate_is_what_is_written_less_what_is_let_go, begin),
                cmocka_unit_test_setup(test_idle_source, begin),
                cmocka_unit_test_setup(test_keeping_up, begin),
                cmocka_unit_test_setup(test_log_begun_anew, begin),
                cmocka_unit_test_setup(test_clock, begin),
                cmocka_unit_test_setup(test_no_answer, begin),
                cmocka_unit_test_setup(test_half_once, begin),
                cmocka_unit_test_setup(test_short, begin),
                cmocka_unit_test_setup(test_used_up, begin),
                cmocka_unit_test_setup(test_time, begin),
                cmocka_unit_test_setup(test_short_expiry, begin),
                cmocka_unit_test_setup(test_nearer_limit, begin),
                cmocka_unit_test_setup(test_lost, begin),
                cmocka_unit_test_setup(test_absurd_numbers, begin),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
