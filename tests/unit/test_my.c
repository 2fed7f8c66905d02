#include "db/my.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errmsg.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* ---- SQL text ---- */

static void expect_text(struct buf *b, const char *want)
{
        assert_string_equal(buf_text(b), want);
        buf_clear(b);
}

static void test_quoting(void **state)
{
        AUTO_BUF b = BUF_INIT;
        unsigned char all[600];

        (void)state;
        my_ident(&b, "orders");
        expect_text(&b, "`orders`");
        my_ident(&b, "a`; drop table x; -- \\ '\"");
        expect_text(&b, "`a``; drop table x; -- \\ '\"`");
        my_table(&b, "Größe", "t.u");
        expect_text(&b, "`Größe`.`t.u`");
        my_literal(&b, "it's", 4);
        expect_text(&b, "'it\\'s'");
        my_literal(&b, "\\' or 1 -- ", 11);
        expect_text(&b, "'\\\\\\' or 1 -- '");
        my_literal(&b, "a\0b\"\n\x1a%_", 8);
        expect_text(&b, "'a\\0b\"\n\x1a%_'");
        my_literal(&b, "", 0);
        expect_text(&b, "''");
        my_bytes(&b, "\x00\xff'\\", 4);
        expect_text(&b, "x'00ff275c'");
        my_bytes(&b, "", 0);
        expect_text(&b, "x''");
        for (unsigned i = 0; i < sizeof all; i++)
                all[i] = (unsigned char)i;
        my_bytes(&b, all, sizeof all);
        assert_int_equal(b.len, 2 * sizeof all + 3);
        assert_memory_equal(b.data + 2 + 2 * 255, "ff0001", 6);
        assert_memory_equal(b.data + 2 + 2 * 599, "57'", 3);
}

/* ---- errors ---- */

static void test_classes(void **state)
{
        static const unsigned retry[] = {1021, 1040, 1053, 1114, 1158, 1205, 1213, 1226, 1290, 1317,
                1836, 1927, 2002, 2003, 2005, 2006, 2013, 2055, 3101, 3169, 4031, 5013};
        static const unsigned config[] = {1044, 1045, 1049, 1130, 1142, 1143, 1153, 1193, 1227,
                1236, 1698, 2026, 2059, 2061, 3118, 4151, 5010};
        static const unsigned data[] = {1, 1048, 1054, 1062, 1064, 1146, 1264, 1292, 1366, 1406,
                1451, 1452, 1644, 3819, 4025, 65535};

        (void)state;
        for (unsigned i = 0; i < sizeof retry / sizeof *retry; i++)
                if (my_error_class(retry[i]) != ERROR_RETRY)
                        fail_msg("%u", retry[i]);
        for (unsigned i = 0; i < sizeof config / sizeof *config; i++)
                if (my_error_class(config[i]) != ERROR_CONFIG)
                        fail_msg("%u", config[i]);
        for (unsigned i = 0; i < sizeof data / sizeof *data; i++)
                if (my_error_class(data[i]) != ERROR_DATA)
                        fail_msg("%u", data[i]);
        assert_true(my_error_is_lost(2013));
        assert_true(my_error_is_lost(1927));
        assert_false(my_error_is_lost(1213));
}

