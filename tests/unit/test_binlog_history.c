#include "decoders/binlog_history.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define GREATEST "2038-01-19 03:14:07.999999"
#define LATER "2106-02-07 06:28:15.999999" /* MariaDB 11.5 */
#define ENDED "2024-05-06 07:08:09.123456"

static struct relation *shape;
static struct binlog_map map;

static int set_up(void **state)
{
        (void)state;
        shape = relation_new(0, "s", "t", IDENTITY_DEFAULT, 2);
        map = (struct binlog_map){.shape = shape, .columns_n = 2, .row_end = 1};
        return 0;
}

static int tear_down(void **state)
{
        (void)state;
        relation_unref(shape);
        return 0;
}

static struct value text(const char *s)
{
        return (struct value){.kind = VALUE_TEXT, .len = (uint32_t)strlen(s), .data = s};
}

static int current(const char *end)
{
        struct value row[2] = {text("1"), text(end)};
        struct error e = ERROR_INIT;

        return binlog_history_current(&map, row, &e);
}

static enum binlog_history update(const char *was, const char *is)
{
        struct value old[2] = {text("1"), text(was)}, new[2] = {text("1"), text(is)};
        enum binlog_history what;
        struct error e = ERROR_INIT;

        assert_int_equal(binlog_history_update(&map, old, new, &what, &e), 0);
        return what;
}

static void test_rows(void **state)
{
        (void)state;
        assert_int_equal(current(GREATEST), 1);
        assert_int_equal(current(LATER), 1);
        assert_int_equal(current(ENDED), 0);
        assert_int_equal(current("2038-01-19 03:14:07.999998"), 0);
        map.row_end = -1;
        assert_int_equal(current(ENDED), 1);
}

static void test_updates(void **state)
{
        (void)state;
        assert_int_equal(update(GREATEST, GREATEST), HISTORY_CHANGE);
        assert_int_equal(update(GREATEST, ENDED), HISTORY_END);
        assert_int_equal(update(ENDED, ENDED), HISTORY_NONE);
        map.row_end = -1;
        assert_int_equal(update(ENDED, GREATEST), HISTORY_CHANGE);
}

static void test_what_cannot_be_told(void **state)
{
        struct value row[2] = {text("1"), {.kind = VALUE_UNCHANGED}};
        struct value old[2] = {text("1"), text(ENDED)}, new[2] = {text("1"), text(GREATEST)};
        enum binlog_history what;
        struct error e = ERROR_INIT;

        (void)state;
        assert_int_equal(binlog_history_current(&map, row, &e), -1);
        assert_int_equal(e.class, ERROR_DATA);
        assert_non_null(strstr(e.message, "s.t"));
        assert_non_null(strstr(e.message, "binlog_row_image"));
        error_clear(&e);
        assert_int_equal(binlog_history_update(&map, old, new, &what, &e), -1);
        assert_non_null(strstr(e.message, "was history"));
}

/* The end of a row's time is in the primary key that the log tells of, and in none of ours. */
static void test_columns(void **state)
{
        (void)state;
        relation_set_column(shape, 0, "a", 0, 0, false);
        relation_set_native(shape, 0, "timestamp(6) generated as row start");
        relation_set_column(shape, 1, "z", 0, 0, false);
        relation_set_native(shape, 1, "timestamp(6) generated as row end");
        assert_int_equal(column_period(&shape->columns[0]), PERIOD_START);
        assert_int_equal(column_period(&shape->columns[1]), PERIOD_END);
        assert_true(column_is_generated(&shape->columns[1]));
        relation_set_native(shape, 1, "timestamp(6) generated");
        assert_int_equal(column_period(&shape->columns[1]), PERIOD_NONE);
        assert_true(column_is_generated(&shape->columns[1]));
        relation_set_native(shape, 1, "timestamp(6)");
        assert_false(column_is_generated(&shape->columns[1]));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_rows, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_updates, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_what_cannot_be_told, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_columns, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
