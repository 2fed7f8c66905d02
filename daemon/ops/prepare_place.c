/*
 * Missing tables that are to have other names ([schemas], `to`, excluded and renamed columns).
 * pg_dump and pg_restore know the source's names only, so such a table is staged: made under them,
 * loaded, indexed and tied by foreign keys, and placed in the end, all of them in one transaction.
 * culvert.tables says which are staged; the target's catalogue keeps the rest by oid.
 */
#include "base/log.h"
#include "base/memory.h"
#include "ops/prepare_private.h"

#include <stdlib.h>
#include <string.h>

void prepare_where(const struct prepare *p, unsigned i, const char **schema, const char **name)
{
        const struct pg_table_info *t = &p->tables->items[i];
        const struct route_table *r = route_find(p->route, t->schema, t->name);

        *schema = p->staged[i] ? t->schema : r->schema;
        *name = p->staged[i] ? t->name : r->name;
}

void prepare_set_targets(struct prepare *p)
{
        free(p->targets);
        free(p->staged);
        p->targets = memory_new((p->tables->n + 1) * sizeof *p->targets);
        p->staged = memory_new((p->tables->n + 1) * sizeof *p->staged);
        for (unsigned i = 0; i < p->tables->n; i++) {
                const struct pg_table_info *t = &p->tables->items[i];
                const struct table_record *k = table_records_find(p->known, t->schema, t->name);

                p->targets[i] = (struct prepare_target){.exists = true, .created = k && k->created};
                p->staged[i] = k && k->staged;
        }
}

static int run(
        struct prepare *p, const struct route_table *r, const struct buf *sql, struct error *e)
{
        if (pg_run(p->target, e, buf_text(sql)) == 0)
                return 0;
        if (!r)
                return error_context(e, "target: %s", buf_text(sql));
        return error_context(e, "target: making %s.%s of %s.%s", r->schema, r->name,
                r->source_schema, r->source_name);
}

/* ---- before the load ---- */

static int trim(struct prepare *p, const struct pg_table_info *t, struct error *e)
{
        const struct route_table *r = route_find(p->route, t->schema, t->name);

        for (unsigned i = 0; i < t->columns_n; i++) {
                AUTO_BUF sql = BUF_INIT;

                if (route_column(r, t->columns[i].name))
                        continue;
                buf_str(&sql, "alter table ");
                pg_table(&sql, t->schema, t->name);
                buf_str(&sql, " drop column if exists ");
                pg_ident(&sql, t->columns[i].name);
                if (run(p, r, &sql, e) < 0)
                        return -1;
        }
        return 0;
}

int prepare_trim_staged(struct prepare *p, struct error *e)
{
        if (copy_book_begin(&p->book, e) < 0)
                return -1;
        for (unsigned i = 0; i < p->tables->n; i++)
                if (p->staged[i] && trim(p, &p->tables->items[i], e) < 0) {
                        copy_book_rollback(&p->book);
                        return -1;
                }
        return copy_book_commit(&p->book, e);
}

/* ---- at the end ---- */

/* Names may go round in a circle (a to b, b to a): all go through one of their own. */
static void between(struct buf *out, unsigned i)
{
        AUTO_STRING name = memory_printf("culvert staged %u", i);

        pg_ident(out, name);
}

/* An index or a sequence that is called after its table ("orders_pkey") goes on to be. */
struct namesake {
        const char *kind; /* "index" or "sequence" */
        char *schema, *between, *name;
};

struct namesakes {
        struct namesake *items;
        unsigned n;
};

static void namesakes_done(struct namesakes *s)
{
        for (unsigned i = 0; i < s->n; i++) {
                free(s->items[i].schema);
                free(s->items[i].between);
                free(s->items[i].name);
        }
        free(s->items);
}

#define NAMESAKES_SQL                                                                              \
        "select c.relname, c.relkind from pg_catalog.pg_class c where c.oid in ("                  \
        " select indexrelid from pg_catalog.pg_index where indrelid = $1::pg_catalog.regclass"     \
        " union select objid from pg_catalog.pg_depend"                                            \
        "  where classid = 'pg_catalog.pg_class'::pg_catalog.regclass"                             \
        "  and refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass"                            \
        "  and refobjid = $1::pg_catalog.regclass and refobjsubid > 0 and deptype in ('a', 'i'))"  \
        " and c.relkind in ('i', 'I', 'S') and pg_catalog.starts_with(c.relname, $2 || '_')"       \
        " order by c.relname"

static int rename_to(struct prepare *p, const struct route_table *r, const struct namesake *s,
        const char *from, const char *to, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;

        buf_printf(&sql, "alter %s ", s->kind);
        pg_table(&sql, s->schema, from);
        buf_str(&sql, " rename to ");
        pg_ident(&sql, to);
        return run(p, r, &sql, e);
}

