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

/* The tables that are streamed: those recorded and still selected. Says which are new or left. */
static int take_known_shapes(struct prepare *p, struct error *e)
{
        struct prepare_result *r = p->result;

        r->shapes = memory_new((p->known->n + 1) * sizeof(*r->shapes));
        r->next = memory_new((p->known->n + 1) * sizeof(*r->next));
        for (unsigned i = 0; i < p->known->n; i++) {
                struct table_record *k = &p->known->items[i];
                bool left = !strcmp(k->state, "left");

                if (!left && route_find(p->route, k->schema, k->name)) {
                        if (record_accepted(p, k, e) < 0)
                                return -1;
                        r->next[r->shapes_n] = k->next ? relation_ref(k->next) : NULL;
                        r->shapes[r->shapes_n++] = relation_ref(k->shape);
                        continue;
                }
                if (left)
                        continue;
                log_warning(
                        "table %s.%s is no longer migrated: its changes are left out from now on",
                        k->schema, k->name);
                free(k->state);
                k->state = memory_string("left");
                free(p->record.published); /* the mark was of it, too */
                p->record.published = NULL;
                if (write_record(p, k, e) < 0)
                        return -1;
        }
        return 0;
}

/* What no change in the stream told since the mark was taken; what is harmless is taken over. */
static int check_mark(struct prepare *p, struct table_record *k, const struct relation *shape,
        const char *now, struct error *e)
{
        int rc = pg_marks_compare(p->source, shape, k->mark, now, e);

        if (rc < 0 && !(p->accept_marks && !strcmp(e->code, PG_MARKS_CODE)))
                return -1;
        if (rc < 0)
                log_warning("accepted: %s", e->message);
        else if (rc > 0)
                log_warning("cannot be looked at: %s", e->message);
        error_clear(e);
        if (k->mark && !strcmp(k->mark, now))
                return 0;
        free(k->mark);
        k->mark = memory_string(now);
        return write_record(p, k, e);
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

static void say_new_tables(const struct prepare *p)
{
        for (unsigned i = 0; i < p->tables->n; i++) {
                const struct pg_table_info *t = &p->tables->items[i];
                const struct table_record *k = table_records_find(p->known, t->schema, t->name);

                if (!k || !strcmp(k->state, "left"))
                        log_warning("table %s.%s is new: it is not migrated (adding tables to a "
                                    "running pipeline is not built yet)",
                                t->schema, t->name);
        }
}

/* Leaves in p->tables only what is recorded, so that progress shows what is true. */
static void drop_new_tables(struct prepare *p)
{
        struct prepare_result *r = p->result;
        unsigned kept = 0;

        for (unsigned i = 0; i < p->tables->n; i++) {
                struct pg_table_info swap = p->tables->items[i];
                bool known = false;

                for (unsigned k = 0; k < r->shapes_n && !known; k++)
                        known = !strcmp(r->shapes[k]->name, swap.name) &&
                                !strcmp(r->shapes[k]->schema, swap.schema);
                if (!known)
                        continue;
                p->tables->items[i] = p->tables->items[kept];
                p->tables->items[kept++] = swap;
        }
        /* What is behind `kept` is freed with a list of its own. */
        if (kept < p->tables->n) {
                struct pg_tables *rest = memory_new_of(struct pg_tables);

                rest->n = p->tables->n - kept;
                rest->items = memory_copy(&p->tables->items[kept], rest->n * sizeof *rest->items);
                p->tables->n = kept;
                pg_tables_free(rest);
        }
}

/* Bringing it into step may have moved the mark. */
static int record_published(struct prepare *p, const struct pg_published *wanted, struct error *e)
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
        return record_published(p, &wanted, e);
}

/* Recorded tables, the slot, the publication: all must be as they were. */
static int check_known(struct prepare *p, struct position from, struct error *e)
{
        if (pg_slot_check(p->source, p->config->pg.slot, from, e) < 0 ||
                prepare_read_tables(p, p->source, e) < 0 || take_known_shapes(p, e) < 0)
                return -1;
        say_new_tables(p);
        drop_new_tables(p);
        if (prepare_check(p, e) < 0 || check_publication(p, e) < 0)
                return -1;
        return check_marks(p, e);
}

int prepare_resume(struct prepare *p, struct error *e)
{
        struct source_identity stored;

        if (identity_parse(&stored, p->stored_source, e) < 0)
                return error_context(e, "culvert.checkpoint on the target");
        p->record.stage = STAGE_DONE;
        if (identity_check(&stored, &p->identity, e) < 0 || check_known(p, p->stored, e) < 0)
                return -1;
        prepare_set_counters(p);
        return 0;
}

/* All rows are in, the slot still has everything since: indexes, sequences and so on remain. */
int prepare_go_on(struct prepare *p, struct error *e)
{
        if (identity_check(&p->record.source, &p->identity, e) < 0 ||
                check_known(p, p->record.start, e) < 0)
                return -1;
        log_event(LOG_LEVEL_INFO, LOG_COPY, NULL,
                "the copy was interrupted after all rows were in: going on with indexes and "
                "constraints");
        prepare_set_counters(p);
        p->targets = memory_new((p->tables->n + 1) * sizeof *p->targets);
        for (unsigned i = 0; i < p->tables->n; i++) {
                const struct pg_table_info *t = &p->tables->items[i];
                const struct table_record *k = table_records_find(p->known, t->schema, t->name);

                p->targets[i] = (struct prepare_target){.exists = true, .created = k && k->created};
        }
        return prepare_finish(p, e);
}
