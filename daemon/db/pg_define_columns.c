#include "base/memory.h"
#include "db/pg_define_private.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define COLUMNS_SQL(generated)                                                                     \
        "with " PG_DOMAINS " select u.at, a.attname, coalesce(base.base, a.atttypid),"             \
        " case when base.oid is null then a.atttypmod else base.modifier end,"                     \
        " pg_catalog.format_type(coalesce(base.base, a.atttypid),"                                 \
        "  case when base.oid is null then a.atttypmod else base.modifier end),"                   \
        " a.attnotnull or coalesce(base.not_null, false), a.attidentity, " generated ","           \
        " coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid),"                                    \
        "  pg_catalog.pg_get_expr(t.typdefaultbin, 0)),"                                           \
        " pg_catalog.col_description(a.attrelid, a.attnum)"                                        \
        " from pg_catalog.unnest($1::oid[]) with ordinality u(oid, at)"                            \
        " join pg_catalog.pg_attribute a on a.attrelid = u.oid"                                    \
        " join pg_catalog.pg_type t on t.oid = a.atttypid"                                         \
        " left join base on base.oid = a.atttypid"                                                 \
        " left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum"      \
        " where a.attnum > 0 and not a.attisdropped order by u.at, a.attnum"

#define LABELS_SQL                                                                                 \
        "with " PG_DOMAINS " select u.at, a.attname, l.enumlabel"                                  \
        " from pg_catalog.unnest($1::oid[]) with ordinality u(oid, at)"                            \
        " join pg_catalog.pg_attribute a on a.attrelid = u.oid"                                    \
        " left join base on base.oid = a.atttypid"                                                 \
        " join pg_catalog.pg_enum l on l.enumtypid = coalesce(base.base, a.atttypid)"              \
        " where a.attnum > 0 and not a.attisdropped order by u.at, a.attnum, l.enumsortorder"

/* ---- defaults ---- */

/* Behind the literal that begins at `at`: '..' or E'..', its value appended. NULL: not whole. */
static const char *literal(const char *at, struct buf *out)
{
        bool escapes = *at == 'E';

        for (at += escapes ? 2 : 1; *at; at++) {
                if (*at == '\'' && at[1] != '\'')
                        return at + 1;
                if (*at == '\'' || (escapes && *at == '\\'))
                        at++;
                if (!*at)
                        return NULL;
                buf_char(out, *at);
        }
        return NULL;
}

/* Is the rest only casts and the parentheses around them: "::character varying)::text"? */
static bool casts(const char *at)
{
        while (*at) {
                if (*at == ')') {
                        at++;
                        continue;
                }
                if (strncmp(at, "::", 2) != 0)
                        return false;
                for (at += 2; *at && *at != ':' && *at != ')'; at++)
                        if (*at == '(' && !(at = strchr(at, ')')))
                                return false;
                        else if (!isalnum((unsigned char)*at) && !strchr(" _\".[])", *at) &&
                                 (unsigned char)*at < 0x80)
                                return false;
        }
        return true;
}

static bool constant(struct def_column *c, const char *text)
{
        AUTO_BUF value = BUF_INIT;
        const char *rest;

        text += strspn(text, "(");
        if (*text == '\'' || !strncmp(text, "E'", 2) || !strncmp(text, "B'", 2)) {
                rest = literal(text + (*text == 'B'), &value);
        } else {
                size_t n = strspn(text, "-0123456789.");

                if (n == 0 && !strncmp(text, "true", 4))
                        n = 4;
                else if (n == 0 && !strncmp(text, "false", 5))
                        n = 5;
                buf_add(&value, text, n);
                rest = n ? text + n : NULL;
        }
        if (!rest || !casts(rest))
                return false;
        c->default_kind = DEFAULT_VALUE;
        c->default_text = memory_string(buf_text(&value));
        return true;
}

static bool is_now(const char *text)
{
        static const char *const all[] = {"now()", "CURRENT_TIMESTAMP", "LOCALTIMESTAMP",
                "statement_timestamp()", "transaction_timestamp()", "clock_timestamp()"};

        text += strspn(text, "(");
        for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
                size_t n = strlen(all[i]);

                if (strncmp(text, all[i], n) != 0)
                        continue;
                if (text[n] == '(' && isdigit((unsigned char)text[n + 1]) && text[n + 2] == ')')
                        n += 3;
                if (casts(text + n))
                        return true;
        }
        return false;
}

/* 'now' and its like are words that mean a time when they are read. */
static bool is_moment(const char *text)
{
        static const char *const all[] = {"'now'", "'today'", "'tomorrow'", "'yesterday'"};

        text += strspn(text, "(");
        for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
                if (!strncasecmp(text, all[i], strlen(all[i])))
                        return true;
        return false;
}

void pg_define_default(struct def_column *c, const char *text)
{
        if (!strncmp(text, "nextval(", 8)) {
                c->default_kind = DEFAULT_COUNTER;
                return;
        }
        if (!strncmp(text, "NULL::", 6) || !strcmp(text, "NULL"))
                return;
        if (is_now(text))
                c->default_kind = DEFAULT_NOW;
        else if (!is_moment(text) && constant(c, text))
                return;
        else
                c->default_kind = DEFAULT_EXPRESSION;
        c->default_text = memory_string(text);
}

/* ---- columns ---- */

static void add_column(struct table_def *d, const PGresult *r, int row)
{
        struct def_column *c;
        bool generated = *pg_text(r, row, 7) != '\0';

        d->columns = memory_grow(d->columns, (d->columns_n + 1) * sizeof *d->columns);
        c = &d->columns[d->columns_n++];
        *c = (struct def_column){.name = memory_string(pg_text(r, row, 1)),
                .oid = (uint32_t)strtoul(pg_text(r, row, 2), NULL, 10),
                .modifier = atoi(pg_text(r, row, 3)),
                .native = memory_string(pg_text(r, row, 4)),
                .not_null = pg_true(r, row, 5),
                .always = *pg_text(r, row, 6) == 'a',
                .generated = generated ? memory_string(pg_text(r, row, 8)) : NULL,
                .stored = *pg_text(r, row, 7) == 's',
                .comment = *pg_text(r, row, 9) ? memory_string(pg_text(r, row, 9)) : NULL};
        if (*pg_text(r, row, 6))
                c->default_kind = DEFAULT_COUNTER;
        else if (!generated && !PQgetisnull(r, row, 8))
                pg_define_default(c, pg_text(r, row, 8));
}

static void add_label(struct table_def *d, const PGresult *r, int row)
{
        int i = table_def_column(d, pg_text(r, row, 1));
        struct def_column *c = i < 0 ? NULL : &d->columns[i];

        if (!c)
                return;
        c->members = memory_grow(c->members, (c->members_n + 1) * sizeof *c->members);
        c->members[c->members_n++] = memory_string(pg_text(r, row, 2));
}

int pg_define_columns(PGconn *c, struct table_defs *t, const char *oids, struct error *e)
{
        const char *sql =
                PQserverVersion(c) >= 120000 ? COLUMNS_SQL("a.attgenerated") : COLUMNS_SQL("''");
        AUTO_RESULT r = pg_query(c, e, sql, 1, &oids);
        AUTO_RESULT labels = r ? pg_query(c, e, LABELS_SQL, 1, &oids) : NULL;

        if (!r || !labels)
                return -1;
        for (int row = 0; row < PQntuples(r); row++)
                add_column(pg_define_at(t, r, row), r, row);
        for (int row = 0; row < PQntuples(labels); row++)
                add_label(pg_define_at(t, labels, row), labels, row);
        return 0;
}