/* Before the table moves: they take names in between, and are kept for set_down. */
static int lift_namesakes(struct prepare *p, const struct pg_table_info *t,
        const struct route_table *r, struct namesakes *all, struct error *e)
{
        AUTO_BUF table = BUF_INIT;
        AUTO_RESULT list = NULL;
        const char *values[] = {NULL, t->name};

        if (!strcmp(t->name, r->name))
                return 0;
        pg_table(&table, t->schema, t->name);
        values[0] = buf_text(&table);
        if (!(list = pg_query(p->target, e, NAMESAKES_SQL, 2, values)))
                return error_context(e, "target");
        for (int i = 0; i < PQntuples(list); i++) {
                const char *old = pg_text(list, i, 0);
                struct namesake s = {.kind = *pg_text(list, i, 1) == 'S' ? "sequence" : "index",
                        .schema = memory_string(t->schema),
                        .between = memory_printf("culvert staged _%u", all->n),
                        .name = memory_printf("%s%s", r->name, old + strlen(t->name))};

                all->items = memory_grow(all->items, (all->n + 1) * sizeof *all->items);
                all->items[all->n++] = s;
                if (rename_to(p, r, &s, old, s.between, e) < 0)
                        return -1;
                free(s.schema); /* they move with the table */
                all->items[all->n - 1].schema = memory_string(r->schema);
        }
        return 0;
}

static int rename_columns(struct prepare *p, const struct pg_table_info *t,
        const struct route_table *r, bool last, struct error *e)
{
        for (unsigned i = 0; i < t->columns_n; i++) {
                const char *from = t->columns[i].name, *to = route_column(r, from);
                AUTO_BUF sql = BUF_INIT;

                if (!to || !strcmp(from, to))
                        continue;
                buf_str(&sql, "alter table ");
                pg_table(&sql, t->schema, t->name);
                buf_str(&sql, " rename column ");
                if (last)
                        between(&sql, i);
                else
                        pg_ident(&sql, from);
                buf_str(&sql, " to ");
                if (last)
                        pg_ident(&sql, to);
                else
                        between(&sql, i);
                if (run(p, r, &sql, e) < 0)
                        return -1;
        }
        return 0;
}

static int make_schema(
        struct prepare *p, const struct route_table *r, const char *schema, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;
        AUTO_RESULT there = pg_query(
                p->target, e, "select from pg_catalog.pg_namespace where nspname = $1", 1, &schema);

        if (!there)
                return -1;
        if (PQntuples(there) > 0)
                return 0;
        buf_str(&sql, "create schema ");
        pg_ident(&sql, schema);
        return run(p, r, &sql, e);
}

/* What hangs on a table and moves with its schema, but not by itself: its partitions, and the
 * sequences of its defaults that no column owns. */
#define FOLLOWERS_SQL                                                                              \
        "with t as (select $1::pg_catalog.regclass as oid),"                                       \
        " parts as (select i.relid::pg_catalog.oid as oid"                                         \
        "  from t, pg_catalog.pg_partition_tree(t.oid) i)"                                         \
        " select n.nspname, c.relname, c.relkind from pg_catalog.pg_class c"                       \
        " join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.oid in ("               \
        "  select oid from parts where oid <> $1::pg_catalog.regclass"                             \
        "  union select d.refobjid from pg_catalog.pg_attrdef a"                                   \
        "  join pg_catalog.pg_depend d on d.classid = "                                            \
        "'pg_catalog.pg_attrdef'::pg_catalog.regclass"                                             \
        "  and d.objid = a.oid and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass"      \
        "  join pg_catalog.pg_class s on s.oid = d.refobjid and s.relkind = 'S'"                   \
        "  where a.adrelid in (select oid from t union select oid from parts)"                     \
        "  and not exists (select from pg_catalog.pg_depend o"                                     \
        "   where o.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and o.objid = s.oid"      \
        "   and o.refobjsubid > 0 and o.deptype in ('a', 'i'))) order by 1, 2"

