#include "ops/verify_digest.h"
#include "base/memory.h"
#include "ops/my_reader.h"
#include "ops/verify_set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUM_TEXT 80
/* A row that has none on the MySQL family: more than the digests of all rows together, so that it
 * shows in their sum. Counting them would work each digest out twice. */
#define NO_DIGEST "10000000000000000000000000000000000000000"
#define SUM_LENGTH_MAX 31 /* 2^32 rows and a sign */

/* ---- where it is used ---- */

static bool has_digest(const struct coltype *t)
{
        switch (t->class) {
        case TYPE_BIT:
        case TYPE_GEOMETRY:
        case TYPE_OTHER:
                return t->engine == ENGINE_POSTGRESQL;
        default:
                return true;
        }
}

static bool is_the_same(const struct verify_table *t, uint16_t i)
{
        const struct coltype *from = t->from.types[t->map.source_of[i]], *to = t->to.types[i];

        return !(t->map.convert && t->map.convert[i]) && from->engine == to->engine &&
               from->native && to->native && !strcmp(from->native, to->native) && has_digest(to);
}

static bool is_same_server(const struct verify_side *from, const struct verify_side *to)
{
        const char *a, *b;

        if (from->is_my || to->is_my)
                return from->is_my && to->is_my &&
                       my_engine(from->my.conn) == my_engine(to->my.conn);
        a = PQparameterStatus(from->pg, "server_encoding"); /* hashes are of the server's bytes */
        b = PQparameterStatus(to->pg, "server_encoding");
        return a && b && !strcmp(a, b) && PQserverVersion(from->pg) >= 110000 &&
               PQserverVersion(to->pg) >= 110000;
}

bool verify_digest_fits(
        const struct verify_side *from, const struct verify_side *to, const struct verify_table *t)
{
        if (t->way != VERIFY_RANGES || t->mine || t->map.filter || !is_same_server(from, to))
                return false;
        for (uint16_t i = 0; i < t->to.shape->columns_n; i++)
                if (!is_the_same(t, i))
                        return false;
        return true;
}

/* ---- a row ---- */

static const struct column *column_of(const struct verify_table *t, bool target, uint16_t i)
{
        return target ? &t->to.shape->columns[i] : &t->from.shape->columns[t->map.source_of[i]];
}

/* PostgreSQL's functions for a type that comes with it, all of whose bits they take; NULL: by its
 * text. */
static const char *hash_of(const struct coltype *t)
{
        static const struct {
                const char *type, *function;
        } known[] = {
                {"smallint", "hashint2extended"},
                {"integer", "hashint4extended"},
                {"text", "hashtextextended"},
                {"character varying", "hashtextextended"},
                {"character", "hashbpcharextended"},
                {"uuid", "uuid_hash_extended"},
        };
        size_t len = strcspn(t->native, "(");

        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
                if (strlen(known[i].type) == len && !strncmp(known[i].type, t->native, len) &&
                        !strchr(t->native, '['))
                        return known[i].function;
        return NULL;
}

/* A bigint is taken as the seed, which counts with all of its bits. */
static bool add_hash(
        struct buf *sql, const struct coltype *t, const struct column *c, unsigned seed)
{
        const char *function = hash_of(t);
        bool is_text = t->class == TYPE_TEXT || t->class == TYPE_VARCHAR || t->class == TYPE_CHAR;

        if (!function && strcmp(t->native, "bigint") != 0)
                return false;
        buf_str(sql, " # coalesce(");
        if (!function)
                buf_printf(sql, "hashint4extended(%u, ", seed);
        else
                buf_printf(sql, "%s(", function);
        pg_ident(sql, c->name);
        if (function)
                buf_printf(sql, "%s, %u", is_text ? " collate \"C\"" : "", seed);
        buf_str(sql, "), 0)");
        return true;
}

/* What is mixed in the end is all that came before, as a seed: sums of rows see more than sums of
 * columns. */
