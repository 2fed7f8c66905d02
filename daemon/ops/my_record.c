#include "ops/my_record.h"
#include "base/memory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void add_text(struct buf *sql, const char *before, const char *text)
{
        buf_str(sql, before);
        my_literal(sql, text ? text : "", text ? strlen(text) : 0);
}

static void add_position(struct buf *sql, const char *before, struct position p)
{
        char text[POSITION_TEXT];

        add_text(sql, before, position_format(p, text));
}

static void add_start(struct buf *sql, const char *before, const struct copy_record *r)
{
        AUTO_BUF text = BUF_INIT;

        position_write(&text, r->start, r->gtids);
        add_text(sql, before, buf_text(&text));
}

static void add_identity(struct buf *sql, const char *before, const struct source_identity *id)
{
        char text[IDENTITY_TEXT];

        add_text(sql, before, identity_format(id, text));
}

static int run(const struct my_book *b, const struct buf *sql, struct error *e)
{
        return my_run(b->target, e, buf_text(sql)) < 0 ? error_context(e, "target") : 0;
}

/* ---- reading ---- */

int my_record_read(const struct my_book *b, struct copy_record *r, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;
        AUTO_MY_RESULT rows = NULL;
        MYSQL_ROW row;
        int stage;

        *r = (struct copy_record){.stage = STAGE_NONE};
        add_text(&sql,
                "select state, start_position, snapshot, source, mode, published from "
                "culvert.`copy` where pipeline = ",
                b->pipeline);
        if (!(rows = my_query(b->target, e, buf_text(&sql))))
                return -1;
        if (!(row = mysql_fetch_row(rows)))
                return 0;
        if ((stage = copy_stage_of(row[0])) < 0)
                return error_set(e, ERROR_DATA,
                        "culvert.copy on the target has the unknown state '%.40s'", row[0]);
        r->stage = (enum copy_stage)stage;
        r->snapshot = memory_string(row[2]);
        r->mode = memory_string(row[4]);
        r->published = memory_string(row[5]);
        if (identity_parse(&r->source, row[3], e) < 0)
                return error_context(e, "culvert.copy on the target");
        r->gtids = memory_string(position_gtids(row[1]));
        return position_parse(&r->start, row[1], e);
}

static int read_table(struct table_record *t, MYSQL_ROW row, struct error *e)
{
        t->schema = memory_string(row[0]);
        t->name = memory_string(row[1]);
        t->target_schema = memory_string(row[2]);
        t->target_name = memory_string(row[3]);
        t->state = memory_string(row[4]);
        t->created = *row[5] == '1';
        t->rows = strtoull(row[6], NULL, 10);
        t->shape = relation_from_text(row[7]);
        t->next = *row[8] ? relation_from_text(row[8]) : NULL;
        t->mark = memory_string(row[9]);
        t->keys = memory_string(row[12]);
        t->staged = *row[11] == '1';
        if (position_parse(&t->start, row[10], e) < 0)
                return error_context(e, "culvert.tables on the target");
        if (t->shape && (t->next || !*row[8]))
                return 0;
        return error_set(e, ERROR_DATA,
                "culvert.tables on the target: the shape of %s.%s is malformed", t->schema,
                t->name);
}

struct table_records *my_records_read(const struct my_book *b, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;
        AUTO_MY_RESULT rows = NULL;
        struct table_records *t;
        MYSQL_ROW row;

        add_text(&sql,
                "select source_schema, source_name, target_schema, target_name, state, created, "
                "`rows`, shape, shape_next, mark, start_position, staged, foreign_keys from "
                "culvert.`tables` where pipeline = ",
                b->pipeline);
        buf_str(&sql, " order by source_schema, source_name");
        if (!(rows = my_query(b->target, e, buf_text(&sql))))
                return NULL;
        t = memory_new_of(struct table_records);
        t->items = memory_new(((size_t)mysql_num_rows(rows) + 1) * sizeof *t->items);
        while ((row = mysql_fetch_row(rows)))
                if (read_table(&t->items[t->n++], row, e) < 0)
                        return table_records_free(t);
        return t;
}

/* ---- writing ---- */

int my_book_begin(const struct my_book *b, struct error *e)
{
        if (my_run(b->target, e, "start transaction read write") < 0)
                return error_context(e, "target");
        return my_meta_prove_epoch(b->target, b->pipeline, b->epoch, e);
}

int my_book_commit(const struct my_book *b, struct error *e)
{
        return my_run(b->target, e, "commit") < 0 ? error_context(e, "target") : 0;
}

