#include "db/pg.h"
#include "base/loop.h"
#include "base/memory.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CONNECT_TIMEOUT_MS 15000
#define STOP_CHECK_MS 200

int pg_uri_check(const char *uri, struct error *e)
{
        char *why = NULL;
        PQconninfoOption *options = PQconninfoParse(uri, &why);
        int rc = 0;

        if (!options) {
                /* libpq quotes the URI in its message: say only what does not repeat it */
                error_set(e, ERROR_CONFIG, "not a URI that libpq takes");
                if (why && strstr(why, "invalid URI query parameter"))
                        error_set(e, ERROR_CONFIG, "unknown parameter in the URI");
                PQfreemem(why);
                return -1;
        }
        for (PQconninfoOption *o = options; o->keyword; o++)
                if (!strcmp(o->keyword, "password") && o->val)
                        rc = error_set(e, ERROR_CONFIG,
                                "a password in a URI is not taken; use password_file");
        PQconninfoFree(options);
        return rc;
}

static void add(struct pg_params *p, const char *keyword, const char *value)
{
        p->keywords = memory_grow(p->keywords, (p->n + 2) * sizeof *p->keywords);
        p->values = memory_grow(p->values, (p->n + 2) * sizeof *p->values);
        p->keywords[p->n] = memory_string(keyword);
        p->values[p->n++] = memory_string(value);
        p->keywords[p->n] = p->values[p->n] = NULL;
}

struct pg_params *pg_params_new(const struct config_end *end, const char *what,
        const char *application_name, bool replication, struct error *e)
{
        PQconninfoOption *options = PQconninfoParse(end->uri, NULL);
        struct pg_params *p;

        if (!options) {
                error_set(e, ERROR_CONFIG, "%s.uri: not a URI that libpq takes", what);
                return NULL;
        }
        p = memory_new_of(struct pg_params);
        p->what = memory_string(what);
        for (PQconninfoOption *o = options; o->keyword; o++)
                if (o->val && *o->val)
                        add(p, o->keyword, o->val);
        PQconninfoFree(options);
        if (end->password)
                add(p, "password", end->password);
        add(p, "application_name", application_name);
        add(p, "client_encoding", "UTF8");
        if (replication)
                add(p, "replication", "database");
        /* A peer that is gone without a word is noticed in about a minute. */
        add(p, "keepalives_idle", "20");
        add(p, "keepalives_interval", "10");
        add(p, "keepalives_count", "4");
        add(p, "tcp_user_timeout", "60000");
        return p;
}

struct pg_params *pg_params_free(struct pg_params *p)
{
        if (!p)
                return NULL;
        for (unsigned i = 0; i < p->n; i++) {
                if (!strcmp(p->keywords[i], "password"))
                        explicit_bzero(p->values[i], strlen(p->values[i]));
                free(p->keywords[i]);
                free(p->values[i]);
        }
        free(p->keywords);
        free(p->values);
        free(p->what);
        free(p);
        return NULL;
}

const char *pg_session_sql(void)
{
        return "set datestyle = 'ISO, YMD'; set intervalstyle = 'postgres'; set timezone = 'UTC';"
               "set extra_float_digits = 3; set bytea_output = 'hex'; set lc_monetary = 'C';"
               "set search_path = ''; set standard_conforming_strings = on;"
               "set default_transaction_isolation = 'read committed';"
               "set default_transaction_deferrable = off; set row_security = off;"
               "set statement_timeout = 0; set lock_timeout = 0;"
               "set idle_in_transaction_session_timeout = 0; set xmloption = 'content';"
               "set array_nulls = on;"
               /* those that this version has */
               "select pg_catalog.set_config(name, '0', false) from pg_catalog.pg_settings "
               "where name in ('idle_session_timeout', 'transaction_timeout');"
               /* libpq prints notices to stderr, and they can hold values of rows */
               "set client_min_messages = 'error'";
}

