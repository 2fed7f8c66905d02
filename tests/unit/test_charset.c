#include "model/charset.h"
#include "model/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static void test_names(void **state)
{
        (void)state;
        assert_string_equal(charset_by_name("utf8")->name, "utf8mb3");
        assert_string_equal(charset_by_name("latin1")->name, "latin1");
        assert_null(charset_by_name("klingon"));
        assert_null(charset_by_name("swe7"));
        assert_true(charset_is_utf8(charset_by_name("ascii")));
        assert_true(charset_is_utf8(charset_by_name("utf8mb3")));
        assert_false(charset_is_utf8(charset_by_name("latin1")));
        assert_false(charset_is_utf8(charset_by_name("binary")));
}

/* Of information_schema.collations: MariaDB 10.11, and what only MySQL has. */
static void test_collations(void **state)
{
        static const struct {
                unsigned id;
                const char *name;
        } table[] = {{1, "big5"}, {8, "latin1"}, {11, "ascii"}, {16, "hebrew"}, {18, "tis620"},
                {28, "gbk"}, {33, "utf8mb3"}, {45, "utf8mb4"}, {63, "binary"}, {76, "utf8mb3"},
                {83, "utf8mb3"}, {92, "geostd8"}, {95, "cp932"}, {98, "eucjpms"}, {99, "cp1250"},
                {101, "utf16"}, {128, "ucs2"}, {159, "ucs2"}, {160, "utf32"}, {192, "utf8mb3"},
                {223, "utf8mb3"}, {224, "utf8mb4"}, {248, "gb18030"}, {255, "utf8mb4"},
                {309, "utf8mb4"}, {323, "utf8mb4"}, {576, "utf8mb3"}, {608, "utf8mb4"},
                {672, "utf16"}, {738, "utf32"}, {1032, "latin1"}, {1069, "utf8mb4"},
                {1088, "armscii8"}, {1122, "eucjpms"}, {1270, "utf8mb4"}, {2048, "utf8mb3"},
                {2304, "utf8mb4"}, {2560, "ucs2"}, {2816, "utf16"}, {3072, "utf32"}};
        static const unsigned unknown[] = {
                0, 10, 17, 82, 100, 125, 152, 251, 324, 1024, 1034, 3328, 4294967295u};

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                const struct charset *c = charset_by_collation(table[i].id);

                assert_non_null(c);
                assert_string_equal(c->name, table[i].name);
        }
        for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
                assert_null(charset_by_collation(unknown[i]));
}

static void assert_text(const char *set, const char *from, const char *want)
{
        const struct charset *c = set ? charset_by_name(set) : NULL;
        const char *text = from;
        size_t len = strlen(from);
        AUTO_BUF room = BUF_INIT;
        struct error e = ERROR_INIT;

        buf_str(&room, "left over");
        if (!want) {
                assert_int_equal(charset_text(c, &text, &len, &room, &e), -1);
                assert_non_null(strstr(e.message, set));
                return;
        }
        assert_int_equal(charset_text(c, &text, &len, &room, &e), 0);
        assert_int_equal(len, strlen(want));
        assert_memory_equal(text, want, len);
        assert_true(strcmp(from, want) != 0 || text == from); /* nothing is copied */
}

/* What is no character of its set is refused, also where its bytes are UTF-8 by chance. */
static void test_values_of_columns(void **state)
{
        (void)state;
        assert_text(NULL, "\xff", "\xff");
        assert_text("utf8mb4", "\xff", "\xff");
        assert_text("latin1", "plain", "plain");
        assert_text("latin1", "\xe9\x81", "é\xc2\x81");
        assert_text("gbk", "plain", "plain");
        assert_text("ascii", "\xc3\xa9", NULL);
        assert_text("hebrew", "a\xfb", NULL);
        assert_text("gbk", "\xfe\xfe", NULL);
        assert_text("sjis", "\x85\x40", NULL);
}

/* charset_text takes it for granted. */
static void test_ascii_is_ascii(void **state)
{
        static const char *const sets[] = {"ascii", "big5", "cp932", "eucjpms", "euckr", "gb18030",
                "gb2312", "gbk", "sjis", "ujis", "latin1", "hebrew", "tis620", "koi8r", "greek",
                "dec8", "hp8", "keybcs2", "geostd8", "armscii8", "macce", "cp1256"};
        struct error e = ERROR_INIT;
        char ascii[127];

        (void)state;
        for (int i = 0; i < 127; i++)
                ascii[i] = (char)(i + 1);
        for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
                const struct charset *c = charset_by_name(sets[i]);
                AUTO_BUF out = BUF_INIT;

                assert_int_equal(charset_to_utf8(c, ascii, sizeof ascii, &out, &e), 0);
                assert_int_equal(out.len, sizeof ascii);
                assert_memory_equal(out.data, ascii, sizeof ascii);
        }
}

