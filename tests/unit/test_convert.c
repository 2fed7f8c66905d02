#include "model/convert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PG ENGINE_POSTGRESQL
#define MY ENGINE_MYSQL
#define MARIA ENGINE_MARIADB

static const struct convert_policy strict = {.zero_date = ZERO_DATE_ERROR};

/* One value of one pair of types. `out` NULL: refused, for a reason that has `why` in it. */
struct row {
        enum engine from_engine;
        const char *from;
        enum engine to_engine;
        const char *to, *in, *out, *why;
};

static struct coltype *type_of(enum engine engine, const char *native)
{
        struct error e = ERROR_INIT;
        struct coltype *t =
                engine == PG ? coltype_pg(0, -1, native) : coltype_my(engine, native, &e);

        if (!t)
                fail_msg("%s", e.message);
        return t;
}

static struct convert *converter(const struct row *r, const struct convert_policy *policy)
{
        struct coltype *from = type_of(r->from_engine, r->from);
        struct coltype *to = type_of(r->to_engine, r->to);
        struct error e = ERROR_INIT;
        struct convert *c;

        if (convert_new(from, to, policy, &c, &e) < 0)
                fail_msg("%s to %s: %s", r->from, r->to, e.message);
        coltype_free(from);
        coltype_free(to);
        return c;
}

static void check_value(const struct row *r, const struct convert_policy *policy)
{
        struct convert *c = converter(r, policy);
        struct value in = {VALUE_TEXT, (uint32_t)strlen(r->in), r->in}, out;
        struct arena *a = arena_new();
        struct error e = ERROR_INIT;
        int rc = convert_value(c, a, &in, &out, &e);

        if (r->out) {
                if (rc < 0)
                        fail_msg("%s to %s, %s: %s", r->from, r->to, r->in, e.message);
                if (strlen(r->out) != out.len || strcmp(r->out, out.data) != 0)
                        fail_msg("%s to %s, %s: %s, not %s", r->from, r->to, r->in, out.data,
                                r->out);
        } else {
                if (rc == 0)
                        fail_msg("%s to %s, %s: taken as %s", r->from, r->to, r->in, out.data);
                assert_int_equal(e.class, ERROR_DATA);
                if (!strstr(e.message, r->why))
                        fail_msg("%s to %s, %s: %s", r->from, r->to, r->in, e.message);
                assert_non_null(strstr(e.message, r->from));
                if (strlen(r->in) > 5)
                        assert_null(strstr(e.message, r->in));
        }
        arena_free(a);
        convert_free(c);
}

static void check_all(const struct row *rows, size_t n)
{
        for (size_t i = 0; i < n; i++)
                check_value(&rows[i], &strict);
}

#define CHECK(rows) check_all(rows, sizeof rows / sizeof *rows)

static void test_integers(void **state)
{
        static const struct row rows[] = {
                {MY, "tinyint(4)", PG, "smallint", "-128", "-128", NULL},
                {MY, "bigint(20) unsigned", PG, "numeric(20)", "18446744073709551615",
                        "18446744073709551615", NULL},
                {MY, "bigint(20) unsigned", PG, "bigint", "9223372036854775807",
                        "9223372036854775807", NULL},
                {MY, "bigint(20) unsigned", PG, "bigint", "9223372036854775808", NULL,
                        "out of range"},
                {MY, "int unsigned", PG, "integer", "2147483648", NULL, "out of range"},
                {MY, "int", PG, "smallint", "-32768", "-32768", NULL},
                {MY, "int", PG, "smallint", "-32769", NULL, "out of range"},
                {MY, "int(5) unsigned zerofill", PG, "bigint", "00042", "42", NULL},
                {MY, "int(5) unsigned zerofill", PG, "text", "00042", "42", NULL},
                {MY, "int(5) unsigned zerofill", PG, "integer", "00000", "0", NULL},
                {PG, "bigint", MY, "bigint", "-9223372036854775808", "-9223372036854775808", NULL},
                {PG, "integer", MY, "mediumint", "8388607", "8388607", NULL},
                {PG, "integer", MY, "mediumint", "8388608", NULL, "out of range"},
                {PG, "integer", MY, "int unsigned", "-1", NULL, "out of range"},
                {PG, "numeric", MY, "bigint", "12.000", "12", NULL},
                {PG, "numeric", MY, "bigint", "12.5", NULL, "fraction"},
                {PG, "numeric", MY, "bigint", "NaN", NULL, "not a number"},
                {PG, "double precision", MY, "bigint", "1e+15", "1000000000000000", NULL},
                {PG, "double precision", MY, "bigint", "1e+300", NULL, "out of range"},
                {PG, "double precision", MY, "bigint", "1.5e-05", NULL, "fraction"},
                {PG, "text", MY, "int", "17", "17", NULL},
                {PG, "text", MY, "int", " 17", NULL, "not a number"},
                {PG, "text", MY, "int", "", NULL, "not a number"},
                {PG, "text", MY, "int", "-", NULL, "not a number"},
                {PG, "text", MY, "int", "0x10", NULL, "not a number"},
                {PG, "boolean", MY, "tinyint(1)", "t", "1", NULL},
                {PG, "boolean", MY, "tinyint(1)", "f", "0", NULL},
                {MY, "bit(10)", PG, "integer", "\x02\x01", "513", NULL},
                {PG, "bit(10)", MY, "smallint", "1000000001", "513", NULL},
                {MY, "year(4)", PG, "smallint", "2024", "2024", NULL},
                {MY, "year(4)", PG, "smallint", "0000", "0", NULL},
                {PG, "smallint", MY, "year", "1901", "1901", NULL},
                {PG, "smallint", MY, "year", "0", "0000", NULL},
                {PG, "smallint", MY, "year", "70", NULL, "1901"},
        };

        (void)state;
        CHECK(rows);
}

