/* From two connections to the decision: resume the stream, finish a copy, or begin one. */
#include "base/log.h"
#include "base/memory.h"
#include "ops/prepare_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int make_params(struct prepare *p, struct error *e)
{
        const struct config *c = p->config;
        char name[64];

        snprintf(name, sizeof name, "culvert %s", c->pipeline.name);
        p->source_params = pg_params_new(&c->source, "source", name, false, e);
        if (p->source_params)
                p->target_params = pg_params_new(&c->target, "target", name, false, e);
        if (p->target_params)
                p->replication_params = pg_params_new(&c->source, "source", name, true, e);
        return p->replication_params ? 0 : -1;
}

static char *version_text(PGconn *c)
{
        const char *text = PQparameterStatus(c, "server_version");

        return memory_printf("%.*s", (int)strcspn(text ? text : "", " "), text ? text : "");
}

static int connect_both(struct prepare *p, struct error *e)
{
        if (make_params(p, e) < 0 || !(p->source = halt_connect(p->halt, p->source_params, e)) ||
                !(p->target = halt_connect(p->halt, p->target_params, e)))
                return -1;
        p->result->source_version = version_text(p->source);
        p->result->target_version = version_text(p->target);
        p->result->source_version_number = PQserverVersion(p->source);
        return pg_run(p->target, e,
                "set tcp_keepalives_idle = 20; set tcp_keepalives_interval = 10;"
                "set tcp_keepalives_count = 4");
}

static int open_meta(struct prepare *p, struct error *e)
{
        p->book.target = p->target;
        p->book.pipeline = p->config->pipeline.name;
        if (pg_meta_open(p->target, p->book.pipeline, &p->book.epoch, &p->stored, p->stored_source,
                    e) != 0)
                return error_context(e, "target");
        if (copy_record_read(&p->book, &p->record, e) < 0 ||
                !(p->known = table_records_read(&p->book, e)))
                return error_context(e, "target");
        return 0;
}

static int read_identity(struct prepare *p, struct error *e)
{
        if (!(p->replication = halt_connect(p->halt, p->replication_params, e)))
                return error_context(e, "replication connection");
        return pg_source_identity(p->replication, p->config->pg.slot, &p->identity, e);
}

int prepare_try_replica_role(struct prepare *p, struct error *e)
{
        if (pg_run(p->target, e, "set session_replication_role = replica") == 0) {
                p->replica_role = true;
                return pg_run(p->target, e, "set session_replication_role = origin");
        }
        if (strcmp(e->code, "42501") != 0)
                return error_context(e, "target");
        error_clear(e);
        return 0;
}

/* A target without schema culvert is not touched before the checks have passed. */
static int check_first_use(struct prepare *p, struct error *e)
{
        int format = pg_meta_check(p->target, e);

        if (format < 0)
                return error_context(e, "target");
        if (format == 0)
                return 0;
        return prepare_read_tables(p, p->source, e) < 0 ? -1 : prepare_check(p, e);
}

/* A slot of that name: ours from an attempt that was interrupted, or nobody's we know. */
static int clear_slot(struct prepare *p, struct error *e)
{
        const char *slot = p->config->pg.slot;
        int there = pg_slot_exists(p->source, slot, e);

        if (there <= 0)
                return there;
        if (p->record.stage == STAGE_NONE)
                return pg_slot_unknown(slot, e);
        log_event(LOG_LEVEL_INFO, LOG_COPY, NULL,
                "dropping slot %s of the interrupted copy: its snapshot is gone", slot);
        return pg_slot_drop(p->source, slot, e);
}

static void add_table(struct buf *out, const struct table_record *k)
{
        pg_table(out, k->staged ? k->schema : k->target_schema,
                k->staged ? k->name : k->target_name);
}

static bool target_is_empty(
        struct prepare *p, const struct table_record *k, bool *there, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;
        AUTO_RESULT r = NULL;

        buf_str(&sql, "select exists (select from ");
        add_table(&sql, k);
        buf_str(&sql, ")");
        r = pg_query(p->target, e, buf_text(&sql), 0, NULL);
        *there = r != NULL;
        return r && !pg_true(r, 0, 0);
}

/* Adds what an interrupted copy has loaded, or may have, and what is empty anyway (a foreign key
 * between two of them wants both in the same TRUNCATE). */
static int list_loaded(struct prepare *p, bool added, struct buf *list, struct error *e)
{
        for (unsigned i = 0; i < p->known->n; i++) {
                const struct table_record *k = &p->known->items[i];
                bool there, ours = !strcmp(k->state, "copying") || !strcmp(k->state, "copied");
                bool empty;

                if (position_is_none(k->start) == added || !strcmp(k->state, "joining"))
                        continue;
                empty = target_is_empty(p, k, &there, e);
                if (!strcmp(k->state, "appended"))
                        return error_set(e, ERROR_CONFIG,
                                "the copy was interrupted after rows were added to table %s.%s, "
                                "which "
                                "had rows before (existing = append): the two can not be told "
                                "apart; "
                                "put the table back to what it was and delete its row in "
                                "culvert.tables",
                                k->target_schema, k->target_name);
                if (!there && strcmp(e->code, "42P01") != 0 && strcmp(e->code, "3F000") != 0)
                        return -1;
                error_clear(e);
                if (!there || !(ours || empty))
                        continue;
                buf_str(list, list->len ? ", " : "");
                add_table(list, k);
        }
        return 0;
}

