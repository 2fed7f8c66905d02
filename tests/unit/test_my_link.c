#include "db/my_link.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * A server of one connection, in a thread: greets, lets anybody in, and answers each statement of a
 * COM_QUERY, which are letters, by its letter: o(k), m(any oks), r(ow), e(rror), c(lose after ok),
 * l(ose the connection), n(ot at all). A long text is the session's.
 */
struct fake {
        int listener, conn;
        unsigned port;
        unsigned char number; /* of the next packet */
        unsigned many;        /* how many statements 'm' stands for */
        pthread_t thread;
};

static void send_packet(struct fake *f, const void *data, size_t len)
{
        unsigned char head[4] = {(unsigned char)len, (unsigned char)(len >> 8), 0, f->number++};

        if (send(f->conn, head, 4, MSG_NOSIGNAL | MSG_MORE) < 0 ||
                send(f->conn, data, len, MSG_NOSIGNAL) < 0)
                shutdown(f->conn, SHUT_RDWR);
}

static void send_ok(struct fake *f, unsigned char affected, bool more)
{
        const unsigned char ok[] = {0, affected, 0, (unsigned char)(more ? 0x0a : 2), 0, 0, 0};

        send_packet(f, ok, sizeof ok);
}

/* One column named c, one row "7". */
static void send_row(struct fake *f, bool more)
{
        static const char column[] =
                "\3def\0\0\0\1c\0\x0c\x2d\0\x0a\0\0\0\xfd\0\0\0\0"; /* ends with a 0 */
        const char eof[] = {(char)0xfe, 0, 0, (char)(more ? 0x0a : 2), 0};

        send_packet(f, "\1", 1);
        send_packet(f, column, sizeof column);
        send_packet(f, eof, sizeof eof);
        send_packet(f, "\0017", 2);
        send_packet(f, eof, sizeof eof);
}

static bool read_all(int fd, void *to, size_t len)
{
        for (char *at = to; len > 0;) {
                ssize_t n = read(fd, at, len);

                if (n <= 0)
                        return false;
                at += n;
                len -= (size_t)n;
        }
        return true;
}

static bool read_packet(struct fake *f, char *text, size_t size)
{
        unsigned char head[4];
        size_t len;

        if (!read_all(f->conn, head, 4))
                return false;
        len = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16;
        f->number = (unsigned char)(head[3] + 1);
        if (len >= size || !read_all(f->conn, text, len))
                return false;
        text[len] = '\0';
        return true;
}

static bool answer(struct fake *f, char letter, bool more)
{
        switch (letter) {
        case 'o':
                send_ok(f, 5, more);
                return true;
        case 'm':
                for (unsigned i = 0; i < f->many; i++)
                        send_ok(f, 1, more || i + 1 < f->many);
                return true;
        case 'r':
                send_row(f, more);
                return true;
        case 'e':
                send_packet(f, "\xff\x26\x04#23000Duplicate entry 'x' for key 'k'", 41);
                return false;
        case 'c':
                send_ok(f, 5, false);
                shutdown(f->conn, SHUT_RDWR);
                return false;
        case 'l':
                shutdown(f->conn, SHUT_RDWR);
                return false;
        default:
                return false;
        }
}

static void answer_all(struct fake *f, const char *text)
{
        if (text[0] != 3) { /* COM_QUIT, COM_PING */
                if (text[0] == 14)
                        send_ok(f, 0, false);
                return;
        }
        if (strlen(text + 1) > 40) {
                send_ok(f, 0, true);
                send_ok(f, 0, false);
                return;
        }
        for (text++; *text && answer(f, *text, text[1]); text += text[1] ? 2 : 1)
                ;
}

static void *fake_run(void *context)
{
        static const char greeting[] =
                "\x0a"
                "5.5.5-10.11.19-MariaDB\0\1\0\0\0abcdefgh\0\xfe\xf7\x2d\2\0\x0f\0\x15\0\0\0\0\0\0"
                "\0\0\0\0ijklmnopqrst\0mysql_native_password";
        struct fake *f = context;
        char text[4096];

        while ((f->conn = accept(f->listener, NULL, NULL)) >= 0) {
                f->number = 0;
                send_packet(f, greeting, sizeof greeting);
                if (read_packet(f, text, sizeof text)) {
                        send_ok(f, 0, false);
                        while (read_packet(f, text, sizeof text))
                                answer_all(f, text);
                }
                close(f->conn);
        }
        return NULL;
}

