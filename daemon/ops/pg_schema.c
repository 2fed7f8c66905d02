#include "ops/pg_schema.h"
#include "base/file.h"
#include "base/memory.h"
#include "db/pg_array.h"
#include "flow/route.h"
#include "ops/pg_programs.h"
#include "ops/pg_schema_pick.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Above this, one transaction could need more locks than a target with default settings has. */
#define SINGLE_TRANSACTION_MAX 1000

/* pg_dump locks every table that it dumps, which takes SELECT: those that are not ours to read are
 * left out of the dump. Partitions of wanted tables are checked elsewhere. */
#define UNREADABLE_SQL                                                                             \
        "select n.nspname, c.relname from pg_catalog.pg_class c"                                   \
        " join pg_catalog.pg_namespace n on n.oid = c.relnamespace"                                \
        " where c.relkind in ('r', 'p') and n.nspname !~ '^pg_'"                                   \
        " and n.nspname <> 'information_schema' and c.oid >= 16384"                                \
        " and not pg_catalog.has_table_privilege(c.oid, 'select')"

struct lines {
        char **items;
        unsigned n;
};

struct pg_schema {
        struct pg_programs programs;
        PGconn *target; /* borrowed */
        char *file, *list_file;
        struct pg_dump_list *list;
        struct pg_graph *graph;
        struct pg_picks picks;
        struct lines made, left;
        bool no_references;
};

static void add_line(struct lines *l, char *line)
{
        l->items = memory_grow(l->items, (l->n + 1) * sizeof *l->items);
        l->items[l->n++] = line;
}

static void lines_done(struct lines *l)
{
        for (unsigned i = 0; i < l->n; i++)
                free(l->items[i]);
        free(l->items);
}

struct there {
        const struct pg_tables *create;
        struct route *route;
};

/* Migrated tables that are on the target under the same name: others may point at them. */
static bool is_there(void *context, const char *schema, const char *name)
{
        const struct there *t = context;
        const struct route_table *r;

        if (pg_tables_find(t->create, schema, name))
                return false;
        r = route_find(t->route, schema, name);
        return r && !route_is_renamed(r);
}

static struct pg_graph *make_graph(
        struct route *r, PGconn *source, const struct pg_tables *create, struct error *e)
{
        struct there there = {create, r};
        AUTO_BUF make_oids = BUF_INIT, there_oids = BUF_INIT;
        struct pg_tables *t = pg_tables_read(source, is_there, &there, e);
        struct pg_graph *g = NULL;

        if (!t)
                return NULL;
        for (unsigned i = 0; i < create->n; i++)
                pg_array_number(&make_oids, create->items[i].oid);
        for (unsigned i = 0; i < t->n; i++)
                pg_array_number(&there_oids, t->items[i].oid);
        g = pg_graph_new(source, pg_array_close(&make_oids), pg_array_close(&there_oids), e);
        pg_tables_free(t);
        return g;
}

/* The file is made before pg_dump opens it, so that nobody else can read it at any time. */
static int make_file(const char *path, struct error *e)
{
        int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600);

        if (fd < 0)
                return error_set(e, ERROR_CONFIG, "%s: %s", path, strerror(errno));
        close(fd);
        return 0;
}

static int dump(struct pg_schema *s, PGconn *source, const char *snapshot, struct error *e)
{
        AUTO_RESULT r = pg_query(source, e, UNREADABLE_SQL, 0, NULL);
        struct lines exclude = {0};
        int rc;

        if (!r || make_file(s->file, e) < 0)
                return -1;
        for (int i = 0; i < PQntuples(r); i++) {
                struct buf pattern = BUF_INIT;

                pg_table(&pattern, pg_text(r, i, 0), pg_text(r, i, 1));
                add_line(&exclude, buf_take(&pattern));
        }
        rc = pg_programs_dump(&s->programs,
                &(struct pg_dump_options){s->file, snapshot, exclude.items, exclude.n}, e);
        lines_done(&exclude);
        return rc;
}

static int read_list(struct pg_schema *s, struct error *e)
{
        AUTO_BUF text = BUF_INIT;

        if (pg_programs_list(&s->programs, s->file, &text, e) < 0)
                return -1;
        s->list = pg_dump_list_parse(buf_text(&text), e);
        return s->list ? 0 : -1;
}

/* " as shop.articles" for a table that gets another name in the end; else "". */
static char *place_of(const struct pg_pick *p, const struct pg_tables *create, struct route *r)
{
        for (unsigned i = 0; pg_pick_is(p, "TABLE") && i < create->n; i++) {
                const struct pg_table_info *t = &create->items[i];
                const struct route_table *x = route_find(r, t->schema, t->name);

                if (p->entry->oid == t->oid && x &&
                        (strcmp(x->schema, t->schema) != 0 || strcmp(x->name, t->name) != 0))
                        return memory_printf(" as %s.%s", x->schema, x->name);
        }
        return memory_string("");
}

static void add_made(struct pg_schema *s, const struct pg_pick *p, const struct pg_tables *create,
        struct route *r)
{
        AUTO_STRING place = place_of(p, create, r);

        add_line(&s->made, memory_printf("%s %s%s", p->entry->kind->name, p->name.identity, place));
}