static void test_values_are_cut(void **state)
{
        static const struct {
                unsigned number;
                const char *message, *want;
        } all[] = {
                {1062, "Duplicate entry 'secret' for key 'PRIMARY'",
                        "Duplicate entry for key 'PRIMARY'"},
                {1062, "Duplicate entry 'a' for key 'secret' for key 't.k x'",
                        "Duplicate entry for key 't.k x'"},
                {1062, "Duplicate entry 'it's secret' for key 'a'b'", "Duplicate entry"},
                {1062, "Duplicate entry 'secret", "Duplicate entry"},
                {1366, "Incorrect integer value: 'secret' for column `d`.`t`.`a` at row 1",
                        "Incorrect integer value for column `d`.`t`.`a` at row 1"},
                {1366, "Incorrect integer value: 'secret' for column 'a' at row 12",
                        "Incorrect integer value for column 'a' at row 12"},
                {1292, "Truncated incorrect DOUBLE value: 'x' for column 'secret' at row 1'",
                        "Truncated incorrect DOUBLE value"},
                {1292, "Truncated incorrect DOUBLE value: 'x' for column secret",
                        "Truncated incorrect DOUBLE value"},
                {1366, "Incorrect string value: '\\xFF' for column `s`.`e` at row 1 secret",
                        "Incorrect string value"},
                {1366, "Incorrect string value: '\\xF0\\x9F' for column `d`.`t`.`c` at row 2",
                        "Incorrect string value for column `d`.`t`.`c` at row 2"},
                {1264, "Out of range value for column 'a' at row 1",
                        "Out of range value for column 'a' at row 1"},
                {1406, "Data too long for column 'a' at row 1",
                        "Data too long for column 'a' at row 1"},
                {1265, "Data truncated for column 'a' at row 1",
                        "Data truncated for column 'a' at row 1"},
                {1690, "BIGINT UNSIGNED value is out of range in '(secret + 1)'",
                        "BIGINT UNSIGNED value is out of range in"},
                {1300, "Invalid utf8mb4 character string: 'secret'",
                        "Invalid utf8mb4 character string"},
                {1411, "Incorrect datetime value: 'secret' for function str_to_date",
                        "Incorrect datetime value"},
                {1526, "Table has no partition for value 4711", "Table has no partition for value"},
                {1526, "Table has no partition for value from column_list",
                        "Table has no partition for value"},
                {1064, "You have an error in your SQL syntax; near 'secret' at line 1",
                        "You have an error in your SQL syntax; near"},
                {1644, "secret of the trigger", ""},
                {1761,
                        "Foreign key constraint for table 't', record 'secret' would lead to a "
                        "duplicate entry in table 'u', key 'k'",
                        "Foreign key constraint for table 't', record"},
                {1557,
                        "Upholding foreign key constraints for table 't', entry 'secret', key 2 "
                        "would lead to a duplicate entry",
                        "Upholding foreign key constraints for table 't', entry"},
                {1048, "Column 'a' cannot be null", "Column 'a' cannot be null"},
                {1054, "Unknown column 'a' in 'field list'", "Unknown column 'a' in 'field list'"},
                {1146, "Table 'd.t' doesn't exist", "Table 'd.t' doesn't exist"},
                {1364, "Field 'a' doesn't have a default value",
                        "Field 'a' doesn't have a default value"},
                {1452,
                        "Cannot add or update a child row: a foreign key constraint fails "
                        "(`d`.`t`, CONSTRAINT `c` FOREIGN KEY (`a`) REFERENCES `p` (`id`))",
                        "Cannot add or update a child row: a foreign key constraint fails "
                        "(`d`.`t`, CONSTRAINT `c` FOREIGN KEY (`a`) REFERENCES `p` (`id`))"},
                {4025, "CONSTRAINT `c` failed for `d`.`t`", "CONSTRAINT `c` failed for `d`.`t`"},
                {1, "", ""},
                {1, "'", ""},
                {1, "`", "`"},
                {1, "\"secret", ""},
        };

        (void)state;
        for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
                char text[400];

                snprintf(text, sizeof text, "%s", all[i].message);
                my_error_cut(text, all[i].number);
                if (strcmp(text, all[i].want) != 0)
                        fail_msg("%s: %s", all[i].message, text);
        }
}

static void set_error(MYSQL *c, unsigned number, const char *state, const char *text)
{
        c->net.last_errno = number;
        snprintf(c->net.sqlstate, sizeof c->net.sqlstate, "%s", state);
        snprintf(c->net.last_error, sizeof c->net.last_error, "%s", text);
}

