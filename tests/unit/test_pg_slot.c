#include "db/pg_slot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void expect_lost(const char *status, const char *reason, const char *message)
{
        struct error e = ERROR_INIT;

        assert_int_equal(pg_slot_usable("s", status, reason, &e), -1);
        assert_int_equal(e.class, ERROR_DATA);
        assert_string_equal(e.message, message);
}

static void test_usable(void **state)
{
        struct error e = ERROR_INIT;

        (void)state;
        assert_int_equal(pg_slot_usable("s", "", "", &e), 0);
        assert_int_equal(pg_slot_usable("s", "reserved", "", &e), 0);
        assert_int_equal(pg_slot_usable("s", "unreserved", "", &e), 0);
        assert_int_equal(e.class, ERROR_NONE);
}

static void test_lost(void **state)
{
        static const char removed[] = "resync required: slot s is lost: the source has removed WAL "
                                      "that it needs (max_slot_wal_keep_size)";

        (void)state;
        expect_lost("lost", "", removed);
        expect_lost("lost", "wal_removed", removed);
        expect_lost("unreserved", "wal_removed", removed);
        expect_lost("lost", "idle_timeout",
                "resync required: slot s is lost: nothing was connected to it for longer than the "
                "source's idle_replication_slot_timeout");
        expect_lost("lost", "wal_level_insufficient",
                "resync required: slot s is invalidated (wal_level_insufficient)");
        expect_lost("reserved", "conflict", "resync required: slot s is invalidated (conflict)");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_usable),
                cmocka_unit_test(test_lost),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
