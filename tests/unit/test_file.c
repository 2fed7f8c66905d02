#include "base/file.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static int set_up(void **state)
{
        const char *top = getenv("TMPDIR");

        (void)state;
        snprintf(folder, sizeof folder, "%.40s/file-XXXXXX", top ? top : "/tmp");
        return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
        AUTO_STRING command = memory_printf("rm -rf '%s'", folder);

        (void)state;
        return system(command);
}

static void test_replace_and_read(void **state)
{
        AUTO_STRING path = memory_printf("%s/state", folder);
        AUTO_STRING part = memory_printf("%s/state.new", folder);
        AUTO_STRING first = NULL;
        AUTO_STRING second = NULL;
        struct error e = ERROR_INIT;
        struct stat st;

        (void)state;
        assert_int_equal(file_replace(path, "one\ntwo\n", &e), 0);
        first = file_read(path, 100, &e);
        assert_string_equal(first, "one\ntwo\n");
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        assert_int_equal(file_replace(path, "", &e), 0);
        second = file_read(path, 100, &e);
        assert_string_equal(second, "");
        assert_int_equal(access(part, F_OK), -1);
}

static void test_limit(void **state)
{
        AUTO_STRING path = memory_printf("%s/state", folder);
        AUTO_STRING fits = NULL;
        struct error e = ERROR_INIT;

        (void)state;
        assert_int_equal(file_replace(path, "12345", &e), 0);
        fits = file_read(path, 5, &e);
        assert_string_equal(fits, "12345");
        assert_null(file_read(path, 4, &e));
        assert_int_equal(e.class, ERROR_CONFIG);
        assert_non_null(strstr(e.message, "larger than 4 bytes"));
}

static void test_errors_name_the_file(void **state)
{
        AUTO_STRING path = memory_printf("%s/none/state", folder);
        struct error e = ERROR_INIT;

        (void)state;
        assert_null(file_read(path, 10, &e));
        assert_int_equal(e.class, ERROR_CONFIG);
        assert_non_null(strstr(e.message, path));
        assert_non_null(strstr(e.message, "No such file"));
        assert_int_equal(file_replace(path, "x", &e), -1);
        assert_non_null(strstr(e.message, path));
        assert_null(file_read(folder, 10, &e));
        assert_non_null(strstr(e.message, "cannot be read"));
}

static void test_make_dir(void **state)
{
        AUTO_STRING path = memory_printf("%s/a/b/c", folder);
        AUTO_STRING file = memory_printf("%s/a/b/c/file", folder);
        AUTO_STRING below = memory_printf("%s/a/b/c/file/d", folder);
        struct error e = ERROR_INIT;
        struct stat st;

        (void)state;
        assert_int_equal(file_make_dir(path, &e), 0);
        assert_int_equal(file_make_dir(path, &e), 0);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0700);
        assert_int_equal(file_replace(file, "x", &e), 0);
        assert_int_equal(file_make_dir(below, &e), -1);
        assert_non_null(strstr(e.message, "cannot be made"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_replace_and_read, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_limit, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_errors_name_the_file, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_make_dir, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
