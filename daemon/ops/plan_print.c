#include "base/memory.h"
#include "ops/json.h"
#include "ops/plan_private.h"

#include <stdlib.h>
#include <string.h>

static void version(PGconn *c, char out[32])
{
        int v = PQserverVersion(c);

        snprintf(out, 32, "%d.%d", v / 10000, v % 10000);
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

static void human_bytes(uint64_t bytes, char out[32])
{
        static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
        double v = (double)bytes;
        unsigned unit = 0;

        for (; v >= 1024 && unit < 4; unit++)
                v /= 1024;
        snprintf(out, 32, unit ? "%.1f %s" : "%.0f %s", v, units[unit]);
}

static void print_table(const struct plan *p, unsigned i, FILE *out)
{
        const struct pg_table_info *t = &p->tables->items[i];
        const struct route_table *r = route_find(p->route, t->schema, t->name);
        char size[32], rows[32] = "unknown number of";

        human_bytes(t->bytes, size);
        if (t->rows >= 0)
                snprintf(rows, sizeof rows, "about %.0f", t->rows);
        fprintf(out, "  %s.%s", t->schema, t->name);
        if (strcmp(r->schema, t->schema) != 0 || strcmp(r->name, t->name) != 0)
                fprintf(out, " -> %s.%s", r->schema, r->name);
        fprintf(out, ": %s rows, %s, identity: %s", rows, size, identity_name(t));
        if (t->kind == 'p')
                fprintf(out, ", %u partitions", t->leaves_n);
        fputs(p->missing[i] ? ", to be created\n" : "\n", out);
}

static void print_checks(const struct plan *p, enum check_level level, const char *title, FILE *out)
{
        bool any = false;

        for (unsigned i = 0; i < p->checks.n; i++) {
                const struct check *c = &p->checks.items[i];

                if (c->level != level)
                        continue;
                if (!any)
                        fprintf(out, "\n%s:\n", title);
                any = true;
                fprintf(out, "  %s%s%s\n", c->text, level == CHECK_STATEMENT ? ": " : "",
                        level == CHECK_STATEMENT ? c->mend : "");
                if (level != CHECK_STATEMENT && *c->mend)
                        fprintf(out, "      %s;\n", c->mend);
        }
}

static void print_lines(const char *title, const struct pg_schema *s,
        unsigned (*count)(const struct pg_schema *),
        const char *(*line)(const struct pg_schema *, unsigned), FILE *out)
{
        unsigned n = s ? count(s) : 0;

        if (n)
                fprintf(out, "\n%s:\n", title);
        for (unsigned i = 0; i < n; i++)
                fprintf(out, "  %s\n", line(s, i));
}

void plan_print(const struct plan *p, FILE *out)
{
        char source[32], target[32], size[32];
        uint64_t bytes = 0;

        version(p->source, source);
        version(p->target, target);
        for (unsigned i = 0; i < p->tables->n; i++)
                bytes += p->tables->items[i].bytes;
        human_bytes(bytes, size);
        fprintf(out, "%s: PostgreSQL %s to PostgreSQL %s%s\n\nTables (%u, %s):\n",
                p->config->pipeline.name, source, target, p->begun ? ", begun already" : "",
                p->tables->n, size);
        for (unsigned i = 0; i < p->tables->n; i++)
                print_table(p, i, out);
        print_lines("Made on the target", p->schema, pg_schema_made_n, pg_schema_made, out);
        print_lines("Stays behind", p->schema, pg_schema_left_n, pg_schema_left, out);
        print_checks(p, CHECK_STATEMENT, "Statements that culvert runs", out);
        print_checks(p, CHECK_NOTE, "Notes", out);
        print_checks(p, CHECK_WARNING, "Warnings", out);
        print_checks(p, CHECK_ERROR, "Errors, each with what mends it", out);
        if (p->checks.errors)
                fprintf(out, "\n%u error%s: a start would be refused.\n", p->checks.errors,
                        p->checks.errors == 1 ? "" : "s");
        else
                fputs("\nNothing is in the way of a start.\n", out);
}

static cJSON *json_table(const struct plan *p, unsigned i)
{
        const struct pg_table_info *t = &p->tables->items[i];
        const struct route_table *r = route_find(p->route, t->schema, t->name);
        AUTO_STRING from = memory_printf("%s.%s", t->schema, t->name);
        AUTO_STRING to = memory_printf("%s.%s", r->schema, r->name);
        cJSON *o = cJSON_CreateObject();

        json_text(o, "source", from);
        json_text(o, "target", to);
        json_known(o, "rows_estimated", t->rows < 0 ? -1 : (int64_t)t->rows);
        json_count(o, "bytes", t->bytes);
        json_text(o, "identity", identity_name(t));
        json_bool(o, "usable_identity", t->has_identity);
        json_count(o, "partitions", t->kind == 'p' ? t->leaves_n : 0);
        json_bool(o, "create", p->missing[i]);
        return o;
}

static cJSON *json_lines(const struct pg_schema *s, unsigned (*count)(const struct pg_schema *),
        const char *(*line)(const struct pg_schema *, unsigned))
{
        cJSON *a = cJSON_CreateArray();
        unsigned n = s ? count(s) : 0;

        for (unsigned i = 0; i < n; i++)
                cJSON_AddItemToArray(a, cJSON_CreateString(line(s, i)));
        return a;
}

static cJSON *json_end(PGconn *c)
{
        cJSON *o = cJSON_CreateObject();
        char text[32];

        version(c, text);
        json_text(o, "kind", "postgresql");
        json_text(o, "server_version", text);
        return o;
}

static void add_checks(cJSON *root, const struct plan *p)
{
        cJSON *checks = cJSON_AddArrayToObject(root, "checks");
        cJSON *statements = cJSON_AddArrayToObject(root, "statements");

        for (unsigned i = 0; i < p->checks.n; i++) {
                const struct check *c = &p->checks.items[i];
                cJSON *o = cJSON_CreateObject();

                if (c->level == CHECK_STATEMENT) {
                        json_text(o, "side", c->text);
                        json_text(o, "sql", c->mend);
                        cJSON_AddItemToArray(statements, o);
                        continue;
                }
                json_text(o, "level", check_level_name(c->level));
                json_text(o, "text", c->text);
                json_text(o, "mend", *c->mend ? c->mend : NULL);
                cJSON_AddItemToArray(checks, o);
        }
}

void plan_print_json(const struct plan *p, FILE *out)
{
        cJSON *root = json_object();
        cJSON *tables = cJSON_AddArrayToObject(root, "tables");
        char *text;

        json_text(root, "pipeline", p->config->pipeline.name);
        json_bool(root, "begun", p->begun);
        cJSON_AddItemToObject(root, "source", json_end(p->source));
        cJSON_AddItemToObject(root, "target", json_end(p->target));
        for (unsigned i = 0; i < p->tables->n; i++)
                cJSON_AddItemToArray(tables, json_table(p, i));
        cJSON_AddItemToObject(
                root, "made", json_lines(p->schema, pg_schema_made_n, pg_schema_made));
        cJSON_AddItemToObject(
                root, "left", json_lines(p->schema, pg_schema_left_n, pg_schema_left));
        add_checks(root, p);
        json_count(root, "errors", p->checks.errors);
        text = cJSON_PrintUnformatted(root);
        fprintf(out, "%s\n", text);
        cJSON_free(text);
        cJSON_Delete(root);
}
