#include "decoders/binlog_keep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct position at(uint32_t file, uint64_t offset)
{
        return (struct position){.file = file, .lsn = offset};
}

static struct source_retention say(const struct binlog_keep *k, struct position from, int64_t now)
{
        struct source_retention out = SOURCE_RETENTION_UNKNOWN;
        struct binlog_logs logs = {0};

        for (uint32_t f = 3; f <= 6; f++)
                binlog_logs_add(&logs, f, 1000);
        binlog_keep_say(k, &logs, from, now, &out);
        binlog_logs_done(&logs);
        return out;
}

static void expect_expiry(const char *const *variables, double expiry, const char *clock)
{
        struct binlog_keep k = {0};

        binlog_keep_begin(&k);
        for (; *variables; variables += 2)
                binlog_keep_variable(&k, variables[0], variables[1]);
        assert_true(k.expiry == expiry);
        if (clock)
                assert_string_equal(k.clock, clock);
        else
                assert_true(expiry == 0);
}

#define EXPECT_EXPIRY(expiry, clock, ...)                                                          \
        expect_expiry((const char *const[]){__VA_ARGS__, NULL}, expiry, clock)

static void test_expiry(void **state)
{
        (void)state;
        EXPECT_EXPIRY(3600, "binlog_expire_logs_seconds", "binlog_expire_logs_seconds", "3600");
        EXPECT_EXPIRY(0, NULL, "binlog_expire_logs_seconds", "0", "expire_logs_days", "0");
        EXPECT_EXPIRY(43200, "expire_logs_days", "expire_logs_days", "0.500000");
        EXPECT_EXPIRY(60, "binlog_expire_logs_seconds", "expire_logs_days", "1",
                "binlog_expire_logs_seconds", "60");
        EXPECT_EXPIRY(60, "binlog_expire_logs_seconds", "binlog_expire_logs_seconds", "60",
                "expire_logs_days", "1");
        EXPECT_EXPIRY(172800, "expire_logs_days", "binlog_expire_logs_seconds", "0",
                "expire_logs_days", "2");
        /* MySQL with purging off */
        EXPECT_EXPIRY(0, NULL, "binlog_expire_logs_auto_purge", "OFF", "binlog_expire_logs_seconds",
                "60");
        EXPECT_EXPIRY(0, NULL, "binlog_expire_logs_seconds", "60", "binlog_expire_logs_auto_purge",
                "OFF");
        EXPECT_EXPIRY(60, "binlog_expire_logs_seconds", "binlog_expire_logs_auto_purge", "ON",
                "binlog_expire_logs_seconds", "60");
        EXPECT_EXPIRY(0, NULL, "binlog_expire_logs_seconds", "rubbish", "expire_logs_days", "-1");
        EXPECT_EXPIRY(0, NULL, "binlog_expire_logs_seconds", "inf", "expire_logs_days", "nan");
}

static void test_room(void **state)
{
        struct binlog_keep k = {0};
        struct source_retention out;

        (void)state;
        binlog_keep_begin(&k);
        binlog_keep_variable(&k, "max_binlog_total_size", "0");
        assert_true(k.room == 0);
        binlog_keep_variable(&k, "max_binlog_total_size", "5000");
        binlog_keep_variable(&k, "binlog_space_limit", "5000");
        assert_true(k.room == 5000);
        assert_string_equal(k.limit, "max_binlog_total_size");
        out = say(&k, at(4, 900), 0);
        /* the whole file goes, and with it what we have of it */
        assert_true(out.held == 2100 && out.used == 3000 && out.allowed == 5000);
        out = say(&k, at(6, 0), 0);
        assert_true(out.held == 1000 && out.allowed == -1);
        k.room = UINT64_MAX;
        assert_true(say(&k, at(4, 0), 0).allowed == INT64_MAX);
}

