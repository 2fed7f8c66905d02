#include "ops/plan.h"
#include "base/memory.h"
#include "db/pg_meta.h"
#include "ops/control.h"
#include "ops/pg_schema.h"
#include "ops/plan_private.h"
#include "ops/preflight.h"
#include "ops/selection.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct plan {
        struct config *config;
        struct route *route;
        PGconn *source, *target;
        struct pg_tables *tables;
        bool *missing;            /* per table: not on the target yet */
        bool begun;               /* the target has this pipeline's checkpoint */
        struct pg_schema *schema; /* NULL: nothing is created */
        struct checks checks;
};

static atomic_bool stopped; /* by a signal: ends pg_dump, so that the folder is removed */

static void on_signal(int number)
{
        (void)number;
        atomic_store(&stopped, true);
}

static bool select_table(void *context, const char *schema, const char *name)
{
        return selection_see(context, schema, name);
}

static void check_list(
        struct plan *p, const char *key, const struct config_list *list, const bool *met)
{
        int line = config_line(p->config, "tables", key);

        for (unsigned i = 0; line > 0 && i < list->n; i++)
                if (!met[i])
                        checks_add(&p->checks, CHECK_ERROR, NULL,
                                "%s:%d: tables.%s '%s' matches no table of the source",
                                p->config->path, line, key, list->items[i]);
}

static void check_selection(struct plan *p, const struct selection *s)
{
        const struct config *c = p->config;

        check_list(p, "include", &c->tables.include, s->include);
        check_list(p, "exclude", &c->tables.exclude, s->exclude);
        for (unsigned i = 0; i < c->table_n; i++)
                if (!s->table[i])
                        checks_add(&p->checks, CHECK_ERROR, NULL,
                                "%s:%d: [table %s.%s]: the source has no such table", c->path,
                                c->table[i].line, c->table[i].schema, c->table[i].name);
        if (p->tables->n == 0)
                checks_add(&p->checks, CHECK_ERROR, NULL, "no table of the source is selected");
}

static int read_tables(struct plan *p, struct error *e)
{
        struct selection s;

        selection_init(&s, p->config, p->route);
        p->tables = pg_tables_read(p->source, select_table, &s, e);
        if (p->tables)
                check_selection(p, &s);
        selection_done(&s);
        return p->tables ? 0 : error_context(e, "source");
}

static PGconn *open_end(const struct config_end *end, const char *what, struct error *e)
{
        struct pg_params *params = pg_params_new(end, what, "culvertctl plan", false, e);
        PGconn *c = params ? pg_connect(params, NULL, e) : NULL;

        pg_params_free(params);
        if (c && pg_run(c, e, "set default_transaction_read_only = on") < 0) {
                PQfinish(c);
                return NULL;
        }
        return c;
}

/* A migration that has begun has filled its tables itself. */
static int read_begun(struct plan *p, struct error *e)
{
        const char *name = p->config->pipeline.name;
        int rc = pg_meta_check(p->target, e);
        AUTO_RESULT r = NULL;

        if (rc != 0)
                return rc < 0 ? -1 : 0;
        r = pg_query(p->target, e, "select from culvert.checkpoint where pipeline = $1", 1, &name);
        if (!r)
                return error_context(e, "target");
        p->begun = PQntuples(r) > 0;
        return 0;
}

static void judge_rows(struct plan *p, const struct route_table *r)
{
        enum config_existing existing = p->config->tables.existing;
        AUTO_BUF sql = BUF_INIT;

        if (existing == EXISTING_REFUSE) {
                checks_add(&p->checks, CHECK_ERROR, NULL,
                        "target: table %s.%s has rows; empty it, or set tables.existing to "
                        "truncate "
                        "or append",
                        r->schema, r->name);
        } else if (existing == EXISTING_TRUNCATE) {
                buf_str(&sql, "truncate ");
                pg_table(&sql, r->schema, r->name);
                checks_add(&p->checks, CHECK_STATEMENT, buf_text(&sql), "target");
        } else {
                checks_add(&p->checks, CHECK_WARNING, NULL,
                        "target: table %s.%s has rows, which stay (tables.existing = append)",
                        r->schema, r->name);
        }
}

/* Tables that may not be read have been complained about. */
static void check_rows(struct plan *p)
{
        for (unsigned i = 0; i < p->tables->n; i++) {
                const struct pg_table_info *t = &p->tables->items[i];
                const struct route_table *r = route_find(p->route, t->schema, t->name);
                struct error ignored = ERROR_INIT;
                AUTO_BUF sql = BUF_INIT;
                AUTO_RESULT found = NULL;

                if (p->missing[i])
                        continue;
                buf_str(&sql, "select exists (select from ");
                pg_table(&sql, r->schema, r->name);
                buf_str(&sql, ")");
                found = pg_query(p->target, &ignored, buf_text(&sql), 0, NULL);
                if (found && pg_true(found, 0, 0))
                        judge_rows(p, r);
        }
}

/* The tables that culvert makes; the entries are borrowed. */
static struct pg_tables to_create(const struct plan *p)
{
        struct pg_tables t = {.items = memory_new((p->tables->n + 1) * sizeof *t.items)};

        for (unsigned i = 0; i < p->tables->n; i++) {
                const struct pg_table_info *x = &p->tables->items[i];

                if (p->missing[i])
                        t.items[t.n++] = *x;
        }
        return t;
}

