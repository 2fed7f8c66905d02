/* `plan` where the two sides are not both PostgreSQL. Only reads. */
#include "base/memory.h"
#include "flow/mapping.h"
#include "model/typemap.h"
#include "ops/cascade_plan.h"
#include "ops/control.h"
#include "ops/destination_ddl.h"
#include "ops/origin.h"
#include "ops/plan_private.h"
#include "ops/selection.h"

#include <stdlib.h>
#include <string.h>

struct planning {
        struct config *config;
        struct route *route;
        struct halt *halt;
        const struct origin_ops *from;
        struct origin *origin;
        const struct destination_ops *to;
        struct destination *destination;
        struct table_defs *tables;
        struct destined *destined;
        struct destination_ddl ddl;
        struct checks checks;
        bool begun;
};

static bool select_table(void *context, const char *schema, const char *name)
{
        return selection_see(context, schema, name);
}

static int read_tables(struct planning *p, struct error *e)
{
        struct selection s;
        struct error unmatched = ERROR_INIT;

        selection_init(&s, p->config, p->route);
        p->tables = p->from->tables(p->origin, select_table, &s, e);
        if (p->tables && selection_check(&s, &unmatched) < 0)
                checks_add(&p->checks, CHECK_ERROR, NULL, "%s", unmatched.message);
        selection_done(&s);
        if (!p->tables)
                return error_context(e, "source");
        if (p->tables->n == 0)
                checks_add(&p->checks, CHECK_ERROR, NULL, "no table of the source is selected");
        p->destined = memory_new((p->tables->n + 1) * sizeof *p->destined);
        return 0;
}

static void judge_rows(struct planning *p, const struct route_table *r)
{
        if (p->config->tables.existing == EXISTING_REFUSE)
                checks_add(&p->checks, CHECK_ERROR, NULL,
                        "target: table %s.%s has rows; empty it, or set tables.existing to "
                        "truncate or append",
                        r->schema, r->name);
        else
                checks_add(&p->checks, CHECK_WARNING, NULL,
                        "target: table %s.%s has rows (tables.existing = %s)", r->schema, r->name,
                        p->config->tables.existing == EXISTING_APPEND ? "append" : "truncate");
}

/* Is it there, and does each column have a place in the other? */
static int look_at(struct planning *p, unsigned i, struct error *e)
{
        struct destined *d = &p->destined[i];
        struct mapping_ends ends = {.from = p->from->engine(p->origin),
                .to = p->to->engine(p->destination),
                .policy = config_convert_policy(p->config),
                .known = p->tables->items[i].shape};
        struct error unfit = ERROR_INIT;
        struct relation *target = NULL;
        struct mapping map = {0};
        bool rows = false, none = p->config->snapshot.mode == SNAPSHOT_NONE;
        int there;

        d->def = &p->tables->items[i];
        d->route = route_find(p->route, d->def->schema, d->def->name);
        there = p->to->table(p->destination, d->route->schema, d->route->name, &target, &rows, e);
        if (there < 0)
                return error_context(e, "target, table %s.%s", d->route->schema, d->route->name);
        d->create = !there && p->config->tables.create && !none;
        ends.target = target;
        if (there && mapping_init(&map, d->route, d->def->shape, &ends, &unfit) < 0)
                checks_add(&p->checks, CHECK_ERROR, NULL, "%s", unfit.message);
        if (!there && !d->create)
                checks_add(&p->checks, CHECK_ERROR, NULL,
                        "target: table %s.%s does not exist, and nothing creates it",
                        d->route->schema, d->route->name);
        if (rows && !none && !p->begun)
                judge_rows(p, d->route);
        mapping_done(&map);
        relation_unref(target);
        return 0;
}

static int read_ddl(struct planning *p)
{
        bool same = p->from->engine(p->origin) == p->to->engine(p->destination);
        struct error e = ERROR_INIT;

        for (unsigned i = 0; same && p->from->verbatim && i < p->tables->n; i++)
                if (p->from->verbatim(p->origin, &p->tables->items[i], &e) < 0)
                        goto bad;
        if (destination_ddl_make(&p->ddl, p->to, p->destination, p->destined, p->tables->n, &e) ==
                0)
                return 0;
bad:
        checks_add(&p->checks, CHECK_ERROR, NULL, "%s", e.message);
        return -1;
}

static int check_cascades(struct planning *p, struct error *e)
{
        struct cascades *c;
        int rc;

        if (p->from->logs_cascades(p->origin))
                return 0;
        cascade_plan_check(
                p->tables, p->destined, p->route, p->to->engine(p->destination), &p->checks);
        c = cascade_plan(p->tables, p->destined, NULL);
        rc = cascade_plan_target(
                p->to, p->destination, c, p->destined, p->tables->n, &p->checks, e);
        cascades_unref(c);
        return rc;
}

