#include "model/my_uri.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *or_none(const char *s)
{
        return s ? s : "-";
}

/* user host port database socket mode ca cert key */
static void expect(const char *uri, const char *want)
{
        AUTO_MY_URI u;
        const char *problem = my_uri_parse(uri, &u);
        char got[600];

        if (problem)
                fail_msg("%s: %s", uri, problem);
        snprintf(got, sizeof got, "%s %s %u %s %s %d %s %s %s", u.user, or_none(u.host), u.port,
                u.database, or_none(u.socket), (int)u.ssl_mode, or_none(u.ssl_ca),
                or_none(u.ssl_cert), or_none(u.ssl_key));
        if (strcmp(got, want) != 0)
                fail_msg("%s: %s", uri, got);
}

static void test_parts(void **state)
{
        (void)state;
        expect("mysql://u@h/d", "u h 3306 d - 2 - - -");
        expect("mariadb://u@h:3307/d", "u h 3307 d - 2 - - -");
        expect("mysql://u%40x%3A@h/d%2Fe%3f%23", "u@x: h 3306 d/e?# - 2 - - -");
        expect("mysql://u@[2001:db8::1]:1/d", "u 2001:db8::1 1 d - 2 - - -");
        expect("mysql://u@[fe80::1%25eth0]/d", "u fe80::1%eth0 3306 d - 2 - - -");
        expect("mysql://u@/d?socket=/run/my.sock", "u - 3306 d /run/my.sock 1 - - -");
        expect("mysql://u@h/d?socket=%2Fa%26b", "u h 3306 d /a&b 1 - - -");
        expect("mysql://u@h/d?ssl-mode=verify_identity&ssl-ca=/ca&ssl-cert=/c&ssl-key=/k",
                "u h 3306 d - 4 /ca /c /k");
        expect("mysql://u@h/gr%C3%B6%C3%9Fe", "u h 3306 größe - 2 - - -");
}

static void test_mode(void **state)
{
        (void)state;
        expect("mysql://u@localhost/d", "u localhost 3306 d - 1 - - -");
        expect("mysql://u@127.0.0.1/d", "u 127.0.0.1 3306 d - 1 - - -");
        expect("mysql://u@127.9.8.7/d", "u 127.9.8.7 3306 d - 1 - - -");
        expect("mysql://u@[::1]/d", "u ::1 3306 d - 1 - - -");
        expect("mysql://u@127.0.0.1.example/d", "u 127.0.0.1.example 3306 d - 2 - - -");
        expect("mysql://u@localhost.example/d", "u localhost.example 3306 d - 2 - - -");
        expect("mysql://u@localhost/d?ssl-mode=REQUIRED", "u localhost 3306 d - 2 - - -");
        expect("mysql://u@h/d?ssl-mode=DISABLED", "u h 3306 d - 0 - - -");
        expect("mysql://u@h/d?ssl-mode=PREFERRED", "u h 3306 d - 1 - - -");
        expect("mysql://u@h/d?ssl-mode=VERIFY_CA&ssl-ca=/x", "u h 3306 d - 3 /x - -");
}

