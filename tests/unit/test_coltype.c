#include "model/coltype.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

/* What is looked at in one text: class, width, length, scale, fsp, flags, charset. */
static void describe(const struct coltype *t, struct buf *out)
{
        static const char *const names[] = {"other", "bool", "integer", "decimal", "float",
                "double", "bit", "char", "varchar", "text", "binary", "varbinary", "blob", "date",
                "time", "timetz", "datetime", "timestamptz", "interval", "year", "enum", "set",
                "json", "jsonb", "uuid", "inet4", "inet6", "geometry", "array"};

        buf_str(out, names[t->class]);
        if (t->width)
                buf_printf(out, " width=%u", t->width);
        if (t->length)
                buf_printf(out, " length=%u", t->length);
        if (t->scale)
                buf_printf(out, " scale=%u", t->scale);
        if (t->fsp)
                buf_printf(out, " fsp=%u", t->fsp);
        if (t->is_unsigned)
                buf_str(out, " unsigned");
        if (t->zerofill)
                buf_str(out, " zerofill");
        if (t->varying)
                buf_str(out, " varying");
        if (t->charset)
                buf_printf(out, " %s", t->charset->name);
        for (unsigned i = 0; i < t->members_n; i++)
                buf_printf(out, " <%s>", t->members[i]);
}

static void test_my(void **state)
{
        static const char *const table[][2] = {
                {"int(11)", "integer width=4 length=11"},
                {"int", "integer width=4"},
                {"int unsigned", "integer width=4 unsigned"},
                {"bigint(20) unsigned", "integer width=8 length=20 unsigned"},
                {"tinyint(1)", "integer width=1 length=1"},
                {"smallint(5) unsigned zerofill", "integer width=2 length=5 unsigned zerofill"},
                {"mediumint(9)", "integer width=3 length=9"},
                {"decimal(10,2)", "decimal length=10 scale=2"},
                {"decimal(65,30) unsigned", "decimal length=65 scale=30 unsigned"},
                {"decimal(7)", "decimal length=7"},
                {"float", "float"},
                {"float(7,2)", "float"},
                {"double unsigned", "double unsigned"},
                {"bit(9)", "bit length=9"},
                {"char(3) charset latin1", "char length=3 latin1"},
                {"varchar(20) charset utf8mb4", "varchar length=20 utf8mb4"},
                {"varchar(0) charset utf8", "varchar utf8mb3"},
                {"varchar(20) character set utf8mb4 collate utf8mb4_nopad_bin",
                        "varchar length=20 utf8mb4"},
                {"varchar(20) charset binary", "varbinary length=20"},
                {"tinytext charset gbk", "text length=255 gbk"},
                {"text", "text length=65535"},
                {"longtext charset utf8mb4", "text length=4294967295 utf8mb4"},
                {"binary(16)", "binary length=16"},
                {"varbinary(16)", "varbinary length=16"},
                {"mediumblob", "blob length=16777215"},
                {"date", "date"},
                {"datetime(6)", "datetime fsp=6"},
                {"datetime /* mariadb-5.3 */", "datetime"},
                {"timestamp", "timestamptz"},
                {"time(3)", "time fsp=3"},
                {"year(4)", "year length=4"},
                {"year", "year length=4"},
                {"enum('a','b''c','d,e)','') charset utf8mb4", "enum utf8mb4 <a> <b'c> <d,e)> <>"},
                {"enum('back\\\\slash','new\\nline')", "enum <back\\slash> <new\nline>"},
                {"set('x','y z') charset latin1", "set latin1 <x> <y z>"},
                {"json", "json length=4294967295"},
                {"uuid", "uuid"},
                {"inet4", "inet4"},
                {"inet6", "inet6"},
                {"geomcollection", "geometry"},
                {"point", "geometry"},
                {"int(11) generated", "integer width=4 length=11"},
                {"timestamp(6) generated as row end", "timestamptz fsp=6"},
                {"varchar(5) charset latin1 generated", "varchar length=5 latin1"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                AUTO_BUF out = BUF_INIT;
                struct error e = ERROR_INIT;
                struct coltype *t = coltype_my(ENGINE_MARIADB, table[i][0], &e), *copy;

                assert_non_null(t);
                assert_string_equal(t->native, table[i][0]);
                copy = coltype_copy(t);
                coltype_free(t);
                describe(copy, &out);
                assert_string_equal(buf_text(&out), table[i][1]);
                coltype_free(copy);
        }
}

static void test_my_refused(void **state)
{
        static const char *const table[] = {"", "integers", "varchar", "varchar()", "varchar(x)",
                "int(11", "int(11))", "enum", "enum()", "enum('a'", "enum('a',)", "enum('a\\x')",
                "enum('a\\0')", "set(a)", "decimal(10,20)", "decimal(66,2)", "bit(65)", "bit(0)",
                "datetime(7)", "date(3)", "varchar(99999999999)", "char(3) charset klingon",
                "int charset latin1", "char(3) charset", "varchar(20) unsigned", "int signed",
                "a_name_that_is_longer_than_any_type_is", "text /* and", "int; drop table t"};

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                struct error e = ERROR_INIT;

                assert_null(coltype_my(ENGINE_MYSQL, table[i], &e));
                assert_int_equal(e.class, ERROR_DATA);
        }
}