static void view_left(const struct planning *p, struct plan_view *v)
{
        struct error ignored = ERROR_INIT;
        AUTO_BUF lines = BUF_INIT;
        const char *line, *end;

        p->from->left(p->origin, p->tables, &lines, &ignored);
        for (line = buf_text(&lines); *line; line = *end ? end + 1 : end) {
                end = strchrnul(line, '\n');
                plan_line(&v->left, memory_printf("%.*s", (int)(end - line), line));
        }
}

static int gather(struct planning *p, struct error *e)
{
        int format;

        p->from = origin_ops_of(p->config->source.kind);
        p->to = destination_ops_of(p->config->target.kind);
        if (!p->from || !p->to)
                return error_set(e, ERROR_CONFIG, "this kind of database is not built yet");
        if (!(p->origin = p->from->open(p->config, p->halt, e)) ||
                !(p->destination = p->to->open(p->config, p->halt, e)))
                return -1;
        if (p->to->from)
                p->to->from(p->destination, p->from->engine(p->origin), "");
        if (read_tables(p, e) < 0 || (format = p->to->format(p->destination, e)) < 0)
                return -1;
        p->begun = format == 0 && p->to->begun(p->destination);
        for (unsigned i = 0; i < p->tables->n; i++)
                if (look_at(p, i, e) < 0)
                        return -1;
        if (p->from->check(p->origin, p->tables, &p->checks, e) < 0 ||
                p->to->check(p->destination, p->destined, p->tables->n, &p->checks, e) < 0 ||
                check_cascades(p, e) < 0)
                return -1;
        read_ddl(p);
        return 0;
}

static struct plan_end view_end(const struct config_end *of, enum engine engine, char *version)
{
        static const struct plan_end ends[] = {
                [ENGINE_POSTGRESQL] = {.kind = "postgresql", .title = "PostgreSQL"},
                [ENGINE_MYSQL] = {.kind = "mysql", .title = "MySQL"},
                [ENGINE_MARIADB] = {.kind = "mariadb", .title = "MariaDB"},
        };
        struct plan_end end = ends[engine];

        if (of->kind == KIND_SEGMENTS) {
                free(version);
                return (struct plan_end){.kind = "segments", .title = of->uri};
        }
        snprintf(end.version, sizeof end.version, "%s", version);
        free(version);
        return end;
}

static const char *identity_name(const struct relation *shape)
{
        if (shape->identity == IDENTITY_FULL)
                return "full";
        for (uint16_t i = 0; i < shape->columns_n; i++)
                if (shape->columns[i].key)
                        return "key";
        return "none";
}

static void view_table(const struct destined *d, struct plan_table *out)
{
        const char *identity = identity_name(d->def->shape);

        *out = (struct plan_table){.source = memory_printf("%s.%s", d->def->schema, d->def->name),
                .target = memory_printf("%s.%s", d->route->schema, d->route->name),
                .rows = d->def->rows,
                .bytes = d->def->bytes,
                .identity = identity,
                .usable_identity = strcmp(identity, "none") != 0,
                .create = d->create};
}

static void take_statements(struct plan_lines *to, const struct ddl_list *from)
{
        for (unsigned i = 0; i < from->n; i++)
                plan_line(to, memory_string(from->items[i].sql));
}

static void take_names(struct plan_lines *to, const char *what, const struct ddl_list *from)
{
        for (unsigned i = 0; i < from->n; i++)
                if (*from->items[i].name)
                        plan_line(to, memory_printf("%s %s", what, from->items[i].name));
}

/* What a start makes, in its order. */
static void view_made(const struct planning *p, bool statements, struct plan_view *v)
{
        for (unsigned i = 0; i < p->ddl.n; i++) {
                const struct ddl *d = &p->ddl.tables[i];

                if (statements) {
                        take_statements(&v->made, &d->before);
                        take_statements(&v->made, &d->table);
                        take_statements(&v->made, &d->indexes);
                } else if (p->destined[i].create) {
                        plan_line(&v->made, memory_printf("TABLE %s", v->tables[i].target));
                        take_names(&v->made, "INDEX", &d->indexes);
                        take_names(&v->made, "FOREIGN KEY", &d->references);
                }
                take_statements(&v->left, &d->left_out);
        }
        for (unsigned i = 0; statements && i < p->ddl.n; i++)
                take_statements(&v->made, &p->ddl.tables[i].references);
}

