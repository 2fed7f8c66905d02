#include "model/config_private.h"
#include "base/ini.h"
#include "base/memory.h"
#include "model/filter.h"
#include "model/pattern.h"

#include <stdlib.h>
#include <string.h>

#define VALUES_MAX 20000

struct reading {
        struct config *c;
        char *section;              /* NULL: keys are skipped */
        struct config_table *table; /* when in a [table] section */
};

/* What is set where */

static uint32_t hash_of(const char *section, const char *key)
{
        uint32_t h = 2166136261U; /* FNV-1a */

        for (; *section; section++)
                h = (h ^ (unsigned char)*section) * 16777619U;
        for (; *key; key++)
                h = (h ^ (unsigned char)*key) * 16777619U;
        return h;
}

static struct config_value *find(const struct config *c, const char *section, const char *key)
{
        uint32_t hash = hash_of(section, key);

        for (unsigned i = 0; i < c->values_n; i++) {
                struct config_value *v = &c->values[i];

                if (v->hash == hash && !strcmp(v->key, key) && !strcmp(v->section, section))
                        return v;
        }
        return NULL;
}

const struct config_value *config_value_of(
        const struct config *c, const char *section, const char *key)
{
        return find(c, section, key);
}

static void remember(struct config *c, const struct option *o, const char *section, const char *key,
        const char *text, int line)
{
        if ((c->values_n & (c->values_n - 1)) == 0)
                c->values = memory_grow(
                        c->values, (c->values_n ? c->values_n * 2 : 1) * sizeof *c->values);
        c->values[c->values_n++] = (struct config_value){
                .option = o,
                .section = memory_string(section),
                .key = memory_string(key),
                .text = memory_string(text),
                .line = line,
                .hash = hash_of(section, key),
        };
}

void config_value_adopt(
        struct config *c, const char *section, const char *key, const struct config *from)
{
        const struct config_value *new = config_value_of(from, section, key);
        struct config_value *old = find(c, section, key);

        if (new &&old) {
                old->line = new->line;
        } else if (new) {
                remember(c, new->option, section, key, new->text, new->line);
        } else if (old) {
                free(old->section);
                free(old->key);
                free(old->text);
                c->values_n--; /* the others keep their order */
                memmove(old, old + 1, (size_t)(c->values + c->values_n - old) * sizeof *old);
        }
}

/* Values */

static void bad_value(struct reading *r, int line, const char *key, const char *why)
{
        config_complain(r->c, line, "[%s] %s: %s", r->section, key, why);
}

static bool is_built(struct reading *r, int line, const struct option *o, const char *key,
        const char *text, const struct option_value *v)
{
        AUTO_BUF words = BUF_INIT;
        AUTO_STRING why = NULL;

        option_words(o->built ? o->built : "", &words);
        if (option_is_built(o, v))
                return true;
        if (o->type == OPTION_CHOICE)
                why = memory_printf("%s is not built yet; today: %s", text, buf_text(&words));
        else if (o->built && *o->built)
                why = memory_printf("not built yet; leave it at %s", o->built);
        else
                why = memory_string("not built yet; leave it out");
        bad_value(r, line, key, why);
        return false;
}

/* 0 and the value, or a complaint. */
static int take_value(struct reading *r, int line, const struct option *o, const char *key,
        const char *text, struct option_value *v)
{
        struct error e;

        if (option_parse(o, text, v, &e) < 0) {
                bad_value(r, line, key, e.message);
                return -1;
        }
        if (!is_built(r, line, o, key, text, v)) {
                option_done(v);
                return -1;
        }
        return 0;
}

static void read_option(
        struct reading *r, int line, const struct option *o, const char *key, const char *text)
{
        struct option_value v;

        if (take_value(r, line, o, key, text, &v) < 0)
                return;
        v.list.line = line;
        if (o->offset == OPTION_NOWHERE)
                option_done(&v);
        else
                option_store(o, r->c, &v);
}

static struct config_pair *add_pair(
        struct config_pair **pairs, unsigned *n, char *from, char *to, int line)
{
        *pairs = memory_grow(*pairs, (*n + 1) * sizeof **pairs);
        (*pairs)[*n] = (struct config_pair){from, to, line};
        return &(*pairs)[(*n)++];
}

static void read_schema(struct reading *r, int line, const char *key, const char *text)
{
        struct config *c = r->c;
        AUTO_STRING from = NULL;
        char *to;
        struct error e;

        if (pattern_name(key, NULL, &from, &e) < 0) {
                bad_value(r, line, config_may_show(key) ? key : "source schema", e.message);
                return;
        }
        for (unsigned i = 0; i < c->schemas_n; i++) {
                if (!strcmp(c->schemas[i].from, from)) {
                        config_complain(c, line, "[schemas]: '%s' is already on line %d", from,
                                c->schemas[i].line);
                        return;
                }
        }
        if (pattern_name(text, NULL, &to, &e) < 0) {
                bad_value(r, line, key, e.message);
                return;
        }
        add_pair(&c->schemas, &c->schemas_n, from, to, line);
        from = NULL;
}

static int read_names(const char *text, struct config_list *names, struct error *e)
{
        struct config_list items = {0};
        int rc = pattern_list(text, &items.items, &items.n, e);

        names->items = memory_new(items.n * sizeof *names->items);
        for (unsigned i = 0; i < items.n && rc == 0; i++) {
                rc = pattern_name(items.items[i], NULL, &names->items[i], e);
                names->n += rc == 0;
        }
        config_list_done(&items);
        return rc;
}

