#include "model/config_private.h"
#include "model/config_reverse.h"
#include "base/memory.h"
#include "model/my_uri.h"
#include "model/pattern.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX (1024 * 1024)
#define PROBLEMS_MAX 100
#define QUEUE_DISK_MIN (1024 * 1024)

void config_complain(struct config *c, int line, const char *format, ...)
{
        unsigned at = c->problems_n;
        va_list args;
        char *s = NULL;

        if (c->problems_n > PROBLEMS_MAX)
                return;
        va_start(args, format);
        if (c->problems_n == PROBLEMS_MAX)
                s = memory_string("too many problems; there may be more");
        else if (vasprintf(&s, format, args) < 0)
                s = memory_string(format);
        va_end(args);
        c->problems = memory_grow(c->problems, (c->problems_n + 1) * sizeof *c->problems);
        for (; at > 0 && c->problems[at - 1].line > line; at--)
                c->problems[at] = c->problems[at - 1];
        c->problems[at] = (struct config_problem){line, s};
        c->problems_n++;
}

int config_line(const struct config *c, const char *section, const char *key)
{
        const struct config_value *v = config_value_of(c, section, key);

        return v ? v->line : 0;
}

void config_print_problems(const struct config *c, struct buf *out)
{
        for (unsigned i = 0; i < c->problems_n; i++) {
                buf_str(out, c->path);
                if (c->problems[i].line > 0)
                        buf_printf(out, ":%d", c->problems[i].line);
                buf_printf(out, ": %s\n", c->problems[i].text);
        }
}

/* What follows when the whole file has been read */

/* shop from /etc/culvert/shop.conf, if that makes a name. */
static char *name_of_path(const char *path)
{
        const struct option *o = option_find("pipeline", "name");
        const char *slash = strrchr(path, '/');
        const char *base = slash ? slash + 1 : path;
        size_t len = strlen(base);
        struct option_value v;
        struct error e;

        if (len < 5 || strcmp(base + len - 5, ".conf") != 0)
                return NULL;
        AUTO_STRING name = memory_printf("%.*s", (int)(len - 5), base);
        return option_parse(o, name, &v, &e) < 0 ? NULL : v.text;
}

static void set_name(struct config *c)
{
        if (c->pipeline.name)
                return;
        c->pipeline.name = name_of_path(c->path);
        if (c->pipeline.name)
                return;
        if (!config_line(c, "pipeline", "name"))
                config_complain(c, config_line(c, "pipeline", ""),
                        "[pipeline] name is missing: the file's name does not give one");
        c->pipeline.name = memory_string("unnamed");
}

/* The way back of pipeline x is x_reverse (model/config_reverse.h), and its slot is dropped when it
 * is not needed. */
static void check_name(struct config *c)
{
        static const char suffix[] = "_reverse";
        size_t len = strlen(c->pipeline.name);

        if (len >= strlen(suffix) && !strcmp(c->pipeline.name + len - strlen(suffix), suffix))
                config_complain(c, config_line(c, "pipeline", "name"),
                        "[pipeline] name: names that end with %s are of the way back of others",
                        suffix);
}

static void set_defaults(struct config *c)
{
        for (const struct option *o = config_options; o->section; o++) {
                struct option_value v;
                struct error e;

                if (o->offset == OPTION_NOWHERE || !o->standard ||
                        config_value_of(c, o->section, o->key))
                        continue;
                AUTO_STRING text = option_standard(o, c);
                if (option_parse(o, text, &v, &e) < 0)
                        config_complain(c, config_line(c, "pipeline", "name"),
                                "[%s] %s is needed: its default is %s", o->section, o->key,
                                e.message);
                else
                        option_store(o, c, &v);
        }
}

static void set_end(struct config *c, const char *side, struct config_end *end)
{
        if (!config_line(c, side, "uri"))
                config_complain(c, config_line(c, side, ""), "[%s] uri is missing", side);
        if (end->uri)
                end->kind = config_uri_kind(end->uri);
}

bool config_is_mysql(enum config_kind kind)
{
        return kind == KIND_MYSQL || kind == KIND_MARIADB;
}

static void set_home(struct config_end *end)
{
        AUTO_MY_URI u = {0};

        if (end->kind == KIND_POSTGRESQL)
                end->home = memory_string("public");
        else if (config_is_mysql(end->kind) && end->uri && !my_uri_parse(end->uri, &u))
                end->home = memory_string(u.database);
}

/* Of a MySQL-family source: its own database. Quoted, so that no character of it is a wildcard. */
static void set_include(struct config *c)
{
        struct config_list *l = &c->tables.include;
        struct buf pattern = BUF_INIT;

        if (!config_is_mysql(c->source.kind) || !c->source.home ||
                config_line(c, "tables", "include"))
                return;
        config_list_done(l);
        buf_char(&pattern, '"');
        for (const char *s = c->source.home; *s; s++) {
                buf_char(&pattern, *s);
                if (*s == '"')
                        buf_char(&pattern, '"');
        }
        buf_str(&pattern, "\".*");
        l->items = memory_new(sizeof *l->items);
        l->items[l->n++] = buf_take(&pattern);
}