void my_book_rollback(const struct my_book *b)
{
        struct error ignored = ERROR_INIT;

        my_run(b->target, &ignored, "rollback");
}

int my_record_write(const struct my_book *b, const struct copy_record *r, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;

        /* what both servers agree on for "insert or replace this row of ours" */
        add_text(&sql, "delete from culvert.`copy` where pipeline = ", b->pipeline);
        add_text(&sql,
                ";insert into culvert.`copy` (pipeline, state, start_position, snapshot, source, "
                "mode, published, updated_at) values (",
                b->pipeline);
        add_text(&sql, ", ", copy_stage_name(r->stage));
        add_start(&sql, ", ", r);
        add_text(&sql, ", ", r->snapshot);
        add_identity(&sql, ", ", &r->source);
        add_text(&sql, ", ", r->mode);
        add_text(&sql, ", ", r->published);
        buf_str(&sql, ", utc_timestamp(6))");
        return run(b, &sql, e);
}

int my_records_clear(const struct my_book *b, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;

        add_text(&sql, "delete from culvert.`tables` where pipeline = ", b->pipeline);
        return run(b, &sql, e);
}

static void add_shape(struct buf *sql, const char *before, const struct relation *shape)
{
        AUTO_BUF text = BUF_INIT;

        if (shape)
                relation_to_text(shape, &text);
        add_text(sql, before, buf_text(&text));
}

int my_records_write(const struct my_book *b, const struct table_record *t, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;

        add_text(&sql, "delete from culvert.`tables` where pipeline = ", b->pipeline);
        add_text(&sql, " and source_schema = ", t->schema);
        add_text(&sql, " and source_name = ", t->name);
        add_text(&sql,
                ";insert into culvert.`tables` (pipeline, source_schema, source_name, "
                "target_schema, target_name, state, created, `rows`, shape, shape_next, mark, "
                "start_position, staged, foreign_keys) values (",
                b->pipeline);
        add_text(&sql, ", ", t->schema);
        add_text(&sql, ", ", t->name);
        add_text(&sql, ", ", t->target_schema);
        add_text(&sql, ", ", t->target_name);
        add_text(&sql, ", ", t->state);
        buf_printf(&sql, ", %d, %" PRIu64, t->created, t->rows);
        add_shape(&sql, ", ", t->shape);
        add_shape(&sql, ", ", t->next);
        add_text(&sql, ", ", t->mark);
        add_position(&sql, ", ", t->start);
        buf_printf(&sql, ", %d", t->staged);
        if (t->keys)
                add_text(&sql, ", ", t->keys);
        else
                buf_str(&sql, ", null");
        buf_char(&sql, ')');
        return run(b, &sql, e);
}

int my_record_gtids(const struct my_book *b, char **gtids, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;
        AUTO_MY_RESULT r = NULL;
        MYSQL_ROW row;

        *gtids = NULL;
        add_text(&sql,
                "select position from culvert.checkpoint where direction = 'forward' and lane = 0 "
                "and pipeline = ",
                b->pipeline);
        if (!(r = my_query(b->target, e, buf_text(&sql))))
                return -1;
        if ((row = mysql_fetch_row(r)))
                *gtids = memory_string(position_gtids(row[0]));
        return 0;
}

int my_record_checkpoint(const struct my_book *b, const struct copy_record *r, struct error *e)
{
        AUTO_BUF checkpoint = BUF_INIT;
        uint64_t found = 0;

        add_start(&checkpoint, "update culvert.checkpoint set position = ", r);
        add_identity(&checkpoint, ", source = ", &r->source);
        add_text(&checkpoint,
                ", counter = counter + 1, updated_at = utc_timestamp(6) where direction = "
                "'forward' and lane = 0 and pipeline = ",
                b->pipeline);
        if (my_affected(b->target, e, buf_text(&checkpoint), &found) < 0)
                return error_context(e, "target");
        return found == 1 ? 0 : error_set(e, ERROR_BUG, "the checkpoint row is gone");
}

int my_record_finish(const struct my_book *b, const struct copy_record *r, struct error *e)
{
        AUTO_BUF tables = BUF_INIT;
        struct copy_record last = *r;

        last.stage = STAGE_DONE;
        if (my_record_write(b, &last, e) < 0)
                return -1;
        add_text(&tables,
                "update culvert.`tables` set state = 'copied' where state <> 'left' and pipeline "
                "= ",
                b->pipeline);
        return run(b, &tables, e) < 0 ? -1 : my_record_checkpoint(b, r, e);
}
