#include "decoders/binlog_gtid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define A "00000000-0000-0000-0000-00000000000a"
#define B "fedcba98-7654-3210-0123-456789abcdef"

static struct gtids *parsed(enum engine engine, const char *text)
{
        struct error e = ERROR_INIT;
        struct gtids *g = gtids_parse(engine, text, &e);

        assert_non_null(g);
        return g;
}

static void assert_text(const struct gtids *g, const char *text)
{
        AUTO_BUF out = BUF_INIT;

        gtids_format(g, &out);
        assert_string_equal(buf_text(&out), text);
}

static void assert_normal(enum engine engine, const char *text, const char *normal)
{
        struct gtids *g = parsed(engine, text);

        assert_text(g, normal);
        gtids_free(g);
}

static void test_text(void **state)
{
        (void)state;
        assert_normal(ENGINE_MARIADB, "", "");
        assert_normal(ENGINE_MARIADB, "1-2-7, 0-1-55", "0-1-55,1-2-7");
        assert_normal(ENGINE_MARIADB, "~4294967295-4294967295-9", "4294967295-4294967295-9");
        assert_normal(ENGINE_MYSQL, B ":1-5:7,\n" A ":9", A ":9," B ":1-5:7");
        assert_normal(ENGINE_MYSQL, A ":7:1-3:4-6", A ":1-7");
        assert_normal(ENGINE_MYSQL, A ":1-3:Tag:5:x_1:2," A ":tag:6-7", A ":1-3:tag:5-7:x_1:2");
}

static void test_refused(void **state)
{
        static const char *const mysql[] = {"x", A, A ":", A ":0", A ":3-2", A ":1:tag", A "1:1",
                A ":1,,", A ":9223372036854775807", A ":99999999999999999999", "0-1-5",
                A ":a23456789012345678901234567890123:1"};
        static const char *const mariadb[] = {"0-1", "0-1-", "4294967296-1-1", "0-1-5;", A ":1"};
        struct error e = ERROR_INIT;

        (void)state;
        for (size_t i = 0; i < sizeof mysql / sizeof *mysql; i++)
                assert_null(gtids_parse(ENGINE_MYSQL, mysql[i], &e));
        for (size_t i = 0; i < sizeof mariadb / sizeof *mariadb; i++)
                assert_null(gtids_parse(ENGINE_MARIADB, mariadb[i], &e));
}

static void test_add(void **state)
{
        struct gtids *g = parsed(ENGINE_MYSQL, A ":1-3:6");
        struct gtid one = {.uuid = {[15] = 10}, .number = 5};

        (void)state;
        assert_false(gtids_contains(g, &one));
        assert_true(gtids_add(g, &one));
        assert_text(g, A ":1-3:5-6");
        one.number = 4;
        assert_true(gtids_add(g, &one));
        assert_true(gtids_add(g, &one));
        assert_text(g, A ":1-6");
        assert_true(gtids_contains(g, &one));
        strcpy(one.tag, "t");
        assert_false(gtids_contains(g, &one));
        gtids_free(g);
}

static void test_domains(void **state)
{
        struct gtids *g = parsed(ENGINE_MARIADB, "0-1-9");
        struct gtids *more = parsed(ENGINE_MARIADB, "0-1-4,3-3-3");
        struct gtid one = {.domain = 0, .server = 2, .number = 7};

        (void)state;
        assert_true(gtids_contains(g, &one));
        assert_true(gtids_add(g, &one)); /* the last one counts, whatever its number */
        assert_true(gtids_add_domains(g, more));
        assert_text(g, "0-2-7,3-3-3");
        assert_true(gtids_domain(g, 1, &one));
        assert_int_equal(one.domain, 3);
        assert_false(gtids_domain(g, 2, &one));
        gtids_free(g);
        gtids_free(more);
}

static void test_bounded(void **state)
{
        struct gtids *g = parsed(ENGINE_MYSQL, "");
        struct gtid one = {.number = 1};

        (void)state;
        for (unsigned i = 0; i < GTID_RANGES; i++, one.number += 2)
                assert_true(gtids_add(g, &one));
        assert_false(gtids_add(g, &one));
        gtids_free(g);
}

static void test_encoding(void **state)
{
        static const uint8_t plain[] = {1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 10, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0,
                0};
        struct gtids *g = parsed(ENGINE_MYSQL, A ":1-3");
        AUTO_BUF out = BUF_INIT;

        (void)state;
        gtids_encode(g, &out);
        assert_int_equal(out.len, sizeof plain);
        assert_memory_equal(out.data, plain, sizeof plain);
        gtids_free(g);
        g = parsed(ENGINE_MYSQL, A ":1-3:ab:2");
        buf_clear(&out);
        gtids_encode(g, &out);
        assert_int_equal(out.len, 8 + 2 * (16 + 1 + 8 + 16) + 2);
        assert_memory_equal(out.data, "\1\2\0\0\0\0\0\1", 8);
        assert_int_equal(out.data[8 + 16], 0);
        assert_memory_equal(out.data + 8 + 41 + 16, "\4ab", 3);
        gtids_free(g);
}

static void test_tagged_event(void **state)
{
        uint8_t event[] = {2, 60, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x29, 3,
                4, 40, 6, 4, 'a', 'b'};
        struct reader in = reader_of(event, sizeof event);
        struct gtid one = gtid_of_mysql_tagged(&in);

        (void)state;
        assert_true(reader_ok(&in));
        assert_int_equal(one.uuid[15], 0xca);
        assert_int_equal(one.number, 10);
        assert_string_equal(one.tag, "ab");
        for (size_t len = 0; len < sizeof event; len++) {
                in = reader_of(event, len);
                gtid_of_mysql_tagged(&in);
                assert_false(reader_ok(&in));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_text),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_add),
                cmocka_unit_test(test_domains),
                cmocka_unit_test(test_bounded),
                cmocka_unit_test(test_encoding),
                cmocka_unit_test(test_tagged_event),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
