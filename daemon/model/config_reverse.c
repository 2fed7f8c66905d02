#include "model/config_reverse.h"
#include "base/memory.h"
#include "model/config_private.h"

#include <stdlib.h>
#include <string.h>

#define SUFFIX "_reverse"
#define NAME_LIMIT 63 /* bytes of a slot, a publication */

static void copy_options(struct config *to, const struct config *from)
{
        for (const struct option *o = config_options; o->section; o++) {
                struct option_value v = {0};
                struct error ignored = ERROR_INIT; /* it was printed from a value that is valid */
                AUTO_BUF text = BUF_INIT;

                if (o->offset == OPTION_NOWHERE || !option_print(o, from, &text))
                        continue;
                if (option_parse(o, buf_text(&text), &v, &ignored) == 0)
                        option_store(o, to, &v);
                option_done(&v);
        }
}

static char *copy_text(const char *text)
{
        return text ? memory_string(text) : NULL;
}

static void copy_end(struct config_end *to, const struct config_end *from)
{
        free(to->uri);
        free(to->password_file);
        to->uri = memory_string(from->uri);
        to->kind = from->kind;
        to->home = copy_text(from->home);
        to->password_file = copy_text(from->password_file);
        to->password = copy_text(from->password);
}

static int rename_with(char **name, const char *suffix, size_t limit, struct error *e)
{
        char *longer = memory_printf("%s%s", *name, suffix);

        free(*name);
        *name = longer;
        return strlen(longer) <= limit ? 0
                                       : error_set(e, ERROR_CONFIG,
                                                 "the name %s of the way back is too long", longer);
}

static int rename_all(struct config *r, struct error *e)
{
        if (rename_with(&r->pipeline.name, SUFFIX, NAME_LIMIT, e) < 0 ||
                rename_with(&r->pg.slot, SUFFIX, NAME_LIMIT, e) < 0 ||
                rename_with(&r->pg.publication, SUFFIX, NAME_LIMIT, e) < 0)
                return -1;
        return rename_with(&r->pipeline.state_dir, "/reverse", 4096, e);
}

/* Two schemas that became one cannot be told apart again. */
static int turn_schemas(struct config *r, const struct config *c, struct error *e)
{
        r->schemas = memory_new((c->schemas_n + 1) * sizeof *r->schemas);
        for (unsigned i = 0; i < c->schemas_n; i++) {
                for (unsigned k = 0; k < i; k++)
                        if (!strcmp(c->schemas[i].to, c->schemas[k].to))
                                return error_set(e, ERROR_CONFIG,
                                        "there is no way back: the schemas %s and %s are both %s "
                                        "on the target",
                                        c->schemas[k].from, c->schemas[i].from, c->schemas[i].to);
                r->schemas[i] = (struct config_pair){.from = memory_string(c->schemas[i].to),
                        .to = memory_string(c->schemas[i].from),
                        .line = c->schemas[i].line};
                r->schemas_n++;
        }
        return 0;
}

static void turn_table(
        struct config_table *to, const struct config *c, const struct config_table *t)
{
        *to = (struct config_table){
                .schema =
                        memory_string(t->to_schema ? t->to_schema : config_schema_of(c, t->schema)),
                .name = memory_string(t->to_name ? t->to_name : t->name),
                .to_schema = memory_string(t->schema),
                .to_name = memory_string(t->name),
                .renames = memory_new((t->renames_n + 1) * sizeof *to->renames),
                .renames_n = t->renames_n,
                .on_conflict = t->on_conflict,
                .line = t->line,
        };
        for (unsigned i = 0; i < t->renames_n; i++)
                to->renames[i] = (struct config_pair){.from = memory_string(t->renames[i].to),
                        .to = memory_string(t->renames[i].from),
                        .line = t->renames[i].line};
}

static void copy_pairs(
        struct config_pair **to, unsigned *to_n, const struct config_pair *from, unsigned n)
{
        *to = memory_new((n + 1) * sizeof **to);
        *to_n = n;
        for (unsigned i = 0; i < n; i++)
                (*to)[i] = (struct config_pair){.from = memory_string(from[i].from),
                        .to = memory_string(from[i].to),
                        .line = from[i].line};
}

