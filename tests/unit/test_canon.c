#include "model/canon.h"
#include "base/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define PG ENGINE_POSTGRESQL
#define MY ENGINE_MYSQL
#define MARIA ENGINE_MARIADB

static bool same_value(enum engine engine, const char *native, const char *x, const char *y)
{
        struct error e = ERROR_INIT;
        struct coltype *t =
                engine == PG ? coltype_pg(0, -1, native) : coltype_my(engine, native, &e);
        struct canon *c = canon_new(t);
        struct arena *a = arena_new();
        struct value v = {VALUE_TEXT, (uint32_t)strlen(x), x};
        struct value w = {VALUE_TEXT, (uint32_t)strlen(y), y};
        bool same;

        assert_non_null(t);
        canon_value(c, a, &v);
        canon_value(c, a, &w);
        same = v.len == w.len && !memcmp(v.data, w.data, v.len);
        arena_free(a);
        canon_free(c);
        coltype_free(t);
        return same;
}

static const struct {
        enum engine engine;
        const char *native, *x, *y;
        bool same;
} values[] = {
        {PG, "integer", "7", "7", true},
        {MY, "int(5) unsigned zerofill", "00007", "7", true},
        {MY, "int(11)", "-7", "7", false},
        {MY, "bigint(20) unsigned", "18446744073709551615", "18446744073709551614", false},
        {PG, "numeric(10,2)", "1.50", "1.5", true},
        {PG, "numeric(10,2)", "1.50", "1.51", false},
        {PG, "numeric", "1.50", "1.5", false},
        {PG, "numeric", "NaN", "NaN", true},
        {MY, "decimal(65,30)", "3", "3.000000000000000000000000000000", true},
        {MY, "decimal(65,30)", "3", "3.000000000000000000000000000001", false},
        {MY, "decimal(5,2)", "-0.00", "0", true},
        {PG, "real", "0.1", "0.10000000149011612", true},
        {PG, "real", "0.1", "0.10000001", false},
        {PG, "double precision", "0.1", "1e-1", true},
        {PG, "double precision", "-0", "0", false},
        {MARIA, "double", "-0e0", "0", true},
        {PG, "double precision", "NaN", "NaN", true},
        {PG, "double precision", "Infinity", "-Infinity", false},
        {PG, "boolean", "t", "1", true},
        {PG, "boolean", "t", "0", false},
        {PG, "text", "a", "a ", false},
        {PG, "text", "", " ", false},
        {PG, "character(5)", "a", "a    ", true},
        {PG, "character varying(5)", "a", "a ", false},
        {MY, "char(5) charset utf8mb4", "a", "a ", true},
        {MY, "varchar(5) charset utf8mb4", "a", "A", false},
        {PG, "bytea", "\\x00ff", "\\x00fe", false},
        {PG, "timestamp(6) without time zone", "2024-01-01 00:00:00", "2024-01-01 00:00:00.000000",
                true},
        {PG, "timestamp(6) without time zone", "2024-01-01 00:00:00.1",
                "2024-01-01 00:00:00.100001", false},
        {PG, "timestamp(6) with time zone", "2024-01-01 00:00:00.500000+00",
                "2024-01-01 00:00:00.5+00", true},
        {PG, "timestamp(6) with time zone", "2024-01-01 00:00:00+00", "2024-01-01 01:00:00+00",
                false},
        {PG, "timestamp(6) without time zone", "infinity", "-infinity", false},
        {MY, "datetime(6)", "2024-01-01 10:00:00", "2024-01-01 10:00:00.000000", true},
        {MY, "datetime(6)", "2024-01-01 10:00:00", "2024-01-01 10:00:00.000001", false},
        {MY, "time(3)", "-00:00:00", "00:00:00.000", true},
        {PG, "interval", "838:59:59.500", "838:59:59.5", true},
        {PG, "uuid", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "a0eebc999c0b4ef8bb6d6bb9bd380a11",
                true},
        {PG, "inet", "2001:0db8::0001", "2001:db8::1", true},
        {PG, "inet", "10.0.0.1", "10.0.0.2", false},
        {PG, "inet", "10.0.0.0/8", "10.0.0.0/9", false},
        {PG, "text[]", "{a,b}", "{\"a\",b}", true},
        {PG, "text[]", "{a,b}", "{a,b,c}", false},
        {PG, "text[]", "{NULL}", "{\"NULL\"}", false},
        {PG, "text[]", "{\"a\\\"b\",\"c,d\"}", "{\"a\\\"b\",\"c,d\"}", true},
        {PG, "integer[]", "{{1,2},{3,4}}", "{1,2,3,4}", false},
        {PG, "json", "{\"a\":1}", "{\"a\": 1}", false},
        {PG, "jsonb", "{\"a\":1,\"b\":[1,2]}", "{\"b\": [1, 2], \"a\": 1}", true},
        {PG, "jsonb", "{\"a\":1}", "{\"a\":1.0}", false},
        {PG, "jsonb", "{\"a\":1.0}", "{\"a\":1.00}", false},
        {PG, "jsonb", "{\"a\":1e2}", "{\"a\":100}", true},
        {PG, "jsonb", "\"\\u00e9\\n\"", "\"\xc3\xa9\\u000a\"", true},
        {PG, "jsonb", "\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\"", true},
        {PG, "jsonb", "[1,2]", "[2,1]", false},
        {PG, "jsonb", "{\"a\":{\"b\":null}}", "{\"a\":{\"b\":false}}", false},
        {PG, "jsonb", "{\"a\":\"b,c\"}", "{\"a\":\"b\",\"c\":1}", false},
        {MY, "json", "{\"a\":1}", "{\"a\": 1}", true},
        {MY, "json", "1", "1.0", false},
        {MY, "json", "1.50", "1.5", true},
        {MY, "json", "18446744073709551615", "18446744073709551614", false},
        {MY, "json", "100000000000000000000", "1e20", true},
        {MARIA, "json", "{\"a\":1}", "{\"a\": 1}", false},
        {PG, "jsonb", "[1,", "[1", false},
};

