#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static void test_append(void **state)
{
        AUTO_BUF b = BUF_INIT;

        (void)state;
        assert_string_equal(buf_text(&b), "");
        buf_str(&b, "select ");
        buf_char(&b, '1');
        buf_add(&b, ", 2xx", 3);
        buf_add(&b, NULL, 0);
        buf_printf(&b, " %s %d", "limit", 7);
        assert_string_equal(buf_text(&b), "select 1, 2 limit 7");
        assert_int_equal(b.len, strlen("select 1, 2 limit 7"));
        buf_clear(&b);
        assert_string_equal(buf_text(&b), "");
        assert_int_equal(b.len, 0);
}

static void test_growth(void **state)
{
        AUTO_BUF b = BUF_INIT;

        (void)state;
        for (int i = 0; i < 10000; i++) {
                buf_printf(&b, "%04d", i);
                assert_int_equal(b.len, (size_t)(i + 1) * 4);
                assert_int_equal(b.data[b.len], 0);
        }
        for (int i = 0; i < 10000; i++) {
                char want[8] = {(char)('0' + i / 1000), (char)('0' + i / 100 % 10),
                        (char)('0' + i / 10 % 10), (char)('0' + i % 10)};

                assert_memory_equal(b.data + 4 * i, want, 4);
        }
}

static void test_room(void **state)
{
        AUTO_BUF b = BUF_INIT;

        (void)state;
        buf_str(&b, "ab");
        memset(buf_room(&b, 1000), 'x', 1000);
        assert_int_equal(b.len, 2);
        b.len += 1000;
        buf_str(&b, "c");
        assert_int_equal(b.len, 1003);
        assert_int_equal(strncmp(b.data, "abxx", 4), 0);
        assert_string_equal(b.data + 1001, "xc");
}

static void test_take(void **state)
{
        struct buf b = BUF_INIT;
        char *s = buf_take(&b);

        (void)state;
        assert_string_equal(s, "");
        free(s);
        buf_str(&b, "mine");
        s = buf_take(&b);
        assert_string_equal(s, "mine");
        assert_null(b.data);
        assert_int_equal(b.len, 0);
        free(s);
        buf_done(&b);
}

static void test_numbers_both_ways(void **state)
{
        AUTO_BUF b = BUF_INIT;
        struct reader r;

        (void)state;
        buf_char(&b, '\xfe');
        buf_u32(&b, 0x01020304);
        buf_u64(&b, UINT64_C(0xfedcba9876543210));
        buf_add(&b, "hello", 6);
        buf_add(&b, "\x12\x34", 2);
        assert_memory_equal(b.data + 1, "\x01\x02\x03\x04", 4);
        r = reader_of(b.data, b.len);
        assert_int_equal(reader_u8(&r), 0xfe);
        assert_int_equal(reader_u32(&r), 0x01020304);
        assert_true(reader_u64(&r) == UINT64_C(0xfedcba9876543210));
        assert_string_equal(reader_cstr(&r), "hello");
        assert_false(reader_done(&r));
        assert_int_equal(reader_left(&r), 2);
        assert_int_equal(reader_u16(&r), 0x1234);
        assert_true(reader_done(&r));
}

static void test_failure_sticks(void **state)
{
        struct reader r = reader_of("\x01\x02\x03", 3);

        (void)state;
        assert_int_equal(reader_u32(&r), 0);
        assert_false(reader_ok(&r));
        assert_int_equal(reader_u8(&r), 0); /* there are bytes, but it has failed */
        assert_string_equal(reader_cstr(&r), "");
        assert_null(reader_bytes(&r, 1));
        assert_null(reader_bytes(&r, 0));
        assert_false(reader_done(&r));
}

static void test_text_needs_its_nul(void **state)
{
        struct reader r = reader_of("abc", 3);

        (void)state;
        assert_string_equal(reader_cstr(&r), "");
        assert_false(reader_ok(&r));
        r = reader_of("", 0);
        assert_true(reader_done(&r));
        assert_string_equal(reader_cstr(&r), "");
        assert_false(reader_ok(&r));
}

static void test_huge_length(void **state)
{
        struct reader r = reader_of("abcd", 4);

        (void)state;
        assert_null(reader_bytes(&r, SIZE_MAX));
        assert_false(reader_ok(&r));
        assert_int_equal(reader_left(&r), 4);
}

static void test_little_endian(void **state)
{
        struct reader r = reader_of("\x01\x02\x01\x02\x03\x01\x02\x03\x04\x01\x02\x03\x04\x05\x06"
                                    "\x01\x02\x03\x04\x05\x06\x07\x08\x01\x02\x03",
                26);

        (void)state;
        assert_int_equal(reader_le16(&r), 0x0201);
        assert_int_equal(reader_le24(&r), 0x030201);
        assert_int_equal(reader_le32(&r), 0x04030201);
        assert_int_equal(reader_le48(&r), 0x060504030201);
        assert_int_equal(reader_le64(&r), 0x0807060504030201);
        assert_int_equal(reader_be(&r, 3), 0x010203);
        assert_true(reader_done(&r));
        assert_int_equal(reader_le(&r, 1), 0);
        assert_false(reader_ok(&r));
        r = reader_of(NULL, 0);
        assert_true(reader_done(&r));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_append),
                cmocka_unit_test(test_growth),
                cmocka_unit_test(test_room),
                cmocka_unit_test(test_take),
                cmocka_unit_test(test_numbers_both_ways),
                cmocka_unit_test(test_failure_sticks),
                cmocka_unit_test(test_text_needs_its_nul),
                cmocka_unit_test(test_huge_length),
                cmocka_unit_test(test_little_endian),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