static void test_problems(void **state)
{
        static const char *const all[][2] = {
                {"postgresql://u@h/d", "begins with mysql://"},
                {"mysql:u@h/d", "begins with mysql://"},
                {"mysql://", "user is missing"},
                {"mysql://h/d", "user is missing"},
                {"mysql://@h/d", "user is missing"},
                {"mysql://u@h", "database is missing"},
                {"mysql://u@h/", "database is missing"},
                {"mysql://u@h/?ssl-mode=REQUIRED", "database is missing"},
                {"mysql://u@/d", "host is missing"},
                {"mysql://u@:3306/d", "a port needs a host"},
                {"mysql://u:sesame@h/d", "password"},
                {"mysql://u:@h/d", "password"},
                {"mysql://u@sesame@h/d", "more than one @"},
                {"mysql://u@h:/d", "port"},
                {"mysql://u@h:0/d", "port"},
                {"mysql://u@h:65536/d", "port"},
                {"mysql://u@h:99999999999/d", "port"},
                {"mysql://u@h:33x/d", "port"},
                {"mysql://u@::1/d", "port needs a host"},
                {"mysql://u@2001:db8::1/d", "port"},
                {"mysql://u@[::1/d", "brackets"},
                {"mysql://u@[::1]x/d", "brackets"},
                {"mysql://u@[]/d", "host"},
                {"mysql://u@h1,h2/d", "host"},
                {"mysql://u@h%3Buser=root/d", "host"},
                {"mysql://u@x%3A%2F%2Fy/d", "IPv6"},
                {"mysql://u@h%20x/d", "host"},
                {"mysql://u@h/d/sesame", "follows the database"},
                {"mysql://u@h/d#sesame", "follows the database"},
                {"mysql://u%@h/d", "hexadecimal"},
                {"mysql://u%4@h/d", "hexadecimal"},
                {"mysql://u@h/d%00", "hexadecimal"},
                {"mysql://u@h/d%zz", "hexadecimal"},
                {"mysql://u@h/d?", "has no value"},
                {"mysql://u@h/d?socket", "has no value"},
                {"mysql://u@h/d?socket=", "has no value"},
                {"mysql://u@h/d?ssl-mode=REQUIRED&", "has no value"},
                {"mysql://u@h/d?sslmode=sesame", "unknown parameter"},
                {"mysql://u@h/d?Socket=/x", "unknown parameter"},
                {"mysql://u@h/d?=sesame", "unknown parameter"},
                {"mysql://u@h/d?ssl-mode=REQUIRED&ssl-mode=REQUIRED", "twice"},
                {"mysql://u@h/d?ssl-mode=sesame", "ssl-mode is none of"},
                {"mysql://u@h/d?socket=run/x", "absolute path"},
                {"mysql://u@h/d?ssl-mode=VERIFY_CA&ssl-ca=ca.pem", "absolute path"},
                {"mysql://u@h/d?ssl-mode=VERIFY_CA", "need ssl-ca"},
                {"mysql://u@h/d?ssl-mode=VERIFY_IDENTITY", "need ssl-ca"},
                {"mysql://u@h/d?ssl-ca=/x", "no effect"},
                {"mysql://u@h/d?ssl-mode=REQUIRED&ssl-ca=/x", "no effect"},
                {"mysql://u@h/d?ssl-cert=/x", "go together"},
                {"mysql://u@h/d?ssl-key=/x", "go together"},
                {"mysql://u@h/d?ssl-mode=DISABLED&ssl-cert=/x&ssl-key=/y", "no effect"},
                {"mysql://u@h/d?ssl-mode=VERIFY_IDENTITY&ssl-ca=/x&socket=/y", "needs a host"},
        };

        (void)state;
        for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
                AUTO_MY_URI u;
                const char *problem = my_uri_parse(all[i][0], &u);

                if (!problem || !strstr(problem, all[i][1]) || strstr(problem, "sesame"))
                        fail_msg("%s: %s", all[i][0], problem ? problem : "accepted");
        }
}

static void expect_long(const char *before, size_t n, const char *after, const char *want)
{
        char *uri = malloc(strlen(before) + n + strlen(after) + 1);
        const char *problem;
        struct my_uri u;

        sprintf(uri, "%s", before);
        memset(uri + strlen(before), 'x', n);
        sprintf(uri + strlen(before) + n, "%s", after);
        problem = my_uri_parse(uri, &u);
        if (!want != !problem || (want && !strstr(problem, want)))
                fail_msg("%.40s... of %zu: %s", uri, n, problem ? problem : "accepted");
        my_uri_done(&u);
        free(uri);
}

static void test_lengths(void **state)
{
        (void)state;
        expect_long("mysql://", 128, "@h/d", NULL);
        expect_long("mysql://", 129, "@h/d", "too long");
        expect_long("mysql://u@", 256, "/d", "too long");
        expect_long("mysql://u@h/", 257, "", "too long");
        expect_long("mysql://u@/d?socket=/", 106, "", NULL);
        expect_long("mysql://u@/d?socket=/", 107, "", "too long");
        expect_long("mysql://u@h/d?ssl-mode=VERIFY_CA&ssl-ca=/", 5000, "", "too long");
        expect_long("mysql://u@h/d?", 100000, "=1", "unknown parameter");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_parts),
                cmocka_unit_test(test_mode),
                cmocka_unit_test(test_problems),
                cmocka_unit_test(test_lengths),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