/* What fails here has mostly been found by the checks already, with a better text. */
static void read_schema(struct plan *p)
{
        const char *base = getenv("TMPDIR");
        AUTO_STRING folder = memory_printf("%s/culvert-plan-XXXXXX", base && *base ? base : "/tmp");
        struct error e = ERROR_INIT;
        struct pg_tables create;

        if (!mkdtemp(folder)) {
                checks_add(&p->checks, CHECK_ERROR, NULL, "%s: %s", folder, strerror(errno));
                return;
        }
        create = to_create(p);
        p->schema =
                pg_schema_new(p->config, p->source, p->target, &create, NULL, folder, &stopped, &e);
        if (!p->schema && p->checks.errors == 0)
                checks_add(&p->checks, CHECK_ERROR, NULL, "%s", e.message);
        pg_schema_remove_files(p->schema);
        free(create.items);
        rmdir(folder);
}

static int gather(struct plan *p, struct error *e)
{
        p->route = route_new(p->config);
        if (!(p->source = open_end(&p->config->source, "source", e)) ||
                !(p->target = open_end(&p->config->target, "target", e)) || read_tables(p, e) < 0)
                return -1;
        p->missing = memory_new(p->tables->n + 1);
        if (preflight_run(p->config, p->route, p->source, p->target, p->tables, p->missing,
                    &p->checks, e) < 0 ||
                read_begun(p, e) < 0)
                return -1;
        if (!p->begun && p->config->snapshot.mode != SNAPSHOT_NONE)
                check_rows(p);
        if (p->config->tables.create && p->config->snapshot.mode != SNAPSHOT_NONE)
                read_schema(p);
        if (atomic_load(&stopped))
                return error_set(e, ERROR_RETRY, "stopped by a signal");
        return 0;
}

static const char *identity_name(const struct pg_table_info *t)
{
        switch (t->identity) {
        case IDENTITY_FULL:
                return "full";
        case IDENTITY_INDEX:
                return "index";
        case IDENTITY_NOTHING:
                return "nothing";
        default:
                return t->has_identity ? "primary key" : "none";
        }
}

static struct plan_end view_end(PGconn *c)
{
        struct plan_end end = {.kind = "postgresql", .title = "PostgreSQL"};
        int v = PQserverVersion(c);

        snprintf(end.version, sizeof end.version, "%d.%d", v / 10000, v % 10000);
        return end;
}

static void view_table(const struct plan *p, unsigned i, struct plan_table *out)
{
        const struct pg_table_info *t = &p->tables->items[i];
        const struct route_table *r = route_find(p->route, t->schema, t->name);

        *out = (struct plan_table){.source = memory_printf("%s.%s", t->schema, t->name),
                .target = memory_printf("%s.%s", r->schema, r->name),
                .rows = t->rows,
                .bytes = t->bytes,
                .identity = identity_name(t),
                .usable_identity = t->has_identity,
                .create = p->missing[i],
                .partitioned = t->kind == 'p',
                .partitions = t->kind == 'p' ? t->leaves_n : 0};
}

static void show(const struct plan *p, bool json, FILE *out)
{
        struct plan_view v = {.pipeline = p->config->pipeline.name,
                .begun = p->begun,
                .source = view_end(p->source),
                .target = view_end(p->target),
                .tables = memory_new((p->tables->n + 1) * sizeof *v.tables),
                .n = p->tables->n,
                .checks = &p->checks};

        for (unsigned i = 0; i < v.n; i++)
                view_table(p, i, &v.tables[i]);
        for (unsigned i = 0; p->schema && i < pg_schema_made_n(p->schema); i++)
                plan_line(&v.made, memory_string(pg_schema_made(p->schema, i)));
        for (unsigned i = 0; p->schema && i < pg_schema_left_n(p->schema); i++)
                plan_line(&v.left, memory_string(pg_schema_left(p->schema, i)));
        (json ? plan_print_json : plan_print)(&v, out);
        plan_view_done(&v);
}

static void plan_done(struct plan *p)
{
        pg_schema_free(p->schema);
        checks_done(&p->checks);
        pg_tables_free(p->tables);
        free(p->missing);
        route_free(p->route);
        PQfinish(p->source);
        PQfinish(p->target);
        config_free(p->config);
}

static void check_end(struct config *c, const char *section, const struct config_end *end)
{
        struct error e = ERROR_INIT;
        int line = config_line(c, section, "uri");

        if (end->uri && end->kind == KIND_POSTGRESQL && pg_uri_check(end->uri, &e) < 0)
                config_complain(c, line, "%s.uri: %s", section, e.message);
}

int plan_run(enum plan_kind kind, const char *config_path, bool json, FILE *out, FILE *err)
{
        struct plan p = {.config = config_load(config_path)};
        struct sigaction action = {.sa_handler = on_signal};
        struct error e = ERROR_INIT;
        int code;

        check_end(p.config, "source", &p.config->source);
        check_end(p.config, "target", &p.config->target);
        if (p.config->problems_n) {
                AUTO_BUF text = BUF_INIT;

                config_print_problems(p.config, &text);
                fputs(buf_text(&text), err);
                plan_done(&p);
                return CONTROL_USAGE;
        }
        if (p.config->source.kind != KIND_POSTGRESQL || p.config->target.kind != KIND_POSTGRESQL)
                return move_plan_run(kind, p.config, json, out, err);
        if (kind == PLAN_SCHEMA || kind == PLAN_APPLY) {
                fputs("culvertctl: schema is not built between two PostgreSQL servers, where the "
                      "tables are made by pg_dump and pg_restore; plan lists what they make\n",
                        err);
                plan_done(&p);
                return CONTROL_FAILED;
        }
        sigaction(SIGINT, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
        if (gather(&p, &e) < 0) {
                fprintf(err, "culvertctl: %s\n", e.message);
                code = CONTROL_FAILED;
        } else {
                show(&p, json, out);
                code = p.checks.errors ? CONTROL_FAILED : CONTROL_DONE;
        }
        plan_done(&p);
        return code;
}
