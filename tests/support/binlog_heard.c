#include "tests/support/binlog_heard.h"
#include "base/memory.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static struct relation *read_shape(const char **text)
{
        char schema[80], name[80];
        const char *at = strchr(*text, '\n') + 1, *from = at;
        uint16_t n = 0;
        struct relation *r;
        bool keyed = false;

        sscanf(*text, "table %79[^.].%79[^\n]", schema, name);
        for (; !strncmp(at, "column ", 7); at = strchr(at, '\n') + 1)
                n++;
        r = relation_new(0, schema, name, IDENTITY_FULL, n);
        for (uint16_t i = 0; i < n; i++) {
                char column[80], native[400];
                bool key = from[7] == '*';

                sscanf(from + 7 + key, "%79s %399[^\n]", column, native);
                relation_set_column(r, i, column, 0, 0, key);
                relation_set_native(r, i, native);
                keyed |= key;
                from = strchr(from, '\n') + 1;
        }
        r->identity = keyed ? IDENTITY_DEFAULT : IDENTITY_FULL;
        *text = at;
        return r;
}

const char *heard_shapes(struct heard *h, const char *text)
{
        if (!strncmp(text, "engine ", 7)) {
                h->engine = !strncmp(text + 7, "mysql", 5) ? ENGINE_MYSQL : ENGINE_MARIADB;
                text = strchr(text, '\n') + 1;
        }
        while (!strncmp(text, "table ", 6) && h->shapes_n < HEARD_SHAPES)
                h->shapes[h->shapes_n++] = read_shape(&text);
        return text;
}

void heard_done(struct heard *h)
{
        for (unsigned i = 0; i < h->shapes_n; i++) {
                relation_unref(h->shapes[i]);
                relation_unref(h->later[i]);
        }
        buf_done(&h->text);
}

static void render_bytes(struct buf *out, const char *data, size_t len)
{
        for (size_t i = 0; i < len; i++) {
                unsigned char c = (unsigned char)data[i];

                if (c > 32 && c < 127 && c != '\\' && c != '|')
                        buf_char(out, (char)c);
                else
                        buf_printf(out, "\\x%02x", c);
        }
}

/* What is long is cut, with its length and CRC-32. */
static void render_value(struct buf *out, const struct value *v)
{
        if (v->kind == VALUE_NULL)
                buf_str(out, "\\N");
        else if (v->kind == VALUE_UNCHANGED)
                buf_str(out, "\\U");
        else
                render_bytes(out, v->data, v->len > 400 ? 40 : v->len);
        if (v->kind == VALUE_TEXT && v->len > 400)
                buf_printf(out, "...%u:%08lx", v->len, crc32(0, (const Bytef *)v->data, v->len));
}

static void render_row(struct buf *out, const struct value *row, const struct relation *r)
{
        for (uint16_t i = 0; row && i < r->columns_n; i++) {
                buf_char(out, '|');
                render_value(out, &row[i]);
        }
}

static void render_change(struct heard *h, const struct change *c)
{
        static const char *const names[] = {"insert", "update", "delete", "truncate"};
        struct buf *out = &h->text;

        if (h->rows_only) {
                buf_printf(out, "row %s", c->relation->name);
                render_row(out, c->new, c->relation);
                buf_char(out, '\n');
                return;
        }
        buf_printf(out, "  %s %s.%s", names[c->op], c->relation->schema, c->relation->name);
        if (c->old) {
                buf_str(out, c->old_full ? " old" : " key");
                render_row(out, c->old, c->relation);
        }
        if (c->new) {
                buf_str(out, " new");
                render_row(out, c->new, c->relation);
        }
        buf_str(out, h->cascades && c->cascades ? " cascades" : "");
        buf_char(out, '\n');
}

static const struct relation *on_known(
        void *context, const char *schema, const char *name, unsigned which)
{
        struct heard *h = context;

        for (unsigned i = 0; i < h->shapes_n; i++)
                if (!strcmp(h->shapes[i]->schema, schema) &&
                        (!*name || !strcmp(h->shapes[i]->name, name)))
                        return which == 0 ? h->shapes[i] : which == 1 ? h->later[i] : NULL;
        return NULL;
}

static int on_relation(void *context, const struct relation *r, struct error *e)
{
        struct heard *h = context;
        const struct relation *known = on_known(h, r->schema, r->name, 0);
        AUTO_BUF what = BUF_INIT;

        if (r == known || r == on_known(h, r->schema, r->name, 1)) {
                if (!h->rows_only)
                        buf_printf(&h->text, "relation %s.%s%s\n", r->schema, r->name,
                                r == known ? "" : " (later)");
                return 0;
        }
        relation_same(known, r, &what);
        buf_printf(&h->text, "changed %s.%s: %s\n", r->schema, r->name, buf_text(&what));
        return h->refuse ? error_set(e, ERROR_DATA, "refused: %s", buf_text(&what)) : 0;
}

static int on_piece(void *context, struct txn **piece, struct error *e)
{
        struct heard *h = context;
        const struct txn *t = *piece;
        char commit[POSITION_TEXT], end[POSITION_TEXT];

        (void)e;
        h->pieces++;
        position_format(t->commit, commit);
        position_format(t->end, end);
        if (!h->rows_only)
                buf_printf(&h->text, "piece%s%s %s-%s\n", t->first ? " first" : "",
                        t->last ? " last" : "", commit, end);
        if (h->states && t->last)
                buf_printf(&h->text, "  state %s\n", t->gtids ? t->gtids : "unknown");
        for (const struct change *c = t->changes; c; c = c->next)
                render_change(h, c);
        *piece = txn_free(*piece);
        return 0;
}

static int on_statement(void *context, const struct statement *s, struct error *e)
{
        static const char *const names[] = {"alter", "drop", "rename", "create", "write"};
        struct heard *h = context;

        (void)e;
        if (!h->rows_only)
                buf_printf(&h->text, "%s %s.%s\n", names[s->kind], s->schema, s->table);
        return 0;
}

struct binlog *heard_decoder_with(struct heard *h, uint64_t piece_bytes, struct binlog_setup setup)
{
        static const struct binlog_events events = {on_known, on_relation, on_piece, on_statement};

        setup.engine = h->engine;
        setup.piece_bytes = piece_bytes;
        setup.from = (struct position){.file = 1, .lsn = 4};
        return binlog_new(&setup, &events, h);
}

struct binlog *heard_decoder(struct heard *h, uint64_t piece_bytes)
{
        return heard_decoder_with(h, piece_bytes, (struct binlog_setup){0});
}

int heard_file(struct binlog *b, const char *file, size_t len, struct error *e)
{
        size_t at = 4;

        while (at + 13 <= len) {
                struct reader head = reader_of(file + at + 9, 4);
                uint32_t n = reader_le32(&head);
                void *exact;
                int rc;

                if (n > len - at || n < 19)
                        n = (uint32_t)(len - at);
                exact = memory_copy(file + at, n); /* reading past its end shows */
                rc = binlog_event(b, exact, n, e);
                free(exact);
                if (rc < 0)
                        return -1;
                at += n;
        }
        return 0;
}

char *heard_read(const char *name, size_t *len)
{
        AUTO_STRING path = memory_printf("tests/unit/data/%s", name);
        FILE *f = fopen(path, "rb");
        struct buf all = BUF_INIT;
        char chunk[4096];
        size_t n;

        if (!f)
                return NULL;
        while ((n = fread(chunk, 1, sizeof chunk, f)))
                buf_add(&all, chunk, n);
        fclose(f);
        *len = all.len;
        return buf_take(&all);
}