int prepare_empty_loaded(struct prepare *p, bool added, struct error *e)
{
        AUTO_BUF list = BUF_INIT;

        return list_loaded(p, added, &list, e) < 0 ? -1 : prepare_truncate(p, buf_text(&list), e);
}

/* HAZARDS B4: the snapshot died with the daemon, so what was loaded of it can not be added to. */
static int undo_interrupted(struct prepare *p, struct error *e)
{
        if (p->record.stage == STAGE_NONE)
                return 0;
        if (identity_check(&p->record.source, &p->identity, e) < 0)
                return -1;
        log_event(LOG_LEVEL_INFO, LOG_COPY, NULL,
                p->record.stage == STAGE_STARTING
                        ? "the copy was interrupted before it loaded a row: it begins again"
                        : "the copy was interrupted: its snapshot is gone with the daemon, so it "
                          "begins "
                          "again with emptied target tables");
        return p->record.stage == STAGE_STARTING ? 0 : prepare_empty_loaded(p, false, e);
}

static int begin_none(struct prepare *p, struct error *e)
{
        if (prepare_make_slot(p, false, e) < 0)
                return -1;
        log_event(LOG_LEVEL_INFO, LOG_COPY, NULL, "nothing is copied (snapshot.mode = none)");
        if (copy_book_begin(&p->book, e) < 0 || copy_record_finish(&p->book, &p->record, e) < 0)
                return -1;
        for (unsigned i = 0; i < p->counters_n; i++)
                atomic_store(&p->counters[i].state, TABLE_COPIED);
        return copy_book_commit(&p->book, e);
}

static int make_publication(struct prepare *p, struct error *e)
{
        const struct relation **shapes = prepare_shapes(p);
        struct pg_published wanted = {.shapes = shapes, .n = p->tables->n};
        AUTO_BUF statement = BUF_INIT;
        int rc = pg_publication_make(p->source, p->config->pg.publication, &wanted, &statement, e);

        if (statement.len)
                log_error("to be run on the source by an administrator: %s", buf_text(&statement));
        if (rc == 0) {
                free(p->record.published);
                p->record.published =
                        pg_publication_mark(p->source, p->config->pg.publication, &wanted, e);
                rc = p->record.published ? 0 : -1;
        }
        free(shapes);
        return rc;
}

static int begin(struct prepare *p, struct error *e)
{
        bool none = p->config->snapshot.mode == SNAPSHOT_NONE;

        if (p->config->snapshot.mode == SNAPSHOT_TRICKLE)
                return error_set(e, ERROR_CONFIG, "snapshot.mode = trickle is not built yet");
        if (prepare_read_tables(p, p->source, e) < 0 || prepare_check(p, e) < 0 ||
                undo_interrupted(p, e) < 0 || prepare_look_at_target(p, e) < 0 ||
                clear_slot(p, e) < 0 || make_publication(p, e) < 0)
                return -1;
        prepare_set_counters(p);
        free(p->record.mode);
        p->record.mode = memory_string(none ? "none" : "bulk");
        p->record.source = p->identity;
        p->record.start = POSITION_NONE;
        if ((none && prepare_read_marks(p, p->source, e) < 0) ||
                prepare_write_records(p, STAGE_STARTING, e) < 0)
                return -1;
        if (none)
                return begin_none(p, e);
        return prepare_make_slot(p, true, e) < 0 || prepare_load(p, e) < 0 ? -1
                                                                           : prepare_finish(p, e);
}

/* What a start that copied hands to the stream. */
static void fill_result(struct prepare *p)
{
        struct prepare_result *r = p->result;

        r->start = p->record.start;
        r->snapshot = p->record.snapshot && *p->record.snapshot ? memory_string(p->record.snapshot)
                                                                : NULL;
        if (r->shapes)
                return;
        r->shapes = memory_new((p->tables->n + 1) * sizeof(*r->shapes));
        r->shapes_n = p->tables->n;
        r->marks = p->marks;
        p->marks = NULL;
        for (unsigned i = 0; i < p->tables->n; i++)
                r->shapes[i] = relation_ref(p->tables->items[i].shape);
}

/* There is no position yet: copies, or finishes a copy. */
static int run_copy(struct prepare *p, struct error *e)
{
        int rc;

        if (p->record.stage == STAGE_DONE)
                return error_set(e, ERROR_DATA,
                        "resync required: the copy is done, but culvert.checkpoint on the target "
                        "has no position");
        if (prepare_try_replica_role(p, e) < 0)
                return -1;
        rc = p->record.stage == STAGE_LOADED ? prepare_go_on(p, e) : begin(p, e);
        if (rc == 0)
                fill_result(p);
        return rc;
}

int prepare_run(struct prepare *p, struct error *e)
{
        int rc;

        if (connect_both(p, e) < 0 || check_first_use(p, e) < 0 || open_meta(p, e) < 0 ||
                read_identity(p, e) < 0)
                return -1;
        p->result->identity = p->identity;
        rc = position_is_none(p->stored) ? run_copy(p, e) : prepare_resume(p, e);
        p->result->published = memory_string(p->record.published);
        return rc;
}
