#include "ops/pg_publication.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#define OPTIONS "publish = 'insert, update, delete, truncate', publish_via_partition_root = true"

/* What the server says about a publication. */
struct state {
        bool there, owned, all_tables, all_kinds;
        bool checkpoint;  /* culvert.checkpoint exists on the source */
        PGresult *tables; /* schema, name, "published in part", oid */
};

static void state_done(struct state *s)
{
        PQclear(s->tables);
}

static int read_tables(PGconn *c, const char *name, struct state *s, struct error *e)
{
        /* Column lists and row filters came with 15: to_jsonb leaves them NULL before. */
        s->tables = pg_query(c, e,
                "select n.nspname, t.relname, exists (select from pg_catalog.pg_publication_rel r "
                " join pg_catalog.pg_publication p on p.oid = r.prpubid, "
                " lateral (select to_jsonb(r) as j) x where p.pubname = $1 and r.prrelid = t.oid "
                " and (x.j ->> 'prattrs' is not null or x.j ->> 'prqual' is not null)), t.oid "
                "from pg_catalog.pg_publication_tables k "
                "join pg_catalog.pg_namespace n on n.nspname = k.schemaname "
                "join pg_catalog.pg_class t on t.relname = k.tablename and t.relnamespace = n.oid "
                "where k.pubname = $1",
                1, &name);
        return s->tables ? 0 : -1;
}

static int read_state(PGconn *c, const char *name, struct state *s, struct error *e)
{
        AUTO_RESULT r = pg_query(c, e,
                "select pg_catalog.pg_has_role(pubowner, 'USAGE'), puballtables, "
                "pubinsert and pubupdate and pubdelete and pubtruncate and pubviaroot "
                "from pg_catalog.pg_publication where pubname = $1",
                1, &name);
        AUTO_RESULT own = pg_query(
                c, e, "select pg_catalog.to_regclass('culvert.checkpoint') is not null", 0, NULL);

        if (!r || !own)
                return -1;
        s->checkpoint = pg_true(own, 0, 0);
        s->there = PQntuples(r) == 1;
        if (s->there) {
                s->owned = pg_true(r, 0, 0);
                s->all_tables = pg_true(r, 0, 1);
                s->all_kinds = pg_true(r, 0, 2);
        }
        return read_tables(c, name, s, e);
}

static int published_row(const struct state *s, const char *schema, const char *name)
{
        for (int i = 0; i < PQntuples(s->tables); i++)
                if (!strcmp(pg_text(s->tables, i, 1), name) &&
                        !strcmp(pg_text(s->tables, i, 0), schema))
                        return i;
        return -1;
}

static bool is_wanted(const struct state *s, const struct pg_published *w, int row)
{
        const char *schema = pg_text(s->tables, row, 0), *name = pg_text(s->tables, row, 1);

        if (!strcmp(schema, "culvert"))
                return s->checkpoint && !strcmp(name, "checkpoint");
        for (unsigned i = 0; i < w->n; i++)
                if (!strcmp(w->shapes[i]->name, name) && !strcmp(w->shapes[i]->schema, schema))
                        return true;
        return false;
}

static unsigned count_extra(const struct state *s, const struct pg_published *w)
{
        unsigned n = 0;

        for (int i = 0; i < PQntuples(s->tables); i++)
                n += !is_wanted(s, w, i);
        return n;
}

/* Every wanted table is in it, whole. */
static bool covers(const struct state *s, const struct pg_published *w)
{
        if (!s->all_kinds)
                return false;
        if (s->checkpoint && published_row(s, "culvert", "checkpoint") < 0)
                return false;
        for (unsigned i = 0; i < w->n; i++) {
                int row = published_row(s, w->shapes[i]->schema, w->shapes[i]->name);

                if (row < 0 || pg_true(s->tables, row, 2))
                        return false;
        }
        return true;
}

/* Tables too many do no harm, the route drops their changes: where the publication is not ours to
 * change (an administrator made it), they stay. */
static bool in_step(const struct state *s, const struct pg_published *w)
{
        return covers(s, w) && (!s->owned || count_extra(s, w) == 0);
}

/* "only a.b, only c.d": without ONLY the children by inheritance would come along. */
static void list_tables(const struct state *s, const struct pg_published *w, struct buf *out)
{
        for (unsigned i = 0; i < w->n; i++) {
                buf_str(out, i ? ", only " : "only ");
                pg_table(out, w->shapes[i]->schema, w->shapes[i]->name);
        }
        if (s->checkpoint)
                buf_printf(out, "%sonly culvert.checkpoint", w->n ? ", " : "");
}