static void fake_start(struct fake *f)
{
        struct sockaddr_in a = {
                .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = 0};
        socklen_t size = sizeof a;

        f->listener = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(bind(f->listener, (struct sockaddr *)&a, sizeof a), 0);
        assert_int_equal(listen(f->listener, 5), 0);
        getsockname(f->listener, (struct sockaddr *)&a, &size);
        f->port = ntohs(a.sin_port);
        pthread_create(&f->thread, NULL, fake_run, f);
}

static void fake_stop(struct fake *f)
{
        shutdown(f->listener, SHUT_RDWR);
        pthread_join(f->thread, NULL);
        close(f->listener);
}

/* ---- what the link tells ---- */

struct seen {
        struct fake fake;
        struct loop *loop;
        struct my_link *link;
        struct timer limit;
        struct buf log;
        unsigned ups, downs, dones, answers, ticks;
        bool late;
};

static void on_up(void *context)
{
        struct seen *s = context;

        s->ups++;
        buf_str(&s->log, "up;");
}

static void on_down(void *context, const struct error *e)
{
        struct seen *s = context;

        s->downs++;
        buf_printf(&s->log, "down %s;", error_class_name(e->class));
        s->link = my_link_free(s->link);
}

static void on_answer(void *context, unsigned statement, uint64_t found, MYSQL_RES *rows)
{
        struct seen *s = context;

        if (s->answers++ > 10)
                return;
        buf_printf(&s->log, "%u:%u%s%s;", statement, (unsigned)found, rows ? "=" : "",
                rows ? mysql_fetch_row(rows)[0] : "");
}

static void on_done(void *context, unsigned answered, const struct error *e)
{
        struct seen *s = context;

        s->dones++;
        buf_printf(&s->log, "done %u%s%s;", answered, e ? " " : "",
                e ? error_class_name(e->class) : "");
}

static void on_limit(void *context)
{
        struct seen *s = context;

        s->late = true;
}

static int setup(void **state)
{
        struct seen *s = memory_new_of(struct seen);
        struct error e = ERROR_INIT;

        s->fake.many = 2000;
        fake_start(&s->fake);
        s->loop = loop_new(&e);
        timer_init(&s->limit, s->loop, on_limit, s);
        timer_set(&s->limit, 20 * SECOND);
        *state = s;
        return 0;
}

static int teardown(void **state)
{
        struct seen *s = *state;

        my_link_free(s->link);
        timer_cancel(&s->limit);
        loop_free(s->loop);
        fake_stop(&s->fake);
        buf_done(&s->log);
        free(s);
        return 0;
}

static void connect_to(struct seen *s, unsigned port)
{
        static const struct my_link_events events = {on_up, on_down};
        AUTO_STRING uri = memory_printf("mysql://u@127.0.0.1:%u/d?ssl-mode=DISABLED", port);
        struct config_end end = {.uri = uri};
        struct error e = ERROR_INIT;
        struct my_params *p = my_params_new(&end, "target", &e);

        s->link = my_link_new(s->loop, p, &events, s);
        my_params_free(p);
}

static void batch(struct seen *s, const char *sql)
{
        struct buf b = BUF_INIT;

        buf_str(&b, sql);
        my_link_batch(s->link, &b, on_answer, on_done, s);
        assert_int_equal(b.len, 0);
        buf_done(&b);
}

static void run_until(struct seen *s, const unsigned *count, unsigned want)
{
        while (*count < want && !s->late) {
                loop_run_once(s->loop);
                s->ticks++;
        }
        assert_false(s->late);
}

static void expect_log(struct seen *s, const char *want)
{
        assert_string_equal(buf_text(&s->log), want);
        buf_clear(&s->log);
}

