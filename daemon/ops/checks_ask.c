/* One side's answer to a query of the operator's. */
#include "base/memory.h"
#include "model/canon.h"
#include "model/number.h"
#include "ops/checks_private.h"
#include "ops/verify_set.h"
#include "ops/verify_side.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- canonical form ---- */

static void plain_number(struct arena *a, struct value *v)
{
        struct number n;
        size_t len;

        if (!number_parse(v->data, v->len, &n) || !number_expand(&n, a))
                return;
        if (number_is_zero(&n))
                n.negative = false;
        v->data = number_text(&n, a, &len);
        v->len = (uint32_t)len;
}

static void short_time(struct arena *a, struct value *v)
{
        const char *point;
        size_t len = v->len;

        if (len > 3 && !memcmp(v->data + len - 3, "+00", 3))
                len -= 3;
        point = memchr(v->data, '.', len);
        if (point && strspn(point + 1, "0123456789") >= len - (size_t)(point + 1 - v->data)) {
                while (v->data[len - 1] == '0')
                        len--;
                len -= v->data[len - 1] == '.';
        }
        v->data = arena_text(a, v->data, len);
        v->len = (uint32_t)len;
}

static void as_hex(struct arena *a, struct value *v)
{
        AUTO_BUF out = BUF_INIT;

        buf_str(&out, "\\x");
        for (uint32_t i = 0; i < v->len; i++)
                buf_printf(&out, "%02x", (unsigned char)v->data[i]);
        v->data = arena_text(a, buf_text(&out), out.len);
        v->len = (uint32_t)out.len;
}

static void as_bits(struct arena *a, struct value *v)
{
        uint64_t n = 0;
        char text[24];
        int len;

        for (uint32_t i = 0; i < v->len && v->len <= sizeof n; i++)
                n = n << 8 | (unsigned char)v->data[i];
        len = snprintf(text, sizeof text, "%" PRIu64, n);
        v->data = arena_text(a, text, (size_t)len);
        v->len = (uint32_t)len;
}

void check_canonical(enum check_kind kind, struct arena *a, struct value *v)
{
        if (v->kind != VALUE_TEXT)
                return;
        switch (kind) {
        case CHECK_NUMBER:
                plain_number(a, v);
                break;
        case CHECK_BOOLEAN:
                *v = (struct value){VALUE_TEXT, 1, v->len && *v->data == 't' ? "1" : "0"};
                break;
        case CHECK_TIME:
                short_time(a, v);
                break;
        case CHECK_BYTES:
                as_hex(a, v);
                break;
        case CHECK_BITS:
                as_bits(a, v);
                break;
        case CHECK_JSON:
                canon_json(a, v, true);
                break;
        case CHECK_TEXT:
                break;
        }
}

/* ---- either engine ---- */

struct ask {
        struct verify_side *side;
        struct check_answer *answer;
        enum check_kind *kinds;
        struct value *row;
        struct arena *arena;
};

static void begin_columns(struct ask *k, unsigned n)
{
        k->answer->columns_n = n;
        k->answer->names = memory_new((n + 1u) * sizeof(*k->answer->names));
        k->kinds = memory_new((n + 1u) * sizeof *k->kinds);
        k->row = memory_new((n + 1u) * sizeof *k->row);
}

static struct value field(const char *text, size_t len)
{
        if (!text)
                return (struct value){.kind = VALUE_NULL};
        return (struct value){VALUE_TEXT, (uint32_t)len, text};
}

/* k->row was read. */
static int take_row(struct ask *k, struct error *e)
{
        struct check_answer *a = k->answer;
        size_t bytes = a->rows.len;

        for (unsigned i = 0; i < a->columns_n; i++)
                bytes += k->row[i].kind == VALUE_TEXT ? k->row[i].len : 0;
        if (bytes > CHECK_BYTES_MAX)
                return error_set(e, ERROR_CONFIG, "more than %zu bytes", CHECK_BYTES_MAX);
        if (++a->rows_n > CHECK_ROWS_MAX)
                return error_set(e, ERROR_CONFIG, "more than %u rows", CHECK_ROWS_MAX);
        k->arena = arena_new();
        for (unsigned i = 0; i < a->columns_n; i++)
                check_canonical(k->kinds[i], k->arena, &k->row[i]);
        verify_keep(&a->rows, k->row, a->columns_n);
        k->arena = arena_free(k->arena);
        return 0;
}

