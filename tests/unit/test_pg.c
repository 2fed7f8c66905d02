#include "db/pg.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- SQL text ---- */

static const char *text_of(void (*write_it)(struct buf *out, const char *text), const char *text)
{
        static char result[200];
        AUTO_BUF b = BUF_INIT;

        write_it(&b, text);
        snprintf(result, sizeof result, "%s", buf_text(&b));
        return result;
}

static void test_quoting(void **state)
{
        AUTO_BUF b = BUF_INIT;

        (void)state;
        assert_string_equal(text_of(pg_ident, "orders"), "\"orders\"");
        assert_string_equal(
                text_of(pg_ident, "a\"; drop table x; --"), "\"a\"\"; drop table x; --\"");
        assert_string_equal(text_of(pg_ident, "Größe $1 \\"), "\"Größe $1 \\\"");
        assert_string_equal(text_of(pg_ident, ""), "\"\"");
        assert_string_equal(text_of(pg_literal, "it's"), "'it''s'");
        assert_string_equal(text_of(pg_literal, "'"), "''''");
        assert_string_equal(text_of(pg_literal, "back\\slash"), "'back\\slash'");
        pg_table(&b, "My \"s\"", "t.u");
        assert_string_equal(buf_text(&b), "\"My \"\"s\"\"\".\"t.u\"");
}

static void test_error_classes(void **state)
{
        static const struct {
                const char *codes;
                enum error_class class;
        } all[] = {
                {"08000 08003 08006 40001 40P01 53100 53200 53300 55006 55P03 57P01 57P02 57P03 "
                 "57014 "
                 "58030 25006",
                        ERROR_RETRY},
                {"28000 28P01 3D000 42501 0A000 3F000 42704 42883 42P01 42703 F0000", ERROR_CONFIG},
                {"22001 22003 22P02 23502 23503 23505 23514 23P01 42804 XX000 XX001 P0001 40002",
                        ERROR_DATA},
        };

        (void)state;
        for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
                for (const char *code = all[i].codes; *code; code += strcspn(code, " ")) {
                        char one[8] = "";

                        code += *code == ' ';
                        memcpy(one, code, 5);
                        if (pg_error_class(one) != all[i].class)
                                fail_msg("%s is %s", one, error_class_name(pg_error_class(one)));
                }
}

static void test_uri(void **state)
{
        struct error e = ERROR_INIT;

        (void)state;
        assert_int_equal(
                pg_uri_check("postgresql://culvert@db1:5433/shop?sslmode=verify-full", &e), 0);
        assert_int_equal(pg_uri_check("postgresql://db1,db2/shop", &e), 0);
        assert_int_equal(e.class, ERROR_NONE);
        assert_int_equal(pg_uri_check("postgresql://u:hunter2@db1/shop", &e), -1);
        assert_int_equal(e.class, ERROR_CONFIG);
        assert_non_null(strstr(e.message, "password_file"));
        assert_null(strstr(e.message, "hunter2"));
        assert_int_equal(pg_uri_check("postgresql://u@db1/shop?password=hunter2", &e), -1);
        assert_non_null(strstr(e.message, "password_file"));
        assert_int_equal(pg_uri_check("postgresql://u:hunter2@[db1/shop", &e), -1);
        assert_null(strstr(e.message, "hunter2"));
        assert_int_equal(pg_uri_check("postgresql://u@db1/shop?hunter2=1", &e), -1);
        assert_string_equal(e.message, "unknown parameter in the URI");
}

static const char *parameter(const struct pg_params *p, const char *keyword)
{
        const char *value = NULL;

        for (unsigned i = 0; i < p->n; i++)
                if (!strcmp(p->keywords[i], keyword))
                        value = p->values[i]; /* libpq takes the last one */
        assert_null(p->keywords[p->n]);
        return value;
}