static void expect_error(MYSQL *c, enum error_class class, const char *want)
{
        struct error e = ERROR_INIT;

        assert_int_equal(my_error(&e, c, "target"), -1);
        assert_string_equal(e.message, want);
        assert_int_equal(e.class, class);
}

static void test_error(void **state)
{
        MYSQL *c = mysql_init(NULL);
        struct error e = ERROR_INIT;

        (void)state;
        set_error(c, 1062, "23000", "Duplicate entry '5' for key 'PRIMARY'");
        expect_error(c, ERROR_DATA,
                "target: Duplicate entry for key 'PRIMARY' (error 1062, SQLSTATE 23000)");
        set_error(c, 1644, "45000", "secret");
        expect_error(c, ERROR_DATA,
                "target: refused by a trigger or routine (error 1644, SQLSTATE 45000)");
        set_error(c, 2026, "HY000", "TLS/SSL error: self-signed certificate");
        expect_error(c, ERROR_CONFIG,
                "target: TLS/SSL error: self-signed certificate (error 2026, SQLSTATE HY000)");
        set_error(c, 2026, "HY000", "TLS/SSL error: unexpected eof while reading");
        expect_error(c, ERROR_RETRY,
                "target: TLS/SSL error: unexpected eof while reading (error 2026, SQLSTATE "
                "HY000)");
        set_error(c, 2002, "HY000", "The error cannot be verified: 1130 - Host is not allowed");
        my_error(&e, c, "");
        assert_int_equal(e.class, ERROR_CONFIG);
        set_error(c, 2002, "HY000", "The error cannot be verified: 1040 - Too many");
        my_error(&e, c, "");
        assert_int_equal(e.class, ERROR_RETRY);
        c->passwd = strdup("sesame");
        set_error(c, 1045, "28000", "no sesame for sesame");
        expect_error(c, ERROR_CONFIG, "target: no ****** for ****** (error 1045, SQLSTATE 28000)");
        my_error(&e, NULL, "");
        assert_int_equal(e.class, ERROR_RETRY);
        mysql_close(c);
}

/* ---- connecting ---- */

/* A server of one connection that says what it is told, reads, and keeps still. */
struct fake {
        int listener;
        unsigned port;
        const char *greeting;
        size_t len;
        bool hang_up;
        pthread_t thread;
        char got[4096];
        ssize_t got_len;
};

/* Protocol 10; capabilities without CLIENT_SSL in its low half (0x0800). */
#define GREETING_PLAIN                                                                             \
        "\x49\0\0\0\x0a"                                                                           \
        "8.0.30\0\1\0\0\0abcdefgh\0\xff\xf7\x2d\2\0\xff\xdf\x15\0\0\0\0\0\0\0\0\0\0ijklmnopqrst\0" \
        "mysql_clear_password"

static void *fake_run(void *context)
{
        struct fake *f = context;
        int c;

        while ((c = accept(f->listener, NULL, NULL)) >= 0) {
                ssize_t n;

                if (write(c, f->greeting, f->len) < 0)
                        break;
                while (!f->hang_up && f->got_len < (ssize_t)sizeof f->got &&
                        (n = read(c, f->got + f->got_len, sizeof f->got - (size_t)f->got_len)) > 0)
                        f->got_len += n;
                close(c);
        }
        return NULL;
}

