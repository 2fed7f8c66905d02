/*
 * Tables that came after the start:
 *
 *   1. They are put into the publication. Then a temporary slot is made, for its snapshot only:
 *      making one waits for every transaction that is running, so that whatever commits after its
 *      position began when the tables were published already.
 *   2. Their rows are copied under that snapshot, as of its position S, and indexes are built. The
 *      stream stands meanwhile: it must not pass S before they are a part of it.
 *   3. "joining": the stream goes on up to S, without the changes of these tables, and then begins
 *      anew: servers before 14.18, 15.13, 16.9 and 17.5 may take a table for unpublished ever
 *      after, on a connection that has decoded a transaction from before step 1.
 *   4. At S the target is in all its tables what the source was: foreign keys can be made. Then
 *      the tables get their names (ops/prepare_place.c) and sequences their values.
 *
 * culvert.tables has the step of each table, and a start goes on from there. A failure of 1 or 2
 * leaves the tables "refused" and the others as they were, and does not keep the stream.
 */
#include "base/log.h"
#include "base/memory.h"
#include "ops/prepare_private.h"

#include <stdlib.h>
#include <string.h>

static bool is_joining(const struct table_record *k)
{
        return k && !strcmp(k->state, "joining");
}

static const struct table_record *record_of(const struct prepare *p, const struct pg_table_info *t)
{
        return table_records_find(p->known, t->schema, t->name);
}

static bool lost(const struct prepare *p)
{
        return PQstatus(p->source) != CONNECTION_OK || PQstatus(p->target) != CONNECTION_OK ||
               halt_asked(p->halt);
}

/* ---- step 4 ---- */

static bool is_joining_table(const struct prepare *p, const struct pg_table_info *t)
{
        return is_joining(record_of(p, t));
}

static int by_name(const void *a, const void *b)
{
        const struct pg_table_info *x = a, *y = b;
        int schema = strcmp(x->schema, y->schema);

        return schema ? schema : strcmp(x->name, y->name);
}

/* Moves what is in `from` to the others, and frees the rest of it. */
static void put_back(struct pg_tables *to, struct pg_tables *from)
{
        to->items = memory_grow(to->items, (to->n + from->n + 1) * sizeof *to->items);
        for (unsigned i = 0; i < from->n; i++)
                to->items[to->n++] = from->items[i];
        from->n = 0;
        pg_tables_free(from);
        qsort(to->items, to->n, sizeof *to->items, by_name);
}

static int finish_joining(struct prepare *p, struct error *e)
{
        struct pg_tables *all = p->tables;
        int rc;

        p->tables = prepare_take_out(all, is_joining_table, p);
        prepare_set_targets(p);
        rc = prepare_open_schema(p, e);
        if (rc == 0 && p->schema)
                rc = pg_schema_post_data(p->schema, (unsigned)p->config->snapshot.workers, e);
        p->schema = pg_schema_free(p->schema);
        if (rc < 0 && !lost(p)) {
                log_error("foreign keys of the added tables are missing on the target: %s",
                        e->message);
                error_clear(e);
                rc = 0;
        }
        if (rc == 0 && p->config->snapshot.mode != SNAPSHOT_NONE)
                rc = prepare_settle(p, e);
        put_back(all, p->tables);
        p->tables = all;
        return rc;
}

static int record_joined(struct prepare *p, struct error *e)
{
        if (copy_book_begin(&p->book, e) < 0)
                return -1;
        for (unsigned i = 0; i < p->known->n; i++) {
                struct table_record *k = &p->known->items[i];

                if (!is_joining(k))
                        continue;
                free(k->state);
                k->state = memory_string("copied");
                k->start = POSITION_NONE;
                if (table_record_write(&p->book, k, e) < 0)
                        return -1;
                log_event(LOG_LEVEL_INFO, LOG_COPY, NULL, "table %s.%s is part of the stream now",
                        k->schema, k->name);
        }
        return copy_book_commit(&p->book, e);
}