struct convert_policy config_convert_policy(const struct config *c)
{
        struct convert_policy p = {
                .zero_date = ZERO_DATE_ERROR, .enum_error = c->convert.enum_error};
        const char *text = c->convert.zero_date;

        if (!strcmp(text, "null"))
                p.zero_date = ZERO_DATE_NULL;
        else if (strcmp(text, "error") != 0) {
                p.zero_date = ZERO_DATE_VALUE;
                snprintf(p.date, sizeof p.date, "%s", text);
        }
        return p;
}

static bool is_date(const char *text)
{
        static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
        int year, month, day, used = 0;

        return strlen(text) == 10 && strspn(text, "0123456789-") == 10 &&
               sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &used) == 3 && used == 10 &&
               year > 0 && month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1] &&
               (month != 2 || day < 29 || (year % 4 == 0 && (year % 100 || year % 400 == 0)));
}

static void check_zero_date(struct config *c)
{
        const char *text = c->convert.zero_date;

        if (text && strcmp(text, "error") != 0 && strcmp(text, "null") != 0 && !is_date(text))
                config_complain(c, config_line(c, "values", "zero_date"),
                        "[values] zero_date is none of error, null and a date (YYYY-MM-DD)");
}

static void check_queue(struct config *c)
{
        if (c->queue.disk > 0 && c->queue.disk < QUEUE_DISK_MIN)
                config_complain(c, config_line(c, "queue", "disk"),
                        "[queue] disk: out of range: 0, or 1MiB to 1024TiB");
        if (c->queue.disk == 0 && c->queue.acknowledge == ACKNOWLEDGE_QUEUED)
                config_complain(c, config_line(c, "queue", "acknowledge"),
                        "[queue] acknowledge = queued needs a disk above 0");
}

double config_error_threshold(const struct config *c)
{
        const char *text = c->apply.error_threshold ? c->apply.error_threshold : "";
        char *end;
        double share = strtod(text, &end);

        if (!*text || strspn(text, "0123456789.") != strlen(text) || *end)
                return -1;
        return share <= 1 ? share : -1;
}

static void check_error_threshold(struct config *c)
{
        if (c->apply.error_threshold && config_error_threshold(c) < 0)
                config_complain(c, config_line(c, "apply", "error_threshold"),
                        "[apply] error_threshold: a number from 0 to 1 is wanted");
}

/* PostgreSQL would cut a longer name silently. */
static void check_length(struct config *c, int line, const char *name)
{
        if (name && c->target.kind == KIND_POSTGRESQL && strlen(name) > 63)
                config_complain(c, line, "a name on the target is longer than 63 bytes");
}

static void check_columns(struct config *c, const struct config_table *t)
{
        for (unsigned i = 0; i < t->renames_n; i++) {
                const struct config_pair *a = &t->renames[i];

                check_length(c, a->line, a->to);
                for (unsigned j = 0; j < i; j++)
                        if (!strcmp(a->to, t->renames[j].to))
                                config_complain(c, a->line,
                                        "two columns become '%s', here and on line %d", a->to,
                                        t->renames[j].line);
                for (unsigned j = 0; j < t->columns_exclude.n; j++)
                        if (!strcmp(a->from, t->columns_exclude.items[j]))
                                config_complain(c, a->line,
                                        "column '%s' is renamed and excluded (line %d)", a->from,
                                        t->columns_exclude.line);
        }
}

static bool is_never(enum config_kind kind, const char *schema, const char *name)
{
        static const char *const pg[] = {"information_schema.*", "pg_catalog.*", "pg_toast*.*",
                "pg_temp*.*", "culvert.*", NULL};
        static const char *const my[] = {"information_schema.*", "mysql.*", "sys.*",
                "performance_schema.*", "culvert.*", NULL};

        for (const char *const *p = config_is_mysql(kind) ? my : pg; *p; p++)
                if (pattern_matches(*p, schema, name))
                        return true;
        return false;
}

/* The server's own schemas and culvert's take no user's table. */
static void check_not_ours(struct config *c, int line, const char *schema)
{
        if (is_never(c->target.kind, schema, "any"))
                config_complain(
                        c, line, "schema '%s' on the target takes no migrated table", schema);
}

static void check_tables(struct config *c)
{
        for (unsigned i = 0; i < c->schemas_n; i++) {
                check_length(c, c->schemas[i].line, c->schemas[i].to);
                check_not_ours(c, c->schemas[i].line, c->schemas[i].to);
        }
        for (unsigned i = 0; i < c->table_n; i++) {
                const struct config_table *t = &c->table[i];

                check_length(c, t->line, t->to_schema);
                if (t->to_schema)
                        check_not_ours(c, t->line, t->to_schema);
                check_length(c, t->line, t->to_name);
                check_columns(c, t);
                if (!config_selects(c, t->schema, t->name))
                        config_complain(c, t->line,
                                "[table %s.%s]: include and exclude leave this table out",
                                t->schema, t->name);
        }
}