static void create_sql(
        const struct state *s, const char *name, const struct pg_published *w, struct buf *out)
{
        buf_str(out, "create publication ");
        pg_ident(out, name);
        if (w->n || s->checkpoint)
                buf_str(out, " for table ");
        list_tables(s, w, out);
        buf_str(out, " with (" OPTIONS ")");
}

static void alter_sql(
        const struct state *s, const char *name, const struct pg_published *w, struct buf *out)
{
        if (s->all_tables || (w->n == 0 && !s->checkpoint)) {
                buf_str(out, "drop publication ");
                pg_ident(out, name);
                buf_str(out, "; ");
                create_sql(s, name, w, out);
                return;
        }
        buf_str(out, "alter publication ");
        pg_ident(out, name);
        buf_str(out, " set table ");
        list_tables(s, w, out);
        buf_str(out, "; alter publication ");
        pg_ident(out, name);
        buf_str(out, " set (" OPTIONS ")");
}

static int ask_administrator(
        const char *name, const char *why, const char *sql, struct buf *statement, struct error *e)
{
        buf_clear(statement);
        if (strlen(sql) + strlen(why) + strlen(name) < 880)
                return error_set(e, ERROR_CONFIG,
                        "publication %s: %s; an administrator of the source runs: %s", name, why,
                        sql);
        buf_str(statement, sql);
        return error_set(e, ERROR_CONFIG,
                "publication %s: %s; an administrator of the source runs the statement in the log: "
                "%.200s ...",
                name, why, sql);
}

static int run_statement(
        PGconn *c, const char *name, const char *sql, struct buf *statement, struct error *e)
{
        if (pg_run(c, e, "set lock_timeout = '10s'") < 0)
                return -1;
        if (pg_run(c, e, sql) < 0) {
                struct error why = *e;

                if (strcmp(why.code, "42501") != 0)
                        return error_context(e, "publication %s", name);
                return ask_administrator(name, why.message, sql, statement, e);
        }
        return pg_run(c, e, "set lock_timeout = 0");
}

static int make(PGconn *c, const char *name, const struct pg_published *w, const struct state *s,
        struct buf *statement, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;

        if (!s->there)
                create_sql(s, name, w, &sql);
        else
                alter_sql(s, name, w, &sql);
        if (s->there && s->all_tables)
                return ask_administrator(name, "it is there for all tables, and not of our making",
                        buf_text(&sql), statement, e);
        if (s->there && !s->owned)
                return ask_administrator(name,
                        "it is not of exactly the wanted tables, and our role does not own it",
                        buf_text(&sql), statement, e);
        return run_statement(c, name, buf_text(&sql), statement, e);
}

int pg_publication_make(PGconn *source, const char *name, const struct pg_published *wanted,
        struct buf *statement, struct error *e)
{
        struct state before = {0}, after = {0};
        int rc = read_state(source, name, &before, e);

        if (rc == 0 && !(before.there && in_step(&before, wanted))) {
                rc = make(source, name, wanted, &before, statement, e);
                if (rc == 0)
                        rc = read_state(source, name, &after, e);
                if (rc == 0 && !in_step(&after, wanted))
                        rc = error_set(e, ERROR_RETRY,
                                "publication %s was changed by somebody else", name);
        }
        state_done(&before);
        state_done(&after);
        return rc;
}

static int add(PGconn *c, const char *name, const struct pg_published *added, const struct state *s,
        struct buf *statement, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;
        const char *comma = " add table only ";

        buf_str(&sql, "alter publication ");
        pg_ident(&sql, name);
        for (unsigned i = 0; i < added->n; i++) {
                const struct relation *r = added->shapes[i];

                if (published_row(s, r->schema, r->name) >= 0)
                        continue;
                buf_str(&sql, comma);
                pg_table(&sql, r->schema, r->name);
                comma = ", only ";
        }
        if (*comma == ' ') /* all are there */
                return 0;
        if (!s->owned)
                return ask_administrator(name,
                        "our role does not own it, and tables are to be added", buf_text(&sql),
                        statement, e);
        return run_statement(c, name, buf_text(&sql), statement, e);
}

int pg_publication_add(PGconn *source, const char *name, const struct pg_published *added,
        struct buf *statement, struct error *e)
{
        struct state s = {0};
        int rc = read_state(source, name, &s, e);