static void test_values(void **state)
{
        (void)state;
        for (size_t i = 0; i < sizeof values / sizeof *values; i++)
                if (same_value(values[i].engine, values[i].native, values[i].x, values[i].y) !=
                        values[i].same)
                        fail_msg("%s: %s and %s", values[i].native, values[i].x, values[i].y);
}

static void test_padding_of_bytes(void **state)
{
        struct error e = ERROR_INIT;
        struct coltype *t = coltype_my(MY, "binary(4)", &e);
        struct canon *c = canon_new(t);
        struct arena *a = arena_new();
        struct value v = {VALUE_TEXT, 4, "a\0\0"}, null = {.kind = VALUE_NULL};

        (void)state;
        canon_value(c, a, &v);
        assert_int_equal(v.len, 1);
        canon_value(c, a, &null);
        assert_int_equal(null.kind, VALUE_NULL);
        arena_free(a);
        canon_free(c);
        coltype_free(t);
}

static void test_json_depth(void **state)
{
        char deep[4002];
        struct arena *a = arena_new();
        struct value v = {VALUE_TEXT, 4000, deep};

        (void)state;
        memset(deep, '[', 2000);
        memset(deep + 2000, ']', 2000);
        deep[4000] = '\0';
        assert_false(canon_json(a, &v, false));
        assert_ptr_equal(v.data, deep);
        arena_free(a);
}

static bool same_order(enum engine x, const char *a, enum engine y, const char *b)
{
        struct error e = ERROR_INIT;
        struct coltype *t = x == PG ? coltype_pg(0, -1, a) : coltype_my(x, a, &e);
        struct coltype *u = y == PG ? coltype_pg(0, -1, b) : coltype_my(y, b, &e);
        bool same = canon_same_order(t, u);

        coltype_free(t);
        coltype_free(u);
        return same;
}

static void test_order(void **state)
{
        (void)state;
        assert_true(same_order(PG, "integer", MY, "bigint(20)"));
        assert_true(same_order(MY, "decimal(5,2)", PG, "numeric(5,2)"));
        assert_true(same_order(MY, "timestamp", PG, "timestamp(0) with time zone"));
        assert_true(same_order(PG, "uuid", PG, "uuid"));
        assert_false(same_order(PG, "uuid", MY, "char(36) charset ascii"));
        assert_false(same_order(PG, "text", PG, "text"));
        assert_false(same_order(MY, "enum('b','a') charset utf8mb4", PG, "text"));
        assert_false(same_order(PG, "integer", PG, "text"));
}

static void test_digest(void **state)
{
        struct digest a = DIGEST_INIT, b = DIGEST_INIT, c = DIGEST_INIT, d = DIGEST_INIT;

        (void)state;
        digest_add(&a, "ab", 2);
        digest_add(&a, "c", 1);
        digest_add(&b, "a", 1);
        digest_add(&b, "bc", 2);
        assert_false(digest_same(&a, &b));
        digest_add(&c, "the same seventeen", 18);
        digest_add(&d, "the same seventeen", 18);
        assert_true(digest_same(&c, &d));
        digest_add(&c, "", 0);
        assert_false(digest_same(&c, &d));
        for (unsigned bit = 0; bit < 18 * 8; bit++) {
                char text[] = "the same seventeen";

                text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
                d = (struct digest)DIGEST_INIT;
                digest_add(&d, text, 18);
                c = (struct digest)DIGEST_INIT;
                digest_add(&c, "the same seventeen", 18);
                assert_true(c.a != d.a && c.b != d.b);
        }
        a = b = (struct digest)DIGEST_INIT;
        digest_add_mark(&a, 0);
        digest_add_mark(&b, 1);
        assert_false(digest_same(&a, &b));
        b = (struct digest)DIGEST_INIT;
        digest_add(&b, "", 0);
        assert_false(digest_same(&a, &b));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_values),
                cmocka_unit_test(test_padding_of_bytes),
                cmocka_unit_test(test_json_depth),
                cmocka_unit_test(test_order),
                cmocka_unit_test(test_digest),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
