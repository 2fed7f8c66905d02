#include "ops/copy_record.h"
#include "base/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const stage_names[] = {"", "starting", "copying", "loaded", "done"};

const char *copy_stage_name(enum copy_stage stage)
{
        return stage_names[stage];
}

int copy_stage_of(const char *name)
{
        for (int i = STAGE_STARTING; i <= STAGE_DONE; i++)
                if (!strcmp(stage_names[i], name))
                        return i;
        return -1;
}

int copy_record_read(const struct copy_book *b, struct copy_record *r, struct error *e)
{
        AUTO_RESULT row = pg_query(b->target, e,
                "select state, start_position, snapshot, source, mode, published from culvert.copy "
                "where pipeline = $1",
                1, &b->pipeline);
        int stage;

        *r = (struct copy_record){.stage = STAGE_NONE};
        if (!row)
                return -1;
        if (PQntuples(row) == 0)
                return 0;
        if ((stage = copy_stage_of(pg_text(row, 0, 0))) < 0)
                return error_set(e, ERROR_DATA,
                        "culvert.copy on the target has the unknown state '%.40s'",
                        pg_text(row, 0, 0));
        r->stage = (enum copy_stage)stage;
        r->snapshot = memory_string(pg_text(row, 0, 2));
        r->mode = memory_string(pg_text(row, 0, 4));
        r->published = memory_string(pg_text(row, 0, 5));
        if (identity_parse(&r->source, pg_text(row, 0, 3), e) < 0)
                return error_context(e, "culvert.copy on the target");
        r->gtids = memory_string(position_gtids(pg_text(row, 0, 1)));
        return position_parse(&r->start, pg_text(row, 0, 1), e);
}

void copy_record_done(struct copy_record *r)
{
        free(r->gtids);
        free(r->snapshot);
        free(r->mode);
        free(r->published);
        *r = (struct copy_record){.stage = STAGE_NONE};
}

static int read_table(struct table_record *t, const PGresult *r, int row, struct error *e)
{
        t->schema = memory_string(pg_text(r, row, 0));
        t->name = memory_string(pg_text(r, row, 1));
        t->target_schema = memory_string(pg_text(r, row, 2));
        t->target_name = memory_string(pg_text(r, row, 3));
        t->state = memory_string(pg_text(r, row, 4));
        t->created = pg_true(r, row, 5);
        t->staged = pg_true(r, row, 11);
        t->rows = strtoull(pg_text(r, row, 6), NULL, 10);
        t->shape = relation_from_text(pg_text(r, row, 7));
        t->next = *pg_text(r, row, 8) ? relation_from_text(pg_text(r, row, 8)) : NULL;
        t->mark = memory_string(pg_text(r, row, 9));
        t->keys = PQgetisnull(r, row, 12) ? NULL : memory_string(pg_text(r, row, 12));
        if (*pg_text(r, row, 10) && position_parse(&t->start, pg_text(r, row, 10), e) < 0)
                return error_context(e, "culvert.tables on the target");
        if (t->shape && (t->next || !*pg_text(r, row, 8)))
                return 0;
        return error_set(e, ERROR_DATA,
                "culvert.tables on the target: the shape of %s.%s is malformed", t->schema,
                t->name);
}

struct table_records *table_records_read(const struct copy_book *b, struct error *e)
{
        AUTO_RESULT r = pg_query(b->target, e,
                "select source_schema, source_name, target_schema, target_name, state, created, "
                "rows, shape, shape_next, mark, start_position, staged, foreign_keys from "
                "culvert.tables where pipeline = $1 "
                "order by source_schema collate \"C\", source_name collate \"C\"",
                1, &b->pipeline);
        struct table_records *t;

        if (!r)
                return NULL;
        t = memory_new_of(struct table_records);
        t->items = memory_new(((size_t)PQntuples(r) + 1) * sizeof *t->items);
        for (int row = 0; row < PQntuples(r); row++)
                if (read_table(&t->items[t->n++], r, row, e) < 0)
                        return table_records_free(t);
        return t;
}

struct table_records *table_records_free(struct table_records *t)
{
        if (!t)
                return NULL;
        for (unsigned i = 0; i < t->n; i++) {
                struct table_record *k = &t->items[i];

                free(k->schema);
                free(k->name);
                free(k->target_schema);
                free(k->target_name);
                free(k->state);
                free(k->mark);
                free(k->keys);
                relation_unref(k->shape);
                relation_unref(k->next);
        }
        free(t->items);
        free(t);
        return NULL;
}

struct table_record *table_records_find(
        const struct table_records *t, const char *schema, const char *name)
{
        for (unsigned i = 0; t && i < t->n; i++)
                if (!strcmp(t->items[i].name, name) && !strcmp(t->items[i].schema, schema))
                        return &t->items[i];
        return NULL;
}

int copy_book_begin(const struct copy_book *b, struct error *e)
{
        if (pg_run(b->target, e,
                    "begin isolation level read committed read write;"
                    "set local synchronous_commit = on") < 0)
                return error_context(e, "target");
        return pg_meta_prove_epoch(b->target, b->pipeline, b->epoch, e);
}

int copy_book_commit(const struct copy_book *b, struct error *e)
{
        return pg_run(b->target, e, "commit") < 0 ? error_context(e, "target") : 0;
}

void copy_book_rollback(const struct copy_book *b)
{
        struct error ignored = ERROR_INIT;

        pg_run(b->target, &ignored, "rollback");
}