        if (rc == 0)
                rc = add(source, name, added, &s, statement, e);
        state_done(&s);
        return rc < 0 ? -1 : pg_publication_check(source, name, added, NULL, e);
}

static int check_table(
        const struct state *s, const char *name, const struct relation *shape, struct error *e)
{
        int row = published_row(s, shape->schema, shape->name);
        int rc = 0;

        if (row < 0)
                rc = error_set(e, ERROR_DATA,
                        "resync required: table %s.%s is not in publication %s any more (or is "
                        "gone "
                        "from the source); its changes since then are not in the stream",
                        shape->schema, shape->name, name);
        else if (pg_true(s->tables, row, 2))
                rc = error_set(e, ERROR_DATA,
                        "resync required: publication %s has a column list or a row filter for "
                        "table "
                        "%s.%s",
                        name, shape->schema, shape->name);
        else if (strtoul(pg_text(s->tables, row, 3), NULL, 10) != shape->id)
                rc = error_set(e, ERROR_DATA,
                        "resync required: table %s.%s was dropped and made again on the source",
                        shape->schema, shape->name);
        if (rc < 0)
                snprintf(e->table, sizeof e->table, "%s.%s", shape->schema, shape->name);
        return rc;
}

static int check(
        const struct state *s, const char *name, const struct pg_published *w, struct error *e)
{
        if (!s->there)
                return error_set(e, ERROR_DATA, "resync required: publication %s is gone", name);
        if (!s->all_kinds)
                return error_set(e, ERROR_DATA,
                        "resync required: publication %s no longer publishes inserts, updates, "
                        "deletes "
                        "and truncates through partition roots",
                        name);
        for (unsigned i = 0; i < w->n; i++)
                if (check_table(s, name, w->shapes[i], e) < 0)
                        return -1;
        return 0;
}

int pg_publication_check(PGconn *source, const char *name, const struct pg_published *wanted,
        unsigned *extra, struct error *e)
{
        struct state s = {0};
        int rc = read_state(source, name, &s, e);

        if (rc == 0)
                rc = check(&s, name, wanted, e);
        if (rc == 0 && extra)
                *extra = count_extra(&s, wanted);
        state_done(&s);
        return rc;
}

char *pg_publication_mark(
        PGconn *source, const char *name, const struct pg_published *wanted, struct error *e)
{
        AUTO_BUF oids = BUF_INIT;
        AUTO_RESULT r = NULL;
        const char *values[] = {name, NULL};

        buf_char(&oids, '{');
        for (unsigned i = 0; i < wanted->n; i++)
                buf_printf(&oids, "%s%u", i ? "," : "", (unsigned)wanted->shapes[i]->id);
        buf_char(&oids, '}');
        values[1] = buf_text(&oids);
        r = pg_query(source, e,
                "select p.oid || '/' || p.xmin || '/' || count(r.oid) || '/' || "
                "pg_catalog.hashtextextended(coalesce(pg_catalog.string_agg("
                "r.oid || ':' || r.prrelid || ':' || r.xmin, ',' order by r.oid), ''), 0) "
                "from pg_catalog.pg_publication p left join pg_catalog.pg_publication_rel r "
                "on r.prpubid = p.oid and r.prrelid = any ($2::oid[]) "
                "where p.pubname = $1 group by p.oid, p.xmin",
                2, values);
        return r ? memory_string(pg_text(r, 0, 0)) : NULL;
}

int pg_publication_same(PGconn *source, const char *name, const struct pg_published *wanted,
        const char *mark, struct error *e)
{
        AUTO_STRING now = pg_publication_mark(source, name, wanted, e);

        if (!now)
                return -1;
        if (!mark || !*mark || !strcmp(mark, now))
                return 0;
        return error_set(e, ERROR_DATA,
                "resync required: publication %s was changed on the source; changes that were made "
                "while a table was not in it, or not wholly, are not in the stream",
                name);
}

int pg_publication_trim(
        PGconn *source, const char *name, const struct pg_published *wanted, struct error *e)
{
        AUTO_BUF sql = BUF_INIT, unused = BUF_INIT;
        struct state s = {0};
        int rc = read_state(source, name, &s, e);

        if (rc == 0 && s.there && s.owned && !s.all_tables && !in_step(&s, wanted)) {
                alter_sql(&s, name, wanted, &sql);
                rc = run_statement(source, name, buf_text(&sql), &unused, e);
        }
        state_done(&s);
        return rc;
}
