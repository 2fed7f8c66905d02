#include "db/my_meta.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

/* A name of 40 bytes is the longest that a pipeline may have, 64 the longest of a lock. */
static void test_lock_name(void **state)
{
        char name[MY_META_LOCK];

        (void)state;
        assert_string_equal(my_meta_lock_name("shop", name), "culvert_shop");
        my_meta_lock_name("aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd", name);
        assert_int_equal(strlen(name), 48);
}

static void test_checkpoint(void **state)
{
        AUTO_BUF sql = BUF_INIT;

        (void)state;
        my_meta_checkpoint_sql(&sql, "o'k", 7, (struct position){.file = 3, .lsn = 4711},
                "0-1-5");
        assert_string_equal(buf_text(&sql),
                "update culvert.checkpoint set position = '000003:4711 0-1-5', counter = counter + 1, "
                "updated_at = utc_timestamp(6) where pipeline = 'o\\'k' and direction = 'forward' "
                "and lane = 0 and epoch = 7");
}

/* The answers are told by their places (HAZARDS A6). */
static void test_epoch(void **state)
{
        static const char *const begins[] = {
                "start transaction", "select epoch, position, source", "update", "commit"};
        AUTO_BUF sql = BUF_INIT;
        char *at, *statement;
        unsigned n = 0;

        (void)state;
        my_meta_epoch_sql(&sql, "shop");
        at = sql.data;
        while ((statement = strsep(&at, ";"))) {
                assert_in_range(n, 0, 3);
                assert_ptr_equal(strstr(statement, begins[n]), statement);
                assert_int_equal(strstr(statement, "for update") != NULL, n == MY_META_EPOCH_READ);
                n++;
        }
        assert_int_equal(n, 4);
}

static void test_fenced(void **state)
{
        struct error e = ERROR_INIT;

        (void)state;
        assert_int_equal(my_meta_fenced(&e, "shop"), -1);
        assert_int_equal(e.class, ERROR_BUG);
        assert_ptr_equal(strstr(e.message, "fenced: "), e.message);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_lock_name),
                cmocka_unit_test(test_checkpoint),
                cmocka_unit_test(test_epoch),
                cmocka_unit_test(test_fenced),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
