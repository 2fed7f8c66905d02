#include "ops/verify_side.h"
#include "base/memory.h"
#include "sinks/my_value.h"

#include <stdlib.h>
#include <string.h>

void verify_columns_done(struct verify_columns *c)
{
        for (uint16_t i = 0; c->types && i < c->shape->columns_n; i++)
                coltype_free(c->types[i]);
        free(c->types);
        free(c->all);
        free(c->few);
        free(c->is_key);
        free(c->key);
        *c = (struct verify_columns){0};
}

/* ---- connection ---- */

/* A worker is one process on each server, and its statements are short. */
#define PG_SESSION                                                                                 \
        "set max_parallel_workers_per_gather = 0;"                                                 \
        "select pg_catalog.set_config(name, 'off', false) from pg_catalog.pg_settings where name " \
        "= 'jit'"

static int open_my(struct verify_side *s, const struct config_end *end, struct error *e)
{
        struct my_params *p = my_params_new(end, s->what, e);

        s->my.conn = p ? halt_my_connect(s->halt, p, e) : NULL;
        s->my.what = s->what;
        my_params_free(p);
        return s->my.conn ? my_run(s->my.conn, e, MY_READER_SESSION) : -1;
}

static int open_pg(
        struct verify_side *s, const struct config_end *end, const char *pipeline, struct error *e)
{
        AUTO_STRING name = memory_printf("culvert %s verify", pipeline);
        struct pg_params *p = pg_params_new(end, s->what, name, false, e);

        s->pg = p ? halt_connect(s->halt, p, e) : NULL;
        pg_params_free(p);
        return s->pg ? pg_run(s->pg, e, PG_SESSION) : -1;
}

int verify_side_open(
        struct verify_side *s, const struct config *c, bool target, struct halt *h, struct error *e)
{
        const struct config_end *end = target ? &c->target : &c->source;

        *s = (struct verify_side){.what = target ? "target" : "source",
                .halt = h,
                .is_my = config_is_mysql(end->kind)};
        return s->is_my ? open_my(s, end, e) : open_pg(s, end, c->pipeline.name, e);
}

void verify_side_close(struct verify_side *s)
{
        PQfreemem(s->line);
        s->line = NULL;
        copy_row_done(&s->copied);
        if (s->halt) {
                my_reader_done(&s->my);
                halt_my_close(s->halt, &s->my.conn);
                halt_close(s->halt, &s->pg);
        }
}

static int my_first(struct verify_side *s, const char *sql, char **text, struct error *e)
{
        AUTO_MY_RESULT r = my_query(s->my.conn, e, sql);
        MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;

        *text = row ? memory_string(row[0]) : NULL;
        return r ? 0 : -1;
}

int verify_side_text(struct verify_side *s, const char *sql, char **text, struct error *e)
{
        AUTO_RESULT r = NULL;

        *text = NULL;
        if (s->is_my)
                return my_first(s, sql, text, e);
        if (!(r = pg_query(s->pg, e, sql, 0, NULL)))
                return -1;
        if (PQntuples(r) && !PQgetisnull(r, 0, 0))
                *text = memory_string(PQgetvalue(r, 0, 0));
        return 0;
}

/* ---- SQL ---- */

void verify_add_name(struct buf *sql, const struct verify_side *s, const char *name)
{
        if (s->is_my)
                my_ident(sql, name);
        else
                pg_ident(sql, name);
}

void verify_add_table(
        struct buf *sql, const struct verify_side *s, const char *schema, const char *name)
{
        if (s->is_my)
                my_table(sql, schema, name);
        else
                pg_table(sql, schema, name);
}

static void add_column(struct buf *sql, const struct verify_side *s, const struct column *c)
{
        if (s->is_my)
                my_reader_column(sql, my_engine(s->my.conn), c);
        else
                pg_ident(sql, c->name);
}

void verify_select(
        struct buf *sql, const struct verify_side *s, const struct verify_columns *c, bool few)
{
        const bool *wanted = few ? c->few : c->all;

        buf_str(sql, s->is_my ? "select " : "copy (select ");
        for (uint16_t i = 0; i < c->shape->columns_n; i++) {
                buf_str(sql, i ? ", " : "");
                if (wanted[i])
                        add_column(sql, s, &c->shape->columns[i]);
                else
                        buf_str(sql, "null");
        }
        buf_str(sql, " from ");
        verify_add_table(sql, s, c->schema, c->name);
}

static void add_key_name(
        struct buf *sql, const struct verify_side *s, const struct verify_columns *c, unsigned i)
{
        verify_add_name(sql, s, c->shape->columns[c->key[i]].name);
}

static int add_literal(struct buf *sql, const struct verify_side *s, const struct verify_columns *c,
        unsigned i, const struct value *v, struct error *e)
{
        if (v->kind != VALUE_TEXT)
                return error_set(e, ERROR_DATA, "column '%s' of the key is NULL",
                        c->shape->columns[c->key[i]].name);
        if (s->is_my)
                return my_value(sql, c->types[c->key[i]], v, e);
        pg_literal(sql, v->data);
        return 0;
}

static int add_comparison(struct buf *sql, const struct verify_side *s,
        const struct verify_columns *c, unsigned i, const char *operator, const struct value * key,
        struct error *e)
{
        add_key_name(sql, s, c, i);
        buf_str(sql, operator);
        return add_literal(sql, s, c, i, &key[i], e);
}