static void test_params(void **state)
{
        char uri[] =
                "postgresql://culvert@db1:5433/shop?sslmode=verify-full&options=-csearch_path%3Dx";
        char password[] = "hunter2";
        struct config_end end = {.uri = uri, .password = password};
        struct error e = ERROR_INIT;
        struct pg_params *p = pg_params_new(&end, "source", "culvert: shop", true, &e);

        (void)state;
        assert_non_null(p);
        assert_string_equal(parameter(p, "host"), "db1");
        assert_string_equal(parameter(p, "port"), "5433");
        assert_string_equal(parameter(p, "dbname"), "shop");
        assert_string_equal(parameter(p, "sslmode"), "verify-full");
        assert_string_equal(parameter(p, "password"), "hunter2");
        assert_string_equal(parameter(p, "application_name"), "culvert: shop");
        assert_string_equal(parameter(p, "client_encoding"), "UTF8");
        assert_string_equal(parameter(p, "replication"), "database");
        assert_non_null(parameter(p, "tcp_user_timeout"));
        p = pg_params_free(p);
        end.password = NULL;
        p = pg_params_new(&end, "target", "c", false, &e);
        assert_null(parameter(p, "password"));
        assert_null(parameter(p, "replication"));
        assert_null(pg_params_free(p));
        assert_null(pg_params_free(NULL));
        uri[0] = ':';
        assert_null(pg_params_new(&end, "target", "c", false, &e));
        assert_int_equal(e.class, ERROR_CONFIG);
        assert_null(strstr(e.message, "db1"));
}

/*
 * ---- errors of servers ----
 *
 * libpq makes results with error fields from what it reads only, so a server is needed that says
 * what the test wants: it takes one connection, and answers the startup packet and each query with
 * the bytes it was given.
 */
struct server {
        char folder[64];
        int listener;
        const struct buf *startup, *query;
        pthread_t thread;
};

static bool read_exactly(int fd, void *to, size_t n)
{
        for (char *at = to; n > 0;) {
                ssize_t got = read(fd, at, n);

                if (got <= 0)
                        return false;
                at += got;
                n -= (size_t)got;
        }
        return true;
}

static bool skip_packet(int fd, bool typed)
{
        uint8_t head[5];
        size_t at = typed ? 1 : 0;
        uint32_t len;
        char rest[4096];

        if (!read_exactly(fd, head, at + 4))
                return false;
        len = (uint32_t)head[at] << 24 | (uint32_t)head[at + 1] << 16 |
              (uint32_t)head[at + 2] << 8 | head[at + 3];
        return len - 4 <= sizeof rest && read_exactly(fd, rest, len - 4) &&
               (!typed || *head != 'X');
}

static void *serve(void *context)
{
        struct server *s = context;
        int fd = accept(s->listener, NULL, NULL);
        bool more = skip_packet(fd, false);
        const struct buf *answer = s->startup;

        while (more && write(fd, answer->data, answer->len) == (ssize_t)answer->len && s->query) {
                more = skip_packet(fd, true);
                answer = s->query;
        }
        close(fd);
        return NULL;
}

