#include "ctl/cat.h"
#include "ops/json.h"
#include "spool/record.h"
#include "spool/segment_file.h"

#include <string.h>

static void add_key(struct buf *line, const char *key)
{
        buf_str(line, line->len > 1 ? "," : "");
        json_quote(line, key, strlen(key));
        buf_char(line, ':');
}

static void add_position(struct buf *line, struct position p)
{
        char text[POSITION_TEXT];

        buf_char(line, '{');
        add_key(line, "position");
        position_format(p, text);
        json_quote(line, text, strlen(text));
}

static void add_flag(struct buf *line, const char *key, bool value)
{
        add_key(line, key);
        buf_str(line, value ? "true" : "false");
}

static void add_row(
        struct buf *line, const char *key, const struct relation *r, const struct value *row)
{
        AUTO_BUF columns = BUF_INIT;

        add_key(line, key);
        if (!row) {
                buf_str(line, "null");
                return;
        }
        buf_char(&columns, '{');
        for (uint16_t i = 0; i < r->columns_n; i++) {
                if (row[i].kind == VALUE_UNCHANGED)
                        continue;
                add_key(&columns, r->columns[i].name);
                if (row[i].kind == VALUE_NULL)
                        buf_str(&columns, "null");
                else
                        json_quote(&columns, row[i].data, row[i].len);
        }
        buf_add(line, columns.data, columns.len);
        buf_char(line, '}');
}

/* What the source had, where the target has no place for it. */
static void add_misfit(struct buf *line, const struct misfit *x)
{
        add_key(line, "misfit");
        json_quote(line, x->message, strlen(x->message));
        add_row(line, "source_old", x->source, x->old);
        add_row(line, "source_new", x->source, x->new);
}

static void print(struct buf *line, FILE *out)
{
        buf_str(line, "}\n");
        fwrite(line->data, 1, line->len, out);
        buf_clear(line);
}

/* `r` NULL: the piece has no change. */
static void print_change(const struct txn *t, const struct change *c, const struct relation *r,
        bool begin, bool end, FILE *out)
{
        static const char *const names[] = {"insert", "update", "delete", "truncate"};
        AUTO_BUF line = BUF_INIT;
        AUTO_BUF table = BUF_INIT;

        add_position(&line, t->commit);
        add_flag(&line, "begin", begin);
        add_flag(&line, "end", end);
        if (r) {
                buf_printf(&table, "%s.%s", r->schema, r->name);
                add_key(&line, "table");
                json_quote(&line, table.data, table.len);
                add_key(&line, "op");
                json_quote(&line, names[c->op], strlen(names[c->op]));
                add_row(&line, "old", r, c->old);
                add_row(&line, "new", r, c->new);
                if (c->misfit)
                        add_misfit(&line, c->misfit);
        }
        print(&line, out);
}

static void print_piece(const struct txn *t, FILE *out)
{
        bool begin = t->first;

        if (!t->changes && (t->first || t->last))
                print_change(t, NULL, NULL, t->first, t->last, out);
        for (const struct change *c = t->changes; c; c = c->next) {
                uint32_t tables = c->op == CHANGE_TRUNCATE ? c->truncated_n : 1;

                for (uint32_t i = 0; i < tables; i++) {
                        print_change(t, c, c->truncated ? c->truncated[i] : c->relation, begin,
                                t->last && !c->next && i + 1 == tables, out);
                        begin = false;
                }
        }
}

static void print_passed(struct position p, FILE *out)
{
        AUTO_BUF line = BUF_INIT;

        add_position(&line, p);
        add_key(&line, "op");
        buf_str(&line, "\"passed\"");
        print(&line, out);
}

static int print_records(
        struct record_reader *records, const struct buf *raw, FILE *out, struct error *e)
{
        struct reader in = reader_of(raw->data, raw->len);
        struct record record;
        int rc;

        while ((rc = record_next(records, &in, &record, e)) > 0) {
                if (record.piece)
                        print_piece(record.piece, out);
                else
                        print_passed(record.passed, out);
                txn_free(record.piece);
        }
        return rc;
}

static int print_frames(struct segment_file *f, FILE *out, struct error *e)
{
        struct record_reader *records = record_reader_new();
        struct frame_packer *packer = frame_packer_new();
        int64_t size = segment_file_size(f, e);
        int rc = size < 0 ? -1 : SEGMENT_FRAME;
        AUTO_BUF raw = BUF_INIT;

        while (rc == SEGMENT_FRAME) {
                struct frame frame;

                rc = segment_file_next(f, (uint64_t)size, &frame, e);
                if (rc == SEGMENT_FRAME &&
                        (frame_unpack(packer, &frame, segment_file_packed(f), &raw, e) < 0 ||
                                print_records(records, &raw, out, e) < 0))
                        rc = segment_file_context(f, e);
        }
        record_reader_free(records);
        frame_packer_free(packer);
        return rc == SEGMENT_END ? 0 : -1;
}

int cat_file(const char *path, FILE *out, struct error *e)
{
        struct segment_file f;
        int rc;

        if (segment_file_open(&f, disk_real(), path, e) < 0)
                return -1;
        rc = print_frames(&f, out, e);
        segment_file_done(&f);
        return rc;
}
