/*
 * An archive as the start sees it (spool/archive.h). What a database keeps in tables of culvert's
 * is in the folder's file 'archive', written whole at each commit; the checkpoint is where the
 * segments end. There is no copy and no table: nothing is made, nothing loaded, and every table of
 * the source has its place under its own name.
 */
#include "base/memory.h"
#include "flow/mapping.h"
#include "ops/destination.h"
#include "model/engine.h"
#include "spool/archive.h"
#include "spool/recover.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct destination {
        const struct config *config;
        const char *folder;
        struct route *route;
        int lock; /* -1: not claimed */
        struct archive archive;
        bool there; /* as it was found */
        enum engine from;
};

static struct destination *archive_close(struct destination *d)
{
        if (!d)
                return NULL;
        if (d->lock >= 0)
                close(d->lock);
        archive_done(&d->archive);
        route_free(d->route);
        free(d);
        return NULL;
}

static struct destination *archive_open(const struct config *c, struct halt *h, struct error *e)
{
        struct destination *d = memory_new_of(struct destination);
        int there;

        (void)h;
        d->config = c;
        d->folder = config_folder(&c->target);
        d->lock = -1;
        if ((there = archive_read(&d->archive, d->folder, e)) < 0) {
                error_context(e, "target");
                return archive_close(d);
        }
        d->there = there;
        d->route = route_new(c);
        return d;
}

/* Values stay what they are. */
static enum engine archive_engine(const struct destination *d)
{
        return d->from;
}

static char *archive_version(const struct destination *d)
{
        (void)d;
        return memory_string("");
}

static void archive_from(struct destination *d, enum engine from, const char *version)
{
        d->from = from;
        archive_set(&d->archive.engine, engine_name(from));
        archive_set(&d->archive.version, version);
}

static int archive_format(struct destination *d, struct error *e)
{
        (void)e;
        return d->there ? 0 : 1;
}

static bool archive_begun(struct destination *d)
{
        return d->there;
}

/* ---- claiming ---- */

/* What is in the folder without the file was begun by nobody, or lost a part. */
static int check_found(struct destination *d, const struct recovered *found, struct error *e)
{
        const char *name = d->config->pipeline.name;

        if (d->there && strcmp(d->archive.pipeline, name) != 0)
                return error_set(e, ERROR_CONFIG, "%s: the archive of pipeline %s, not %s",
                        d->folder, d->archive.pipeline, name);
        if (found->any && (!d->there || !d->archive.source))
                return error_set(e, ERROR_CONFIG,
                        "%s: has segments, and its file 'archive' is gone: take another folder",
                        d->folder);
        if (found->any && strcmp(found->source, d->archive.source) != 0)
                return error_set(e, ERROR_DATA,
                        "%s: its segments are of source %s, its file 'archive' of %s", d->folder,
                        found->source, d->archive.source);
        if (found->any && d->archive.engine && strcmp(found->engine, d->archive.engine) != 0)
                return error_set(e, ERROR_DATA,
                        "resync required: the source is %s, the archive in %s is of %s",
                        d->archive.engine, d->folder, found->engine);
        return 0;
}

static int take_found(struct destination *d, const struct recovered *found, struct position *p,
        char source[IDENTITY_TEXT], struct error *e)
{
        const struct archive *a = &d->archive;

        *p = POSITION_NONE;
        *source = '\0';
        if (check_found(d, found, e) < 0)
                return -1;
        if (!d->there || copy_stage_of(a->stage) != STAGE_DONE)
                return 0;
        snprintf(source, IDENTITY_TEXT, "%s", a->source);
        *p = found->end;
        return found->any ? 0 : position_parse(p, a->start, e);
}

/* What was read before the lock was had may be another's. The engine was told already. */
static int read_again(struct destination *d, struct error *e)
{
        AUTO_STRING version = memory_string(d->archive.version);
        int there;

        archive_done(&d->archive);
        if ((there = archive_read(&d->archive, d->folder, e)) < 0)
                return -1;
        d->there = there;
        if (!there)
                archive_set(&d->archive.pipeline, d->config->pipeline.name);
        archive_from(d, d->from, version);
        return 0;
}