static void test_age_from_the_stream(void **state)
{
        struct binlog_keep k = {.expiry = 3600};

        (void)state;
        assert_true(say(&k, at(4, 900), 5000).age == -1);
        binlog_keep_opened(&k, 4, 1000);
        assert_true(say(&k, at(4, 900), 5000).age == -1);
        binlog_keep_opened(&k, 5, 2000);
        assert_true(say(&k, at(4, 900), 5000).age == 3000);
        assert_true(say(&k, at(4, 900), 5000).expiry == 3600);
        assert_true(say(&k, at(6, 900), 5000).age == -1); /* is written */
        assert_true(say(&k, at(4, 900), 2010).age == -1); /* closed just now */
        assert_true(say(&k, at(4, 900), 1000).age == -1); /* a clock that was put back */
        k.expiry = 0;
        assert_true(say(&k, at(4, 900), 5000).age == -1);
        k.expiry = 3600;
        binlog_keep_opened(&k, 5, 0);
        assert_true(say(&k, at(4, 900), 5000).age == 3000);
        binlog_keep_forget(&k, 6);
        assert_true(say(&k, at(4, 900), 5000).age == -1);
}

static void test_age_from_two_looks(void **state)
{
        struct binlog_keep k = {.expiry = 3600};

        (void)state;
        binlog_keep_look(&k, 4, 1000);
        assert_true(say(&k, at(4, 900), 5000).age == -1);
        binlog_keep_look(&k, 6, 1010);
        assert_true(say(&k, at(4, 900), 5000).age == 4000);
        assert_true(say(&k, at(5, 900), 5000).age == 4000);
        assert_true(say(&k, at(3, 900), 5000).age == -1); /* closed before anybody looked */
        /* the stream knows better, whenever it comes */
        binlog_keep_opened(&k, 5, 1005);
        assert_true(say(&k, at(4, 900), 5000).age == 3995);
        binlog_keep_look(&k, 6, 1020);
        assert_true(say(&k, at(4, 900), 5000).age == 3995);
}

static void test_looks_that_tell_nothing(void **state)
{
        struct binlog_keep k = {.expiry = 3600};

        (void)state;
        binlog_keep_look(&k, 4, 1000);
        binlog_keep_look(&k, 5, 5000); /* anywhere in an hour */
        assert_true(say(&k, at(4, 900), 6000).age == -1);
        binlog_keep_look(&k, 6, 5010);
        assert_true(say(&k, at(5, 900), 6000).age == 1000);
        binlog_keep_look(&k, 1, 5020); /* begun anew */
        assert_true(say(&k, at(5, 900), 6000).age == -1);
}

static void test_bounded(void **state)
{
        struct binlog_keep k = {.expiry = 3600};

        (void)state;
        for (uint32_t f = 2000; f > 1000; f--)
                binlog_keep_opened(&k, f, f);
        assert_int_equal(k.n, BINLOG_OPENED_MAX);
        assert_int_equal(k.opened[0].file, 1001);
        for (uint32_t f = 1; f < 1000; f++)
                binlog_keep_opened(&k, f, f);
        assert_int_equal(k.n, BINLOG_OPENED_MAX);
        assert_int_equal(k.opened[0].file, 1);
        binlog_keep_look(&k, 1, 100);
        binlog_keep_look(&k, UINT32_MAX, 110);
        assert_int_equal(k.n, BINLOG_OPENED_MAX);
        binlog_keep_forget(&k, UINT32_MAX);
        assert_int_equal(k.n, 0);
        binlog_keep_opened(&k, UINT32_MAX, 1);
        assert_true(say(&k, at(UINT32_MAX, 4), 500).age == -1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_expiry),
                cmocka_unit_test(test_room),
                cmocka_unit_test(test_age_from_the_stream),
                cmocka_unit_test(test_age_from_two_looks),
                cmocka_unit_test(test_looks_that_tell_nothing),
                cmocka_unit_test(test_bounded),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