static void test_booleans(void **state)
{
        static const struct row rows[] = {
                {MY, "tinyint(1)", PG, "boolean", "1", "t", NULL},
                {MY, "tinyint(1)", PG, "boolean", "0", "f", NULL},
                {MY, "tinyint(1)", PG, "boolean", "2", NULL, "neither"},
                {MY, "tinyint(1)", PG, "boolean", "-1", NULL, "neither"},
                {MY, "bit(1)", PG, "boolean", "\x01", "t", NULL},
                {MY, "varchar(5)", PG, "boolean", "true", "t", NULL},
                {MY, "varchar(5)", PG, "boolean", "yes", NULL, "not a number"},
        };

        (void)state;
        CHECK(rows);
}

static void test_decimals(void **state)
{
        static const struct row rows[] = {
                {MY, "decimal(10,2)", PG, "numeric(10,2)", "-0.50", "-0.50", NULL},
                {MY, "decimal(10,4)", PG, "numeric(8,2)", "12.3400", "12.34", NULL},
                {MY, "decimal(10,4)", PG, "numeric(8,2)", "12.3450", NULL, "behind"},
                {MY, "decimal(10,2)", PG, "numeric(4,2)", "100.00", NULL, "before"},
                {MY, "decimal(6,2) unsigned zerofill", PG, "numeric(6,2)", "0012.50", "12.5", NULL},
                {MY, "bigint", PG, "numeric(5)", "99999", "99999", NULL},
                {MY, "bigint", PG, "numeric(5)", "100000", NULL, "before"},
                {PG, "numeric", MY, "decimal(65,30)",
                        "99999999999999999999999999999999999.999999999999999999999999999999",
                        "99999999999999999999999999999999999.999999999999999999999999999999", NULL},
                {PG, "numeric", MY, "decimal(65,30)", "100000000000000000000000000000000000", NULL,
                        "before"},
                {PG, "numeric", MY, "decimal(65,30)", "0.0000000000000000000000000000001", NULL,
                        "behind"},
                {PG, "numeric", MY, "decimal(65,30)", "1.50", "1.50", NULL},
                {PG, "numeric", MY, "decimal(65,30)", "1.5000000000000000000000000000000000000000",
                        "1.5", NULL},
                {PG, "numeric", MY, "decimal(65,30)", "Infinity", NULL, "not a number"},
                {PG, "numeric(10,2)", MY, "decimal(10,2)", "NaN", NULL, "not a number"},
                {PG, "numeric(10,2)", MY, "decimal(10,2) unsigned", "-1.00", NULL, "negative"},
                {PG, "numeric(10,2)", MY, "decimal(10,2) unsigned", "0.00", "0.00", NULL},
                {MY, "double", PG, "numeric", "1.5e-7", "0.00000015", NULL},
                {MY, "double", PG, "numeric(5,2)", "1e2", "100", NULL},
        };

        (void)state;
        CHECK(rows);
}

static void test_floats(void **state)
{
        static const struct row rows[] = {
                {MY, "float", PG, "real", "0.100000001", "0.1", NULL},
                {MY, "float", PG, "real", "3.40282347e38", "3.4028235e+38", NULL},
                {MY, "float", PG, "double precision", "0.100000001", "0.10000000149011612", NULL},
                {MY, "float(7,2)", PG, "real", "1.10", "1.1", NULL},
                {MY, "double", PG, "double precision", "0.1", "0.1", NULL},
                {MY, "double", PG, "double precision", "1.7976931348623157e308",
                        "1.7976931348623157e+308", NULL},
                {MY, "double", PG, "double precision", "5e-324", "5e-324", NULL},
                {MY, "double", PG, "double precision", "-0", "-0", NULL},
                {MARIA, "double", PG, "double precision", "-0", "0", NULL},
                {PG, "double precision", MY, "double", "-0", "-0e0", NULL},
                {PG, "real", MY, "float", "0.1", "0.10000000149011612", NULL},
                {PG, "real", MY, "float", "3.4028235e+38", "3.4028234663852886e+38", NULL},
                {PG, "real", MY, "float", "-0", "-0e0", NULL},
                {PG, "real", MY, "float", "1e+10", "10000000000", NULL},
                {PG, "real", MY, "double", "0.1", "0.10000000149011612", NULL},
                {PG, "real", MY, "float", "NaN", NULL, "NaN"},
                {PG, "double precision", MY, "double", "Infinity", NULL, "infinities"},
                {PG, "double precision", MY, "double", "-Infinity", NULL, "infinities"},
                {MY, "double", PG, "double precision", "1e400", NULL, "out of range"},
                {MY, "float", PG, "real", "1e39", NULL, "out of range"},
                {PG, "double precision", MY, "double", "1e+22", "1e+22", NULL},
                {PG, "double precision", MY, "float", "0.5", "0.5", NULL},
                {PG, "double precision", MY, "float", "0.1", NULL, "round"},
                {PG, "double precision", MY, "double unsigned", "-0.5", NULL, "negative"},
                {PG, "bigint", MY, "double", "9007199254740993", NULL, "round"},
                {PG, "bigint", MY, "double", "1152921504606846976", "1.152921504606847e+18", NULL},
                {PG, "numeric(10,2)", MY, "double", "0.10", "0.1", NULL},
                {PG, "numeric", MY, "double", "0.1234567890123456789", NULL, "round"},
                {PG, "numeric", MY, "float", "0.1", "0.10000000149011612", NULL},
                {PG, "double precision", MY, "varchar(30)", "0.1", "0.1", NULL},
                {PG, "double precision", MY, "varchar(30)", "NaN", "NaN", NULL},
        };

        (void)state;
        CHECK(rows);
}