static int archive_claim(
        struct destination *d, struct position *p, char source[IDENTITY_TEXT], struct error *e)
{
        struct chain *chain;
        struct recovered found = {0};
        int rc;

        if (archive_folder(d->folder, ARCHIVE_MAKE, e) < 0 ||
                (d->lock = archive_lock(d->folder, e)) < 0 || read_again(d, e) < 0)
                return -1;
        chain = chain_new();
        rc = recover_archive(disk_real(), d->folder, d->config->pipeline.name, chain, &found, e);
        if (rc == 0)
                rc = take_found(d, &found, p, source, e);
        recovered_done(&found);
        chain_free(chain);
        return rc;
}

/* ---- records ---- */

static int archive_begin(struct destination *d, struct error *e)
{
        (void)d;
        (void)e;
        return 0;
}

static int archive_commit(struct destination *d, struct error *e)
{
        if (archive_write(&d->archive, d->folder, e) < 0)
                return -1;
        d->there = true;
        return 0;
}

/* What could not be written is written with what comes next, if anything does. */
static void archive_rollback(struct destination *d)
{
        (void)d;
}

static int archive_read_record(struct destination *d, struct copy_record *r, struct error *e)
{
        const struct archive *a = &d->archive;
        int stage = d->there ? copy_stage_of(a->stage) : STAGE_NONE;

        copy_record_done(r);
        *r = (struct copy_record){0};
        if (!d->there)
                return 0;
        if (stage < 0)
                return error_set(e, ERROR_CONFIG, "%s/archive is damaged", d->folder);
        r->stage = (enum copy_stage)stage;
        r->snapshot = memory_string(a->snapshot);
        r->mode = memory_string(a->mode);
        r->published = memory_string(a->published);
        r->gtids = memory_string(position_gtids(a->start ? a->start : ""));
        if (a->source && identity_parse(&r->source, a->source, e) < 0)
                return error_context(e, "%s/archive", d->folder);
        return position_parse(&r->start, a->start ? a->start : "", e);
}

static int archive_write_record(struct destination *d, const struct copy_record *r, struct error *e)
{
        struct archive *a = &d->archive;
        char source[IDENTITY_TEXT];
        AUTO_BUF start = BUF_INIT;

        (void)e;
        position_write(&start, r->start, r->gtids);
        archive_set(&a->pipeline, d->config->pipeline.name);
        archive_set(&a->source, identity_format(&r->source, source));
        archive_set(&a->stage, copy_stage_name(r->stage));
        archive_set(&a->mode, r->mode);
        archive_set(&a->snapshot, r->snapshot);
        archive_set(&a->start, buf_text(&start));
        archive_set(&a->published, r->published);
        return 0;
}

static int archive_finish(struct destination *d, const struct copy_record *r, struct error *e)
{
        struct copy_record done = *r;

        done.stage = STAGE_DONE;
        for (unsigned i = 0; i < d->archive.n; i++)
                if (strcmp(d->archive.tables[i].state, "left") != 0)
                        archive_set(&d->archive.tables[i].state, "copied");
        return archive_write_record(d, &done, e);
}

/* Positions of another server cannot follow in the same archive. */
static int archive_gtids(struct destination *d, char **gtids, struct error *e)
{
        (void)d;
        (void)e;
        *gtids = NULL;
        return 0;
}

static int archive_checkpoint(struct destination *d, const struct copy_record *r, struct error *e)
{
        (void)r;
        return error_set(e, ERROR_BUG, "%s: an archive does not go to another server", d->folder);
}

/* ---- tables ---- */

static int read_table(const struct destination *d, const struct archive_table *a,
        struct table_record *t, struct error *e)
{
        const struct route_table *r = route_find(d->route, a->schema, a->name);