static void server_start(struct server *s, const struct buf *startup, const struct buf *query)
{
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        const char *top = getenv("TMPDIR");

        snprintf(s->folder, sizeof s->folder, "%.40s/pg-XXXXXX", top ? top : "/tmp");
        assert_non_null(mkdtemp(s->folder));
        snprintf(a.sun_path, sizeof a.sun_path, "%s/.s.PGSQL.5432", s->folder);
        s->listener = socket(AF_UNIX, SOCK_STREAM, 0);
        assert_int_equal(bind(s->listener, (struct sockaddr *)&a, sizeof a), 0);
        assert_int_equal(listen(s->listener, 1), 0);
        s->startup = startup;
        s->query = query;
        assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void server_done(struct server *s)
{
        AUTO_STRING path = memory_printf("%s/.s.PGSQL.5432", s->folder);

        pthread_join(s->thread, NULL);
        close(s->listener);
        unlink(path);
        rmdir(s->folder);
}

static PGconn *connect_to(const struct server *s, const char *password)
{
        AUTO_STRING info = memory_printf("host='%s' port=5432 user=u dbname=d password='%s' "
                                         "sslmode=disable gssencmode=disable",
                s->folder, password);
        PGconn *c = PQconnectStart(info);
        PostgresPollingStatusType state = PGRES_POLLING_WRITING;

        PQsetErrorVerbosity(c, PQERRORS_VERBOSE); /* as pg_connect does */
        while (state != PGRES_POLLING_OK && state != PGRES_POLLING_FAILED)
                state = PQconnectPoll(c);
        return c;
}

static void put_packet(struct buf *out, char type, const struct buf *body)
{
        buf_char(out, type);
        buf_u32(out, (uint32_t)body->len + 4);
        buf_add(out, body->data, body->len);
}

/* Fields as "CSQLSTATE\0Mtext\0...", ends with an empty one. */
static void put_error(struct buf *out, const char *severity, const char *code, const char *message,
        const char *more)
{
        AUTO_BUF body = BUF_INIT;

        buf_printf(&body, "S%s%cV%s%cC%s%cM%s%c", severity, 0, severity, 0, code, 0, message, 0);
        for (; *more; more += strlen(more) + 1)
                buf_add(&body, more, strlen(more) + 1);
        buf_char(&body, '\0');
        put_packet(out, 'E', &body);
}

static void put_ready(struct buf *out)
{
        AUTO_BUF idle = BUF_INIT;

        buf_char(&idle, 'I');
        put_packet(out, 'Z', &idle);
}

/* A query is refused so. `more`: further fields. */
static void refusal(const char *code, const char *message, const char *more, struct error *e)
{
        AUTO_BUF startup = BUF_INIT;
        AUTO_BUF query = BUF_INIT;
        AUTO_BUF ok = BUF_INIT;
        struct server s;
        PGconn *c;

        buf_u32(&ok, 0);
        put_packet(&startup, 'R', &ok);
        put_ready(&startup);
        put_error(&query, "ERROR", code, message, more);
        put_ready(&query);
        server_start(&s, &startup, &query);
        c = connect_to(&s, "sesame");
        assert_int_equal(PQstatus(c), CONNECTION_OK);
        assert_int_equal(pg_run(c, e, "select 1"), -1);
        PQfinish(c);
        server_done(&s);
}

static void test_refused_statement(void **state)
{
        struct error e = ERROR_INIT;

        (void)state;
        refusal("23505", "duplicate key value violates unique constraint \"orders_pkey\"",
                "spublic\0torders\0norders_pkey\0DKey (id)=(4711) already exists.\0", &e);
        assert_int_equal(e.class, ERROR_DATA);
        assert_string_equal(e.code, "23505");
        assert_string_equal(e.table, "public.orders");
        assert_non_null(strstr(e.message, "duplicate key value violates unique constraint"));
        assert_non_null(strstr(e.message, "orders_pkey"));
        assert_non_null(strstr(e.message, "23505"));
        assert_null(strstr(e.message, "4711"));

        refusal("23502",
                "null value in column \"note\" of relation \"t\" violates not-null "
                "constraint",
                "spublic\0tt\0cnote\0DFailing row contains (4711).\0", &e);
        assert_non_null(strstr(e.message, "column note"));
        assert_null(strstr(e.message, "4711"));

        refusal("40P01", "deadlock detected", "DProcess 1 waits\0", &e);
        assert_int_equal(e.class, ERROR_RETRY);
        assert_string_equal(e.code, "40P01");
        assert_string_equal(e.table, "");
        assert_non_null(strstr(e.message, "deadlock detected"));
}

/* Messages of class 22 as PostgreSQL words them; each quotes the value 4711 in its own way. */
static void test_values_are_cut_out(void **state)
{
        static const struct {
                const char *code, *message, *stays;
        } all[] = {
                {"22P02", "invalid input syntax for type integer: \"4711x\"", "for type integer"},
                {"22P02", "invalid input syntax for type uuid: \"a\" b \"4711\"", "for type uuid"},
                {"22P02", "invalid input value for enum public.mood: \"4711\"", "public.mood"},
                {"22003", "value \"4711\" is out of range for type smallint", "type smallint"},
                {"22003", "\"4711e400\" is out of range for type double precision",
                        "double precision"},
                {"22008", "date/time field value out of range: \"4711-13-01\"", "out of range"},
                {"22021", "invalid byte sequence for encoding \"UTF8\": 0x4711",
                        "encoding \"UTF8\""},
                {"22P05",
                        "character with byte sequence 0xe2 0x4711 in encoding \"UTF8\" has no "
                        "equivalent in encoding \"LATIN1\"",
                        "encoding \"LATIN1\""},
                {"22P02", "\"4711\" is not a valid binary digit", "is not a valid binary digit"},
                {"22023", "time zone \"4711\" not recognized", "not recognized"},
                {"22007", "invalid value \"4711\" for \"4711\"", "invalid value"},
                {"22P02", "malformed array literal: \"{4711\"", "malformed array literal"},
                {"22003", "value \"4711", "value"}, /* no quote at the end */
                {"22001", "value too long for type character varying(3)", "varying(3)"},
                {"23514", "row is wrong: \"4711\"", "row is wrong"},
        };

        (void)state;
        for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
                struct error e = ERROR_INIT;

                refusal(all[i].code, all[i].message, "", &e);
                assert_int_equal(e.class, ERROR_DATA);
                if (strstr(e.message, "4711"))
                        fail_msg("a value shows: %s", e.message);
                if (!strstr(e.message, all[i].stays))
                        fail_msg("'%s' is lost: %s", all[i].stays, e.message);
        }
}