static void fake_start(struct fake *f, const char *greeting, size_t len)
{
        struct sockaddr_in a = {
                .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = 0};
        socklen_t size = sizeof a;

        f->greeting = greeting;
        f->len = len;
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

static MYSQL *dial(const struct fake *f, const char *mode, const atomic_bool *stop, struct error *e)
{
        AUTO_STRING uri = memory_printf("mysql://u@127.0.0.1:%u/d?ssl-mode=%s", f->port, mode);
        struct config_end end = {.uri = uri, .password = (char[]){"sesame"}};
        struct my_params *p = my_params_new(&end, "source", e);
        MYSQL *c = my_connect(p, stop, e);

        my_params_free(p);
        return c;
}

/* Nothing of the login leaves for a server that does not offer TLS. */
static void test_no_tls_no_login(void **state)
{
        struct fake f = {.got_len = 0};
        struct error e = ERROR_INIT;

        (void)state;
        fake_start(&f, GREETING_PLAIN, sizeof GREETING_PLAIN);
        assert_null(dial(&f, "REQUIRED", NULL, &e));
        assert_int_equal(e.class, ERROR_CONFIG);
        assert_non_null(strstr(e.message, "server does not support it"));
        assert_null(dial(&f, "VERIFY_CA&ssl-ca=/dev/null", NULL, &e));
        assert_null(dial(&f, "VERIFY_IDENTITY&ssl-ca=/dev/null", NULL, &e));
        fake_stop(&f);
        assert_null(memmem(f.got, (size_t)f.got_len, "u\0", 2));
}

/* The server wants the password as it is: not without TLS. */
static void test_no_clear_password(void **state)
{
        struct fake f = {.got_len = 0};
        struct error e = ERROR_INIT;

        (void)state;
        fake_start(&f, GREETING_PLAIN, sizeof GREETING_PLAIN);
        assert_null(dial(&f, "PREFERRED", NULL, &e));
        assert_int_equal(e.class, ERROR_CONFIG);
        assert_null(dial(&f, "DISABLED", NULL, &e));
        assert_int_equal(e.class, ERROR_CONFIG);
        fake_stop(&f);
        assert_null(memmem(f.got, (size_t)f.got_len, "sesame", 6));
}

static void *stop_soon(void *context)
{
        usleep(100000);
        atomic_store((atomic_bool *)context, true);
        return NULL;
}

static double seconds(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A server that accepts and says nothing, or part of its greeting; one that takes the request for
 * TLS and then says nothing. */
static void test_stop(void **state)
{
        static const char tls[] =
                "\x4a\0\0\0\x0a"
                "8.0.30\0\1\0\0\0abcdefgh\0\xff\xff\x2d\2\0\xff\xdf\x15\0\0\0\0\0\0\0\0\0\0"
                "ijklmnopqrst\0mysql_native_password";
        const struct {
                const char *text;
                size_t len;
        } all[] = {{"", 0}, {tls, 20}, {tls, sizeof tls}};

        (void)state;
        for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
                struct fake f = {.got_len = 0};
                struct error e = ERROR_INIT;
                atomic_bool stop = false;
                double begin = seconds();
                pthread_t thread;

                fake_start(&f, all[i].text, all[i].len);
                pthread_create(&thread, NULL, stop_soon, &stop);
                assert_null(dial(&f, "REQUIRED", &stop, &e));
                assert_true(seconds() - begin < 2);
                assert_int_equal(e.class, ERROR_RETRY);
                assert_string_equal(e.message, "source: asked to stop");
                pthread_join(thread, NULL);
                fake_stop(&f);
        }
}

static void test_hang_up(void **state)
{
        struct fake f = {.hang_up = true};
        struct error e = ERROR_INIT;

        (void)state;
        fake_start(&f, "\x4a\0\0", 3);
        assert_null(dial(&f, "REQUIRED", NULL, &e));
        assert_int_equal(e.class, ERROR_RETRY);
        fake_stop(&f);
        assert_null(dial(&f, "REQUIRED", NULL, &e));
        assert_int_equal(e.class, ERROR_RETRY);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_quoting),
                cmocka_unit_test(test_classes),
                cmocka_unit_test(test_values_are_cut),
                cmocka_unit_test(test_error),
                cmocka_unit_test(test_no_tls_no_login),
                cmocka_unit_test(test_no_clear_password),
                cmocka_unit_test(test_stop),
                cmocka_unit_test(test_hang_up),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
