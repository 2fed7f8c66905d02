/* A start that stands on an earlier one: the stream goes on, or a loaded copy is finished. */
#include "base/log.h"
#include "base/memory.h"
#include "ops/prepare_private.h"

#include <stdlib.h>
#include <string.h>

static int write_record(struct prepare *p, const struct table_record *k, struct error *e)
{
        return copy_book_begin(&p->book, e) < 0 || table_record_write(&p->book, k, e) < 0 ||
                               copy_book_commit(&p->book, e) < 0
                       ? -1
                       : 0;
}

/* The shape that stopped the stream becomes the table's next one; what was next is passed. */
static int record_accepted(struct prepare *p, struct table_record *k, struct error *e)
{
        if (!p->accepted || k->shape->id != p->accepted->id)
                return 0;
        if (k->next) {
                relation_unref(k->shape);
                k->shape = k->next;
        }
        k->next = relation_ref(p->accepted);
        log_info("the new definition of %s.%s on the source is accepted", k->schema, k->name);
        return write_record(p, k, e);
}

/* Is it in the stream? Not one that is left, nor one that is being added and not loaded yet. */
static bool is_streamed(const struct table_record *k)
{
        return strcmp(k->state, "left") != 0 &&
               (position_is_none(k->start) || !strcmp(k->state, "joining"));
}

/* The publication's mark was of it, too: both at once, or the next start would miss it there. */
static int leave(struct prepare *p, struct table_record *k, struct error *e)
{
        log_warning("table %s.%s is no longer migrated: its changes are left out from now on",
                k->schema, k->name);
        free(k->state);
        k->state = memory_string("left");
        k->start = POSITION_NONE;
        free(p->record.published);
        p->record.published = NULL;
        if (copy_book_begin(&p->book, e) < 0 || table_record_write(&p->book, k, e) < 0 ||
                copy_record_write(&p->book, &p->record, e) < 0)
                return -1;
        return copy_book_commit(&p->book, e);
}

/* The tables that are streamed: those recorded and still selected. Says which are left. */
static int take_known_shapes(struct prepare *p, struct error *e)
{
        struct prepare_result *r = p->result;

        r->shapes = memory_new((p->known->n + 1) * sizeof(*r->shapes));
        r->next = memory_new((p->known->n + 1) * sizeof(*r->next));
        r->begin = memory_new((p->known->n + 1) * sizeof *r->begin);
        for (unsigned i = 0; i < p->known->n; i++) {
                struct table_record *k = &p->known->items[i];

                if (!route_find(p->route, k->schema, k->name)) {
                        if (strcmp(k->state, "left") != 0 && leave(p, k, e) < 0)
                                return -1;
                        continue;
                }
                if (!is_streamed(k))
                        continue;
                if (record_accepted(p, k, e) < 0)
                        return -1;
                r->begin[r->shapes_n] = k->start;
                r->next[r->shapes_n] = k->next ? relation_ref(k->next) : NULL;
                r->shapes[r->shapes_n++] = relation_ref(k->shape);
        }
        return 0;
}

int prepare_take_mark(const struct prepare *p, struct table_record *k, const char *now,
        int compared, struct error *e)
{
        if (compared < 0 && !(p->accept_marks && !strcmp(e->code, PG_MARKS_CODE)))
                return -1;
        if (compared < 0)
                log_warning("accepted: %s", e->message);
        else if (compared > 0)
                log_warning("cannot be looked at: %s", e->message);
        error_clear(e);
        if (k->mark && !strcmp(k->mark, now))
                return 0;
        free(k->mark);
        k->mark = memory_string(now);
        return 1;
}

static int check_mark(struct prepare *p, struct table_record *k, const struct relation *shape,
        const char *now, struct error *e)
{
        int compared = pg_marks_compare(p->source, shape, k->mark, now, e);
        int rc = prepare_take_mark(p, k, now, compared, e);

        return rc > 0 ? write_record(p, k, e) : rc;
}

static int check_marks(struct prepare *p, struct error *e)
{
        struct prepare_result *r = p->result;
        struct pg_published all = {(const struct relation *const *)r->shapes, r->shapes_n};

        if (!(r->marks = pg_marks_read(p->source, &all, e)))
                return error_context(e, "source");
        for (unsigned i = 0; i < r->shapes_n; i++) {
                const struct relation *s = r->shapes[i];
                struct table_record *k = table_records_find(p->known, s->schema, s->name);

                if (k && check_mark(p, k, s, r->marks[i], e) < 0)
                        return -1;
        }
        return 0;
}

struct pg_tables *prepare_take_out(struct pg_tables *from,
        bool (*which)(const struct prepare *p, const struct pg_table_info *t),
        const struct prepare *p)
{
        struct pg_tables *out = memory_new_of(struct pg_tables);
        unsigned kept = 0;

        out->items = memory_new((from->n + 1) * sizeof *out->items);
        for (unsigned i = 0; i < from->n; i++)
                if (which(p, &from->items[i]))
                        out->items[out->n++] = from->items[i];
                else
                        from->items[kept++] = from->items[i];
        from->n = kept;
        return out;
}