static void test_text(void **state)
{
        static const struct row rows[] = {
                {MY, "varchar(3) charset utf8mb4", PG, "varchar(3)", "\xc3\xa4\xc3\xb6\xc3\xbc",
                        "\xc3\xa4\xc3\xb6\xc3\xbc", NULL},
                {MY, "varchar(4) charset utf8mb4", PG, "varchar(3)", "abcd", NULL, "too long"},
                {MY, "varchar(4) charset utf8mb4", PG, "varchar(3)", "abc ", NULL, "too long"},
                {MY, "varchar(9)", PG, "text", "abc  ", "abc  ", NULL},
                {MY, "varchar(9)", PG, "character(5)", "abc  ", NULL, "blanks"},
                {MY, "char(9)", PG, "character(5)", "abc", "abc", NULL},
                {MY, "text", PG, "text", "", "", NULL},
                {MY, "text", PG, "text", "a\xff", NULL, "UTF-8"},
                {MY, "text", PG, "text", "\xed\xa0\x80", NULL, "UTF-8"},
                {PG, "character(5)", MY, "char(5)", "ab   ", "ab", NULL},
                {PG, "character(5)", MY, "varchar(2)", "ab   ", "ab", NULL},
                {PG, "character(5)", MY, "varchar(5)", "     ", "", NULL},
                {PG, "text", MY, "tinytext", "short", "short", NULL},
                {PG, "text", MY, "varchar(3)", "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac",
                        "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac", NULL},
                {PG, "text", MY, "varchar(0)", "x", NULL, "too long"},
                {PG, "text", MY, "char(3)", "a ", NULL, "blanks"},
                {PG, "interval", MY, "longtext", "1 year 2 mons -3 days", "1 year 2 mons -3 days",
                        NULL},
                {MY, "longtext", PG, "interval", "1 year 2 mons -3 days", "1 year 2 mons -3 days",
                        NULL},
                {PG, "integer[]", MY, "varchar(255)", "{1,NULL}", "{1,NULL}", NULL},
                {MY, "varchar(255)", PG, "integer[]", "{1,NULL}", "{1,NULL}", NULL},
                {PG, "int4range", MY, "longtext", "[1,5)", "[1,5)", NULL},
                {MY, "longtext", PG, "inet", "10.0.0.0/8", "10.0.0.0/8", NULL},
                {MY, "date", PG, "text", "0000-00-00", "0000-00-00", NULL},
                {MY, "blob", PG, "text", "caf\xc3\xa9", "caf\xc3\xa9", NULL},
                {MY, "blob", PG, "text", "caf\xe9", NULL, "UTF-8"},
                {PG, "bytea", MY, "text", "\\x6162", "ab", NULL},
                {PG, "bytea", MY, "text", "\\x616", NULL, "hex"},
        };
        char tiny[301];

        (void)state;
        CHECK(rows);
        memset(tiny, 'x', 300);
        tiny[300] = '\0';
        check_value(&(struct row){PG, "text", MY, "tinytext", tiny, NULL, "too long"}, &strict);
        check_value(&(struct row){PG, "text", MY, "text", tiny, tiny, NULL}, &strict);
}

static void test_zero_byte(void **state)
{
        struct row r = {MY, "text", PG, "text", "", "", NULL};
        struct convert *c = converter(&r, &strict);
        struct value in = {VALUE_TEXT, 3, "a\0b"}, out;
        struct error e = ERROR_INIT;
        struct arena *a = arena_new();

        (void)state;
        assert_int_equal(convert_value(c, a, &in, &out, &e), -1);
        assert_non_null(strstr(e.message, "zero byte"));
        assert_int_equal(e.class, ERROR_DATA);
        convert_free(c);
        arena_free(a);
}