/* column.FROM.to: FROM may hold dots, or be quoted. */
static int read_rename(
        struct config_table *t, int line, const char *key, const char *text, struct error *e)
{
        AUTO_STRING from = memory_printf(
                "%.*s", (int)(strlen(key) - strlen("column..to")), key + strlen("column."));
        char *to, *name;

        if (*from == '"') {
                if (pattern_name(from, NULL, &name, e) < 0)
                        return -1;
                free(from);
                from = name;
        }
        for (unsigned i = 0; i < t->renames_n; i++)
                if (!strcmp(t->renames[i].from, from))
                        return error_set(e, ERROR_CONFIG, "already on line %d", t->renames[i].line);
        if (pattern_name(text, NULL, &to, e) < 0)
                return -1;
        add_pair(&t->renames, &t->renames_n, from, to, line);
        from = NULL;
        return 0;
}

static int read_where(struct config_table *t, const char *text, struct error *e)
{
        struct filter *f = filter_parse(text, e);

        if (!f)
                return -1;
        filter_free(f);
        t->where = memory_string(text);
        return 0;
}

static void read_table_key(
        struct reading *r, int line, const struct option *o, const char *key, const char *text)
{
        struct config_table *t = r->table;
        struct option_value v;
        struct error e;
        int rc = 0;

        if (!strcmp(o->key, "on_conflict")) {
                if (take_value(r, line, o, key, text, &v) == 0)
                        t->on_conflict = (enum config_conflict)v.number;
                return;
        }
        if (!strcmp(o->key, "to")) {
                rc = pattern_name(text, &t->to_schema, &t->to_name, &e);
        } else if (!strcmp(o->key, "where")) {
                rc = read_where(t, text, &e);
        } else if (!strcmp(o->key, "columns.exclude")) {
                t->columns_exclude.line = line;
                rc = read_names(text, &t->columns_exclude, &e);
        } else {
                rc = read_rename(t, line, key, text, &e);
        }
        if (rc < 0)
                bad_value(r, line, key, e.message);
}

/* Sections */

static void begin_table(struct reading *r, int line, const char *name)
{
        struct config *c = r->c;
        struct config_table t = {.line = line};
        struct error e;

        if (pattern_name(name, &t.schema, &t.name, &e) < 0 || !t.schema) {
                config_complain(c, line, "[table]: %s",
                        t.name ? "[table schema.name] is wanted" : e.message);
                free(t.name);
                return;
        }
        for (unsigned i = 0; i < c->table_n; i++) {
                if (!strcmp(c->table[i].name, t.name) && !strcmp(c->table[i].schema, t.schema)) {
                        config_complain(c, line, "[table %s] is already on line %d", name,
                                c->table[i].line);
                        free(t.schema);
                        free(t.name);
                        return;
                }
        }
        c->table = memory_grow(c->table, (c->table_n + 1) * sizeof *c->table);
        r->table = &c->table[c->table_n++];
        *r->table = t;
        r->section = memory_printf("table %s", name);
}

static bool is_section(const char *name)
{
        for (const struct option *o = config_options; o->section; o++)
                if (!strcmp(o->section, name))
                        return strchr(name, ' ') == NULL;
        return false;
}

static void on_section(void *context, int line, const char *name)
{
        struct reading *r = context;

        memory_free_string(&r->section);
        r->table = NULL;
        if (r->c->values_n >= VALUES_MAX)
                return;
        if (!strncmp(name, "table", 5) && (!name[5] || name[5] == ' ' || name[5] == '\t'))
                begin_table(r, line, name + 5 + strspn(name + 5, " \t"));
        else if (is_section(name))
                r->section = memory_string(name);
        else
                config_unknown_section(r->c, line, name);
        if (r->section && !config_value_of(r->c, r->section, ""))
                remember(r->c, NULL, r->section, "", NULL, line);
}

static void on_key(void *context, int line, const char *key, const char *text)
{
        struct reading *r = context;
        const struct config_value *earlier;
        const struct option *o;
        bool named; /* the user chose the key or the section */

        if (!r->section)
                return;
        if (r->c->values_n >= VALUES_MAX) {
                config_complain(r->c, line, "more than %d keys", VALUES_MAX);
                memory_free_string(&r->section);
                return;
        }
        o = option_find(r->section, key);
        if (!o) {
                config_unknown_key(r->c, line, r->section, key);
                return;
        }
        earlier = config_value_of(r->c, r->section, key);
        if (earlier) {
                config_complain(r->c, line, "duplicate key '%s' in [%s]; it is on line %d too", key,
                        r->section, earlier->line);
                return;
        }
        named = r->table || o->type == OPTION_FREE;
        remember(r->c, o, r->section, key, named ? text : NULL, line);
        if (r->table)
                read_table_key(r, line, o, key, text);
        else if (!strcmp(r->section, "cutover") && named)
                config_read_check(r->c, line, key, text);
        else if (named)
                read_schema(r, line, key, text);
        else
                read_option(r, line, o, key, text);
}

static void on_problem(void *context, int line, const char *text)
{
        struct reading *r = context;

        config_complain(r->c, line, "%s", text);
}

/* A section line that cannot be read ends the section before it; ini.c skips the keys below. */
void config_read(struct config *c, const char *text, size_t len)
{
        static const struct ini_reader reader = {on_section, on_key, on_problem};
        struct reading r = {.c = c};

        ini_read(text, len, &reader, &r);
        memory_free_string(&r.section);
}