struct config *config_parse(const char *path, const char *text, size_t len, bool secrets)
{
        struct config *c = memory_new_of(struct config);

        c->path = memory_string(path);
        config_read(c, text, len);
        set_name(c);
        check_name(c);
        set_defaults(c);
        set_end(c, "source", &c->source);
        set_end(c, "target", &c->target);
        set_home(&c->source);
        set_home(&c->target);
        set_include(c);
        check_zero_date(c);
        check_queue(c);
        check_error_threshold(c);
        check_tables(c);
        config_check_segments(c);
        config_check_queries(c);
        if (secrets)
                config_read_passwords(c);
        return c;
}

/* The file, up to FILE_MAX + 1 bytes; -1: errno says why not. */
static ssize_t read_file(const char *path, char *text)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        size_t len = 0;
        ssize_t n = -1;

        if (fd < 0)
                return -1;
        while (len <= FILE_MAX && (n = read(fd, text + len, FILE_MAX + 1 - len)) != 0) {
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        break;
                len += (size_t)n;
        }
        close(fd);
        return n < 0 ? -1 : (ssize_t)len;
}

static struct config *unreadable(const char *path, const char *why)
{
        struct config *c = memory_new_of(struct config);

        c->path = memory_string(path);
        config_complain(c, 0, "%s", why);
        return c;
}

struct config *config_load(const char *path)
{
        AUTO_STRING text = memory_new(FILE_MAX + 1);
        ssize_t len = read_file(path, text);

        if (len < 0)
                return unreadable(path, strerror(errno));
        if (len > FILE_MAX)
                return unreadable(path, "the file is larger than 1 MiB");
        return config_parse(path, text, (size_t)len, true);
}

/* Questions */

const struct config_table *config_table_of(
        const struct config *c, const char *schema, const char *name)
{
        for (unsigned i = 0; i < c->table_n; i++)
                if (!strcmp(c->table[i].name, name) && !strcmp(c->table[i].schema, schema))
                        return &c->table[i];
        return NULL;
}

const char *config_schema_of(const struct config *c, const char *schema)
{
        for (unsigned i = 0; i < c->schemas_n; i++)
                if (!strcmp(c->schemas[i].from, schema))
                        return c->schemas[i].to;
        if ((config_is_mysql(c->source.kind) || config_is_mysql(c->target.kind)) &&
                c->source.home && c->target.home && !strcmp(schema, c->source.home))
                return c->target.home;
        return schema;
}

static bool any_matches(const struct config_list *l, const char *schema, const char *name)
{
        for (unsigned i = 0; i < l->n; i++)
                if (pattern_matches(l->items[i], schema, name))
                        return true;
        return false;
}

bool config_selects(const struct config *c, const char *schema, const char *name)
{
        if (c->forward)
                return !is_never(c->source.kind, schema, name) &&
                       config_reverse_selects(c, schema, name);
        return !is_never(c->source.kind, schema, name) &&
               any_matches(&c->tables.include, schema, name) &&
               !any_matches(&c->tables.exclude, schema, name);
}

/* The end */

static void free_pairs(struct config_pair *pairs, unsigned n)
{
        for (unsigned i = 0; i < n; i++) {
                free(pairs[i].from);
                free(pairs[i].to);
        }
        free(pairs);
}

static void free_table(struct config_table *t)
{
        free(t->schema);
        free(t->name);
        free(t->to_schema);
        free(t->to_name);
        free(t->where);
        config_list_done(&t->columns_exclude);
        free_pairs(t->renames, t->renames_n);
}

static void free_options(struct config *c)
{
        for (const struct option *o = config_options; o->section; o++) {
                struct option_value nothing = {0};

                if (o->offset != OPTION_NOWHERE)
                        option_store(o, c, &nothing);
        }
}

static void free_password(char *password)
{
        if (password)
                explicit_bzero(password, strlen(password));
        free(password);
}

struct config *config_free(struct config *c)
{
        if (!c)
                return NULL;
        free_options(c);
        free(c->source.home);
        free(c->target.home);
        free_password(c->source.password);
        free_password(c->target.password);
        for (unsigned i = 0; i < c->table_n; i++)
                free_table(&c->table[i]);
        free(c->table);
        config_free_checks(c);
        free_pairs(c->schemas, c->schemas_n);
        for (unsigned i = 0; i < c->values_n; i++) {
                free(c->values[i].section);
                free(c->values[i].key);
                free(c->values[i].text);
        }
        free(c->values);
        for (unsigned i = 0; i < c->problems_n; i++)
                free(c->problems[i].text);
        free(c->problems);
        config_list_done(&c->only);
        free(c->path);
        free(c);
        return NULL;
}