/* ---- tests ---- */

static void test_batches(void **state)
{
        struct seen *s = *state;

        connect_to(s, s->fake.port);
        assert_null(my_link_conn(s->link));
        assert_false(my_link_idle(s->link));
        batch(s, "o;r;o");
        batch(s, "r");
        run_until(s, &s->dones, 2);
        expect_log(s, "up;0:5;1:1=7;2:5;done 3;0:1=7;done 1;");
        assert_true(my_link_idle(s->link));
        assert_int_equal(my_engine(my_link_conn(s->link)), ENGINE_MARIADB);
        assert_int_equal(my_version(my_link_conn(s->link)), 101119);
        batch(s, "o;e;o");
        batch(s, "o");
        assert_false(my_link_idle(s->link));
        expect_log(s, "");
        run_until(s, &s->dones, 4);
        expect_log(s, "0:5;done 1 data;0:5;done 1;");
}

/* Thousands of answers that are there at once: others have their turn in between. */
static void test_turns(void **state)
{
        struct seen *s = *state;

        connect_to(s, s->fake.port);
        run_until(s, &s->ups, 1);
        batch(s, "m;m;m;m;m");
        s->ticks = 0;
        run_until(s, &s->dones, 1);
        assert_int_equal(s->answers, 10000);
        assert_true(s->ticks >= 10000 / (2 * 256));
}

static void test_lost_in_batch(void **state)
{
        struct seen *s = *state;

        connect_to(s, s->fake.port);
        batch(s, "o;l;o");
        batch(s, "o");
        run_until(s, &s->downs, 1);
        expect_log(s, "up;0:5;done 1 retry;down retry;");
}

static void test_lost_when_idle(void **state)
{
        struct seen *s = *state;

        connect_to(s, s->fake.port);
        batch(s, "c");
        run_until(s, &s->downs, 1);
        expect_log(s, "up;0:5;done 1;down retry;");
}

static void test_refused(void **state)
{
        struct seen *s = *state;

        connect_to(s, 1);
        batch(s, "o");
        run_until(s, &s->downs, 1);
        expect_log(s, "down retry;");
}

static void test_fail(void **state)
{
        struct seen *s = *state;
        struct error e = ERROR_INIT;

        connect_to(s, s->fake.port);
        batch(s, "o;n");
        run_until(s, &s->answers, 1);
        error_set(&e, ERROR_BUG, "x");
        my_link_fail(s->link, &e);
        error_set(&e, ERROR_CONFIG, "y");
        my_link_fail(s->link, &e);
        expect_log(s, "up;0:5;");
        run_until(s, &s->downs, 1);
        expect_log(s, "down bug;");
}

/* A batch without `done` that fails ends the link. */
static void test_no_callbacks(void **state)
{
        struct seen *s = *state;
        struct buf b = BUF_INIT;

        connect_to(s, s->fake.port);
        buf_str(&b, "o;r;e");
        my_link_batch(s->link, &b, NULL, NULL, NULL);
        run_until(s, &s->downs, 1);
        expect_log(s, "up;down data;");
}

/* Freed while it connects, and with an answer under way. */
static void test_freed(void **state)
{
        struct seen *s = *state;

        connect_to(s, s->fake.port);
        s->link = my_link_free(s->link);
        connect_to(s, s->fake.port);
        run_until(s, &s->ups, 1);
        batch(s, "o;n");
        batch(s, "o");
        run_until(s, &s->answers, 1);
        s->link = my_link_free(s->link);
        assert_null(my_link_free(NULL));
        expect_log(s, "up;0:5;");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_batches, setup, teardown),
                cmocka_unit_test_setup_teardown(test_turns, setup, teardown),
                cmocka_unit_test_setup_teardown(test_lost_in_batch, setup, teardown),
                cmocka_unit_test_setup_teardown(test_lost_when_idle, setup, teardown),
                cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
                cmocka_unit_test_setup_teardown(test_fail, setup, teardown),
                cmocka_unit_test_setup_teardown(test_no_callbacks, setup, teardown),
                cmocka_unit_test_setup_teardown(test_freed, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
