#include "ops/saved.h"
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

static char folder[64];

static int set_up(void **state)
{
        const char *top = getenv("TMPDIR");

        (void)state;
        snprintf(folder, sizeof folder, "%.40s/saved-XXXXXX", top ? top : "/tmp");
        return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
        AUTO_STRING command = memory_printf("rm -rf '%s'", folder);

        (void)state;
        return system(command);
}

static void put(const char *text)
{
        AUTO_STRING path = memory_printf("%s/state", folder);
        struct error e = ERROR_INIT;

        assert_int_equal(file_replace(path, text, &e), 0);
}

static void test_none_yet(void **state)
{
        struct saved s = {.paused = true};
        struct error e = ERROR_INIT;

        (void)state;
        assert_int_equal(saved_read(&s, folder, &e), 0);
        assert_false(s.paused);
        assert_int_equal(s.phase, STATE_COPYING);
}

static void test_both_ways(void **state)
{
        static const struct saved all[] = {{.paused = true, .phase = STATE_STREAMING},
                {.paused = false, .phase = STATE_STREAMING},
                {.paused = true, .phase = STATE_COPYING},
                {.paused = false, .phase = STATE_COPYING}};

        (void)state;
        for (unsigned i = 0; i < 4; i++) {
                struct saved s = {0};
                struct error e = ERROR_INIT;

                assert_int_equal(saved_write(&all[i], folder, &e), 0);
                assert_int_equal(saved_read(&s, folder, &e), 0);
                assert_int_equal(s.paused, all[i].paused);
                assert_int_equal(s.phase, all[i].phase);
        }
}

static void test_accepted_position(void **state)
{
        struct saved s = {.phase = STATE_STREAMING,
                .accepted = {.lsn = 4711, .file = 3},
                .accepted_of = {.system = "0f6e-1", .slot = "mysql-bin"}};
        struct saved back;
        struct error e = ERROR_INIT;

        (void)state;
        assert_int_equal(saved_write(&s, folder, &e), 0);
        assert_int_equal(saved_read(&back, folder, &e), 0);
        assert_int_equal(position_compare(back.accepted, s.accepted), 0);
        assert_int_equal(identity_check(&back.accepted_of, &s.accepted_of, &e), 0);
        put("culvert-state 1\npaused no\nphase streaming\naccepted 3\n");
        assert_int_equal(saved_read(&back, folder, &e), -1);
        put("culvert-state 1\npaused no\nphase streaming\naccepted 3:x a/0/b\n");
        assert_int_equal(saved_read(&back, folder, &e), -1);
}

/* Any character may be in a name. */
static void test_accepting(void **state)
{
        struct saved s = {.phase = STATE_STREAMING, .accepting = "shop.or\naccepted 1 2\nders"};
        struct saved back;
        struct error e = ERROR_INIT;
        AUTO_BUF text = BUF_INIT;

        (void)state;
        s.accepted = (struct position){.lsn = 4711, .file = 3};
        s.accepted_of = (struct source_identity){.system = "0f6e-1", .slot = "mysql-bin"};
        assert_int_equal(saved_write(&s, folder, &e), 0);
        assert_int_equal(saved_read(&back, folder, &e), 0);
        assert_string_equal(back.accepting, s.accepting);
        assert_int_equal(position_compare(back.accepted, s.accepted), 0);
        put("culvert-state 1\npaused no\nphase streaming\n");
        assert_int_equal(saved_read(&back, folder, &e), 0);
        assert_string_equal(back.accepting, "");
        put("culvert-state 1\npaused no\nphase streaming\naccepting 99:shop.a\n");
        assert_int_equal(saved_read(&back, folder, &e), -1);
        buf_str(&text, "culvert-state 1\npaused no\nphase streaming\naccepting 300:");
        for (int i = 0; i < 300; i++)
                buf_char(&text, 'x');
        put(buf_text(&text));
        assert_int_equal(saved_read(&back, folder, &e), -1);
}

static void test_format_1_stays_readable(void **state)
{
        struct saved s = {0};
        struct error e = ERROR_INIT;

        (void)state;
        put("culvert-state 1\npaused yes\nphase streaming\n");
        assert_int_equal(saved_read(&s, folder, &e), 0);
        assert_true(s.paused);
        assert_int_equal(s.phase, STATE_STREAMING);
}

static void test_newer_format(void **state)
{
        struct saved s = {0};
        struct error e = ERROR_INIT;

        (void)state;
        put("culvert-state 2\nshape unknown\n");
        assert_int_equal(saved_read(&s, folder, &e), -1);
        assert_int_equal(e.class, ERROR_CONFIG);
        assert_non_null(strstr(e.message, "has format 2"));
        assert_non_null(strstr(e.message, "knows 1"));
}

static void test_damage(void **state)
{
        static const char *const bad[] = {"", "culvert-state", "culvert-state x\n", "paused yes\n",
                "culvert-state 1\n", "culvert-state 1\npaused yes\n",
                "culvert-state 1\npaused maybe\nphase streaming\n",
                "culvert-state 1\npaused yes\nphase dreaming\n",
                "culvert-state 1\npaused yesyesyesyesyes\nphase streaming\n"};

        (void)state;
        for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
                struct saved s = {0};
                struct error e = ERROR_INIT;

                put(bad[i]);
                if (saved_read(&s, folder, &e) != -1)
                        fail_msg("'%s' was taken", bad[i]);
                assert_non_null(strstr(e.message, folder));
        }
}

static void test_too_large(void **state)
{
        char text[9000];
        struct saved s = {0};
        struct error e = ERROR_INIT;

        (void)state;
        memset(text, ' ', sizeof text - 1);
        text[sizeof text - 1] = '\0';
        put(text);
        assert_int_equal(saved_read(&s, folder, &e), -1);
        assert_int_equal(saved_write(&s, "/nonexistent/place", &e), -1);
}

/* "Cannot be read" is not "not there": a paused pipeline would start unpaused. */
static void test_unreadable_is_an_error(void **state)
{
        AUTO_STRING inside = memory_printf("%s/state", folder);
        struct saved s = {0};
        struct error e = ERROR_INIT;

        (void)state;
        put("culvert-state 1\npaused yes\nphase streaming\n");
        assert_int_equal(saved_read(&s, inside, &e), -1); /* a file where the folder should be */
        assert_int_equal(e.class, ERROR_CONFIG);
}

static void test_state_names(void **state)
{
        (void)state;
        for (int i = 0; i < STATE_COUNT; i++)
                assert_int_equal(state_of(state_name((enum state)i)), i);
        assert_string_equal(state_name(STATE_STOPPED), "stopped-on-error");
        assert_int_equal(state_of("stopped"), -1);
        assert_int_equal(state_of(""), -1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_none_yet, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_both_ways, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_accepted_position, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_accepting, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_format_1_stays_readable, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_newer_format, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_damage, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_too_large, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_unreadable_is_an_error, set_up, tear_down),
                cmocka_unit_test(test_state_names),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
