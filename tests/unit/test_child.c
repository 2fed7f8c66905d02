/* Programs that end, fail, talk too much, or have to be stopped. */
#include "base/child.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static int shell(const char *script, struct buf *out, struct buf *err, const atomic_bool *stop,
        struct error *e)
{
        const char *const argv[] = {"sh", "-c", script, NULL};
        const char *const environment[] = {"CULVERT_TEST=se cret", NULL};
        const struct child c = {argv, environment, 100000, stop};

        return child_run(&c, out, err, e);
}

static void takes_output_and_status(void **state)
{
        struct error e = ERROR_INIT;
        AUTO_BUF out = BUF_INIT, err = BUF_INIT;

        (void)state;
        setenv("CULVERT_TEST", "ours", 1);
        setenv("CULVERT_OTHER", "kept", 1);
        assert_int_equal(shell("echo \"$CULVERT_TEST/$CULVERT_OTHER\"; echo bad >&2; exit 7", &out,
                                 &err, NULL, &e),
                7);
        assert_string_equal(buf_text(&out), "se cret/kept\n");
        assert_string_equal(buf_text(&err), "bad\n");
}

static void has_no_input_and_no_descriptors(void **state)
{
        struct error e = ERROR_INIT;
        AUTO_BUF out = BUF_INIT, err = BUF_INIT;
        int open_fd = dup(0);

        (void)state;
        assert_int_equal(shell("cat; ls /proc/self/fd | wc -l", &out, &err, NULL, &e), 0);
        assert_string_equal(buf_text(&out), "4\n"); /* 0 1 2 and that of ls itself */
        close(open_fd);
}

static void unblocks_signals(void **state)
{
        struct error e = ERROR_INIT;
        AUTO_BUF err = BUF_INIT;
        sigset_t term, old;

        (void)state;
        sigemptyset(&term);
        sigaddset(&term, SIGTERM);
        pthread_sigmask(SIG_BLOCK, &term, &old);
        assert_int_equal(shell("kill -TERM $$; exit 3", NULL, &err, NULL, &e), -1);
        assert_non_null(strstr(e.message, "signal 15"));
        pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void bounds_output(void **state)
{
        struct error e = ERROR_INIT;
        AUTO_BUF out = BUF_INIT, err = BUF_INIT;

        (void)state;
        assert_int_equal(shell("yes", &out, &err, NULL, &e), -1);
        assert_int_equal(e.class, ERROR_DATA);
        assert_true(out.len <= 100000);
        assert_int_equal(
                shell("(echo first; yes | head -c 5000000; echo last) >&2", NULL, &err, NULL, &e),
                0);
        assert_true(err.len < 40000);
        assert_int_equal(strncmp(buf_text(&err), "first\n", 6), 0);
        assert_string_equal(buf_text(&err) + err.len - 5, "last\n");
}

static void says_what_cannot_run(void **state)
{
        const char *const argv[] = {"culvert-no-such-program", NULL};
        const struct child c = {argv, NULL, 10, NULL};
        struct error e = ERROR_INIT;
        AUTO_BUF err = BUF_INIT;

        (void)state;
        assert_int_equal(child_run(&c, NULL, &err, &e), -1);
        assert_int_equal(e.class, ERROR_CONFIG);
        assert_string_equal(e.message, "culvert-no-such-program: no such program");
}

static atomic_bool stop;

static void *stop_soon(void *path)
{
        const struct timespec tick = {.tv_nsec = 1000000};

        while (access(path, F_OK) != 0)
                nanosleep(&tick, NULL);
        atomic_store(&stop, true);
        return NULL;
}

/* The child and its own child are both gone: they hold the pipe's end, which child_run reads to
 * the end. */
static void stops_the_whole_group(void **state)
{
        char folder[] = "/tmp/culvert-child-XXXXXX", ready[64], script[128];
        struct error e = ERROR_INIT;
        AUTO_BUF out = BUF_INIT, err = BUF_INIT;
        pthread_t thread;

        (void)state;
        assert_non_null(mkdtemp(folder));
        snprintf(ready, sizeof ready, "%s/ready", folder);
        snprintf(script, sizeof script, "sleep 600 & touch %s; wait", ready);
        pthread_create(&thread, NULL, stop_soon, ready);
        assert_int_equal(shell(script, &out, &err, &stop, &e), -1);
        pthread_join(thread, NULL);
        assert_int_equal(e.class, ERROR_RETRY);
        assert_string_equal(e.message, "sh: stopped");
        unlink(ready);
        rmdir(folder);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(takes_output_and_status),
                cmocka_unit_test(has_no_input_and_no_descriptors),
                cmocka_unit_test(unblocks_signals),
                cmocka_unit_test(bounds_output),
                cmocka_unit_test(says_what_cannot_run),
                cmocka_unit_test(stops_the_whole_group),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
