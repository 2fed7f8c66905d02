#include "db/my.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static char uri[] = "mariadb://u%3A@db.example:3307/shop?ssl-mode=VERIFY_IDENTITY&ssl-ca=/ca"
                    "&ssl-cert=/cert&ssl-key=/key";
static char password[] = "sesame";

static void check(const struct my_params *p)
{
        assert_non_null(p);
        assert_string_equal(p->user, "u:");
        assert_string_equal(p->host, "db.example");
        assert_string_equal(p->database, "shop");
        assert_string_equal(p->password, "sesame");
        assert_string_equal(p->what, "target");
        assert_string_equal(p->ssl_ca, "/ca");
        assert_string_equal(p->ssl_cert, "/cert");
        assert_string_equal(p->ssl_key, "/key");
        assert_null(p->socket);
        assert_int_equal(p->port, 3307);
        assert_int_equal(p->ssl_mode, MY_SSL_VERIFY_IDENTITY);
        assert_false(p->local_infile);
}

static void test_params(void **state)
{
        const struct config_end end = {.uri = uri, .password = password};
        struct error e = ERROR_INIT;
        struct my_params *p = my_params_new(&end, "target", &e), *q;

        (void)state;
        check(p);
        q = my_params_copy(p);
        assert_null(my_params_free(p));
        check(q);
        assert_null(my_params_free(q));
        assert_null(my_params_free(NULL));
}

static void test_problem(void **state)
{
        const struct config_end end = {.uri = (char[]){"mysql://u@h/d?sesame=1"}};
        struct error e = ERROR_INIT;

        (void)state;
        assert_null(my_params_new(&end, "source", &e));
        assert_int_equal(e.class, ERROR_CONFIG);
        assert_non_null(strstr(e.message, "source.uri: unknown parameter"));
        assert_null(strstr(e.message, "sesame"));
}

/* What must hold of every session, whichever the engine. */
static void test_session(void **state)
{
        static const char *const both[] = {"set names utf8mb4", "time_zone = '+00:00'",
                "NO_AUTO_VALUE_ON_ZERO", "isolation level read committed", "autocommit = 1"};

        (void)state;
        for (unsigned i = 0; i < sizeof both / sizeof *both; i++) {
                assert_non_null(strstr(my_session_sql(ENGINE_MYSQL), both[i]));
                assert_non_null(strstr(my_session_sql(ENGINE_MARIADB), both[i]));
        }
        assert_null(strstr(my_session_sql(ENGINE_MYSQL), "max_statement_time"));
        assert_null(strstr(my_session_sql(ENGINE_MARIADB), "max_execution_time"));
        assert_null(strstr(my_session_sql(ENGINE_MARIADB), "NO_ZERO"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_params),
                cmocka_unit_test(test_problem),
                cmocka_unit_test(test_session),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