static void add_row_pg(struct buf *sql, const struct verify_table *t, bool target)
{
        AUTO_BUF others = BUF_INIT;

        buf_str(sql, "hashint4extended(0, 0::bigint");
        for (uint16_t i = 0; i < t->to.shape->columns_n; i++) {
                const struct column *c = column_of(t, target, i);

                if (add_hash(sql, t->to.types[i], c, i + 1u))
                        continue;
                buf_str(&others, others.len ? ", " : "");
                pg_ident(&others, c->name);
        }
        if (others.len)
                buf_printf(sql, " # hashtextextended(row(%s)::text collate \"C\", 0)",
                        buf_text(&others));
        buf_char(sql, ')');
}

/* Numbers end at their comma; all else has its length in front. */
static void add_text_my(struct buf *sql, const struct coltype *t, const char *column)
{
        bool characters = t->charset != NULL;
        AUTO_BUF bytes = BUF_INIT;

        if (coltype_is_number(t) && t->class != TYPE_BIT) {
                buf_printf(sql, "coalesce(%s, '-'), ','", column);
                return;
        }
        buf_printf(&bytes, characters ? "cast(%s as binary)" : "%s", column);
        buf_printf(sql, "coalesce(concat(length(%s), ':', %s), '-')", buf_text(&bytes),
                buf_text(&bytes));
}

static void add_row_my(
        struct buf *sql, const struct verify_side *s, const struct verify_table *t, bool target)
{
        buf_str(sql, "coalesce(cast(conv(left(sha1(concat(''");
        for (uint16_t i = 0; i < t->to.shape->columns_n; i++) {
                AUTO_BUF column = BUF_INIT;

                my_reader_column(&column, my_engine(s->my.conn), column_of(t, target, i));
                buf_str(sql, ", ");
                add_text_my(sql, t->to.types[i], buf_text(&column));
        }
        buf_str(sql, ")), 16), 16, 10) as unsigned), " NO_DIGEST ")");
}

void verify_digest_row(
        struct buf *sql, const struct verify_side *s, const struct verify_table *t, bool target)
{
        if (s->is_my)
                add_row_my(sql, s, t, target);
        else
                add_row_pg(sql, t, target);
}

/* ---- a range ---- */

static int add_bound(struct buf *sql, const struct verify_side *s, const struct verify_columns *c,
        enum verify_bound bound, const struct buf *kept, struct error *e)
{
        struct value *key;
        int rc;

        if (!kept->len)
                return 0;
        key = memory_new(c->key_n * sizeof *key);
        verify_kept(kept, 0, key, c->key_n);
        rc = verify_bound(sql, s, c, bound, key, e);
        free(key);
        return rc;
}

static int add_query(struct buf *sql, const struct verify_side *s, const struct verify_table *t,
        bool target, const struct buf *after, const struct buf *to, struct error *e)
{
        const struct verify_columns *c = target ? &t->to : &t->from;

        buf_str(sql, "select count(*), sum(");
        verify_digest_row(sql, s, t, target);
        buf_str(sql, ") from ");
        verify_add_table(sql, s, c->schema, c->name);
        buf_str(sql, after->len || to->len ? " where " : "");
        if (add_bound(sql, s, c, BOUND_BEYOND, after, e) < 0)
                return -1;
        buf_str(sql, after->len && to->len ? " and " : "");
        if (add_bound(sql, s, c, BOUND_TO, to, e) < 0)
                return -1;
        return 0;
}

struct sum {
        uint64_t rows;
        char sum[SUM_TEXT];
};

static void take(struct sum *s, const char *rows, const char *sum)
{
        s->rows = strtoull(rows ? rows : "0", NULL, 10);
        snprintf(s->sum, sizeof s->sum, "%s", sum ? sum : "");
}

static bool is_same(const struct sum *a, const struct sum *b)
{
        return a->rows == b->rows && strlen(a->sum) <= SUM_LENGTH_MAX && !strcmp(a->sum, b->sum);
}