int copy_record_write(const struct copy_book *b, const struct copy_record *r, struct error *e)
{
        char source[IDENTITY_TEXT];
        AUTO_BUF start = BUF_INIT;
        const char *values[] = {b->pipeline, stage_names[r->stage], NULL,
                r->snapshot ? r->snapshot : "", identity_format(&r->source, source), r->mode,
                r->published ? r->published : ""};
        AUTO_RESULT done = NULL;

        position_write(&start, r->start, r->gtids);
        values[2] = buf_text(&start);
        done = pg_query(b->target, e,
                "insert into culvert.copy (pipeline, state, start_position, snapshot, source, "
                "mode, published) "
                "values ($1, $2, $3, $4, $5, $6, $7) on conflict (pipeline) do update set "
                "state = excluded.state, start_position = excluded.start_position, "
                "snapshot = excluded.snapshot, source = excluded.source, mode = excluded.mode, "
                "published = excluded.published, "
                "updated_at = pg_catalog.clock_timestamp()",
                7, values);
        return done ? 0 : error_context(e, "target");
}

int table_records_clear(const struct copy_book *b, struct error *e)
{
        AUTO_RESULT done = pg_query(
                b->target, e, "delete from culvert.tables where pipeline = $1", 1, &b->pipeline);

        return done ? 0 : error_context(e, "target");
}

int table_record_write(const struct copy_book *b, const struct table_record *t, struct error *e)
{
        AUTO_BUF shape = BUF_INIT;
        AUTO_BUF next = BUF_INIT;
        AUTO_RESULT done = NULL;
        char rows[24], start[POSITION_TEXT];
        const char *values[] = {b->pipeline, t->schema, t->name, t->target_schema, t->target_name,
                t->state, t->created ? "t" : "f", rows, NULL, NULL, t->mark ? t->mark : "",
                position_is_none(t->start) ? "" : position_format(t->start, start),
                t->staged ? "t" : "f", t->keys};

        relation_to_text(t->shape, &shape);
        if (t->next)
                relation_to_text(t->next, &next);
        values[9] = buf_text(&next);
        snprintf(rows, sizeof rows, "%" PRIu64, t->rows);
        values[8] = buf_text(&shape);
        done = pg_query(b->target, e,
                "insert into culvert.tables (pipeline, source_schema, source_name, target_schema, "
                "target_name, state, created, rows, shape, shape_next, mark, start_position, "
                "staged, foreign_keys) "
                "values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) "
                "on conflict (pipeline, source_schema, source_name) do update set "
                "target_schema = excluded.target_schema, target_name = excluded.target_name, "
                "state = excluded.state, created = excluded.created, rows = excluded.rows, "
                "shape = excluded.shape, shape_next = excluded.shape_next, "
                "mark = excluded.mark, start_position = excluded.start_position, "
                "staged = excluded.staged, foreign_keys = excluded.foreign_keys",
                14, values);
        return done ? 0 : error_context(e, "target");
}

int copy_record_gtids(const struct copy_book *b, char **gtids, struct error *e)
{
        AUTO_RESULT r = pg_query(b->target, e,
                "select position from culvert.checkpoint where pipeline = $1 and direction = "
                "'forward' and lane = 0",
                1, &b->pipeline);

        *gtids = r && PQntuples(r) ? memory_string(position_gtids(pg_text(r, 0, 0))) : NULL;
        return r ? 0 : -1;
}

static int one_checkpoint(PGresult *updated, struct error *e)
{
        if (!updated)
                return error_context(e, "target");
        return strcmp(PQcmdTuples(updated), "1") == 0
                       ? 0
                       : error_set(e, ERROR_BUG, "the checkpoint row is gone");
}

int copy_record_checkpoint(const struct copy_book *b, const struct copy_record *r, struct error *e)
{
        char source[IDENTITY_TEXT];
        AUTO_BUF start = BUF_INIT;
        const char *values[] = {b->pipeline, NULL, identity_format(&r->source, source)};
        AUTO_RESULT done = NULL;

        position_write(&start, r->start, r->gtids);
        values[1] = buf_text(&start);
        done = pg_query(b->target, e,
                "update culvert.checkpoint set position = $2, source = $3, "
                "counter = counter + 1, updated_at = pg_catalog.clock_timestamp() "
                "where pipeline = $1 and direction = 'forward' and lane = 0",
                3, values);
        return one_checkpoint(done, e);
}

int copy_record_moved(const struct copy_book *b, const struct source_identity *to, struct error *e)
{
        char source[IDENTITY_TEXT];
        const char *values[] = {b->pipeline, identity_format(to, source)};
        AUTO_RESULT done = pg_query(b->target, e,
                "update culvert.checkpoint set source = $2, counter = counter + 1, "
                "updated_at = pg_catalog.clock_timestamp() "
                "where pipeline = $1 and direction = 'forward' and lane = 0",
                2, values);

        return one_checkpoint(done, e);
}

int copy_record_finish(const struct copy_book *b, const struct copy_record *r, struct error *e)
{
        struct copy_record last = *r;
        AUTO_RESULT tables = NULL;

        last.stage = STAGE_DONE;
        if (copy_record_write(b, &last, e) < 0)
                return -1;
        tables = pg_query(b->target, e,
                "update culvert.tables set state = 'copied' where pipeline = $1 and state <> "
                "'left'",
                1, &b->pipeline);
        return tables ? copy_record_checkpoint(b, r, e) : error_context(e, "target");
}
