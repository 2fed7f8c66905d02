#include "decoders/binlog_identity.h"
#include "decoders/binlog_logs.h"
#include "decoders/binlog_replica.h"

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

static struct binlog_logs three_logs(void)
{
        struct binlog_logs logs = {0};

        binlog_logs_add(&logs, 1000000, 300);
        binlog_logs_add(&logs, 999998, 100);
        binlog_logs_add(&logs, 999999, 200);
        return logs;
}

static void expect(const struct binlog_logs *logs, struct position from, const char *want)
{
        struct error e = ERROR_INIT;

        if (!want) {
                assert_int_equal(binlog_logs_check(logs, "bin", from, &e), 0);
                return;
        }
        assert_int_equal(binlog_logs_check(logs, "bin", from, &e), -1);
        assert_int_equal(e.class, ERROR_DATA);
        assert_string_equal(e.message, want);
}

static void test_numbers_not_names_give_the_order(void **state)
{
        struct binlog_logs logs = three_logs();

        (void)state;
        assert_int_equal(logs.n, 3);
        assert_int_equal(logs.log[0].file, 999998);
        assert_int_equal(logs.log[2].file, 1000000);
        binlog_logs_done(&logs);
        assert_int_equal(logs.n, 0);
}

static void test_check(void **state)
{
        struct binlog_logs logs = three_logs(), none = {0}, hole = {0};

        (void)state;
        expect(&logs, at(999998, 4), NULL);
        expect(&logs, at(999999, 200), NULL);
        expect(&logs, at(1000000, 300), NULL);
        expect(&logs, at(7, 4),
                "resync required: the source has no binlog bin.000007 any more (it keeps from "
                "bin.999998 on)");
        expect(&logs, at(999999, 201),
                "resync required: the source's binlog bin.999999 ends at 200, before the "
                "checkpoint at 201: it was put back to an older state, or lost its tail in a "
                "crash");
        expect(&logs, at(1000001, 4),
                "resync required: the source's binlog ends before bin.1000001, with "
                "bin.1000000: it was put back to an older state, or its log was begun anew");
        expect(&none, at(1, 4),
                "resync required: the source has no binlog bin.000001, nor any other");
        binlog_logs_add(&hole, 1, 10);
        binlog_logs_add(&hole, 3, 10);
        expect(&hole, at(2, 4),
                "resync required: the source has no binlog bin.000002 any more (it keeps from "
                "bin.000003 on)");
        binlog_logs_done(&logs);
        binlog_logs_done(&hole);
}

static void test_held(void **state)
{
        struct binlog_logs logs = three_logs();

        (void)state;
        assert_int_equal(binlog_logs_held(&logs, at(1000000, 300)), 0);
        assert_int_equal(binlog_logs_held(&logs, at(1000000, 400)), 0);
        assert_int_equal(binlog_logs_held(&logs, at(1000000, 100)), 200);
        assert_int_equal(binlog_logs_held(&logs, at(999999, 150)), 350);
        assert_int_equal(binlog_logs_held(&logs, at(2, 4)), 600);
        assert_int_equal(binlog_logs_held(&logs, at(1000002, 4)), 0);
        binlog_logs_done(&logs);
}

static void test_names(void **state)
{
        char *name = binlog_file_name("mysql-bin", 3);

        (void)state;
        assert_string_equal(name, "mysql-bin.000003");
        free(name);
        name = binlog_file_name("a.b", 4294967295u);
        assert_string_equal(name, "a.b.4294967295");
        free(name);
}

static void test_status_statement(void **state)
{
        (void)state;
        assert_string_equal(binlog_status_sql(ENGINE_MARIADB, 101119), "SHOW MASTER STATUS");
        assert_string_equal(binlog_status_sql(ENGINE_MARIADB, 110400), "SHOW MASTER STATUS");
        assert_string_equal(binlog_status_sql(ENGINE_MYSQL, 80042), "SHOW MASTER STATUS");
        assert_string_equal(binlog_status_sql(ENGINE_MYSQL, 80200), "SHOW BINARY LOG STATUS");
        assert_string_equal(binlog_status_sql(ENGINE_MYSQL, 90704), "SHOW BINARY LOG STATUS");
}

static void test_start(void **state)
{
        (void)state;
        assert_int_equal(binlog_replica_start(at(3, 4711)).lsn, 4711);
        assert_int_equal(binlog_replica_start(at(3, UINT32_MAX)).lsn, UINT32_MAX);
        assert_int_equal(binlog_replica_start(at(3, UINT64_C(1) << 32)).lsn, 4);
        assert_int_equal(binlog_replica_start(at(3, UINT64_C(1) << 32)).file, 3);
        assert_int_equal(binlog_replica_start(at(3, 0)).lsn, 4);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_numbers_not_names_give_the_order),
                cmocka_unit_test(test_check),
                cmocka_unit_test(test_held),
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_status_statement),
                cmocka_unit_test(test_start),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