/* MySQL's. MariaDB's (11.7) is in another form in the log. */
static void test_vector(void **state)
{
        struct error e = ERROR_INIT;
        struct coltype *t = coltype_my(ENGINE_MYSQL, "vector(3)", &e);
        struct coltype *other = coltype_pg(0, -1, "vector(3)");

        (void)state;
        assert_int_equal(t->length, 3);
        assert_true(coltype_is_vector(t) && coltype_is_bytes(t));
        assert_false(coltype_is_vector(other) || coltype_is_bytes(other));
        assert_null(coltype_my(ENGINE_MARIADB, "vector(3)", &e));
        assert_non_null(strstr(e.message, "\"vector(3)\" is not a type that is known"));
        coltype_free(t);
        coltype_free(other);
}

static void test_member(void **state)
{
        AUTO_BUF out = BUF_INIT;

        (void)state;
        coltype_my_member(&out, "it's\\\n\r\t", 8);
        coltype_my_member(&out, "\0", 1);
        assert_string_equal(buf_text(&out), "'it''s\\\\\\n\\r\t''\\0'");
}

static void test_pg_names(void **state)
{
        static const char *const table[][2] = {
                {"smallint", "integer width=2"},
                {"int8", "integer width=8"},
                {"oid", "integer width=4 unsigned"},
                {"boolean", "bool width=1"},
                {"numeric", "decimal"},
                {"numeric(10,2)", "decimal length=10 scale=2"},
                {"numeric(20)", "decimal length=20"},
                {"numeric(3,-2)", "decimal length=5"},
                {"numeric(2,5)", "decimal length=5 scale=5"},
                {"real", "float width=4"},
                {"double precision", "double width=8"},
                {"text", "text"},
                {"name", "text length=63"},
                {"character varying(20)", "varchar length=20"},
                {"varchar(20)", "varchar length=20"},
                {"character varying", "varchar"},
                {"character(3)", "char length=3"},
                {"bpchar", "char"},
                {"bytea", "blob"},
                {"date", "date"},
                {"time without time zone", "time fsp=6"},
                {"time(0) with time zone", "timetz"},
                {"timestamp(3) without time zone", "datetime fsp=3"},
                {"timestamp with time zone", "timestamptz fsp=6"},
                {"timestamptz(2)", "timestamptz fsp=2"},
                {"interval", "interval fsp=6"},
                {"interval(2)", "interval fsp=2"},
                {"interval day to second(3)", "interval fsp=3"},
                {"bit(9)", "bit length=9"},
                {"bit varying", "bit varying"},
                {"bit varying(9)", "bit length=9 varying"},
                {"uuid", "uuid"},
                {"json", "json"},
                {"jsonb", "jsonb"},
                {"integer[]", "array"},
                {"numeric(10,2)[]", "array"},
                {"\"odd (name)\"", "other"},
                {"shop.\"text\"", "other"},
                {"\"char\"", "other width=1"},
                {"geometry(Point,4326)", "other"},
                {"numeric(", "other"},
                {"", "other"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                AUTO_BUF out = BUF_INIT;
                struct coltype *t = coltype_pg(0, -1, table[i][0]);

                describe(t, &out);
                assert_string_equal(buf_text(&out), table[i][1]);
                coltype_free(t);
        }
}

/* Modifiers as pg_attribute.atttypmod has them. */
static void test_pg_oids(void **state)
{
        static const struct {
                uint32_t oid;
                int32_t modifier;
                const char *native, *what;
        } table[] = {
                {23, -1, "integer", "integer width=4"},
                {1700, -1, "numeric", "decimal"},
                {1700, 655366, "numeric(10,2)", "decimal length=10 scale=2"},
                {1700, 198658, "numeric(3,-2)", "decimal length=5"},
                {1700, 131081, "numeric(2,5)", "decimal length=5 scale=5"},
                {1043, 24, "character varying(20)", "varchar length=20"},
                {1043, -1, "character varying", "varchar"},
                {1042, 7, "character(3)", "char length=3"},
                {1114, 3, "timestamp(3) without time zone", "datetime fsp=3"},
                {1184, -1, "timestamp with time zone", "timestamptz fsp=6"},
                {1083, 0, "time(0) without time zone", "time"},
                {1186, 2147418114, "interval(2)", "interval fsp=2"},
                {1186, 327679, "interval", "interval fsp=6"},
                {1560, 5, "bit(5)", "bit length=5"},
                {1562, 5, "bit varying(5)", "bit length=5 varying"},
                {1007, -1, "integer[]", "array"},
                {1231, 655366, "numeric(10,2)[]", "array"},
                {869, -1, "inet", "other"},
                {99999, -1, "type with oid 99999", "other"},
                {0, 0, "type with oid 0", "other"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                AUTO_BUF out = BUF_INIT;
                struct coltype *t = coltype_pg(table[i].oid, table[i].modifier, NULL);

                assert_string_equal(t->native, table[i].native);
                describe(t, &out);
                assert_string_equal(buf_text(&out), table[i].what);
                coltype_free(t);
        }
}

static void test_members(void **state)
{
        char a[] = "sad", b[] = "it's";
        char *labels[] = {a, b};
        struct coltype *t = coltype_pg(0, -1, "mood");

        (void)state;
        assert_int_equal(t->class, TYPE_OTHER);
        assert_true(coltype_has_member(t, "x", 1));
        coltype_set_members(t, labels, 2);
        assert_int_equal(t->class, TYPE_ENUM);
        assert_true(coltype_has_member(t, "it's", 4));
        assert_false(coltype_has_member(t, "it", 2));
        coltype_set_members(t, labels, 1);
        assert_int_equal(t->members_n, 1);
        assert_null(coltype_free(t));
        assert_null(coltype_free(NULL));
}

static void test_kinds(void **state)
{
        struct error e = ERROR_INIT;
        struct coltype *my = coltype_my(ENGINE_MYSQL, "bit(3)", &e);
        struct coltype *pg = coltype_pg(0, -1, "bit(3)");

        (void)state;
        assert_true(coltype_is_bytes(my));
        assert_false(coltype_is_bytes(pg));
        assert_false(coltype_is_number(my));
        coltype_free(my);
        coltype_free(pg);
        my = coltype_my(ENGINE_MYSQL, "year", &e);
        assert_true(coltype_is_number(my));
        coltype_free(my);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_my),
                cmocka_unit_test(test_my_refused),
                cmocka_unit_test(test_vector),
                cmocka_unit_test(test_member),
                cmocka_unit_test(test_pg_names),
                cmocka_unit_test(test_pg_oids),
                cmocka_unit_test(test_members),
                cmocka_unit_test(test_kinds),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