/* ---- PostgreSQL ---- */

static enum check_kind kind_of_pg(Oid type)
{
        switch (type) { /* pg_type.dat */
        case 16:
                return CHECK_BOOLEAN;
        case 20: /* bigint, smallint, integer, oid, real, double precision, numeric */
        case 21:
        case 23:
        case 26:
        case 700:
        case 701:
        case 1700:
                return CHECK_NUMBER;
        case 1083: /* time, timestamp, timestamptz, timetz */
        case 1114:
        case 1184:
        case 1266:
                return CHECK_TIME;
        case 114:
        case 3802:
                return CHECK_JSON;
        default:
                return CHECK_TEXT; /* bytea is in hex already */
        }
}

static int open_cursor(struct ask *k, const char *query, unsigned seconds, struct error *e)
{
        PGconn *c = k->side->pg;
        AUTO_BUF sql = BUF_INIT;
        AUTO_RESULT r = NULL;

        if (pg_run(c, e, "reset search_path") < 0 ||
                pg_run(c, e, "begin transaction isolation level repeatable read read only") < 0 ||
                pg_runf(c, e,
                        "set local statement_timeout = '%us'; set local lock_timeout = '%us';"
                        "set local cursor_tuple_fraction = 1",
                        seconds, seconds) < 0)
                return -1;
        buf_printf(&sql, "declare culvert_check no scroll cursor for %s", query);
        r = pg_query(c, e, buf_text(&sql), 0, NULL);
        return r ? 0 : -1;
}

static int take_rows_pg(struct ask *k, const PGresult *r, struct error *e)
{
        if (!k->kinds) {
                begin_columns(k, (unsigned)PQnfields(r));
                for (int i = 0; i < PQnfields(r); i++) {
                        k->answer->names[i] = memory_string(PQfname(r, i));
                        k->kinds[i] = kind_of_pg(PQftype(r, i));
                }
        }
        for (int i = 0; i < PQntuples(r); i++) {
                for (int c = 0; c < PQnfields(r); c++)
                        k->row[c] = field(PQgetisnull(r, i, c) ? NULL : PQgetvalue(r, i, c),
                                (size_t)PQgetlength(r, i, c));
                if (take_row(k, e) < 0)
                        return -1;
        }
        return 0;
}

static int ask_pg(struct ask *k, const char *query, unsigned seconds, struct error *e)
{
        int n = 1;

        if (open_cursor(k, query, seconds, e) < 0)
                return -1;
        while (n > 0) {
                AUTO_RESULT r = pg_query(k->side->pg, e, "fetch 100 from culvert_check", 0, NULL);

                if (!r || take_rows_pg(k, r, e) < 0)
                        return -1;
                n = PQntuples(r);
        }
        return 0;
}

/* ---- MySQL and MariaDB ---- */

#define BINARY 63 /* the number of its collation */

static enum check_kind kind_of_my(const MYSQL_FIELD *f)
{
        switch ((int)f->type) {
        case MYSQL_TYPE_DECIMAL:
        case MYSQL_TYPE_NEWDECIMAL:
        case MYSQL_TYPE_TINY:
        case MYSQL_TYPE_SHORT:
        case MYSQL_TYPE_INT24:
        case MYSQL_TYPE_LONG:
        case MYSQL_TYPE_LONGLONG:
        case MYSQL_TYPE_FLOAT:
        case MYSQL_TYPE_DOUBLE:
        case MYSQL_TYPE_YEAR:
                return CHECK_NUMBER;
        case MYSQL_TYPE_BIT:
                return CHECK_BITS;
        case MYSQL_TYPE_TIME:
        case MYSQL_TYPE_DATETIME:
        case MYSQL_TYPE_TIMESTAMP:
                return CHECK_TIME;
        case 245: /* MYSQL_TYPE_JSON, which MariaDB's library has no name for */
                return CHECK_JSON;
        case MYSQL_TYPE_TINY_BLOB:
        case MYSQL_TYPE_MEDIUM_BLOB:
        case MYSQL_TYPE_LONG_BLOB:
        case MYSQL_TYPE_BLOB:
        case MYSQL_TYPE_STRING:
        case MYSQL_TYPE_VAR_STRING:
        case MYSQL_TYPE_VARCHAR:
                return f->charsetnr == BINARY ? CHECK_BYTES : CHECK_TEXT;
        default:
                return CHECK_TEXT;
        }
}