static void describe(struct pg_schema *s, const struct pg_tables *create, struct route *r)
{
        for (unsigned i = 0; i < s->picks.n; i++) {
                const struct pg_pick *p = &s->picks.items[i];

                if (!p->name.identity)
                        continue;
                if (p->left)
                        add_line(&s->left, memory_printf("%s %s: %s", p->entry->kind->name,
                                                   p->name.identity, p->left));
                else if (pg_picks_phase(&s->picks, s->list, p) != DUMP_NEVER)
                        add_made(s, p, create, r);
        }
        if (s->made.n > 0)
                add_line(&s->left, memory_string("owners, privileges, tablespaces, security "
                                                 "labels, publications and subscriptions: set them "
                                                 "on the target by hand"));
}

static int pick(struct pg_schema *s, const struct pg_tables *create, struct route *r,
        PGconn *source, PGconn *target, struct error *e)
{
        AUTO_BUF tables = BUF_INIT, columns = BUF_INIT;
        struct pg_excluded excluded;

        for (unsigned i = 0; i < create->n; i++) {
                const struct pg_table_info *t = &create->items[i];
                const struct route_table *x = route_find(r, t->schema, t->name);

                for (unsigned k = 0; x && k < t->columns_n; k++) {
                        if (route_column(x, t->columns[k].name))
                                continue;
                        pg_array_number(&tables, t->oid);
                        pg_array_text(&columns, t->columns[k].name);
                }
        }
        excluded.tables = pg_array_close(&tables);
        excluded.columns = pg_array_close(&columns);
        return pg_picks_make(&s->picks, s->list, s->graph, &excluded, source, target, e);
}

struct pg_schema *pg_schema_new(const struct config *c, PGconn *source, PGconn *target,
        const struct pg_tables *create, const char *snapshot, const char *folder,
        const atomic_bool *stop, struct error *e)
{
        struct pg_schema *s = memory_new_of(struct pg_schema);
        struct route *r = route_new(c);

        s->programs = (struct pg_programs){c, stop};
        s->target = target;
        s->file = memory_printf("%s/schema.dump", folder);
        s->list_file = memory_printf("%s/schema.list", folder);
        if (pg_programs_check(&s->programs, PQserverVersion(source) / 10000, e) < 0 ||
                dump(s, source, snapshot, e) < 0 || read_list(s, e) < 0 ||
                !(s->graph = make_graph(r, source, create, e)) ||
                pick(s, create, r, source, target, e) < 0)
                s = pg_schema_free(s);
        else
                describe(s, create, r);
        route_free(r);
        return s;
}

void pg_schema_remove_files(struct pg_schema *s)
{
        if (!s)
                return;
        unlink(s->file);
        unlink(s->list_file);
}

struct pg_schema *pg_schema_free(struct pg_schema *s)
{
        if (!s)
                return NULL;
        pg_schema_remove_files(s);
        pg_picks_done(&s->picks);
        pg_graph_free(s->graph);
        pg_dump_list_free(s->list);
        lines_done(&s->made);
        lines_done(&s->left);
        free(s->file);
        free(s->list_file);
        free(s);
        return NULL;
}

/* A foreign key, or the comment on one. */
static bool is_of_reference(const struct pg_schema *s, const struct pg_pick *p)
{
        const struct pg_dump_entry *about;

        if (pg_pick_is(p, "FK CONSTRAINT"))
                return true;
        if (p->entry->kind->phase != DUMP_WITH || p->entry->needs_n == 0)
                return false;
        about = pg_dump_list_find(s->list, p->entry->needs[0]);
        return about && !strcmp(about->kind->name, "FK CONSTRAINT");
}

/* pg_restore reads only the id of each line. */
static unsigned list_phase(struct pg_schema *s, enum pg_dump_phase phase, struct buf *out)
{
        unsigned n = 0;

        for (unsigned i = 0; i < s->picks.n; i++) {
                if (pg_picks_phase(&s->picks, s->list, &s->picks.items[i]) != phase)
                        continue;
                if (s->no_references && is_of_reference(s, &s->picks.items[i]))
                        continue;
                buf_printf(out, "%u;\n", s->picks.items[i].entry->id);
                n++;
        }
        return n;
}

/* jobs 0: one transaction, if the target can hold it. */
static int restore(struct pg_schema *s, enum pg_dump_phase phase, unsigned jobs, struct error *e)
{
        AUTO_BUF list = BUF_INIT;
        unsigned n;

        if (pg_names_there(s->target, &s->picks.there, e) < 0)
                return -1;
        n = list_phase(s, phase, &list);
        if (n == 0)
                return 0;
        if (jobs == 0 && n > SINGLE_TRANSACTION_MAX)
                jobs = 1;
        if (file_replace(s->list_file, buf_text(&list), e) < 0)
                return -1;
        return pg_programs_restore(&s->programs, s->file, s->list_file, jobs, e);
}

int pg_schema_pre_data(struct pg_schema *s, struct error *e)
{
        return restore(s, DUMP_PRE, 0, e) < 0 ? error_context(e, "creating tables") : 0;
}

int pg_schema_post_data(struct pg_schema *s, unsigned workers, struct error *e)
{
        if (restore(s, DUMP_POST, workers ? workers : 1, e) < 0)
                return error_context(e, "building indexes and constraints");
        if (restore(s, DUMP_LAST, 0, e) < 0)
                return error_context(e, "creating triggers");
        return 0;
}

void pg_schema_hold_references(struct pg_schema *s)
{
        s->no_references = true;
}

unsigned pg_schema_left_n(const struct pg_schema *s)
{
        return s->left.n;
}

const char *pg_schema_left(const struct pg_schema *s, unsigned i)
{
        return s->left.items[i];
}

unsigned pg_schema_made_n(const struct pg_schema *s)
{
        return s->made.n;
}

const char *pg_schema_made(const struct pg_schema *s, unsigned i)
{
        return s->made.items[i];
}