int prepare_join(struct prepare *p, struct error *e)
{
        struct position start = POSITION_NONE;

        for (unsigned i = 0; i < p->known->n; i++)
                if (is_joining(&p->known->items[i]))
                        start = position_max(start, p->known->items[i].start);
        if (position_is_none(start))
                return 0;
        if (position_compare(p->stored, start) < 0) {
                p->result->until = start;
                return 0;
        }
        return finish_joining(p, e) < 0 ? -1 : record_joined(p, e);
}

/* ---- steps 1 and 2 ---- */

static int publish(struct prepare *p, struct error *e)
{
        const struct relation **shapes = prepare_shapes(p);
        struct pg_published added = {.shapes = shapes, .n = p->tables->n};
        AUTO_BUF statement = BUF_INIT;
        int rc = pg_publication_add(p->source, p->config->pg.publication, &added, &statement, e);

        if (statement.len)
                log_error("to be run on the source by an administrator: %s", buf_text(&statement));
        free(shapes);
        return rc;
}

static int write_added(struct prepare *p, const char *state, struct error *e)
{
        for (unsigned i = 0; i < p->tables->n; i++)
                if (prepare_write_table(p, i,
                            state          ? state
                            : p->append[i] ? "append"
                                           : "waiting",
                            p->record.start, e) < 0)
                        return -1;
        return 0;
}

static int copy_added(struct prepare *p, struct error *e)
{
        p->checked = false;
        if (prepare_check(p, e) < 0 || prepare_try_replica_role(p, e) < 0 ||
                prepare_empty_loaded(p, true, e) < 0 || prepare_look_at_target(p, e) < 0 ||
                publish(p, e) < 0)
                return -1;
        prepare_set_counters(p);
        if (prepare_make_point(p, e) < 0 || copy_book_begin(&p->book, e) < 0 ||
                write_added(p, NULL, e) < 0 || copy_book_commit(&p->book, e) < 0)
                return -1;
        if (p->config->snapshot.mode == SNAPSHOT_NONE)
                return 0;
        if (prepare_load_rows(p, e) < 0)
                return -1;
        halt_close(p->halt, &p->anchor);
        return prepare_build(p, false, e);
}

/* What the stream expects, with the new ones behind those that were there. */
static void extend_result(struct prepare *p)
{
        struct prepare_result *r = p->result;
        unsigned n = r->shapes_n + p->tables->n;

        r->shapes = memory_grow(r->shapes, (n + 1) * sizeof(*r->shapes));
        r->next = memory_grow(r->next, (n + 1) * sizeof(*r->next));
        r->begin = memory_grow(r->begin, (n + 1) * sizeof *r->begin);
        r->marks = memory_grow(r->marks, (n + 1) * sizeof *r->marks);
        for (unsigned i = 0; i < p->tables->n; i++) {
                unsigned at = r->shapes_n++;

                r->shapes[at] = relation_ref(p->tables->items[i].shape);
                r->next[at] = NULL;
                r->begin[at] = p->record.start;
                r->marks[at] = memory_string(p->marks[i]);
        }
        r->until = p->record.start;
}

/* With the publication's mark, in one commit: it is of these tables, too. */
static int record_joining(struct prepare *p, struct copy_record *stream, struct error *e)
{
        struct prepare_result *r = p->result;
        struct pg_published all = {(const struct relation *const *)r->shapes, r->shapes_n};
        char *published = pg_publication_mark(p->source, p->config->pg.publication, &all, e);
        char start[POSITION_TEXT];

        if (!published)
                return -1;
        free(stream->published);
        stream->published = published;
        if (copy_book_begin(&p->book, e) < 0 || write_added(p, "joining", e) < 0 ||
                copy_record_write(&p->book, stream, e) < 0 || copy_book_commit(&p->book, e) < 0)
                return -1;
        log_event(LOG_LEVEL_INFO, LOG_COPY, NULL,
                "%u tables are copied as of %s; the stream comes there first, then they join it",
                p->tables->n, position_format(p->record.start, start));
        return 0;
}