static int send(struct verify_side *s, const struct buf *sql, struct error *e)
{
        if (s->is_my)
                return mysql_send_query(s->my.conn, sql->data, sql->len) == 0
                               ? 0
                               : my_error(e, s->my.conn, s->what);
        return PQsendQuery(s->pg, buf_text(sql)) ? 0 : pg_error(e, s->pg, NULL, s->what);
}

static int receive_my(struct verify_side *s, struct sum *out, struct error *e)
{
        AUTO_MY_RESULT r = NULL;
        MYSQL_ROW row;

        if (mysql_read_query_result(s->my.conn) != 0 || !(r = mysql_store_result(s->my.conn)))
                return my_error(e, s->my.conn, s->what);
        row = mysql_fetch_row(r);
        if (!row || mysql_num_fields(r) != 2)
                return error_set(e, ERROR_DATA, "the %s sent no digest", s->what);
        take(out, row[0], row[1]);
        return 0;
}

static int receive_pg(struct verify_side *s, struct sum *out, struct error *e)
{
        PGresult *r;
        int rc = -1;

        error_set(e, ERROR_DATA, "the %s sent no digest", s->what);
        while ((r = PQgetResult(s->pg))) {
                if (PQresultStatus(r) != PGRES_TUPLES_OK)
                        pg_error(e, s->pg, r, s->what);
                else if (PQntuples(r) == 1 && PQnfields(r) == 2) {
                        take(out, pg_text(r, 0, 0), pg_text(r, 0, 1));
                        rc = 0;
                }
                PQclear(r);
                if (PQstatus(s->pg) == CONNECTION_BAD)
                        return pg_error(e, s->pg, NULL, s->what);
        }
        if (rc == 0)
                error_clear(e);
        return rc;
}

static int receive(struct verify_side *s, struct sum *out, struct error *e)
{
        return s->is_my ? receive_my(s, out, e) : receive_pg(s, out, e);
}

/* A server that cannot say, since a row is too long for it or a type has no text, say: the rows are
 * read then, and tell what is the matter. */
static int without_digest(struct verify_side *s, struct error *e)
{
        bool lost = s->is_my ? my_error_is_lost(mysql_errno(s->my.conn))
                             : PQstatus(s->pg) != CONNECTION_OK;

        if (lost || halt_check(s->halt, e) < 0)
                return -1;
        error_clear(e);
        return 0;
}

/* What was asked is also read, so that the connection is free for the next question. */
static int ask_both(struct verify_side *sides[2], const struct buf queries[2], struct sum sums[2],
        struct error *e)
{
        struct error failed[2] = {ERROR_INIT, ERROR_INIT};
        int sent[2], rc = 1;

        for (unsigned i = 0; i < 2; i++)
                sent[i] = send(sides[i], &queries[i], &failed[i]);
        for (unsigned i = 0; i < 2; i++) {
                if (sent[i] == 0)
                        sent[i] = receive(sides[i], &sums[i], &failed[i]);
                if (sent[i] < 0 && rc >= 0) {
                        *e = failed[i];
                        rc = without_digest(sides[i], e);
                }
        }
        return rc;
}

int verify_digest_same(struct verify_side *from, struct verify_side *to,
        const struct verify_table *t, const struct buf *after, const struct buf *to_key,
        uint64_t *rows, struct error *e)
{
        struct verify_side *sides[2] = {from, to};
        struct buf queries[2] = {BUF_INIT, BUF_INIT};
        struct sum sums[2] = {{0}, {0}};
        int rc = 0;

        for (unsigned i = 0; rc == 0 && i < 2; i++)
                rc = add_query(&queries[i], sides[i], t, i == 1, after, to_key, e);
        if (rc == 0)
                rc = ask_both(sides, queries, sums, e);
        buf_done(&queries[0]);
        buf_done(&queries[1]);
        *rows = sums[0].rows;
        return rc <= 0 ? rc : is_same(&sums[0], &sums[1]);
}