static bool is_fresh(const struct prepare *p, const struct pg_table_info *t)
{
        const struct table_record *k = table_records_find(p->known, t->schema, t->name);

        return !k || !is_streamed(k);
}

/* Leaves in p->tables only what is streamed, so that progress shows what is true. */
static void set_fresh_apart(struct prepare *p)
{
        pg_tables_free(p->fresh);
        p->fresh = prepare_take_out(p->tables, is_fresh, p);
}

/* Bringing it into step may have moved the mark. */
int prepare_record_published(struct prepare *p, const struct pg_published *wanted, struct error *e)
{
        AUTO_STRING now = pg_publication_mark(p->source, p->config->pg.publication, wanted, e);
        char *old = p->record.published;

        if (!now)
                return -1;
        if (old && !strcmp(old, now))
                return 0;
        p->record.published = memory_string(now);
        free(old);
        if (copy_book_begin(&p->book, e) < 0 || copy_record_write(&p->book, &p->record, e) < 0)
                return -1;
        return copy_book_commit(&p->book, e);
}

static int check_publication(struct prepare *p, struct error *e)
{
        const char *name = p->config->pg.publication;
        struct pg_published wanted = {.shapes = (const struct relation *const *)p->result->shapes,
                .n = p->result->shapes_n};
        struct error ignored = ERROR_INIT;
        unsigned extra = 0;

        if (pg_publication_check(p->source, name, &wanted, &extra, e) < 0 ||
                pg_publication_same(p->source, name, &wanted, p->record.published, e) < 0)
                return -1;
        if (pg_publication_trim(p->source, name, &wanted, &ignored) < 0)
                log_warning(
                        "publication %s could not be brought into step: %s", name, ignored.message);
        else if (extra > 0)
                log_info("publication %s had %u tables that are not migrated", name, extra);
        return prepare_record_published(p, &wanted, e);
}

/* Recorded tables, the slot, the publication: all must be as they were. */
static int check_known(struct prepare *p, struct error *e)
{
        if (pg_slot_check(p->source, p->config->pg.slot, e) < 0 ||
                prepare_read_tables(p, p->source, e) < 0 || take_known_shapes(p, e) < 0)
                return -1;
        set_fresh_apart(p);
        if (prepare_check(p, e) < 0 || check_publication(p, e) < 0)
                return -1;
        return check_marks(p, e);
}

/* A table's copy that the stream had not come to stands at a place of the old timeline, too. */
static struct position last_known(const struct prepare *p)
{
        struct position last = p->stored;

        for (unsigned i = 0; i < p->known->n; i++)
                if (is_streamed(&p->known->items[i]))
                        last = position_max(last, p->known->items[i].start);
        return last;
}

/* From now on the checkpoint belongs to the promoted standby's timeline. */
static int follow(struct prepare *p, const struct source_identity *stored, struct error *e)
{
        int rc = pg_source_follow(p->replication, stored, &p->identity, last_known(p), e);

        if (rc <= 0)
                return rc;
        p->record.source = p->identity;
        if (copy_book_begin(&p->book, e) < 0 || copy_record_write(&p->book, &p->record, e) < 0 ||
                copy_record_moved(&p->book, &p->identity, e) < 0)
                return -1;
        return copy_book_commit(&p->book, e);
}

/* For a standby that may be promoted; the stream needs it not. */
static void keep_for_failover(struct prepare *p)
{
        struct error e = ERROR_INIT;

        if (pg_slot_set_failover(p->source, p->replication, p->config->pg.slot, &e) < 0)
                log_warning("slot %s is not kept on standbys: %s", p->config->pg.slot, e.message);
}

int prepare_resume(struct prepare *p, struct error *e)
{
        struct source_identity stored;

        if (identity_parse(&stored, p->stored_source, e) < 0)
                return error_context(e, "culvert.checkpoint on the target");
        p->record.stage = STAGE_DONE;
        if (follow(p, &stored, e) < 0 || check_known(p, e) < 0)
                return -1;
        keep_for_failover(p);
        prepare_set_counters(p);
        return prepare_join(p, e) < 0 ? -1 : prepare_add(p, e);
}

/* All rows are in, the slot still has everything since: indexes, sequences and so on remain. */
int prepare_go_on(struct prepare *p, struct error *e)
{
        if (identity_check(&p->record.source, &p->identity, e) < 0 || check_known(p, e) < 0)
                return -1;
        log_event(LOG_LEVEL_INFO, LOG_COPY, NULL,
                "the copy was interrupted after all rows were in: going on with indexes and "
                "constraints");
        prepare_set_counters(p);
        prepare_set_targets(p);
        return prepare_finish(p, e);
}
