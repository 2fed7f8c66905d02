#include "base/buf.h"
#include "base/ini.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

/* What the reader says, one line a call. */
static void on_section(void *context, int line, const char *name)
{
        buf_printf(context, "%d[%s]\n", line, name);
}

static void on_key(void *context, int line, const char *key, const char *value)
{
        buf_printf(context, "%d %s=<%s>\n", line, key, value);
}

static void on_problem(void *context, int line, const char *text)
{
        buf_printf(context, "%d! %s\n", line, text);
}

static const struct ini_reader reader = {on_section, on_key, on_problem};

static void expect_bytes(const char *text, size_t len, const char *want)
{
        AUTO_BUF said = BUF_INIT;

        ini_read(text, len, &reader, &said);
        assert_string_equal(buf_text(&said), want);
}

static void expect(const char *text, const char *want)
{
        expect_bytes(text, strlen(text), want);
}

static void test_plain(void **state)
{
        (void)state;
        expect("", "");
        expect("; c\n# c\n\n[a]\nk = v\n  k2=v 2  \n[ b c ] ; note\nk =",
                "4[a]\n5 k=<v>\n6 k2=<v 2>\n7[b c]\n8 k=<>\n");
        expect("[a]\r\nk = v\r\n", "1[a]\n2 k=<v>\n");
        expect("\xef\xbb\xbf[a]\nk = \xc3\xa9\xf0\x9f\x98\x80\n",
                "1[a]\n2 k=<\xc3\xa9\xf0\x9f\x98\x80>\n");
}

static void test_comments_and_quotes(void **state)
{
        (void)state;
        expect("[a]\nk = v ; c\nk = ; c\nk =\t; c\nk =;c\nk = a;b # c\n",
                "1[a]\n2 k=<v>\n3 k=<>\n4 k=<>\n5 k=<;c>\n6 k=<a;b # c>\n");
        expect("[a]\nk = x = 'a ; b' ; c\nk = 'it''s ; \"' ; c\nk = \"; ' ;\" ; c\n",
                "1[a]\n2 k=<x = 'a ; b'>\n3 k=<'it''s ; \"'>\n4 k=<\"; ' ;\">\n");
        expect("[a]\nk = /o'brien\nk = /o'brien ; c\nk = ok\n",
                "1[a]\n2 k=</o'brien>\n"
                "3! a quote is not closed: a comment, or part of the value?\n4 k=<ok>\n");
        expect("[t \"x]\".\"y\"]\n\"a=b\" = c\n", "1[t \"x]\".\"y\"]\n2 \"a=b\"=<c>\n");
}

static void test_problems(void **state)
{
        (void)state;
        expect("k = v\nl = w\n[a]\nk = v\n",
                "1! a line before the first [section]\n3[a]\n4 k=<v>\n");
        expect("[a\nk = v\n[b] x\nk = v\n[]\nk = v\n[c]\nk = v\n",
                "1! the section's name does not end with ]\n3! text after the section's ]\n"
                "5! a section without a name\n7[c]\n8 k=<v>\n");
        expect("[a]\nword\n= v\n", "1[a]\n2! neither [section] nor key = value\n"
                                   "3! neither [section] nor key = value\n");
        expect_bytes("[a]\nk = \0v\nk = w\n", 16, "1[a]\n2! the line holds a NUL byte\n3 k=<w>\n");
        expect("[a]\nk = \x01\nk = v\rw\n", "1[a]\n2! the line holds a control character\n"
                                            "3! the line holds a control character\n");
        /* The section that could not be read must not hand its keys to the one before. */
        expect("[a]\n[b\xff]\nk = v\n", "1[a]\n2! the line is not valid UTF-8\n");
}

static void test_utf8(void **state)
{
        static const char *const bad[] = {"\x80", "\xc0\xaf", "\xc1\xbf", "\xc3", "\xe0\x9f\xbf",
                "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
                "\xe2\x82", "\xe2(\xa1"};

        (void)state;
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
                AUTO_BUF text = BUF_INIT;

                buf_printf(&text, "[a]\nk = %s\n", bad[i]);
                expect(buf_text(&text), "1[a]\n2! the line is not valid UTF-8\n");
        }
}

static void test_long_lines(void **state)
{
        AUTO_BUF text = BUF_INIT;
        AUTO_BUF want = BUF_INIT;

        (void)state;
        buf_str(&text, "[a]\nk =");
        buf_str(&want, "1[a]\n2 k=<");
        while (text.len < 4 + INI_LINE_MAX) {
                buf_char(&text, 'x');
                buf_char(&want, 'x');
        }
        buf_str(&want, ">\n");
        expect(buf_text(&text), buf_text(&want));
        buf_str(&text, "x\nk = v\n");
        expect(buf_text(&text), "1[a]\n2! the line is longer than 64 KiB\n3 k=<v>\n");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_plain),
                cmocka_unit_test(test_comments_and_quotes),
                cmocka_unit_test(test_problems),
                cmocka_unit_test(test_utf8),
                cmocka_unit_test(test_long_lines),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
