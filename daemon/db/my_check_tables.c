#include "base/memory.h"
#include "db/my_check_private.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- foreign keys that act (HAZARDS A14) ---- */

static bool acts(const char *rule)
{
        return cascade_rule_of(rule) != RULE_NONE || (rule && !strcmp(rule, "SET DEFAULT"));
}

static void say_key(const struct table_def *t, const struct def_reference *f, struct checks *out,
        const char *mend, const char *why)
{
        bool both = acts(f->on_delete) && acts(f->on_update);

        checks_add(out, CHECK_ERROR, mend,
                "source: foreign key %s of %s.%s changes rows by itself (%s%s%s%s%s), which the "
                "binary log does not tell: %s",
                f->name, t->schema, t->name, acts(f->on_delete) ? "on delete " : "",
                acts(f->on_delete) ? f->on_delete : "", both ? ", " : "",
                acts(f->on_update) ? "on update " : "", acts(f->on_update) ? f->on_update : "",
                why);
}

static void say_rule(const struct table_def *t, const struct def_reference *f, struct checks *out,
        const char *why)
{
        AUTO_BUF mend = BUF_INIT;

        buf_str(&mend, "alter table ");
        my_table(&mend, t->schema, t->name);
        buf_str(&mend, " drop foreign key ");
        my_ident(&mend, f->name);
        buf_str(&mend, "; -- and add it again without the action, or after the cutover");
        say_key(t, f, out, buf_text(&mend), why);
}

static bool sets_key_null(const struct table_def *t, const struct def_reference *f)
{
        if (cascade_rule_of(f->on_delete) != RULE_SET_NULL &&
                cascade_rule_of(f->on_update) != RULE_SET_NULL)
                return false;
        for (unsigned i = 0; t->shape && i < f->columns_n; i++) {
                int at = relation_column(t->shape, t->columns[f->columns[i]].name);

                if (at >= 0 && t->shape->identity != IDENTITY_FULL && t->shape->columns[at].key)
                        return true;
        }
        return false;
}

/* Are the old values of what the key refers to in the log? */
static bool has_old_values(
        const struct table_def *parent, const struct def_reference *f, bool minimal)
{
        for (unsigned i = 0; i < f->columns_n; i++) {
                int at = parent->shape ? relation_column(parent->shape, f->to_columns[i]) : -1;

                if (at >= 0 && (column_is_generated(&parent->shape->columns[at]) ||
                                       (minimal && !parent->shape->columns[at].key)))
                        return false;
        }
        return true;
}

static void check_key(const struct table_defs *all, const struct table_def *t,
        const struct def_reference *f, bool minimal, struct checks *out)
{
        const struct table_def *parent = table_defs_find(all, f->to_schema, f->to_table);

        if ((f->on_delete && !strcmp(f->on_delete, "SET DEFAULT")) ||
                (f->on_update && !strcmp(f->on_update, "SET DEFAULT")))
                say_rule(t, f, out, "culvert cannot do the same");
        if (sets_key_null(t, f))
                say_rule(t, f, out, "it sets columns to NULL by which rows are found");
        if (parent && !has_old_values(parent, f, minimal))
                say_key(t, f, out,
                        minimal ? "set global binlog_row_image = 'FULL'; -- and in the server's "
                                  "configuration; sessions that are open keep what they have: have "
                                  "them connect again"
                                : NULL,
                        "the old values of what it refers to are not in the log");
}

static void check_cascades(
        const struct table_defs *t, const struct my_variables *v, struct checks *out)
{
        bool minimal = !strcasecmp(my_variable(v, "binlog_row_image"), "MINIMAL");

        if (my_variable_is(v, "innodb_native_foreign_keys", "OFF"))
                return;
        for (unsigned i = 0; i < t->n; i++)
                for (unsigned k = 0; k < t->items[i].references_n; k++) {
                        const struct def_reference *f = &t->items[i].references[k];

                        if (acts(f->on_delete) || acts(f->on_update))
                                check_key(t, &t->items[i], f, minimal, out);
                }
}

bool my_check_logs_cascades(MYSQL *c)
{
        struct error ignored = ERROR_INIT;
        AUTO_MY_RESULT r =
                my_query(c, &ignored, "show global variables like 'innodb_native_foreign_keys'");
        MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;

        return row && row[1] && !strcasecmp(row[1], "OFF");
}

static void say(
        struct checks *out, enum check_level level, struct check_names *names, const char *what)
{
        if (names->n)
                checks_add(out, level, NULL, "source: %s: %s", what, check_names_said(names));
        check_names_done(names);
}

static bool transactional(const char *engine)
{
        return engine &&
               (!strcasecmp(engine, "InnoDB") || !strcasecmp(engine, "ROCKSDB") ||
                       !strcasecmp(engine, "TokuDB") || !strcasecmp(engine, "NDBCLUSTER"));
}

/* "datetime(3) /" with MariaDB's remark on the form behind it. */
static bool has_old_fractions(const struct table_def *t)
{
        for (unsigned i = 0; i < t->columns_n; i++)
                if (strstr(t->columns[i].native, ") /* mariadb-5.3 */"))
                        return true;
        return false;
}

/* By ids of transactions instead of times. */
static bool by_transaction(const struct table_def *t)
{
        for (unsigned i = 0; i < t->columns_n; i++)
                if (def_column_is_period(&t->columns[i]) &&
                        !strncmp(t->columns[i].native, "bigint", 6))
                        return true;
        return false;
}

int my_check_tables(const struct table_defs *t, const struct my_variables *v, struct checks *out)
{
        struct check_names keyless = {0}, engines = {0}, versioned = {0}, old = {0};

        for (unsigned i = 0; i < t->n; i++) {
                const struct table_def *d = &t->items[i];

                if (d->shape && d->shape->identity == IDENTITY_FULL)
                        check_names_add(&keyless, d->schema, d->name);
                if (!transactional(d->storage))
                        check_names_add(&engines, d->schema, d->name);
                if (has_old_fractions(d))
                        check_names_add(&old, d->schema, d->name);
                if (by_transaction(d))
                        check_names_add(&versioned, d->schema, d->name);
        }
        check_cascades(t, v, out);
        say(out, CHECK_WARNING, &keyless,
                "tables without a key, whose rows are found by all their columns, slowly");
        say(out, CHECK_NOTE, &engines,
                "tables of engines without transactions: a statement that fails half-way leaves "
                "its rows in the log, and the copy is not of one moment");
        say(out, CHECK_ERROR, &versioned,
                "tables that are system-versioned by transaction ids (BIGINT UNSIGNED), whose "
                "changes are logged as statements whatever binlog_format is: alter table ... drop "
                "system versioning, and add it again with times (timestamp(6)), or exclude them");
        say(out, CHECK_ERROR, &old,
                "tables with fractional times in the form of MariaDB 5.3, which is not built; "
                "alter "
                "table ... force, with mysql56_temporal_format = on, makes them anew");
        return 0;
}