static void copy_list(struct config_list *to, const struct config_list *from)
{
        *to = (struct config_list){.n = from->n, .line = from->line};
        if (!from->items)
                return;
        to->items = memory_new((from->n + 1) * sizeof *to->items);
        for (unsigned i = 0; i < from->n; i++)
                to->items[i] = memory_string(from->items[i]);
}

static void copy_table(struct config_table *to, const struct config_table *t)
{
        *to = (struct config_table){.schema = memory_string(t->schema),
                .name = memory_string(t->name),
                .to_schema = copy_text(t->to_schema),
                .to_name = copy_text(t->to_name),
                .where = copy_text(t->where),
                .on_conflict = t->on_conflict,
                .line = t->line};
        copy_list(&to->columns_exclude, &t->columns_exclude);
        copy_pairs(&to->renames, &to->renames_n, t->renames, t->renames_n);
}

static void nothing_to_copy(struct config *r)
{
        r->tables.create = false;
        r->tables.existing = EXISTING_APPEND;
        r->snapshot.mode = SNAPSHOT_NONE;
}

struct config *config_equal(const struct config *c)
{
        struct config *r = memory_new_of(struct config);

        r->forward = c->forward;
        r->path = memory_string(c->path);
        copy_options(r, c);
        copy_end(&r->source, &c->source);
        copy_end(&r->target, &c->target);
        copy_list(&r->only, &c->only);
        copy_pairs(&r->schemas, &r->schemas_n, c->schemas, c->schemas_n);
        r->table = memory_new((c->table_n + 1) * sizeof *r->table);
        for (unsigned i = 0; i < c->table_n; i++)
                copy_table(&r->table[r->table_n++], &c->table[i]);
        nothing_to_copy(r);
        return r;
}

static void turn_tables(struct config *r, const struct config *c)
{
        r->table = memory_new((c->table_n + 1) * sizeof *r->table);
        for (unsigned i = 0; i < c->table_n; i++)
                turn_table(&r->table[r->table_n++], c, &c->table[i]);
}

struct config *config_reverse(const struct config *c, struct error *e)
{
        struct config *r;

        if (c->source.kind == KIND_SEGMENTS || c->target.kind == KIND_SEGMENTS) {
                error_set(e, ERROR_CONFIG, "there is no way back to or from an archive");
                return NULL;
        }
        r = memory_new_of(struct config);
        r->forward = c;
        r->path = memory_string(c->path);
        copy_options(r, c);
        copy_end(&r->source, &c->target);
        copy_end(&r->target, &c->source);
        nothing_to_copy(r);
        turn_tables(r, c);
        if (turn_schemas(r, c, e) < 0 || rename_all(r, e) < 0)
                return config_free(r);
        return r;
}

/* "schema\nname": neither side can say the same of another table. */
static int compare(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

void config_reverse_only(struct config *r, const char *const *names, unsigned n)
{
        config_list_done(&r->only);
        r->only =
                (struct config_list){.items = memory_new((n + 1) * sizeof *r->only.items), .n = n};
        for (unsigned i = 0; i < n; i++)
                r->only.items[i] = memory_printf("%s\n%s", names[2 * i], names[2 * i + 1]);
        qsort(r->only.items, n, sizeof *r->only.items, compare);
}

bool config_reverse_name(const struct config *r, const char *schema, const char *name,
        const char **source_schema, const char **source_name)
{
        const struct config *c = r->forward;
        const struct config_table *t = config_table_of(r, schema, name);

        if (t) {
                *source_schema = t->to_schema;
                *source_name = t->to_name;
                return true;
        }
        *source_schema = config_schema_of(r, schema);
        *source_name = name;
        /* a source table of that name which goes elsewhere, or a schema that does */
        return !config_table_of(c, *source_schema, name) &&
               !strcmp(config_schema_of(c, *source_schema), schema);
}

static bool is_one(const struct config *r, const char *schema, const char *name)
{
        AUTO_STRING text = memory_printf("%s\n%s", schema, name);
        const char *key = text;

        return !r->only.items ||
               bsearch(&key, r->only.items, r->only.n, sizeof *r->only.items, compare);
}

bool config_reverse_selects(const struct config *r, const char *schema, const char *name)
{
        const char *source_schema, *source_name;

        return config_reverse_name(r, schema, name, &source_schema, &source_name) &&
               config_selects(r->forward, source_schema, source_name) && is_one(r, schema, name);
}