/* "shop.items.price: decimal(10,2) -> numeric(10,2)", of tables that are made. */
static void view_columns(const struct planning *p, const struct destined *d, struct plan_lines *to)
{
        for (unsigned i = 0; d->create && i < d->def->columns_n; i++) {
                struct typemap_result r = {0};
                struct error e = ERROR_INIT;
                struct coltype *t = ddl_type(d->def, i, &e);
                int rc = t ? typemap_native(t, p->to->engine(p->destination),
                                     table_def_is_key(d->def, i), &r, &e)
                           : -1;

                plan_line(
                        to, memory_printf("%s.%s.%s: %s -> %s%s%s%s", d->def->schema, d->def->name,
                                    d->def->columns[i].name, d->def->columns[i].native,
                                    rc < 0      ? e.message
                                    : *r.native ? r.native
                                                : "a type of its own",
                                    r.note ? " (" : "", r.note ? r.note : "", r.note ? ")" : ""));
                free(r.native);
                coltype_free(t);
        }
}

static void show(const struct planning *p, enum plan_kind kind, bool json, FILE *out)
{
        bool statements = kind == PLAN_SCHEMA || kind == PLAN_APPLY;
        struct plan_view v = {.pipeline = p->config->pipeline.name,
                .begun = p->begun,
                .source = view_end(&p->config->source, p->from->engine(p->origin),
                        p->from->version(p->origin)),
                .target = view_end(&p->config->target, p->to->engine(p->destination),
                        p->to->version(p->destination)),
                .tables = memory_new((p->tables->n + 1) * sizeof *v.tables),
                .n = p->tables->n,
                .checks = &p->checks};

        for (unsigned i = 0; i < v.n; i++) {
                view_table(&p->destined[i], &v.tables[i]);
                if (kind == PLAN_ASSESS)
                        view_columns(p, &p->destined[i], &v.columns);
        }
        view_made(p, statements, &v);
        view_left(p, &v);
        if (json)
                plan_print_json(&v, out);
        else
                (statements ? plan_print_statements : plan_print)(&v, out);
        plan_view_done(&v);
}

static int apply(struct planning *p, struct error *e)
{
        AUTO_BUF left = BUF_INIT;

        if (destination_create(
                    p->to, p->destination, p->destined, p->tables->n, p->halt, &left, e) < 0)
                return -1;
        return destination_follow(p->to, p->destination, p->destined, p->tables->n, p->halt, e);
}

static void planning_done(struct planning *p)
{
        destination_ddl_done(&p->ddl);
        free(p->destined);
        table_defs_free(p->tables);
        if (p->from)
                p->from->close(p->origin);
        if (p->to)
                p->to->close(p->destination);
        checks_done(&p->checks);
        route_free(p->route);
        halt_free(p->halt);
        config_free(p->config);
}

/* Of an archive there is no DDL, either way. */
static int check_kind(const struct planning *p, enum plan_kind kind, struct error *e)
{
        if (kind != PLAN_SCHEMA && kind != PLAN_APPLY)
                return 0;
        if (p->config->target.kind == KIND_SEGMENTS)
                return error_set(e, ERROR_CONFIG,
                        "schema: an archive has no tables to make; plan lists those whose changes "
                        "it will have");
        if (p->config->source.kind == KIND_SEGMENTS)
                return error_set(e, ERROR_CONFIG,
                        "schema: an archive does not define tables: they have to be on the target "
                        "as they were on the source when the archive began");
        return 0;
}

int move_plan_run(enum plan_kind kind, struct config *c, bool json, FILE *out, FILE *err)
{
        struct planning p = {.config = c, .route = route_new(c), .halt = halt_new()};
        struct error e = ERROR_INIT;
        int code = CONTROL_FAILED;

        if (check_kind(&p, kind, &e) == 0 && gather(&p, &e) == 0) {
                show(&p, kind, json, out);
                code = p.checks.errors ? CONTROL_FAILED : CONTROL_DONE;
        }
        if (kind == PLAN_SCHEMA || kind == PLAN_APPLY)
                for (unsigned i = 0; i < p.checks.n; i++)
                        if (p.checks.items[i].level == CHECK_ERROR)
                                fprintf(err, "culvertctl: %s\n", p.checks.items[i].text);
        if (kind == PLAN_APPLY && code == CONTROL_DONE && apply(&p, &e) < 0)
                code = CONTROL_FAILED;
        if (e.class != ERROR_NONE)
                fprintf(err, "culvertctl: %s\n", e.message);
        planning_done(&p);
        return code;
}