/* (a, b) > ('x', 'y'), for which PostgreSQL uses an index of both. */
static int add_row_bound(struct buf *sql, const struct verify_side *s,
        const struct verify_columns *c, const char *operator, const struct value * key,
        struct error *e)
{
        for (unsigned i = 0; i < c->key_n; i++) {
                buf_str(sql, i ? ", " : "(");
                add_key_name(sql, s, c, i);
        }
        buf_printf(sql, ")%s(", operator);
        for (unsigned i = 0; i < c->key_n; i++) {
                buf_str(sql, i ? ", " : "");
                if (add_literal(sql, s, c, i, &key[i], e) < 0)
                        return -1;
        }
        buf_str(sql, ")");
        return 0;
}

/* a >= 'x' and (a > 'x' or a = 'x' and b > 'y'): the MySQL family reads a range for that. */
static int add_spelled_bound(struct buf *sql, const struct verify_side *s,
        const struct verify_columns *c, enum verify_bound bound, const char *operator,
        const struct value * key, struct error *e)
{
        const char *strict = bound == BOUND_TO ? " < " : " > ";

        if (add_comparison(sql, s, c, 0, bound == BOUND_TO ? " <= " : " >= ", key, e) < 0)
                return -1;
        buf_str(sql, " and (");
        for (unsigned i = 0; i < c->key_n; i++) {
                bool last = i + 1 == c->key_n;

                buf_str(sql, i ? " or (" : "(");
                for (unsigned k = 0; k < i; k++) {
                        if (add_comparison(sql, s, c, k, " = ", key, e) < 0)
                                return -1;
                        buf_str(sql, " and ");
                }
                if (add_comparison(sql, s, c, i, last ? operator: strict, key, e) < 0)
                        return -1;
                buf_char(sql, ')');
        }
        buf_char(sql, ')');
        return 0;
}

int verify_bound(struct buf *sql, const struct verify_side *s, const struct verify_columns *c,
        enum verify_bound bound, const struct value *key, struct error *e)
{
        static const char *const operators[] = {" > ", " >= ", " <= "};

        if (!s->is_my || c->key_n == 1)
                return add_row_bound(sql, s, c, operators[bound], key, e);
        return add_spelled_bound(sql, s, c, bound, operators[bound], key, e);
}

void verify_order(struct buf *sql, const struct verify_side *s, const struct verify_columns *c)
{
        for (unsigned i = 0; i < c->key_n; i++) {
                buf_str(sql, i ? ", " : " order by ");
                add_key_name(sql, s, c, i);
        }
}

int verify_among(struct buf *sql, const struct verify_side *s, const struct verify_columns *c,
        bool first, const struct value *key, struct error *e)
{
        if (c->key_n == 1) {
                if (first) {
                        buf_str(sql, " where ");
                        add_key_name(sql, s, c, 0);
                }
                buf_str(sql, first ? " in (" : ", ");
                return add_literal(sql, s, c, 0, &key[0], e);
        }
        buf_str(sql, first ? " where (" : " or (");
        for (unsigned i = 0; i < c->key_n; i++) {
                buf_str(sql, i ? " and " : "");
                if (add_comparison(sql, s, c, i, " = ", key, e) < 0)
                        return -1;
        }
        buf_char(sql, ')');
        return 0;
}

void verify_among_end(struct buf *sql, const struct verify_columns *c)
{
        buf_str(sql, c->key_n == 1 ? ")" : "");
}

/* ---- reading ---- */

int verify_side_read(struct verify_side *s, const struct verify_columns *c, const struct buf *sql,
        struct error *e)
{
        AUTO_BUF whole = BUF_INIT;
        AUTO_RESULT done = NULL;

        s->columns_n = c->shape->columns_n;
        if (s->is_my)
                return my_reader_query(&s->my, c->shape, sql, e);
        buf_add(&whole, sql->data, sql->len);
        buf_str(&whole, ") to stdout");
        done = PQexec(s->pg, buf_text(&whole));
        return PQresultStatus(done) == PGRES_COPY_OUT ? 0 : pg_error(e, s->pg, done, s->what);
}

static int end_of_copy(struct verify_side *s, struct error *e)
{
        PGresult *result;
        int rc = 0;

        while ((result = PQgetResult(s->pg))) {
                if (PQresultStatus(result) != PGRES_COMMAND_OK && rc == 0)
                        rc = pg_error(e, s->pg, result, s->what);
                PQclear(result);
                if (PQstatus(s->pg) == CONNECTION_BAD)
                        break;
        }
        return rc;
}

static int next_pg(struct verify_side *s, struct value *row, struct error *e)
{
        int len;

        PQfreemem(s->line);
        s->line = NULL;
        len = PQgetCopyData(s->pg, &s->line, 0);
        if (len == -1)
                return end_of_copy(s, e);
        if (len < 0)
                return pg_error(e, s->pg, NULL, s->what);
        if (copy_row_split(&s->copied, s->line, (size_t)len, s->columns_n) < 0)
                return error_set(e, ERROR_DATA, "the %s sent a row that is not in COPY's text form",
                        s->what);
        for (uint16_t i = 0; i < s->columns_n; i++) {
                const struct filter_value *v = &s->copied.columns[i];

                row[i] = (struct value){.kind = v->null ? VALUE_NULL : VALUE_TEXT,
                        .len = (uint32_t)v->len,
                        .data = v->text};
        }
        return 1;
}

int verify_side_next(struct verify_side *s, struct value *row, struct error *e)
{
        return s->is_my ? my_reader_next(&s->my, row, e) : next_pg(s, row, e);
}
