/*
 * An archive as the start of a replay sees it (spool/archive.h): the tables that it has, in the
 * shape that its first changes have, and where it begins. It has no rows to copy.
 *
 * Between two PostgreSQL databases text forms are the same, so values go as they are; else the
 * engine that the archive is of chooses the converters, as that engine itself would.
 */
#include "base/memory.h"
#include "model/table_keys.h"
#include "ops/copy_record.h"
#include "model/engine.h"
#include "ops/origin.h"
#include "spool/archive.h"
#include "spool/follow.h"

#include <stdlib.h>
#include <string.h>

struct origin {
        const char *folder;
        struct archive archive;
        enum engine engine;
};

static struct origin *archive_close(struct origin *o)
{
        if (!o)
                return NULL;
        archive_done(&o->archive);
        free(o);
        return NULL;
}

static int check_archive(struct origin *o, int there, struct error *e)
{
        int engine = there ? engine_of(o->archive.engine) : -1;

        if (!there)
                return error_set(e, ERROR_CONFIG,
                        "no archive of culvert's: its file 'archive' is not there");
        if (engine < 0)
                return error_set(e, ERROR_CONFIG,
                        "the archive is of a source of kind '%.40s', which this culvert %s does "
                        "not know",
                        o->archive.engine, CULVERT_VERSION);
        o->engine = (enum engine)engine;
        if (copy_stage_of(o->archive.stage) != STAGE_DONE || !o->archive.source)
                return error_set(e, ERROR_RETRY, "the archive has not begun yet");
        return 0;
}

static struct origin *archive_open(const struct config *c, struct halt *h, struct error *e)
{
        struct origin *o = memory_new_of(struct origin);
        int there = -1;

        (void)h;
        o->folder = config_folder(&c->source);
        if (archive_folder(o->folder, ARCHIVE_READ, e) == 0)
                there = archive_read(&o->archive, o->folder, e);
        if (there >= 0 && check_archive(o, there, e) == 0)
                return o;
        if (there >= 0)
                error_context(e, "%s", o->folder);
        error_context(e, "source");
        return archive_close(o);
}

static enum engine archive_engine(const struct origin *o)
{
        return o->engine;
}

/* Of the server that was archived. */
static char *archive_version(const struct origin *o)
{
        return memory_string(o->archive.version ? o->archive.version : "");
}

static int archive_identity(struct origin *o, struct source_identity *id, struct error *e)
{
        return identity_parse(id, o->archive.source, e);
}

/* ---- tables ---- */

/* One that is about to be taken in has no change yet. */
static bool has_changes(const struct archive_table *t)
{
        return !strcmp(t->state, "copied") || !strcmp(t->state, "joining") ||
               !strcmp(t->state, "left");
}

static int malformed(const struct origin *o, const struct archive_table *a, struct error *e)
{
        return error_set(e, ERROR_CONFIG, "%s/archive: what it has of table %s.%s is malformed",
                o->folder, a->schema, a->name);
}

static int define(
        const struct origin *o, const struct archive_table *a, struct table_def *t, struct error *e)
{
        t->engine = o->engine;
        t->schema = memory_string(a->schema);
        t->name = memory_string(a->name);
        t->rows = -1;
        if (!(t->shape = relation_from_text(a->first)))
                return malformed(o, a, e);
        t->columns = memory_new((t->shape->columns_n + 1u) * sizeof *t->columns);
        for (; t->columns_n < t->shape->columns_n; t->columns_n++) {
                const struct column *c = &t->shape->columns[t->columns_n];

                t->columns[t->columns_n] = (struct def_column){.name = memory_string(c->name),
                        .native = memory_string(c->native ? c->native : ""),
                        .oid = c->type,
                        .modifier = c->modifier};
        }
        return a->keys && table_keys_from_text(t, a->keys) < 0 ? malformed(o, a, e) : 0;
}

static int by_name(const void *a, const void *b)
{
        const struct table_def *x = a, *y = b;
        int order = strcmp(x->schema, y->schema);

        return order ? order : strcmp(x->name, y->name);
}

static struct table_defs *archive_tables(
        struct origin *o, origin_select *select, void *context, struct error *e)
{
        struct table_defs *t = memory_new_of(struct table_defs);

