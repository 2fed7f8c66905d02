/*
 * The decoder's text of each type against what the server's SELECT gave: tests/unit/data/binlog-*
 * are files of real servers, recorded by tests/tools/record_binlog.
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

/* Tables are written in the order of the script, but read in the order of their names. */
static int by_table(const void *a, const void *b)
{
        const char *x = *(char *const *)a, *y = *(char *const *)b;
        size_t n = strcspn(x, "|"), m = strcspn(y, "|");
        int order = strncmp(x, y, n < m ? n : m);

        return order ? order : n != m ? (int)n - (int)m : x < y ? -1 : 1;
}

static size_t split(char *text, char **lines, size_t max)
{
        size_t n = 0;
        char *line;

        while ((line = strsep(&text, "\n")))
                if (*line && n < max)
                        lines[n++] = line;
        return n;
}

static void check(const char *name, const char *expected)
{
        static char *got[2000], *want[2000];
        AUTO_STRING text_name = memory_printf("%s.txt", expected);
        AUTO_STRING file_name = memory_printf("%s.bin", name);
        size_t text_len, file_len, got_n, want_n;
        char *text = heard_read(text_name, &text_len), *file = heard_read(file_name, &file_len);
        struct heard h = {.rows_only = true, .refuse = true};
        struct error e = ERROR_INIT;
        struct binlog *b;
        const char *rows;

        assert_non_null(text);
        assert_non_null(file);
        rows = heard_shapes(&h, text);
        b = heard_decoder(&h, 1 << 20);
        if (heard_file(b, file, file_len, &e) < 0)
                fail_msg("%s: %s", name, e.message);
        got_n = split(h.text.data, got, 2000);
        want_n = split(text + (rows - text), want, 2000);
        qsort(got, got_n, sizeof *got, by_table);
        for (size_t i = 0; i < got_n && i < want_n; i++)
                assert_string_equal(got[i], want[i]);
        assert_int_equal(got_n, want_n);
        binlog_free(b);
        heard_done(&h);
        free(text);
        free(file);
}

static void test_mariadb_full(void **state)
{
        (void)state;
        check("binlog-mariadb-full", "binlog-mariadb-full");
}

/* Without names and signs in the table maps, and with compressed events. */
static void test_mariadb_no_log(void **state)
{
        (void)state;
        check("binlog-mariadb-no-log", "binlog-mariadb-full");
}

/* In compressed transactions. */
static void test_mysql(void **state)
{
        (void)state;
        check("binlog-mysql-full", "binlog-mysql-full");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_mariadb_full),
                cmocka_unit_test(test_mariadb_no_log),
                cmocka_unit_test(test_mysql),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
