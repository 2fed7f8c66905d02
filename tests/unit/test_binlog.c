/*
 * Transactions and statements. tests/unit/data/binlog-*-changes.bin and binlog-mysql-json.bin are
 * files of real servers, recorded by tests/tools/record_binlog; the .txt beside them begin with the
 * shapes that are known, and go on with what the decoder must say.
 */
#include "base/memory.h"
#include "tests/support/binlog_heard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is said of a recorded file, up to an error, which is the last line. */
static void check_file(const char *name)
{
        AUTO_STRING text_name = memory_printf("%s.txt", name);
        AUTO_STRING file_name = memory_printf("%s.bin", name);
        size_t text_len, file_len;
        char *text = heard_read(text_name, &text_len), *file = heard_read(file_name, &file_len);
        struct heard h = {0};
        struct error e = ERROR_INIT;
        struct binlog *b;
        const char *want;

        assert_non_null(text);
        assert_non_null(file);
        want = heard_shapes(&h, text);
        b = heard_decoder(&h, 1 << 20);
        if (heard_file(b, file, file_len, &e) < 0)
                buf_printf(&h.text, "error %s\n", e.message);
        else
                assert_true(binlog_idle(b));
        if (getenv("SHOW"))
                printf("%s", buf_text(&h.text));
        else
                assert_string_equal(buf_text(&h.text), want);
        binlog_free(b);
        heard_done(&h);
        free(text);
        free(file);
}

static void test_mariadb_changes(void **state)
{
        (void)state;
        check_file("binlog-mariadb-changes");
}

static void test_mysql_changes(void **state)
{
        (void)state;
        check_file("binlog-mysql-changes");
}

static void test_mysql_json(void **state)
{
        (void)state;
        check_file("binlog-mysql-json");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_mariadb_changes),
                cmocka_unit_test(test_mysql_changes),
                cmocka_unit_test(test_mysql_json),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
