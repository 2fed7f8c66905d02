#include "ops/copy_row.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static int split(struct copy_row *r, const char *line, unsigned n)
{
        return copy_row_split(r, line, strlen(line), n);
}

static void assert_value(const struct copy_row *r, unsigned i, const char *text)
{
        assert_int_equal(r->columns[i].null, text == NULL);
        if (!text)
                return;
        assert_int_equal(r->columns[i].len, strlen(text));
        assert_memory_equal(r->columns[i].text, text, strlen(text));
}

static void test_plain(void **state)
{
        struct copy_row r = {0};

        (void)state;
        assert_int_equal(split(&r, "1\tabc\t\\N\t\n", 4), 0);
        assert_value(&r, 0, "1");
        assert_value(&r, 1, "abc");
        assert_value(&r, 2, NULL);
        assert_value(&r, 3, "");
        assert_int_equal(split(&r, "", 1), 0);
        assert_value(&r, 0, "");
        assert_int_equal(split(&r, "\n", 0), 0);
        copy_row_done(&r);
}

static void test_escapes(void **state)
{
        struct copy_row r = {0};

        (void)state;
        assert_int_equal(split(&r, "a\\tb\\nc\\rd\\\\e\\bf\\fg\\vh\t\\\\N\n", 2), 0);
        assert_value(&r, 0, "a\tb\nc\rd\\e\bf\fg\vh");
        assert_value(&r, 1, "\\N");
        /* \N is NULL only when it is all there is */
        assert_int_equal(split(&r, "\\Nx\tx\\N", 2), 0);
        assert_value(&r, 0, "Nx");
        assert_value(&r, 1, "xN");
        copy_row_done(&r);
}

static void test_not_a_row(void **state)
{
        struct copy_row r = {0};

        (void)state;
        assert_int_equal(split(&r, "1\t2\n", 3), -1);
        assert_int_equal(split(&r, "1\t2\t3\n", 2), -1);
        assert_int_equal(split(&r, "1", 0), -1);
        assert_int_equal(split(&r, "a\\", 1), -1);
        assert_int_equal(split(&r, "a", 5000), -1);
        copy_row_done(&r);
}

/* Values point into one buffer that grows while the line is read. */
static void test_long(void **state)
{
        struct copy_row r = {0};
        char line[20001], want[10001];

        (void)state;
        memset(line, 'x', sizeof line);
        line[5] = '\t';
        line[20000] = '\0';
        memset(want, 'x', sizeof want);
        assert_int_equal(split(&r, line, 2), 0);
        assert_value(&r, 0, "xxxxx");
        assert_int_equal(r.columns[1].len, 19994);
        assert_memory_equal(r.columns[1].text, want, 10000);
        copy_row_done(&r);
}

static void test_filter(void **state)
{
        struct error e = ERROR_INIT;
        struct filter *f = filter_parse("state = 'a\\b' and n >= 10", &e);
        unsigned at[] = {2, 0};
        struct copy_filter c = {.filter = f, .at = at, .n = 2, .columns_n = 3};
        struct copy_row r = {0};

        (void)state;
        assert_non_null(f);
        assert_int_equal(filter_bind(f, 0, FILTER_TEXT, &e), 0);
        assert_int_equal(filter_bind(f, 1, FILTER_NUMBER, &e), 0);
        assert_int_equal(copy_filter_line(&c, &r, "10\tx\ta\\\\b\n", 10), 1);
        assert_int_equal(copy_filter_line(&c, &r, "9\tx\ta\\\\b\n", 9), 0);
        assert_int_equal(copy_filter_line(&c, &r, "10\tx\t\\N\n", 8), 0);
        assert_int_equal(copy_filter_line(&c, &r, "10\tx\n", 5), -1);
        copy_row_done(&r);
        filter_free(f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_plain),
                cmocka_unit_test(test_escapes),
                cmocka_unit_test(test_not_a_row),
                cmocka_unit_test(test_long),
                cmocka_unit_test(test_filter),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
