/* culvertctl cat, over the kept sample of format 1 (tests/unit/test_segment.c made it). */
#include "base/memory.h"
#include "ctl/cat.h"
#include "base/file.h"
#include "ops/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char *data_path(const char *name)
{
        const char *top = getenv("CULVERT_TOP");

        return memory_printf("%s%stests/unit/data/%s", top ? top : "", top ? "/" : "", name);
}

static char *cat(const char *path, int *rc, struct error *e)
{
        char *text = NULL;
        size_t len;
        FILE *out = open_memstream(&text, &len);

        *rc = cat_file(path, out, e);
        fclose(out);
        return text;
}

static void test_sample(void **state)
{
        AUTO_STRING path = data_path("segment-1.segment");
        AUTO_STRING expected_path = data_path("segment-1.jsonl");
        struct error e = ERROR_INIT;
        AUTO_STRING expected = file_read(expected_path, 1 << 20, &e);
        AUTO_STRING is = NULL;
        int rc;

        (void)state;
        is = cat(path, &rc, &e);
        assert_string_equal(e.message, "");
        assert_int_equal(rc, 0);
        assert_string_equal(is, expected);
}

static void assert_named(const char *bytes, size_t len, unsigned lines, const char *message)
{
        char path[] = "/tmp/cat-XXXXXX";
        int fd = mkstemp(path), rc;
        AUTO_STRING text = NULL;
        AUTO_STRING want = memory_printf("%s%s", path, message);
        struct error e = ERROR_INIT;

        assert_true(fd >= 0);
        assert_int_equal(write(fd, bytes, len), len);
        close(fd);
        text = cat(path, &rc, &e);
        unlink(path);
        assert_int_equal(rc, -1);
        assert_string_equal(e.message, want);
        for (const char *at = text; (at = strchr(at, '\n')); at++)
                lines--;
        assert_int_equal(lines, 0);
}

/* What is whole is printed. */
static void test_damage(void **state)
{
        AUTO_STRING path = data_path("segment-1.segment");
        FILE *f = fopen(path, "rb");
        char bytes[4096];
        size_t len, second;
        AUTO_STRING cut = NULL;
        AUTO_STRING damaged = NULL;

        (void)state;
        assert_non_null(f);
        len = fread(bytes, 1, sizeof bytes, f);
        fclose(f);
        second = (size_t)((char *)memmem(bytes + 200, len - 200, "CVFR", 4) - bytes);
        cut = memory_printf(", frame at %zu: the file ends inside the frame", second);
        damaged = memory_printf(", frame at %zu: damaged", second);
        assert_named(bytes, len - 1, 2, cut);
        bytes[len - 1] ^= 1;
        assert_named(bytes, len, 2, damaged);
        bytes[second + 20] ^= 1;
        assert_named(bytes, len, 2, damaged);
        bytes[30] ^= 1;
        assert_named(bytes, len, 0, ": the header is damaged");
        bytes[11] = 3;
        assert_named(bytes, len, 0,
                ": segment format 3; this culvert knows format 2: a newer version has written it");
        assert_named("hello", 5, 0, ": not a segment file of culvert");
}

static void test_quote(void **state)
{
        static const char text[] = "a\"\\\n\0\x7f\xc2\x85\xc3\xa9\xff\xe2\x82\xac";
        AUTO_BUF out = BUF_INIT;

        (void)state;
        json_quote(&out, text, sizeof text - 1);
        assert_string_equal(
                out.data, "\"a\\\"\\\\\\u000a\\u0000\\u007f\\u0085\xc3\xa9?\xe2\x82\xac\"");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sample),
                cmocka_unit_test(test_damage),
                cmocka_unit_test(test_quote),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