static int64_t now_ms(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int connect_wait(PGconn *c, const char *what, const atomic_bool *stop, struct error *e)
{
        int64_t deadline = now_ms() + CONNECT_TIMEOUT_MS;
        PostgresPollingStatusType state = PGRES_POLLING_WRITING;

        while (state != PGRES_POLLING_OK) {
                struct pollfd p = {.fd = PQsocket(c),
                        .events = state == PGRES_POLLING_READING ? POLLIN : POLLOUT};
                int64_t left = deadline - now_ms();
                int rc;

                if (left <= 0)
                        return error_set(e, ERROR_RETRY, "%s: no connection within %d s", what,
                                CONNECT_TIMEOUT_MS / 1000);
                if (stop && atomic_load(stop))
                        return error_set(e, ERROR_RETRY, "%s: asked to stop", what);
                rc = poll(&p, 1, left < STOP_CHECK_MS ? (int)left : STOP_CHECK_MS);
                if (rc < 0 && errno != EINTR)
                        return error_set(e, ERROR_RETRY, "%s: poll: %s", what, strerror(errno));
                if (rc <= 0)
                        continue;
                state = PQconnectPoll(c);
                if (state == PGRES_POLLING_FAILED)
                        return pg_error(e, c, NULL, what);
        }
        return 0;
}

static void drop_notice(void *context, const PGresult *r)
{
        (void)context;
        (void)r;
}

PGconn *pg_connect(const struct pg_params *p, const atomic_bool *stop, struct error *e)
{
        PGconn *c = PQconnectStartParams(
                (const char *const *)p->keywords, (const char *const *)p->values, 0);

        if (!c || PQstatus(c) == CONNECTION_BAD) {
                pg_error(e, c, NULL, p->what);
                PQfinish(c);
                return NULL;
        }
        PQsetErrorVerbosity(c, PQERRORS_VERBOSE);
        PQsetNoticeReceiver(c, drop_notice, NULL); /* they are not for our stderr */
        if (connect_wait(c, p->what, stop, e) < 0 || pg_run(c, e, pg_session_sql()) < 0) {
                PQfinish(c);
                return NULL;
        }
        return c;
}

PGresult *pg_query(PGconn *c, struct error *e, const char *sql, int n, const char *const *values)
{
        PGresult *r = PQexecParams(c, sql, n, NULL, values, NULL, NULL, 0);
        ExecStatusType status = PQresultStatus(r);

        if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
                return r;
        pg_error(e, c, r, "");
        PQclear(r);
        return NULL;
}

int pg_run(PGconn *c, struct error *e, const char *sql)
{
        AUTO_RESULT r = PQexec(c, sql);
        ExecStatusType status = PQresultStatus(r);

        if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
                return 0;
        return pg_error(e, c, r, "");
}

int pg_runf(PGconn *c, struct error *e, const char *format, ...)
{
        char *sql = NULL;
        va_list args;
        int rc;

        va_start(args, format);
        if (vasprintf(&sql, format, args) < 0)
                abort();
        va_end(args);
        rc = pg_run(c, e, sql);
        free(sql);
        return rc;
}

bool pg_speaks(PGconn *c)
{
        struct pollfd p = {.fd = PQsocket(c), .events = POLLIN};

        return poll(&p, 1, 0) > 0;
}

void pg_result_done(PGresult **r)
{
        PQclear(*r);
        *r = NULL;
}

void pg_conn_done(PGconn **c)
{
        PQfinish(*c);
        *c = NULL;
}

const char *pg_text(const PGresult *r, int row, int column)
{
        return row < PQntuples(r) ? PQgetvalue(r, row, column) : "";
}

bool pg_true(const PGresult *r, int row, int column)
{
        return *pg_text(r, row, column) == 't';
}

/* Classes and codes: PostgreSQL documentation, Appendix A. */
enum error_class pg_error_class(const char *s)
{
        static const char *const retry[] = {"08", "40001", "40P01", "53", "55006", "55P03", "57P",
                "57014", "58030", "25006", "25P03", "25P04"};
        static const char *const config[] = {
                "28", "3D", "42501", "0A", "3F", "42704", "42883", "42P01", "42703", "F0"};

        for (unsigned i = 0; i < sizeof retry / sizeof *retry; i++)
                if (!strncmp(s, retry[i], strlen(retry[i])))
                        return ERROR_RETRY;
        for (unsigned i = 0; i < sizeof config / sizeof *config; i++)
                if (!strncmp(s, config[i], strlen(config[i])))
                        return ERROR_CONFIG;
        return ERROR_DATA;
}

/* Is what is quoted at `quote` the name of something? */
static bool is_name(const char *message, const char *quote)
{
        static const char *const words[] = {"encoding ", "column ", "relation ", "constraint "};

        for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
                size_t n = strlen(words[i]);

                if ((size_t)(quote - message) >= n && !memcmp(quote - n, words[i], n))
                        return true;
        }
        return false;
}

/* Drops what stands in quotes and is no name ('value "99999" is out of range'), and bytes in hex.
 */
static void cut_quoted(char *message)
{
        char *to = message;

        for (const char *at = message, *end; *at;) {
                if (*at == '"') {
                        end = strchr(at + 1, '"');
                        end = end ? end + 1 : at + strlen(at);
                        if (is_name(message, to)) {
                                memmove(to, at, (size_t)(end - at));
                                to += end - at;
                        }
                        at = end;
                } else if (!strncmp(at, "0x", 2)) {
                        at += 2 + strspn(at + 2, "0123456789abcdefABCDEF");
                } else {
                        *to++ = *at++;
                }
        }
        *to = '\0';
}

/* In classes 22 and 23 the server quotes the offending value: behind ': "', where it may have
 * quotes in it, and in class 22 elsewhere too. */