static void test_bytes(void **state)
{
        static const struct row rows[] = {
                {MY, "varbinary(9)", PG, "bytea", "a\xff", "\\x61ff", NULL},
                {MY, "blob", PG, "bytea", "", "\\x", NULL},
                {MY, "binary(4)", PG, "bytea", "ab", "\\x61620000", NULL},
                {PG, "bytea", MY, "longblob", "\\x61FF", "a\xff", NULL},
                {PG, "bytea", MY, "longblob", "\\x", "", NULL},
                {PG, "bytea", MY, "varbinary(1)", "\\x6162", NULL, "too long"},
                {PG, "bytea", MY, "binary(3)", "\\x6162", NULL, "shorter"},
                {PG, "bytea", MY, "binary(2)", "\\x6162", "ab", NULL},
                {PG, "bytea", MY, "longblob", "6162", NULL, "hex"},
                {PG, "bytea", MY, "longblob", "\\x6g", NULL, "hex"},
                {MY, "text", PG, "bytea", "\xc3\xa9", "\\xc3a9", NULL},
                {MY, "bit(9)", PG, "bit(9)", "\x01\x02", "100000010", NULL},
                {MY, "bit(9)", PG, "bit varying", "\x01\x02", "100000010", NULL},
                {MY, "bit(9)", PG, "bit(10)", "\x01\x02", NULL, "number of bits"},
                {MY, "bit(9)", PG, "text", "\x01\x02", "100000010", NULL},
                {PG, "bit(9)", MY, "bit(9)", "100000010", "\x01\x02", NULL},
                {PG, "bit(9)", MY, "bit(8)", "100000010", NULL, "number of bits"},
                {PG, "bit varying(70)", MY, "varchar(70)", "0101", "0101", NULL},
                {MY, "varchar(70)", PG, "bit varying", "0101", "0101", NULL},
                {MY, "varchar(70)", PG, "bit varying(2)", "0101", NULL, "number of bits"},
                {MY, "varchar(70)", PG, "bit varying", "0x01", NULL, "zeros and ones"},
                {PG, "boolean", MY, "bit(1)", "t", "\x01", NULL},
                {PG, "integer", MY, "bit(9)", "258", "\x01\x02", NULL},
                {PG, "integer", MY, "bit(8)", "258", NULL, "out of range"},
        };

        (void)state;
        CHECK(rows);
}

/* POINT(1 2): SRID 4326 in front of WKB; and without SRID. */
#define XY "000000000000f03f0000000000000040"