static void refused_connection(
        const char *code, const char *message, const char *password, struct error *e)
{
        AUTO_BUF startup = BUF_INIT;
        struct server s;
        PGconn *c;

        put_error(&startup, "FATAL", code, message, "");
        server_start(&s, &startup, NULL);
        c = connect_to(&s, password);
        assert_int_equal(PQstatus(c), CONNECTION_BAD);
        assert_int_equal(pg_error(e, c, NULL, "source"), -1);
        PQfinish(c);
        server_done(&s);
}

static void test_refused_connection(void **state)
{
        struct error e = ERROR_INIT;

        (void)state;
        refused_connection("28P01", "password authentication failed for user \"u\"", "sesame", &e);
        assert_int_equal(e.class, ERROR_CONFIG);
        assert_string_equal(e.code, "28P01");
        assert_string_equal(e.message,
                "source: password authentication failed for user \"u\" (SQLSTATE 28P01)");
        refused_connection("57P03", "the database system is starting up", "sesame", &e);
        assert_int_equal(e.class, ERROR_RETRY);
}

static void test_passwords_are_cut_out(void **state)
{
        struct error e = ERROR_INIT;

        (void)state;
        refused_connection("28000", "I was told sesame and sesame again", "sesame", &e);
        assert_null(strstr(e.message, "sesame"));
        assert_non_null(strstr(e.message, "I was told ****** and ****** again"));
        refused_connection("28000", "some * and ** stars", "*", &e); /* must end */
        assert_non_null(strstr(e.message, "stars"));
}

static void test_no_server(void **state)
{
        struct error e = ERROR_INIT;
        PGconn *c = PQconnectdb("host=/nonexistent user=u password=sesame");

        (void)state;
        assert_int_equal(pg_error(&e, c, NULL, "target"), -1);
        assert_int_equal(e.class, ERROR_RETRY);
        assert_string_equal(e.code, "");
        assert_memory_equal(e.message, "target: ", 8);
        assert_null(strchr(e.message, '\n'));
        PQfinish(c);
        pg_error(&e, NULL, NULL, "target");
        assert_string_equal(e.message, "target: out of memory");
}

static void test_values_of_results(void **state)
{
        AUTO_RESULT r = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
        PGresAttDesc columns[2] = {{.name = (char[]){"a"}}, {.name = (char[]){"b"}}};

        (void)state;
        assert_true(PQsetResultAttrs(r, 2, columns));
        assert_true(PQsetvalue(r, 0, 0, (char[]){"t"}, 1));
        assert_true(PQsetvalue(r, 0, 1, NULL, -1));
        assert_string_equal(pg_text(r, 0, 0), "t");
        assert_string_equal(pg_text(r, 0, 1), "");
        assert_true(pg_true(r, 0, 0));
        assert_false(pg_true(r, 0, 1));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_quoting),
                cmocka_unit_test(test_error_classes),
                cmocka_unit_test(test_uri),
                cmocka_unit_test(test_params),
                cmocka_unit_test(test_refused_statement),
                cmocka_unit_test(test_values_are_cut_out),
                cmocka_unit_test(test_refused_connection),
                cmocka_unit_test(test_passwords_are_cut_out),
                cmocka_unit_test(test_no_server),
                cmocka_unit_test(test_values_of_results),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