static int begin_my(MYSQL *c, unsigned seconds, struct error *e)
{
        if (my_runf(c, e,
                    my_engine(c) == ENGINE_MARIADB ? "set session max_statement_time = %u"
                                                   : "set session max_execution_time = %u000",
                    seconds) < 0 ||
                my_runf(c, e,
                        "set session lock_wait_timeout = %u, character_set_results = utf8mb4,"
                        "sql_select_limit = %u",
                        seconds, CHECK_ROWS_MAX + 1) < 0 ||
                my_run(c, e, "start transaction read only") < 0)
                return -1;
        if (mysql_set_server_option(c, MYSQL_OPTION_MULTI_STATEMENTS_OFF) != 0)
                return my_error(e, c, "one statement to a text");
        return 0;
}

static int take_rows_my(struct ask *k, MYSQL_RES *r, struct error *e)
{
        const MYSQL_FIELD *f = mysql_fetch_fields(r);
        MYSQL_ROW row;

        begin_columns(k, mysql_num_fields(r));
        for (unsigned i = 0; i < k->answer->columns_n; i++) {
                k->answer->names[i] = memory_string(f[i].name);
                k->kinds[i] = kind_of_my(&f[i]);
        }
        while ((row = mysql_fetch_row(r))) {
                const unsigned long *lengths = mysql_fetch_lengths(r);

                for (unsigned i = 0; i < k->answer->columns_n; i++)
                        k->row[i] = field(row[i], lengths[i]);
                if (take_row(k, e) < 0)
                        return -1;
        }
        return mysql_errno(k->side->my.conn) ? my_error(e, k->side->my.conn, "") : 0;
}

/* Rows that were not fetched are left where they are: the side is closed afterwards. */
static int ask_my(struct ask *k, const char *query, unsigned seconds, struct error *e)
{
        MYSQL *c = k->side->my.conn;

        if (begin_my(c, seconds, e) < 0)
                return -1;
        if (mysql_real_query(c, query, strlen(query)) != 0)
                return my_error(e, c, "");
        if (!(k->side->my.rows = mysql_use_result(c)))
                return mysql_errno(c) ? my_error(e, c, "")
                                      : error_set(e, ERROR_CONFIG, "it gives no rows");
        return take_rows_my(k, k->side->my.rows, e);
}

/* ---- one question ---- */

static bool is_lost(const struct verify_side *s)
{
        return s->is_my ? my_error_is_lost(mysql_errno(s->my.conn))
                        : PQstatus(s->pg) == CONNECTION_BAD;
}

int check_ask(const struct check_context *x, const char *query, bool target, struct check_answer *a,
        struct error *e)
{
        struct verify_side side = {0};
        struct ask k = {.side = &side, .answer = a};
        unsigned seconds = x->seconds ? x->seconds : CHECK_SECONDS;
        int rc = verify_side_open(&side, x->config, target, x->halt, e);

        *a = (struct check_answer){0};
        if (rc == 0) {
                rc = side.is_my ? ask_my(&k, query, seconds, e) : ask_pg(&k, query, seconds, e);
                if (rc < 0 && !is_lost(&side) && !halt_asked(x->halt))
                        rc = 1;
        }
        arena_free(k.arena);
        free(k.kinds);
        free(k.row);
        verify_side_close(&side);
        return rc;
}

void check_answer_done(struct check_answer *a)
{
        for (unsigned i = 0; i < a->columns_n; i++)
                free(a->names[i]);
        free(a->names);
        buf_done(&a->rows);
        *a = (struct check_answer){0};
}