static void test_geometry(void **state)
{
        static const struct {
                const char *internal, *ewkb;
        } pairs[] = {
                {"e6100000"
                 "0101000000" XY,
                        "0101000020e6100000" XY},
                {"00000000"
                 "0101000000" XY,
                        "0101000000" XY},
        };
        static const struct row rows[] = {
                {PG, "bytea", MY, "geometry", "\\x0101000080" XY, NULL, "plane"},
                {PG, "bytea", MY, "geometry", "\\x0000000001" XY, NULL, "little-endian"},
                {PG, "bytea", MY, "geometry", "\\x01", NULL, "EWKB"},
                {PG, "bytea", MY, "geometry", "\\x0108000000", NULL, "EWKB"},
                {PG, "geometry(Point,4326)", MY, "point", "zz", NULL, "EWKB"},
                {MY, "point", PG, "bytea", "too few", NULL, "WKB"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
                char hex[100], text[100];
                struct row unpack = {PG, "bytea", MY, "longblob", hex, "", NULL};
                struct row there = {MY, "point", PG, "bytea", "", "", NULL};
                struct row postgis = {MY, "point", PG, "public.geometry", "", "", NULL};
                struct row back = {PG, "bytea", MARIA, "geometry", "", "", NULL};
                struct convert *c = converter(&unpack, &strict);
                struct convert *forth = converter(&there, &strict);
                struct convert *to_postgis = converter(&postgis, &strict);
                struct convert *home = converter(&back, &strict);
                struct arena *a = arena_new();
                struct error e = ERROR_INIT;
                struct value in = {VALUE_TEXT, 0, hex}, raw, out, again;

                in.len = (uint32_t)snprintf(hex, sizeof hex, "\\x%s", pairs[i].internal);
                assert_int_equal(convert_value(c, a, &in, &raw, &e), 0);
                assert_int_equal(convert_value(forth, a, &raw, &out, &e), 0);
                snprintf(text, sizeof text, "\\x%s", pairs[i].ewkb);
                assert_string_equal(out.data, text);
                assert_int_equal(convert_value(home, a, &out, &again, &e), 0);
                assert_int_equal(again.len, raw.len);
                assert_memory_equal(again.data, raw.data, raw.len);
                assert_int_equal(convert_value(to_postgis, a, &raw, &out, &e), 0);
                assert_string_equal(out.data, pairs[i].ewkb);
                convert_free(c);
                convert_free(forth);
                convert_free(to_postgis);
                convert_free(home);
                arena_free(a);
        }
        CHECK(rows);
}

static void test_dates(void **state)
{
        static const struct row rows[] = {
                {MY, "date", PG, "date", "9999-12-31", "9999-12-31", NULL},
                {MY, "date", PG, "date", "2024-02-29", "2024-02-29", NULL},
                {MY, "date", PG, "date", "2023-02-29", NULL, "calendar"},
                {MY, "date", PG, "date", "0000-00-00", NULL, "zero"},
                {MY, "date", PG, "date", "2024-00-00", NULL, "zero"},
                {MY, "date", PG, "timestamp", "2024-02-29", "2024-02-29 00:00:00", NULL},
                {MY, "datetime", PG, "date", "2024-02-29 00:00:00", "2024-02-29", NULL},
                {MY, "datetime", PG, "date", "2024-02-29 00:00:01", NULL, "time of day"},
                {MY, "datetime(6)", PG, "timestamp(6)", "2024-02-29 23:59:59.000100",
                        "2024-02-29 23:59:59.0001", NULL},
                {MY, "datetime(6)", PG, "timestamp(3)", "2024-02-29 23:59:59.120000",
                        "2024-02-29 23:59:59.12", NULL},
                {MY, "datetime(6)", PG, "timestamp(3)", "2024-02-29 23:59:59.123400", NULL,
                        "fractional"},
                {MY, "timestamp", PG, "timestamptz", "2024-02-29 23:59:59",
                        "2024-02-29 23:59:59+00", NULL},
                {MY, "timestamp(3)", PG, "timestamptz(3)", "1970-01-01 00:00:01.500",
                        "1970-01-01 00:00:01.5+00", NULL},
                {MY, "timestamp", PG, "timestamp", "2024-02-29 23:59:59", "2024-02-29 23:59:59",
                        NULL},
                {PG, "date", MY, "date", "0001-01-01", "0001-01-01", NULL},
                {PG, "date", MY, "date", "0044-03-15 BC", NULL, "year"},
                {PG, "date", MY, "date", "10000-01-01", NULL, "year"},
                {PG, "date", MY, "date", "infinity", NULL, "infinite"},
                {PG, "timestamp without time zone", MY, "datetime(6)", "-infinity", NULL,
                        "infinite"},
                {PG, "timestamp without time zone", MY, "datetime(6)", "0044-03-15 12:00:00 BC",
                        NULL, "year"},
                {PG, "timestamp without time zone", MY, "datetime(6)", "2024-02-29 23:59:59.123456",
                        "2024-02-29 23:59:59.123456", NULL},
                {PG, "timestamp without time zone", MY, "datetime", "2024-02-29 23:59:59.123456",
                        NULL, "fractional"},
                {PG, "timestamp with time zone", MY, "datetime(6)", "2024-02-29 23:59:59.5+00",
                        "2024-02-29 23:59:59.5", NULL},
                {PG, "timestamp with time zone", MY, "datetime(6)", "2024-02-29 23:59:59.5+02",
                        NULL, "UTC"},
                {PG, "timestamp with time zone", MY, "timestamp(6)", "1970-01-01 00:00:00+00", NULL,
                        "out of range"},
                {PG, "timestamp with time zone", MY, "timestamp(6)", "2500-01-01 00:00:00+00", NULL,
                        "out of range"},
                {PG, "timestamp with time zone", MY, "timestamp(6)", "2038-01-19 03:14:07+00",
                        "2038-01-19 03:14:07", NULL},
                {PG, "text", MY, "datetime", "2024-02-29 23:59:59", "2024-02-29 23:59:59", NULL},
                {PG, "text", MY, "datetime", "2024-02-29T23:59:59", NULL, "ISO"},
                {PG, "text", MY, "date", "tomorrow", NULL, "ISO"},
                {PG, "text", MY, "date", "", NULL, "ISO"},
                {MY, "datetime", MARIA, "datetime(3)", "0000-00-00 00:00:00", "0000-00-00 00:00:00",
                        NULL},
        };

        (void)state;
        CHECK(rows);
}

static void test_times(void **state)
{
        static const struct row rows[] = {
                {MY, "time(6)", PG, "interval(6)", "-838:59:59.000000", "-838:59:59", NULL},
                {MY, "time(6)", PG, "interval", "838:59:58.999999", "838:59:58.999999", NULL},
                {MY, "time(6)", PG, "interval(3)", "00:00:00.000001", NULL, "fractional"},
                {MY, "time", PG, "time", "24:00:00", "24:00:00", NULL},
                {MY, "time", PG, "time", "23:59:59", "23:59:59", NULL},
                {MY, "time", PG, "time", "24:00:01", NULL, "out of range"},
                {MY, "time", PG, "time", "-00:00:01", NULL, "out of range"},
                {MY, "time", PG, "text", "-12:00:00", "-12:00:00", NULL},
                {PG, "time without time zone", MY, "time(6)", "24:00:00", "24:00:00", NULL},
                {PG, "time without time zone", MY, "time(6)", "12:00:00.25", "12:00:00.25", NULL},
                {PG, "time without time zone", MY, "time", "12:00:00.25", NULL, "fractional"},
                {PG, "interval", MY, "time(6)", "-838:59:59", "-838:59:59", NULL},
                {PG, "interval", MY, "time(6)", "839:00:00", NULL, "out of range"},
                {PG, "interval", MY, "time(6)", "1 day 02:00:00", NULL, "hours"},
                {PG, "interval", MY, "time(6)", "1 mon", NULL, "hours"},
                {PG, "interval", MY, "time(6)", "99999999999999:00:00", NULL, "hours"},
                {PG, "time with time zone", MY, "longtext", "12:00:00+02", "12:00:00+02", NULL},
                {MY, "longtext", PG, "time with time zone", "12:00:00+02", "12:00:00+02", NULL},
        };

        (void)state;
        CHECK(rows);
}

static void test_index_0_of_an_enum(void **state)
{
        struct convert_policy policy = {.enum_error = ENUM_ERROR_NULL};
        struct row r = {MY, "enum('a')", PG, "mood", "", "", NULL};
        struct convert *c = converter(&r, &policy);
        struct value in = {VALUE_TEXT, 0, ""}, out;
        struct error e = ERROR_INIT;

        (void)state;
        assert_int_equal(convert_value(c, NULL, &in, &out, &e), 0);
        assert_int_equal(out.kind, VALUE_NULL);
        convert_free(c);
        policy.enum_error = ENUM_ERROR_EMPTY;
        check_value(&r, &policy);
}

static void check_index_0(enum engine engine, const char *native, const char *in, uint32_t in_len,
        const char *out, uint32_t out_len)
{
        struct row r = {MY, "enum('','a')", engine, native, NULL, NULL, NULL};
        struct convert_policy policy = {.enum_error = ENUM_ERROR_EMPTY};
        struct convert *c = converter(&r, &policy);
        struct value v = {VALUE_TEXT, in_len, in}, got;
        struct error e = ERROR_INIT;

        assert_int_equal(convert_value(c, NULL, &v, &got, &e), 0);
        assert_int_equal(got.len, out_len);
        assert_memory_equal(got.data, out, out_len);
        convert_free(c);
}

/* A zero byte, where an empty member is shown in the same way. */
static void test_index_0_and_an_empty_member(void **state)
{
        struct row r = {MY, "enum('','a')", PG, "mood", NULL, NULL, NULL};
        struct convert *c = converter(&r, &strict);
        struct value v = {VALUE_TEXT, 1, ""}, got;
        struct error e = ERROR_INIT;

        (void)state;
        assert_int_equal(convert_value(c, NULL, &v, &got, &e), -1);
        assert_non_null(strstr(e.message, "option enum_error"));
        convert_free(c);
        check_index_0(PG, "mood", "\0", 1, "", 0);
        check_index_0(PG, "mood", "", 0, "", 0);
        check_index_0(PG, "text", "\0", 1, "", 0);
        check_index_0(MARIA, "enum('a','')", "\0", 1, "\0", 1);
        check_index_0(MARIA, "enum('a','')", "", 0, "", 0);
        check_index_0(MARIA, "enum('a')", "\0", 1, "", 0);
        check_index_0(MARIA, "varchar(1)", "\0", 1, "", 0);
}

static void test_zero_dates(void **state)
{
        struct convert_policy as_null = {.zero_date = ZERO_DATE_NULL};
        struct convert_policy as_date = {.zero_date = ZERO_DATE_VALUE, .date = "1970-01-01"};
        struct row r = {MY, "datetime", PG, "timestamp", "0000-00-00 00:00:00", NULL, NULL};
        struct convert *c = converter(&r, &as_null);
        struct value in = {VALUE_TEXT, 19, r.in}, out;
        struct error e = ERROR_INIT;

        (void)state;
        assert_int_equal(convert_value(c, NULL, &in, &out, &e), 0);
        assert_int_equal(out.kind, VALUE_NULL);
        convert_free(c);
        r.out = "1970-01-01 00:00:00";
        check_value(&r, &as_date);
        check_value(
                &(struct row){MY, "date", PG, "date", "2020-05-00", "1970-01-01", NULL}, &as_date);
        check_value(&(struct row){MY, "timestamp", PG, "timestamptz", "0000-00-00 00:00:00",
                            "1970-01-01 00:00:00+00", NULL},
                &as_date);
        check_value(
                &(struct row){MY, "date", PG, "date", "2023-02-30", NULL, "calendar"}, &as_date);
        check_value(
                &(struct row){MY, "date", PG, "date", "1970-01-01", "1970-01-01", NULL}, &as_null);
}

static void test_lists(void **state)
{
        static const struct row rows[] = {
                {MY, "enum('a','b')", PG, "text", "a", "a", NULL},
                {MY, "enum('a','b')", MARIA, "enum('b')", "b", "b", NULL},
                {MY, "enum('a','b')", MARIA, "enum('b')", "a", NULL, "members"},
                {MY, "enum('a','b')", MARIA, "enum('b','a')", "", "", NULL},
                {MY, "enum('a','b')", PG, "mood", "b", "b", NULL},
                {MY, "enum('a','b')", PG, "mood", "", NULL, "option enum_error"},
                {MY, "enum('a','')", PG, "mood", "", "", NULL},
                {MY, "enum('a')", PG, "text", "", "", NULL},
                {PG, "text", MY, "enum('a')", "", NULL, "members"},
                {PG, "text", MY, "enum('Sad','b')", "sad", NULL, "members"},
                {PG, "mood", MY, "enum('sad')", "sad", "sad", NULL},
                {MY, "set('a','b')", PG, "text[]", "a,b", "{\"a\",\"b\"}", NULL},
                {MY, "set('a','b')", PG, "text[]", "", "{}", NULL},
                {MY, "set('q\"\\\\')", PG, "text[]", "q\"\\", "{\"q\\\"\\\\\"}", NULL},
                {MY, "set('a','b')", PG, "text", "a,b", "a,b", NULL},
                {PG, "text[]", MY, "set('a','b c')", "{a,\"b c\"}", "a,b c", NULL},
                {PG, "text[]", MY, "set('a','b')", "{}", "", NULL},
                {PG, "text[]", MY, "set('a','NULL')", "{a,\"NULL\"}", "a,NULL", NULL},
                {PG, "text[]", MY, "set('a','NULL')", "{a,NULL}", NULL, "list"},
                {PG, "text[]", MY, "set('a','b')", "{{a},{b}}", NULL, "list"},
                {PG, "text[]", MY, "set('a','b')", "{\"a,b\"}", NULL, "list"},
                {PG, "text[]", MY, "set('a','b')", "{\"\"}", NULL, "list"},
                {PG, "text[]", MY, "set('a','b')", "{a", NULL, "list"},
                {PG, "text[]", MY, "set('a','b')", "{\"a\\", NULL, "list"},
                {PG, "text[]", MY, "set('a','b')", "{b,a}", NULL, "order"},
                {PG, "text[]", MY, "set('a','b')", "{a,a}", NULL, "order"},
                {PG, "text[]", MY, "set('a','b')", "{c}", NULL, "none"},
                {PG, "text", MY, "set('a','b')", "a,b", "a,b", NULL},
                {PG, "text", MY, "set('a','b')", "a,", NULL, "comma"},
        };

        (void)state;
        CHECK(rows);
}

static void test_addresses(void **state)
{
        static const char *const uuid = "01234567-89ab-cdef-0123-456789abcdef";
        const struct row rows[] = {
                {MARIA, "uuid", PG, "uuid", uuid, uuid, NULL},
                {MY, "char(36)", PG, "uuid", "01234567-89AB-CDEF-0123-456789ABCDEF", uuid, NULL},
                {MY, "char(32)", PG, "uuid", "0123456789abcdef0123456789abcdef", uuid, NULL},
                {MY, "char(36)", PG, "uuid", "01234567-89ab-cdef-0123-456789abcde", NULL, "UUID"},
                {MY, "char(36)", PG, "uuid", "g1234567-89ab-cdef-0123-456789abcdef", NULL, "UUID"},
                {MY, "varchar(40)", PG, "uuid", "01234567-89ab-cdef-0123-456789abcdef0", NULL,
                        "UUID"},
                {MY, "binary(16)", PG, "uuid", "\x01#Eg\x89\xab\xcd\xef\x01#Eg\x89\xab\xcd\xef",
                        uuid, NULL},
                {PG, "uuid", MY, "binary(16)", uuid,
                        "\x01#Eg\x89\xab\xcd\xef\x01#Eg\x89\xab\xcd\xef", NULL},
                {PG, "uuid", MY, "char(36)", uuid, uuid, NULL},
                {PG, "uuid", MY, "char(32)", uuid, "0123456789abcdef0123456789abcdef", NULL},
                {PG, "uuid", MY, "char(20)", uuid, NULL, "too long"},
                {MARIA, "inet4", PG, "inet", "10.0.0.1", "10.0.0.1", NULL},
                {MARIA, "inet6", PG, "inet", "fe80::1", "fe80::1", NULL},
                {PG, "inet", MARIA, "inet6", "fe80::1", "fe80::1", NULL},
                {PG, "inet", MARIA, "inet6", "10.0.0.1", NULL, "IPv4"},
                {PG, "inet", MARIA, "inet4", "10.0.0.0/8", NULL, "network"},
                {PG, "inet", MARIA, "inet4", "fe80::1", NULL, "IPv6"},
        };

        (void)state;
        CHECK(rows);
}

static void test_json(void **state)
{
        static const struct row rows[] = {
                {MARIA, "json", PG, "json", "{\"a\":  1.0}", "{\"a\":  1.0}", NULL},
                {MY, "json", PG, "json", "{\"a\":[1,2 ,{}],\"b\":\"x\\\"\"}",
                        "{\"a\": [1, 2, {}], \"b\": \"x\\\"\"}", NULL},
                {MY, "json", PG, "json", "[]", "[]", NULL},
                {MY, "json", PG, "json", "null", "null", NULL},
                {MARIA, "json", PG, "json", "{\"a\":1,\"a\":2}", "{\"a\":1,\"a\":2}", NULL},
                {MARIA, "json", PG, "jsonb", "{\"a\":1,\"b\":{\"a\":0},\"a\":2}", NULL, "twice"},
                {MARIA, "json", PG, "jsonb", "[\"\\u0000\"]", NULL, "u0000"},
                {PG, "json", MARIA, "json", "[123456789012345678901234567890]",
                        "[123456789012345678901234567890]", NULL},
                {PG, "json", MY, "json", "[18446744073709551615,-9223372036854775808]",
                        "[18446744073709551615,-9223372036854775808]", NULL},
                {PG, "json", MY, "json", "[18446744073709551616]", NULL, "round"},
                {PG, "json", MY, "json", "[-9223372036854775809]", NULL, "round"},
                {PG, "jsonb", MY, "json", "{\"a\": 0.1, \"b\": 1.50, \"c\": 1e300}",
                        "{\"a\": 0.1, \"b\": 1.50, \"c\": 1e300}", NULL},
                {PG, "jsonb", MY, "json", "0.12345678901234567890", NULL, "round"},
                {PG, "jsonb", MY, "json", "1e400", NULL, "round"},
                {PG, "json", MY, "json", "{\"a\":1,\"a\":1}", NULL, "twice"},
                {PG, "text", MY, "json", "{\"a\" : true}", "{\"a\" : true}", NULL},
                {PG, "text", MY, "json", "{a:1}", NULL, "valid"},
                {PG, "text", MY, "json", "", NULL, "valid"},
                {PG, "text", MY, "json", "[1,]", NULL, "valid"},
                {PG, "text", MY, "json", "[01]", NULL, "valid"},
                {PG, "text", MY, "json", "[1.]", NULL, "valid"},
                {PG, "text", MY, "json", "[-]", NULL, "valid"},
                {PG, "text", MY, "json", "[1e]", NULL, "valid"},
                {PG, "text", MY, "json", "\"a", NULL, "valid"},
                {PG, "text", MY, "json", "\"\\x\"", NULL, "valid"},
                {PG, "text", MY, "json", "\"\\u12\"", NULL, "valid"},
                {PG, "text", MY, "json", "\"a\nb\"", NULL, "valid"},
                {PG, "text", MY, "json", "nul", NULL, "valid"},
                {PG, "text", MY, "json", "{} {}", NULL, "valid"},
                {PG, "text", MY, "json", "{\"a\":1", NULL, "valid"},
                {MY, "json", PG, "text", "{\"a\": 1}", "{\"a\": 1}", NULL},
        };
        char deep[4001];

        (void)state;
        CHECK(rows);
        memset(deep, '[', 4000);
        deep[4000] = '\0';
        check_value(&(struct row){PG, "text", MY, "json", deep, NULL, "deeply"}, &strict);
}

static void test_no_place(void **state)
{
        static const struct row rows[] = {
                {MY, "datetime(6)", PG, "timestamp with time zone", NULL, NULL, "time zone"},
                {MY, "timestamp", PG, "date", NULL, NULL, ""},
                {MY, "date", PG, "integer", NULL, NULL, ""},
                {MY, "point", PG, "text", NULL, NULL, ""},
                {MY, "vector(3)", PG, "text", NULL, NULL, ""},
                {MY, "vector(3)", PG, "bytea", NULL, NULL, ""},
                {MY, "vector(3)", MY, "varbinary(12)", NULL, NULL, ""},
                {MY, "vector(3)", MY, "vector(4)", NULL, NULL, ""},
                {MY, "blob", PG, "integer", NULL, NULL, ""},
                {MY, "time", PG, "interval day to second", NULL, NULL, ""},
                {MY, "int", PG, "numeric(3,-2)", NULL, NULL, ""},
                {MY, "enum('a')", PG, "integer", NULL, NULL, ""},
                {PG, "text", MY, "vector(3)", NULL, NULL, ""},
                {PG, "money", MY, "decimal(20,2)", NULL, NULL, ""},
                {PG, "interval", MY, "datetime", NULL, NULL, ""},
                {PG, "text", MY, "point", NULL, NULL, ""},
        };

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                struct coltype *from = type_of(rows[i].from_engine, rows[i].from);
                struct coltype *to = type_of(rows[i].to_engine, rows[i].to);
                struct error e = ERROR_INIT;
                struct convert *c;

                assert_int_equal(convert_new(from, to, &strict, &c, &e), -1);
                assert_null(c);
                assert_int_equal(e.class, ERROR_CONFIG);
                assert_non_null(strstr(e.message, rows[i].from));
                assert_non_null(strstr(e.message, rows[i].to));
                assert_non_null(strstr(e.message, rows[i].why));
                coltype_free(from);
                coltype_free(to);
        }
}