        t->items = memory_new((o->archive.n + 1) * sizeof *t->items);
        for (unsigned i = 0; i < o->archive.n; i++) {
                const struct archive_table *a = &o->archive.tables[i];

                if (has_changes(a) && select(context, a->schema, a->name) &&
                        define(o, a, &t->items[t->n++], e) < 0)
                        return table_defs_free(t);
        }
        if (t->n)
                qsort(t->items, t->n, sizeof *t->items, by_name);
        return t;
}

static int archive_names(struct origin *o, origin_select *each, void *context, struct error *e)
{
        (void)e;
        for (unsigned i = 0; i < o->archive.n; i++)
                if (has_changes(&o->archive.tables[i]))
                        each(context, o->archive.tables[i].schema, o->archive.tables[i].name);
        return 0;
}

/* Shapes in an archive have their types' names. */
static int archive_describe(struct origin *o, struct relation *shape, struct error *e)
{
        (void)o;
        (void)shape;
        (void)e;
        return 0;
}

/* And their columns' names. */
static int archive_doubt(struct origin *o, struct position *end, struct error *e)
{
        (void)o;
        (void)e;
        *end = POSITION_NONE;
        return 0;
}

static int archive_left(
        struct origin *o, const struct table_defs *t, struct buf *lines, struct error *e)
{
        (void)o;
        (void)t;
        (void)lines;
        (void)e;
        return 0;
}

static int archive_check(
        struct origin *o, const struct table_defs *t, struct checks *out, struct error *e)
{
        (void)o;
        (void)t;
        (void)out;
        (void)e;
        return 0;
}

/* Each change of the MySQL family says whether they are. */
static bool archive_logs_cascades(struct origin *o)
{
        return o->engine == ENGINE_POSTGRESQL;
}

/* ---- the stream ---- */

static int archive_arrange(
        struct origin *o, const struct table_defs *t, bool begun, struct error *e)
{
        (void)o;
        (void)t;
        (void)begun;
        (void)e;
        return 0;
}

/* The stream itself finds a gap. */
static int archive_resume(struct origin *o, const struct carried *c, struct error *e)
{
        (void)o;
        (void)c;
        (void)e;
        return 0;
}

static int archive_begin(struct origin *o, struct position *start, char **gtids, struct error *e)
{
        const char *text = o->archive.start ? o->archive.start : "";
        int found = follow_begin(disk_real(), o->folder, start, gtids, e);

        if (found != 0)
                return found < 0 ? -1 : 0;
        *gtids = memory_string(position_gtids(text));
        return position_parse(start, text, e);
}

static int archive_point(struct origin *o, const struct table_defs *t, unsigned readers,
        struct position *start, struct error *e)
{
        AUTO_STRING gtids = NULL;

        (void)t;
        if (readers)
                return error_set(e, ERROR_BUG, "%s: an archive has no rows to copy", o->folder);
        return archive_begin(o, start, &gtids, e);
}

static int archive_gtids(struct origin *o, struct position start, char **gtids, struct error *e)
{
        (void)start;
        return archive_begin(o, &start, gtids, e);
}

/* The stream stops where the first change of a table comes that it does not know, so from any
 * place before that on it has them all. */
static int archive_add_tables(struct origin *o, const struct table_defs *t, unsigned *readers,
        struct position *start, struct error *e)
{
        return archive_point(o, t, *readers, start, e);
}

static int archive_keep(struct origin *o, struct error *e)
{
        (void)o;
        (void)e;
        return 0;
}

static void archive_release(struct origin *o)
{
        (void)o;
}

const struct origin_ops segment_origin_ops = {
        .open = archive_open,
        .close = archive_close,
        .engine = archive_engine,
        .version = archive_version,
        .identity = archive_identity,
        .tables = archive_tables,
        .names = archive_names,
        .describe = archive_describe,
        .doubt = archive_doubt,
        .left = archive_left,
        .check = archive_check,
        .logs_cascades = archive_logs_cascades,
        .arrange = archive_arrange,
        .resume = archive_resume,
        .watch = archive_resume,
        .point = archive_point,
        .gtids = archive_gtids,
        .add = archive_add_tables,
        .keep = archive_keep,
        .release = archive_release,
};
