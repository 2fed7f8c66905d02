#include "db/my_ddl_private.h"
#include "base/memory.h"
#include "db/my.h"
#include "model/typemap.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct writer {
        const struct table_def *t;
        enum engine to;
        const struct ddl_names *n;
        struct ddl *out;
        struct buf sql;
        char **natives;   /* for each column: its type on the target, NULL: not made */
        const char *said; /* the collation that the last line was about */
        int counter;      /* the column with auto_increment, or -1 */
        int kept;         /* the index that it needs and the table is made with, or -1 */
        bool own_key;     /* there is no such index: one is made */
};

void my_ddl_schema(const struct ddl_names *n, struct ddl *out)
{
        AUTO_BUF sql = BUF_INIT;

        buf_str(&sql, "create database if not exists ");
        my_ident(&sql, n->schema);
        ddl_take(&out->before, n->schema, buf_take(&sql));
}

/* ---- what is made ---- */

/* An enum with a collation of its own keeps it; other engines' names are changed. */
static void put_collation(struct buf *out, struct writer *w, const struct def_column *c)
{
        const char *name;

        if (!c->collation || w->t->engine == ENGINE_POSTGRESQL || !strcmp(c->native, "json"))
                return;
        name = my_ddl_collation(c->collation, w->to);
        if (strcmp(name, c->collation) != 0 && (!w->said || strcmp(w->said, c->collation) != 0)) {
                ddl_left_out(w->out, w->t, "collation %s instead of %s", name, c->collation);
                w->said = c->collation;
        }
        buf_printf(out, " collate %s", name);
}

static char *native_of(struct writer *w, unsigned column, struct error *e)
{
        struct coltype *type = ddl_type(w->t, column, e);
        struct typemap_result r = {0};
        AUTO_BUF native = BUF_INIT;

        if (!type)
                return NULL;
        if (typemap_native(type, w->to, table_def_is_key(w->t, column), &r, e) < 0) {
                error_context(e, "column %s of %s.%s", w->t->columns[column].name, w->t->schema,
                        w->t->name);
                coltype_free(type);
                return NULL;
        }
        buf_str(&native, r.native);
        if (strstr(r.native, " charset "))
                put_collation(&native, w, &w->t->columns[column]);
        free(r.native);
        coltype_free(type);
        return buf_take(&native);
}

static char *generated_as(struct writer *w, const struct def_column *c)
{
        char *text = ddl_expression(w->t, c->generated, w->to, w->n);

        if (text && my_ddl_counts(w->t, w->n, text)) {
                free(text);
                text = NULL;
        }
        if (!text)
                ddl_left_out(w->out, w->t,
                        "column %s: generated as %s, which has no equal: it is not made", c->name,
                        c->generated);
        return text;
}

static int decide(struct writer *w, struct error *e)
{
        for (unsigned i = 0; i < w->t->columns_n; i++) {
                const struct def_column *c = &w->t->columns[i];
                AUTO_STRING text = NULL;

                if (!ddl_column(w->n, w->t, i) || (c->generated && !(text = generated_as(w, c))))
                        continue;
                if (!(w->natives[i] = native_of(w, i, e)))
                        return -1;
                w->out->made[i] = true;
        }
        return 0;
}

static bool is_integer(const char *native)
{
        return strstr(native, "int") && strncmp(native, "point", 5) != 0;
}

/* There is one auto_increment per table, on an integer that begins an index; without such an index
 * the table gets one (PostgreSQL's counters need none). */
static void decide_counter(struct writer *w)
{
        w->counter = w->kept = -1;
        for (unsigned i = 0; i < w->t->columns_n; i++) {
                int index;

                if (w->t->columns[i].default_kind != DEFAULT_COUNTER || !w->out->made[i])
                        continue;
                index = my_ddl_counter_index(w->t, w->out, i);
                if (w->counter >= 0 || !is_integer(w->natives[i])) {
                        ddl_left_out(w->out, w->t,
                                "column %s: its counter: a table has one, of an integer type",
                                w->t->columns[i].name);
                        continue;
                }
                w->counter = (int)i;
                w->kept = index >= 0 && w->t->indexes[index].primary ? -1 : index;
                w->own_key = index < 0;
        }
}

/* ---- the table ---- */

static void next_line(struct writer *w)
{
        buf_str(&w->sql, w->sql.data[w->sql.len - 1] == '(' ? "\n  " : ",\n  ");
}

static void put_on_update(struct writer *w, const struct def_column *c, const char *native)
{
        const char *digits = strchr(native, '(');

        if (c->on_update_now)
                buf_printf(&w->sql, " on update current_timestamp(%u)",
                        digits ? (unsigned)atoi(digits + 1) : 0);
}

static void put_generated(struct writer *w, const struct def_column *c)
{
        AUTO_STRING text = ddl_expression(w->t, c->generated, w->to, w->n);

        buf_printf(&w->sql, " generated always as (%s) %s", text, c->stored ? "stored" : "virtual");
        /* MariaDB takes no NOT NULL there. */
        buf_str(&w->sql, c->not_null && w->to == ENGINE_MYSQL ? " not null" : "");
}