static void test_utc(void **state)
{
        struct convert_policy utc = {.datetime_utc = true};

        (void)state;
        check_value(&(struct row){MY, "datetime(6)", PG, "timestamp with time zone",
                            "2024-02-29 12:00:00.100000", "2024-02-29 12:00:00.1+00", NULL},
                &utc);
}

/* Other kinds pass, with or without a converter; where nothing is to be done there is none. */
static void test_kinds(void **state)
{
        static const char *const as_they_are[][2] = {{"int", "bigint"}, {"date", "date"}};
        struct value null = {.kind = VALUE_NULL}, unchanged = {.kind = VALUE_UNCHANGED}, out;
        struct row r = {MY, "date", PG, "date", NULL, NULL, NULL};
        struct convert *c = converter(&r, &strict);
        struct error e = ERROR_INIT;

        (void)state;
        assert_int_equal(convert_value(c, NULL, &null, &out, &e), 0);
        assert_int_equal(out.kind, VALUE_NULL);
        assert_int_equal(convert_value(c, NULL, &unchanged, &out, &e), 0);
        assert_int_equal(out.kind, VALUE_UNCHANGED);
        convert_free(c);
        r = (struct row){MY, as_they_are[0][0], PG, as_they_are[0][1], NULL, NULL, NULL};
        assert_null(converter(&r, &strict));
        r = (struct row){MY, "date", MY, "date", NULL, NULL, NULL};
        assert_null(converter(&r, &strict));
        assert_int_equal(
                convert_value(NULL, NULL, &(struct value){VALUE_TEXT, 1, "7"}, &out, &e), 0);
        assert_string_equal(out.data, "7");
        assert_null(convert_free(NULL));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_integers),
                cmocka_unit_test(test_booleans),
                cmocka_unit_test(test_decimals),
                cmocka_unit_test(test_floats),
                cmocka_unit_test(test_text),
                cmocka_unit_test(test_zero_byte),
                cmocka_unit_test(test_bytes),
                cmocka_unit_test(test_geometry),
                cmocka_unit_test(test_dates),
                cmocka_unit_test(test_times),
                cmocka_unit_test(test_index_0_of_an_enum),
                cmocka_unit_test(test_index_0_and_an_empty_member),
                cmocka_unit_test(test_zero_dates),
                cmocka_unit_test(test_lists),
                cmocka_unit_test(test_addresses),
                cmocka_unit_test(test_json),
                cmocka_unit_test(test_no_place),
                cmocka_unit_test(test_utc),
                cmocka_unit_test(test_kinds),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
