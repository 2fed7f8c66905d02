#include "base/memory.h"
#include "ops/json.h"
#include "ops/plan_private.h"

#include <stdlib.h>
#include <string.h>

void plan_line(struct plan_lines *l, char *line)
{
        l->items = memory_grow(l->items, (l->n + 1) * sizeof *l->items);
        l->items[l->n++] = line;
}

static void lines_done(struct plan_lines *l)
{
        for (unsigned i = 0; i < l->n; i++)
                free(l->items[i]);
        free(l->items);
}

void plan_view_done(struct plan_view *v)
{
        for (unsigned i = 0; i < v->n; i++) {
                free(v->tables[i].source);
                free(v->tables[i].target);
        }
        free(v->tables);
        lines_done(&v->columns);
        lines_done(&v->made);
        lines_done(&v->left);
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

static void print_table(const struct plan_table *t, FILE *out)
{
        char size[32], rows[32] = "unknown number of";

        human_bytes(t->bytes, size);
        if (t->rows >= 0)
                snprintf(rows, sizeof rows, "about %.0f", t->rows);
        fprintf(out, "  %s", t->source);
        if (strcmp(t->source, t->target) != 0)
                fprintf(out, " -> %s", t->target);
        fprintf(out, ": %s rows, %s, identity: %s", rows, size, t->identity);
        if (t->partitioned)
                fprintf(out, ", %u partitions", t->partitions);
        fputs(t->create ? ", to be created\n" : "\n", out);
}

static void print_checks(
        const struct plan_view *v, enum check_level level, const char *title, FILE *out)
{
        bool any = false;

        for (unsigned i = 0; i < v->checks->n; i++) {
                const struct check *c = &v->checks->items[i];

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

static void print_lines(const char *title, const struct plan_lines *l, FILE *out)
{
        if (l->n)
                fprintf(out, "\n%s:\n", title);
        for (unsigned i = 0; i < l->n; i++)
                fprintf(out, "  %s\n", l->items[i]);
}

static void print_end(const struct plan_end *end, FILE *out)
{
        fprintf(out, "%s%s%s", end->title, *end->version ? " " : "", end->version);
}

void plan_print(const struct plan_view *v, FILE *out)
{
        unsigned errors = v->checks->errors;
        uint64_t bytes = 0;
        char size[32];

        for (unsigned i = 0; i < v->n; i++)
                bytes += v->tables[i].bytes;
        human_bytes(bytes, size);
        fprintf(out, "%s: ", v->pipeline);
        print_end(&v->source, out);
        fputs(" to ", out);
        print_end(&v->target, out);
        fprintf(out, "%s\n\nTables (%u, %s):\n", v->begun ? ", begun already" : "", v->n, size);
        for (unsigned i = 0; i < v->n; i++)
                print_table(&v->tables[i], out);
        print_lines("Columns", &v->columns, out);
        print_lines("Made on the target", &v->made, out);
        print_lines("Stays behind", &v->left, out);
        print_checks(v, CHECK_STATEMENT, "Statements that culvert runs", out);
        print_checks(v, CHECK_NOTE, "Notes", out);
        print_checks(v, CHECK_WARNING, "Warnings", out);
        print_checks(v, CHECK_ERROR, "Errors, each with what mends it", out);
        if (errors)
                fprintf(out, "\n%u error%s: a start would be refused.\n", errors,
                        errors == 1 ? "" : "s");
        else
                fputs("\nNothing is in the way of a start.\n", out);
}

void plan_print_statements(const struct plan_view *v, FILE *out)
{
        for (unsigned i = 0; i < v->left.n; i++)
                fprintf(out, "-- not carried: %s\n", v->left.items[i]);
        for (unsigned i = 0; i < v->made.n; i++)
                fprintf(out, "%s;\n", v->made.items[i]);
}

static cJSON *json_table(const struct plan_table *t)
{
        cJSON *o = cJSON_CreateObject();

        json_text(o, "source", t->source);
        json_text(o, "target", t->target);
        json_known(o, "rows_estimated", t->rows < 0 ? -1 : (int64_t)t->rows);
        json_count(o, "bytes", t->bytes);
        json_text(o, "identity", t->identity);
        json_bool(o, "usable_identity", t->usable_identity);
        json_count(o, "partitions", t->partitions);
        json_bool(o, "create", t->create);
        return o;
}

static cJSON *json_lines(const struct plan_lines *l)
{
        cJSON *a = cJSON_CreateArray();

        for (unsigned i = 0; i < l->n; i++)
                cJSON_AddItemToArray(a, cJSON_CreateString(l->items[i]));
        return a;
}

static cJSON *json_end(const struct plan_end *end)
{
        cJSON *o = cJSON_CreateObject();

        json_text(o, "kind", end->kind);
        json_text(o, "server_version", *end->version ? end->version : NULL);
        return o;
}

static void add_checks(cJSON *root, const struct checks *found)
{
        cJSON *checks = cJSON_AddArrayToObject(root, "checks");
        cJSON *statements = cJSON_AddArrayToObject(root, "statements");

        for (unsigned i = 0; i < found->n; i++) {
                const struct check *c = &found->items[i];
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

void plan_print_json(const struct plan_view *v, FILE *out)
{
        cJSON *root = json_object();
        cJSON *tables = cJSON_AddArrayToObject(root, "tables");
        char *text;

        json_text(root, "pipeline", v->pipeline);
        json_bool(root, "begun", v->begun);
        cJSON_AddItemToObject(root, "source", json_end(&v->source));
        cJSON_AddItemToObject(root, "target", json_end(&v->target));
        for (unsigned i = 0; i < v->n; i++)
                cJSON_AddItemToArray(tables, json_table(&v->tables[i]));
        cJSON_AddItemToObject(root, "columns", json_lines(&v->columns));
        cJSON_AddItemToObject(root, "made", json_lines(&v->made));
        cJSON_AddItemToObject(root, "left", json_lines(&v->left));
        add_checks(root, v->checks);
        json_count(root, "errors", v->checks->errors);
        text = cJSON_PrintUnformatted(root);
        fprintf(out, "%s\n", text);
        cJSON_free(text);
        cJSON_Delete(root);
}