static int add_column(struct writer *w, unsigned i, struct error *e)
{
        const struct def_column *c = &w->t->columns[i];
        struct coltype *type = ddl_type(w->t, i, e);

        if (!type)
                return -1;
        next_line(w);
        my_ident(&w->sql, ddl_column(w->n, w->t, i));
        buf_printf(&w->sql, " %s", w->natives[i]);
        if (c->generated) {
                put_generated(w, c);
        } else {
                buf_str(&w->sql, c->not_null ? " not null" : " null");
                if ((int)i == w->counter)
                        buf_str(&w->sql, " auto_increment");
                else
                        my_ddl_default(&w->sql, w->t, c, type, w->to, w->natives[i], w->out);
                put_on_update(w, c, w->natives[i]);
        }
        buf_str(&w->sql, c->invisible ? " invisible" : "");
        if (c->comment) {
                buf_str(&w->sql, " comment ");
                my_literal(&w->sql, c->comment, strlen(c->comment));
        }
        coltype_free(type);
        return 0;
}

static void add_keys(struct writer *w)
{
        for (unsigned i = 0; i < w->t->indexes_n; i++) {
                AUTO_STRING key = NULL;

                if (!w->t->indexes[i].primary && (int)i != w->kept)
                        continue;
                key = my_ddl_index(w->t, &w->t->indexes[i], w->to, w->n, w->natives, w->out);
                if (!key)
                        continue;
                next_line(w);
                buf_str(&w->sql, key);
        }
}

static void add_own_key(struct writer *w)
{
        const char *column;
        AUTO_STRING wanted = NULL;
        AUTO_STRING name = NULL;

        if (!w->own_key)
                return;
        column = ddl_column(w->n, w->t, (unsigned)w->counter);
        wanted = memory_printf("counter_%s", column);
        name = ddl_name(w->n, MY_NAME_MAX, wanted);
        next_line(w);
        buf_str(&w->sql, "key ");
        my_ident(&w->sql, name);
        buf_str(&w->sql, " (");
        my_ident(&w->sql, column);
        buf_char(&w->sql, ')');
        ddl_left_out(w->out, w->t,
                "column %s: its counter needs an index, %s, that the source "
                "does not have",
                w->t->columns[w->counter].name, name);
}

static void add_checks(struct writer *w)
{
        for (unsigned i = 0; i < w->t->checks_n; i++) {
                const struct def_check *k = &w->t->checks[i];
                AUTO_STRING text = ddl_expression(w->t, k->expression, w->to, w->n);
                AUTO_STRING name = NULL;

                if (!text || my_ddl_counts(w->t, w->n, text)) {
                        ddl_left_out(w->out, w->t, "check %s (%s): not carried%s", k->name,
                                k->expression,
                                text ? ": none may look at a column that counts" : "");
                        continue;
                }
                name = ddl_name(w->n, MY_NAME_MAX, k->name);
                next_line(w);
                buf_str(&w->sql, "constraint ");
                my_ident(&w->sql, name);
                buf_printf(&w->sql, " check (%s)", text);
        }
}

/* PostgreSQL compares text by its bytes, with trailing spaces: so do keys here. */
static void add_options(struct writer *w)
{
        buf_str(&w->sql, "\n) engine = InnoDB");
        if (w->t->engine == ENGINE_POSTGRESQL)
                buf_printf(&w->sql, " default charset = utf8mb4 collate = %s",
                        w->to == ENGINE_MARIADB ? "utf8mb4_nopad_bin" : "utf8mb4_0900_bin");
        if (w->t->comment) {
                buf_str(&w->sql, " comment = ");
                my_literal(&w->sql, w->t->comment, strlen(w->t->comment));
        }
        if (w->t->versioned)
                ddl_left_out(w->out, w->t, "system versioning: the table keeps no history here");
        if (w->t->storage && strcasecmp(w->t->storage, "InnoDB") != 0)
                ddl_left_out(w->out, w->t, "engine InnoDB instead of %s", w->t->storage);
}

static int add_table(struct writer *w, struct error *e)
{
        if (decide(w, e) < 0)
                return -1;
        decide_counter(w);
        buf_str(&w->sql, "create table ");
        my_table(&w->sql, w->n->schema, w->n->table);
        buf_str(&w->sql, " (");
        for (unsigned i = 0; i < w->t->columns_n; i++)
                if (w->out->made[i] && add_column(w, i, e) < 0)
                        return -1;
        add_keys(w);
        add_own_key(w);
        add_checks(w);
        add_options(w);
        return 0;
}

static int make(const struct table_def *t, enum engine to, const struct ddl_names *n,
        struct ddl *out, struct error *e)
{
        struct writer w = {.t = t, .to = to, .n = n, .out = out};
        int result;

        w.natives = memory_new(t->columns_n * sizeof *w.natives);
        result = add_table(&w, e);
        if (result == 0) {
                ddl_take(&out->table, n->table, buf_take(&w.sql));
                my_ddl_indexes(t, to, n, w.kept, w.natives, out);
        }
        buf_done(&w.sql);
        for (unsigned i = 0; i < t->columns_n; i++)
                free(w.natives[i]);
        free(w.natives);
        return result;
}

int my_ddl(const struct table_def *t, enum engine to, const struct ddl_names *n, struct ddl *out,
        struct error *e)
{
        bool own =
                t->engine == to && t->verbatim && t->storage && !strcasecmp(t->storage, "InnoDB");

        free(out->made);
        out->made = memory_new(t->columns_n * sizeof *out->made);
        my_ddl_schema(n, out);
        if ((own ? my_ddl_verbatim(t, n, out, e) : make(t, to, n, out, e)) < 0)
                return -1;
        return ddl_references(t, to, n, out, e);
}