static void cut_value(char *message, const char *sqlstate)
{
        bool data = !strncmp(sqlstate, "22", 2);
        char *quote;

        if (!data && strncmp(sqlstate, "23", 2) != 0)
                return;
        if ((quote = strstr(message, ": \"")))
                *quote = '\0';
        if (data)
                cut_quoted(message);
}

/* The server's FATAL while connecting comes as text only; verbose, it has ":  28P01: " in it. */
static const char *sqlstate_in(const char *text, char code[8])
{
        for (const char *p = strstr(text, ":  "); p; p = strstr(p + 1, ":  ")) {
                if (strspn(p + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 && p[8] == ':' &&
                        p[9]) {
                        memcpy(code, p + 3, 5);
                        code[5] = '\0';
                        return p + 10;
                }
        }
        *code = '\0';
        return text;
}

static void cut_password(char *message, PGconn *c)
{
        const char *password = c ? PQpass(c) : NULL;
        char *at = message;
        size_t n;

        if (!password || !*password)
                return;
        for (n = strlen(password); (at = strstr(at, password)); at += n)
                memset(at, '*', n);
}

/*
 * What libpq says where no server has spoken: libpq's fe-secure-openssl.c, fe-secure-common.c and
 * OpenSSL's X509 texts. A certificate that is not the one we were told to trust is no passing
 * trouble: trying it again for days hides it, and who presents it may be anybody.
 */
static enum error_class local_error_class(const char *text)
{
        static const char *const tls[] = {"certificate verify failed", "does not match host name",
                "host name must be specified for a verified SSL connection",
                "could not get server's host name from server certificate",
                "server does not support SSL, but SSL was required", "root certificate file",
                "certificate revocation list", "could not read certificate file",
                "could not load private key file", "private key file \""};

        for (unsigned i = 0; i < sizeof tls / sizeof *tls; i++)
                if (strstr(text, tls[i]))
                        return ERROR_CONFIG;
        return ERROR_RETRY;
}

/* A value or a constraint, WITH CHECK OPTION, a trigger's RAISE, an index entry that is too large.
 */
static bool is_of_row(const char *sqlstate)
{
        static const char *const classes[] = {"22", "23", "44", "P0001", "54000"};

        for (unsigned i = 0; i < sizeof classes / sizeof *classes; i++)
                if (!strncmp(sqlstate, classes[i], strlen(classes[i])))
                        return true;
        return false;
}

int pg_error(struct error *e, PGconn *c, const PGresult *r, const char *doing)
{
        const char *code = r ? PQresultErrorField(r, PG_DIAG_SQLSTATE) : NULL;
        const char *text = code ? PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY) : NULL;
        const char *table = code ? PQresultErrorField(r, PG_DIAG_TABLE_NAME) : NULL;
        const char *schema = code ? PQresultErrorField(r, PG_DIAG_SCHEMA_NAME) : NULL;
        const char *column = code ? PQresultErrorField(r, PG_DIAG_COLUMN_NAME) : NULL;
        const char *constraint = code ? PQresultErrorField(r, PG_DIAG_CONSTRAINT_NAME) : NULL;
        char found[8] = "", line[800];

        if (!text) {
                text = c ? PQerrorMessage(c) : "out of memory";
                text = sqlstate_in(text, found);
                code = found;
        }
        snprintf(line, sizeof line, "%s", text);
        if (strchr(line, '\n') && !r)
                *strchr(line, '\n') = '\0';
        cut_value(line, code);
        cut_password(line, c);
        error_set(e, *code ? pg_error_class(code) : local_error_class(line), "%s%s%s%s%s%s%s%s%s%s",
                doing, *doing ? ": " : "", line, *code ? " (SQLSTATE " : "", code, *code ? ")" : "",
                column ? ", column " : "", column ? column : "", constraint ? ", constraint " : "",
                constraint ? constraint : "");
        snprintf(e->code, sizeof e->code, "%s", code);
        e->of_row = is_of_row(code);
        e->row = !strcmp(code, "23505") ? ROW_IN_THE_WAY : ROW_OTHER;
        if (table && schema)
                snprintf(e->table, sizeof e->table, "%s.%s", schema, table);
        return -1;
}

void pg_ident(struct buf *out, const char *name)
{
        buf_char(out, '"');
        for (; *name; name++) {
                if (*name == '"')
                        buf_char(out, '"');
                buf_char(out, *name);
        }
        buf_char(out, '"');
}

void pg_literal(struct buf *out, const char *text)
{
        buf_char(out, '\'');
        for (; *text; text++) {
                if (*text == '\'')
                        buf_char(out, '\'');
                buf_char(out, *text);
        }
        buf_char(out, '\'');
}

void pg_table(struct buf *out, const char *schema, const char *name)
{
        pg_ident(out, schema);
        buf_char(out, '.');
        pg_ident(out, name);
}
