#include "base/memory.h"
#include "db/my_check_private.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool acts(const char *rule)
{
        return rule && (!strcmp(rule, "CASCADE") || !strcmp(rule, "SET NULL") ||
                               !strcmp(rule, "SET DEFAULT"));
}

static void say_cascade(
        const struct table_def *t, const struct def_reference *f, struct checks *out)
{
        bool both = acts(f->on_delete) && acts(f->on_update);
        AUTO_BUF mend = BUF_INIT;

        buf_str(&mend, "alter table ");
        my_table(&mend, t->schema, t->name);
        buf_str(&mend, " drop foreign key ");
        my_ident(&mend, f->name);
        buf_str(&mend, "; -- and add it again without the action, or after the cutover");
        checks_add(out, CHECK_ERROR, buf_text(&mend),
                "source: foreign key %s of %s.%s changes rows by itself (%s%s%s%s%s), which the "
                "binary log does not tell",
                f->name, t->schema, t->name, acts(f->on_delete) ? "on delete " : "",
                acts(f->on_delete) ? f->on_delete : "", both ? ", " : "",
                acts(f->on_update) ? "on update " : "", acts(f->on_update) ? f->on_update : "");
}

/* MySQL 9.7 runs them above the engine, and logs what they change, unless told otherwise. */
static void check_cascades(
        const struct table_defs *t, const struct my_variables *v, struct checks *out)
{
        if (my_variable_is(v, "innodb_native_foreign_keys", "OFF"))
                return;
        for (unsigned i = 0; i < t->n; i++)
                for (unsigned k = 0; k < t->items[i].references_n; k++) {
                        const struct def_reference *f = &t->items[i].references[k];

                        if (acts(f->on_delete) || acts(f->on_update))
                                say_cascade(&t->items[i], f, out);
                }
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

int my_check_tables(const struct table_defs *t, const struct my_variables *v, struct checks *out)
{
        struct check_names keyless = {0}, engines = {0}, versioned = {0};

        for (unsigned i = 0; i < t->n; i++) {
                const struct table_def *d = &t->items[i];

                if (d->shape && d->shape->identity == IDENTITY_FULL)
                        check_names_add(&keyless, d->schema, d->name);
                if (!transactional(d->storage))
                        check_names_add(&engines, d->schema, d->name);
                if (d->versioned)
                        check_names_add(&versioned, d->schema, d->name);
        }
        check_cascades(t, v, out);
        say(out, CHECK_WARNING, &keyless,
                "tables without a key, whose rows are found by all their columns, slowly");
        say(out, CHECK_NOTE, &engines,
                "tables of engines without transactions: a statement that fails half-way leaves "
                "its rows in the log, and the copy is not of one moment");
        say(out, CHECK_WARNING, &versioned,
                "system-versioned tables: rows are carried as they are now, without their history");
        return 0;
}