static int move_followers(struct prepare *p, const struct pg_table_info *t,
        const struct route_table *r, struct error *e)
{
        AUTO_BUF table = BUF_INIT;
        AUTO_RESULT list = NULL;
        const char *values[1];

        pg_table(&table, t->schema, t->name);
        values[0] = buf_text(&table);
        if (!(list = pg_query(p->target, e, FOLLOWERS_SQL, 1, values)))
                return error_context(e, "target");
        for (int i = 0; i < PQntuples(list); i++) {
                const char *schema = pg_text(list, i, 0);
                const char *to = config_schema_of(p->config, schema);
                AUTO_BUF sql = BUF_INIT;

                if (!strcmp(schema, to))
                        continue;
                buf_str(&sql, *pg_text(list, i, 2) == 'S' ? "alter sequence " : "alter table ");
                pg_table(&sql, schema, pg_text(list, i, 1));
                buf_str(&sql, " set schema ");
                pg_ident(&sql, to);
                if (make_schema(p, r, to, e) < 0 || run(p, r, &sql, e) < 0)
                        return -1;
        }
        return 0;
}

/* Out of the way of each other, into the schema. */
static int lift(struct prepare *p, unsigned i, struct namesakes *all, struct error *e)
{
        const struct pg_table_info *t = &p->tables->items[i];
        const struct route_table *r = route_find(p->route, t->schema, t->name);
        AUTO_BUF sql = BUF_INIT;

        if (rename_columns(p, t, r, false, e) < 0 || rename_columns(p, t, r, true, e) < 0 ||
                move_followers(p, t, r, e) < 0 || make_schema(p, r, r->schema, e) < 0 ||
                lift_namesakes(p, t, r, all, e) < 0)
                return -1;
        buf_str(&sql, "alter table ");
        pg_table(&sql, t->schema, t->name);
        buf_str(&sql, " rename to ");
        between(&sql, i);
        if (strcmp(t->schema, r->schema) != 0) {
                buf_str(&sql, "; alter table ");
                pg_ident(&sql, t->schema);
                buf_str(&sql, ".");
                between(&sql, i);
                buf_str(&sql, " set schema ");
                pg_ident(&sql, r->schema);
        }
        return run(p, r, &sql, e);
}

static int set_down(struct prepare *p, unsigned i, struct error *e)
{
        const struct pg_table_info *t = &p->tables->items[i];
        const struct route_table *r = route_find(p->route, t->schema, t->name);
        AUTO_BUF sql = BUF_INIT;

        buf_str(&sql, "alter table ");
        pg_ident(&sql, r->schema);
        buf_str(&sql, ".");
        between(&sql, i);
        buf_str(&sql, " rename to ");
        pg_ident(&sql, r->name);
        return run(p, r, &sql, e);
}

static int record(struct prepare *p, const struct pg_table_info *t, struct error *e)
{
        const char *values[] = {p->config->pipeline.name, t->schema, t->name};
        AUTO_RESULT done = pg_query(p->target, e,
                "update culvert.tables set staged = false where pipeline = $1 and source_schema = "
                "$2 and source_name = $3",
                3, values);

        return done ? 0 : error_context(e, "target");
}

static int place_all(struct prepare *p, struct namesakes *all, struct error *e)
{
        if (pg_run(p->target, e, "set local lock_timeout = '30s'") < 0)
                return -1;
        for (unsigned i = 0; i < p->tables->n; i++)
                if (p->staged[i] && lift(p, i, all, e) < 0)
                        return -1;
        for (unsigned i = 0; i < p->tables->n; i++)
                if (p->staged[i] &&
                        (set_down(p, i, e) < 0 || record(p, &p->tables->items[i], e) < 0))
                        return -1;
        for (unsigned i = 0; i < all->n; i++) {
                const struct namesake *s = &all->items[i];

                if (rename_to(p, NULL, s, s->between, s->name, e) < 0)
                        return -1;
        }
        return 0;
}

static void say_placed(struct prepare *p)
{
        for (unsigned i = 0; i < p->tables->n; i++) {
                const struct pg_table_info *t = &p->tables->items[i];
                const struct route_table *r = route_find(p->route, t->schema, t->name);
                struct table_record *k = table_records_find(p->known, t->schema, t->name);

                if (!p->staged[i])
                        continue;
                p->staged[i] = false;
                if (k)
                        k->staged = false;
                log_event(LOG_LEVEL_INFO, LOG_COPY, NULL, "%s.%s is %s.%s on the target", t->schema,
                        t->name, r->schema, r->name);
        }
}

int prepare_place(struct prepare *p, struct error *e)
{
        struct namesakes all = {0};
        bool any = false;
        int rc;

        for (unsigned i = 0; i < p->tables->n; i++)
                any |= p->staged[i];
        if (!any)
                return 0;
        if (copy_book_begin(&p->book, e) < 0)
                return -1;
        rc = place_all(p, &all, e);
        namesakes_done(&all);
        if (rc < 0) {
                copy_book_rollback(&p->book);
                return -1;
        }
        if (copy_book_commit(&p->book, e) < 0)
                return -1;
        say_placed(p);
        return 0;
}
