#include "ops/my_reader.h"
#include "base/memory.h"

#include <stdlib.h>

static void forget_characters(struct origin_reader *r)
{
        for (uint16_t i = 0; i < r->columns_n; i++)
                buf_done(&r->characters[i].text);
        free(r->characters);
        r->characters = NULL;
        r->columns_n = 0;
}

static void take_characters(struct origin_reader *r, const struct relation *shape)
{
        if (r->shape == shape && r->columns_n)
                return;
        forget_characters(r);
        r->shape = shape;
        r->columns_n = shape->columns_n;
        r->characters = memory_new((r->columns_n + 1u) * sizeof *r->characters);
        for (uint16_t i = 0; i < r->columns_n; i++) {
                struct error ignored = ERROR_INIT;
                struct coltype *t =
                        coltype_my(my_engine(r->conn), shape->columns[i].native, &ignored);

                if (t && t->charset && !charset_passes(t->charset))
                        r->characters[i].charset = t->charset;
                coltype_free(t);
        }
}

/* A FLOAT is asked for as a double, since the server prints six digits of it only. Of an ENUM with
 * an empty member index 0 looks like that: it is asked for as a zero, in the column's own characters
 * as the others. */
void my_reader_column(struct buf *sql, enum engine engine, const struct column *c)
{
        struct error ignored = ERROR_INIT;
        struct coltype *type = coltype_my(engine, c->native, &ignored);
        AUTO_BUF name = BUF_INIT;

        my_ident(&name, c->name);
        if (type && type->class == TYPE_FLOAT)
                buf_printf(sql, "%s + 0e0", buf_text(&name));
        else if (type && type->charset && coltype_empty_member(type))
                buf_printf(sql, "if(%s + 0 = 0, cast(convert(0x00 using %s) as binary), %s)",
                        buf_text(&name), type->charset->name, buf_text(&name));
        else
                buf_str(sql, buf_text(&name));
        coltype_free(type);
}

static const char *what(const struct origin_reader *r)
{
        return r->what ? r->what : "source";
}

int my_reader_query(struct origin_reader *r, const struct relation *shape, const struct buf *sql,
        struct error *e)
{
        my_result_done(&r->rows);
        take_characters(r, shape);
        if (mysql_real_query(r->conn, sql->data, sql->len) != 0 ||
                !(r->rows = mysql_use_result(r->conn)))
                return my_error(e, r->conn, what(r));
        return 0;
}

/* What the catalogue hides (MariaDB's own hash columns) cannot be asked for. */
int my_reader_read(struct origin_reader *r, const struct table_def *t, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;

        for (uint16_t i = 0; i < t->shape->columns_n; i++) {
                const struct column *c = &t->shape->columns[i];

                buf_str(&sql, i ? ", " : "select ");
                if (table_def_column(t, c->name) < 0 && column_period(c) == PERIOD_NONE)
                        buf_str(&sql, "null");
                else
                        my_reader_column(&sql, my_engine(r->conn), c);
        }
        buf_str(&sql, " from ");
        my_table(&sql, t->schema, t->name);
        return my_reader_query(r, t->shape, &sql, e);
}

static int put_characters(struct origin_reader *r, struct value *row, struct error *e)
{
        for (uint16_t i = 0; i < r->columns_n; i++) {
                struct characters *c = &r->characters[i];
                size_t len = row[i].len;

                if (!c->charset || row[i].kind != VALUE_TEXT)
                        continue;
                if (charset_text(c->charset, &row[i].data, &len, &c->text, e) < 0) {
                        row_blame(r->shape, row, e);
                        return error_context(e, "column '%s'", r->shape->columns[i].name);
                }
                row[i].len = (uint32_t)len;
        }
        return 0;
}

int my_reader_next(struct origin_reader *r, struct value *row, struct error *e)
{
        MYSQL_ROW fields = mysql_fetch_row(r->rows);
        unsigned long *lengths;

        if (!fields) {
                if (mysql_errno(r->conn))
                        return my_error(e, r->conn, what(r));
                my_result_done(&r->rows);
                return 0;
        }
        lengths = mysql_fetch_lengths(r->rows);
        for (uint16_t i = 0; i < r->columns_n; i++)
                row[i] = fields[i] ? (struct value){.kind = VALUE_TEXT,
                                             .len = (uint32_t)lengths[i],
                                             .data = fields[i]}
                                   : (struct value){.kind = VALUE_NULL};
        return put_characters(r, row, e) < 0 ? -1 : 1;
}

void my_reader_done(struct origin_reader *r)
{
        my_result_done(&r->rows);
        forget_characters(r);
}
