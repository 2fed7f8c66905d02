#include "db/my_catalog_private.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- indexes ---- */

/* MariaDB's unique key on columns that are too long for one is called a hash; in memory tables that
 * is an ordinary kind of index. */
static const char *index_what(const struct table_def *d, const char *type)
{
        if (!strcasecmp(type, "FULLTEXT"))
                return "fulltext";
        if (!strcasecmp(type, "SPATIAL") || !strcasecmp(type, "RTREE"))
                return "spatial";
        if (!strcasecmp(type, "HASH"))
                return d->storage && !strcasecmp(d->storage, "MEMORY") ? NULL : "hash";
        return strcasecmp(type, "BTREE") != 0 ? type : NULL;
}

static struct def_index *index_of(struct table_def *d, MYSQL_ROW row)
{
        struct def_index *i = d->indexes_n ? &d->indexes[d->indexes_n - 1] : NULL;

        if (i && !strcmp(i->name, row[2]))
                return i;
        d->indexes = memory_grow(d->indexes, (d->indexes_n + 1) * sizeof *d->indexes);
        i = &d->indexes[d->indexes_n++];
        *i = (struct def_index){.name = memory_string(row[2]),
                .primary = !strcmp(row[2], "PRIMARY"),
                .unique = !strcmp(my_catalog_text(row, 3), "0"),
                .what = memory_string(index_what(d, my_catalog_text(row, 7)))};
        return i;
}

/* Columns of the query: schema, table, index_name, non_unique, column_name, collation, sub_part,
 * index_type. A part without a column is an expression. */
static void add_part(struct table_def *d, MYSQL_ROW row)
{
        struct def_index *i = index_of(d, row);
        int column = row[4] ? table_def_column(d, row[4]) : -1;
        unsigned long prefix = strtoul(my_catalog_text(row, 6), NULL, 10);

        if (column < 0) {
                if (!i->what)
                        i->what = memory_string("expression");
                return;
        }
        /* The time of a row's end is part of every key of a versioned table, and the same for all
         * rows that are current. */
        if (def_column_is_period(&d->columns[column]))
                return;
        i->columns = memory_grow(i->columns, (i->columns_n + 1) * sizeof *i->columns);
        i->columns[i->columns_n++] = (struct def_index_column){.column = (unsigned)column,
                .prefix = i->what ? 0 : (uint32_t)prefix,
                .descending = !strcmp(my_catalog_text(row, 5), "D")};
}

int my_catalog_indexes(
        MYSQL *c, struct table_defs *t, const struct my_catalog_scope *s, struct error *e)
{
        AUTO_MY_RESULT r = my_queryf(c, e,
                "select table_schema, table_name, index_name, non_unique, column_name, collation,"
                " sub_part, index_type from information_schema.statistics where %s"
                " order by table_schema, table_name, index_name <> 'PRIMARY', non_unique,"
                " index_name, seq_in_index",
                s->tables);

        if (!r)
                return -1;
        for (MYSQL_ROW row; (row = mysql_fetch_row(r));) {
                struct table_def *d = my_catalog_at(t, row);

                if (d)
                        add_part(d, row);
        }
        return 0;
}

/* ---- checks ---- */

/* MariaDB's JSON is LONGTEXT with this check, made by the server. */
static bool is_json(struct table_def *d, const char *clause)
{
        for (unsigned i = 0; i < d->columns_n; i++) {
                struct def_column *c = &d->columns[i];
                AUTO_BUF wanted = BUF_INIT;

                if (strcmp(c->native, "longtext charset utf8mb4") != 0)
                        continue;
                buf_str(&wanted, "json_valid(");
                my_ident(&wanted, c->name);
                buf_char(&wanted, ')');
                if (strcasecmp(buf_text(&wanted), clause) != 0)
                        continue;
                free(c->native);
                c->native = memory_string("json");
                return true;
        }
        return false;
}

static void add_check(struct table_def *d, MYSQL_ROW row)
{
        if (d->engine == ENGINE_MARIADB && is_json(d, my_catalog_text(row, 3)))
                return;
        d->checks = memory_grow(d->checks, (d->checks_n + 1) * sizeof *d->checks);
        d->checks[d->checks_n++] =
                (struct def_check){memory_string(row[2]), memory_string(my_catalog_text(row, 3))};
}

/* MySQL 5.7 and MariaDB before 10.2 have neither checks nor the table. */
static const char *checks_sql(MYSQL *c)
{
        if (my_engine(c) == ENGINE_MARIADB)
                return my_version(c) < 100222 ? NULL
                                              : "select constraint_schema, table_name, "
                                                "constraint_name, check_clause"
                                                " from information_schema.check_constraints where "
                                                "%s order by 1, 2, 3";
        return my_version(c) < 80016
                       ? NULL
                       : "select constraint_schema, table_name, constraint_name, check_clause"
                         " from information_schema.table_constraints"
                         " join information_schema.check_constraints"
                         "  using (constraint_schema, constraint_name)"
                         " where constraint_type = 'CHECK' and %s order by 1, 2, 3";
}

int my_catalog_checks(
        MYSQL *c, struct table_defs *t, const struct my_catalog_scope *s, struct error *e)
{
        AUTO_MY_RESULT r = NULL;
        AUTO_BUF sql = BUF_INIT;
        const char *format = checks_sql(c), *at;

        if (!format)
                return 0;
        at = strstr(format, "%s");
        buf_add(&sql, format, (size_t)(at - format));
        buf_printf(&sql, "%s%s", s->constraints, at + 2);
        if (!(r = my_query(c, e, buf_text(&sql))))
                return -1;
        for (MYSQL_ROW row; (row = mysql_fetch_row(r));) {
                struct table_def *d = my_catalog_at(t, row);

                if (d)
                        add_check(d, row);
        }
        return 0;
}