/* While it lasts, p->tables, p->record and the counters are those of the copy under way. */
static int add(struct prepare *p, struct error *e)
{
        struct copy_record stream = p->record;
        int rc;

        p->others = p->tables;
        p->tables = p->fresh;
        p->fresh = NULL;
        p->record = (struct copy_record){.stage = STAGE_COPYING};
        rc = copy_added(p, e);
        if (rc == 0) {
                extend_result(p);
                rc = record_joining(p, &stream, e);
        }
        p->fresh = p->tables;
        p->tables = p->others;
        p->others = NULL;
        copy_record_done(&p->record);
        p->record = stream;
        if (rc < 0)
                return -1;
        put_back(p->tables, p->fresh);
        p->fresh = memory_new_of(struct pg_tables);
        return 0;
}

static int take_back(struct prepare *p, struct error *e)
{
        if (prepare_empty_loaded(p, true, e) < 0 || copy_book_begin(&p->book, e) < 0)
                return -1;
        for (unsigned i = 0; i < p->known->n; i++) {
                struct table_record *k = &p->known->items[i];

                if (position_is_none(k->start))
                        continue;
                free(k->state);
                k->state = memory_string("refused");
                if (table_record_write(&p->book, k, e) < 0)
                        return -1;
        }
        return copy_book_commit(&p->book, e);
}

/* The stream goes on without them. */
static int give_up(struct prepare *p, struct error *e)
{
        log_error("new tables could not be added, and the others go on without them: %s; "
                  "culvertctl %s reload tries again",
                e->message, p->config->pipeline.name);
        p->result->refused = memory_string(e->message);
        error_clear(e);
        halt_close(p->halt, &p->anchor);
        p->schema = pg_schema_free(p->schema);
        copy_book_rollback(&p->book);
        table_records_free(p->known);
        if (!(p->known = table_records_read(&p->book, e)) || take_back(p, e) < 0) {
                if (lost(p))
                        return -1;
                log_error(
                        "the target keeps rows of tables that could not be added: %s", e->message);
                copy_book_rollback(&p->book);
                error_clear(e);
        }
        prepare_set_counters(p);
        return 0;
}

/* ---- which ---- */

static bool was_interrupted(const struct prepare *p, const struct pg_table_info *t)
{
        const struct table_record *k = record_of(p, t);

        return k && !position_is_none(k->start) && strcmp(k->state, "refused") != 0;
}

static void say_fresh(struct prepare *p)
{
        struct prepare_result *r = p->result;

        r->fresh = memory_new((p->fresh->n + 1) * sizeof(*r->fresh));
        for (unsigned i = 0; i < p->fresh->n; i++) {
                const struct pg_table_info *t = &p->fresh->items[i];

                r->fresh[r->fresh_n++] = route_find(p->route, t->schema, t->name);
                log_warning("table %s.%s is new: it is not migrated until culvertctl %s reload",
                        t->schema, t->name, p->config->pipeline.name);
        }
}

/* Without a `reload` only what was interrupted is taken up again. One at a time: not while others
 * are still joining. */
static struct pg_tables *set_wanted_apart(struct prepare *p)
{
        struct pg_tables *rest = p->fresh;

        if (!position_is_none(p->result->until)) {
                p->fresh = memory_new_of(struct pg_tables);
        } else if (p->add) {
                rest = memory_new_of(struct pg_tables);
        } else {
                p->fresh = prepare_take_out(rest, was_interrupted, p);
        }
        return rest;
}

int prepare_add(struct prepare *p, struct error *e)
{
        struct pg_tables *rest = set_wanted_apart(p);
        int rc = 0;

        if (p->fresh->n > 0 && add(p, e) < 0)
                rc = lost(p) ? -1 : give_up(p, e);
        put_back(p->fresh, rest);
        if (rc == 0)
                say_fresh(p);
        return rc;
}