        t->schema = memory_string(a->schema);
        t->name = memory_string(a->name);
        t->target_schema = memory_string(r ? r->schema : a->schema);
        t->target_name = memory_string(r ? r->name : a->name);
        t->state = memory_string(a->state);
        t->shape = relation_from_text(a->shape);
        t->next = a->next ? relation_from_text(a->next) : NULL;
        t->mark = memory_string(a->mark);
        t->keys = memory_string(a->keys);
        if (position_parse(&t->start, a->start ? a->start : "", e) < 0)
                return error_context(e, "%s/archive", d->folder);
        if (t->shape && (t->next || !a->next))
                return 0;
        return error_set(e, ERROR_CONFIG, "%s/archive: the shape of %s.%s is malformed", d->folder,
                a->schema, a->name);
}

static struct table_records *archive_read_tables(struct destination *d, struct error *e)
{
        struct table_records *t = memory_new_of(struct table_records);

        t->items = memory_new((d->archive.n + 1) * sizeof *t->items);
        for (unsigned i = 0; i < d->archive.n; i++)
                if (read_table(d, &d->archive.tables[i], &t->items[t->n++], e) < 0)
                        return table_records_free(t);
        return t;
}

static int archive_clear(struct destination *d, struct error *e)
{
        (void)e;
        archive_clear_tables(&d->archive);
        return 0;
}

static void set_shape(char **field, const struct relation *shape)
{
        AUTO_BUF text = BUF_INIT;

        if (shape)
                relation_to_text(shape, &text);
        archive_set(field, shape ? buf_text(&text) : NULL);
}

/* As the first changes of it will be: without the columns that are excluded. */
static int set_first(const struct destination *d, struct archive_table *a,
        const struct relation *shape, struct error *e)
{
        const struct mapping_ends ends = {.from = d->from, .to = d->from, .known = shape};
        struct mapping m = {0};
        int rc = mapping_init(&m, route_find(d->route, a->schema, a->name), shape, &ends, e);

        if (rc == 0)
                set_shape(&a->first, m.target);
        mapping_done(&m);
        return rc;
}

static int archive_write_table(struct destination *d, const struct table_record *t, struct error *e)
{
        struct archive_table *a = archive_add(&d->archive, t->schema, t->name);
        char start[POSITION_TEXT];

        if (!a->first && set_first(d, a, t->shape, e) < 0)
                return -1;
        archive_set(&a->state, t->state);
        archive_set(&a->start, position_format(t->start, start));
        archive_set(&a->mark, t->mark);
        archive_set(&a->keys, t->keys);
        set_shape(&a->shape, t->shape);
        set_shape(&a->next, t->next);
        return 0;
}

static int archive_has_table(struct destination *d, const char *schema, const char *name,
        struct relation **shape, bool *rows, struct error *e)
{
        (void)d;
        (void)schema;
        (void)name;
        (void)e;
        *shape = NULL;
        *rows = false;
        return 1;
}

static int archive_check(struct destination *d, const struct destined *t, unsigned n,
        struct checks *out, struct error *e)
{
        struct error unfit = ERROR_INIT;

        (void)t;
        (void)n;
        (void)e;
        if (access(d->folder, F_OK) == 0 && archive_folder(d->folder, ARCHIVE_OURS, &unfit) < 0)
                checks_add(out, CHECK_ERROR, NULL, "target: %s", unfit.message);
        return 0;
}

/* They are archived with the changes that they follow; who replays them sees to them. */
static int archive_cascades(struct destination *d, const struct cascades *c, const bool *made,
        struct checks *out, struct error *e)
{
        (void)d;
        (void)c;
        (void)made;
        (void)out;
        (void)e;
        return 0;
}

const struct destination_ops segment_destination_ops = {
        .open = archive_open,
        .close = archive_close,
        .engine = archive_engine,
        .version = archive_version,
        .from = archive_from,
        .format = archive_format,
        .begun = archive_begun,
        .claim = archive_claim,
        .begin = archive_begin,
        .commit = archive_commit,
        .rollback = archive_rollback,
        .read_record = archive_read_record,
        .write_record = archive_write_record,
        .read_tables = archive_read_tables,
        .clear_tables = archive_clear,
        .write_table = archive_write_table,
        .gtids = archive_gtids,
        .checkpoint = archive_checkpoint,
        .finish = archive_finish,
        .table = archive_has_table,
        .check = archive_check,
        .cascades = archive_cascades,
};