static void test_text(void **state)
{
        static const struct {
                const char *set, *from, *to;
        } table[] = {
                {"latin1", "caf\xe9", "caf\xc3\xa9"},
                {"latin1", "\x80\x81\x8d\x8f\x90\x9d",
                        "\xe2\x82\xac\xc2\x81\xc2\x8d\xc2\x8f\xc2\x90\xc2\x9d"},
                {"latin1", "", ""},
                {"cp866", "\xfc", "\xe2\x81\xbf"},
                {"koi8u", "\x95", "\xe2\x80\xa2"},
                {"armscii8", "\xa2\xff", "\xc2\xa7'"},
                {"greek", "\xa1", "\xca\xbd"},
                {"tis620", "\x80\xa1", "\xc2\x80\xe0\xb8\x81"},
                {"utf8mb4", "a\xf0\x9f\x98\x80", "a\xf0\x9f\x98\x80"},
                {"gbk", "\xd6\xd0", "\xe4\xb8\xad"},
                {"gb2312", "\xd6\xd0", "\xe4\xb8\xad"},
                {"gb18030", "\x94\x39\xfc\x36", "\xf0\x9f\x98\x80"},
                {"sjis", "\\~\x81\x5f\x83\x5c\xb1", "\\~\\\xe3\x82\xbd\xef\xbd\xb1"},
                {"cp932", "\x81\x60\x87\x40", "\xef\xbd\x9e\xe2\x91\xa0"},
                {"ujis", "\xa1\xc0\xa4\xa2\x8f\xa2\xb7\xf5\xa1", "\\\xe3\x81\x82~\xee\x80\x80"},
                {"eucjpms", "\xa1\xc1\xad\xa1", "\xef\xbd\x9e\xe2\x91\xa0"},
                {"big5", "\xa4\x40\xc6\xa5\xa1\x45", "\xe4\xb8\x80\xe3\x81\x81\xe2\x80\xa2"},
                {"euckr", "\xb0\xa1\x81\x41", "\xea\xb0\x80\xea\xb0\x82"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                AUTO_BUF out = BUF_INIT;
                struct error e = ERROR_INIT;

                assert_int_equal(charset_to_utf8(charset_by_name(table[i].set), table[i].from,
                                         strlen(table[i].from), &out, &e),
                        0);
                assert_string_equal(buf_text(&out), table[i].to);
        }
}

/* Sets whose characters have zero bytes, and a text longer than one step of iconv. */
static void test_wide(void **state)
{
        AUTO_BUF out = BUF_INIT;
        AUTO_BUF long_text = BUF_INIT;
        struct error e = ERROR_INIT;

        (void)state;
        assert_int_equal(
                charset_to_utf8(charset_by_name("utf16"), "\0a\xd8\x3d\xde\x00", 6, &out, &e), 0);
        assert_string_equal(buf_text(&out), "a\xf0\x9f\x98\x80");
        buf_clear(&out);
        assert_int_equal(charset_to_utf8(charset_by_name("utf16le"), "a\0", 2, &out, &e), 0);
        assert_int_equal(charset_to_utf8(charset_by_name("ucs2"), "\x20\xac", 2, &out, &e), 0);
        assert_int_equal(charset_to_utf8(charset_by_name("utf32"), "\0\x01\xf6\0", 4, &out, &e), 0);
        assert_string_equal(buf_text(&out), "a\xe2\x82\xac\xf0\x9f\x98\x80");
        buf_clear(&out);
        for (unsigned i = 0; i < 5000; i++)
                buf_str(&long_text, "\xd6\xd0");
        assert_int_equal(
                charset_to_utf8(charset_by_name("gbk"), long_text.data, long_text.len, &out, &e),
                0);
        assert_int_equal(out.len, 15000);
        assert_int_equal(utf8_count(out.data, out.len), 5000);
        buf_clear(&out);
        assert_int_equal(charset_to_utf8(charset_by_name("binary"), "\0\xff", 2, &out, &e), 0);
        assert_int_equal(out.len, 2);
}

static void test_refused(void **state)
{
        static const struct {
                const char *set, *text;
                size_t len, offset;
        } table[] = {
                {"utf8mb4", "ab\xff", 3, 2},
                {"utf8mb4", "\xc0\xaf", 2, 0},
                {"utf8mb4", "a\xe0\x80\xaf", 4, 1},
                {"utf8mb4", "\xed\xa0\x80", 3, 0},
                {"utf8mb4", "\xf4\x90\x80\x80", 4, 0},
                {"utf8mb4", "abc\xe2\x82", 5, 3},
                {"utf8mb3", "\xf0\x9f\x98\x80", 4, 0},
                {"ascii", "x\x80", 2, 1},
                {"cp1250", "secret\x81", 7, 6},
                {"sjis", "\x87\x40", 2, 0},
                {"big5", "ab\xa1\x5a", 4, 2},
                {"big5", "ab\xa4", 3, 2},
                {"gbk", "a\xff\xff", 3, 1},
                {"ucs2", "\xd8\x00", 2, 0},
                {"utf16", "a", 1, 0},
        };

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                AUTO_BUF out = BUF_INIT;
                struct error e = ERROR_INIT;
                char where[32];

                assert_int_equal(charset_to_utf8(charset_by_name(table[i].set), table[i].text,
                                         table[i].len, &out, &e),
                        -1);
                assert_int_equal(e.class, ERROR_DATA);
                snprintf(where, sizeof where, "at byte %zu", table[i].offset);
                assert_non_null(strstr(e.message, where));
                assert_non_null(strstr(e.message, table[i].set));
                assert_null(strstr(e.message, "secret"));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_collations),
                cmocka_unit_test(test_text),
                cmocka_unit_test(test_values_of_columns),
                cmocka_unit_test(test_ascii_is_ascii),
                cmocka_unit_test(test_wide),
                cmocka_unit_test(test_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
