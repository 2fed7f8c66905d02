/*
 * libFuzzer: a stream of binlog events. The first byte is the engine (1 MySQL, 2 MariaDB); then
 * frames of kind (1), length (4, network order) and content: kind 255 is a known shape
 * (relation_to_text), 254 the later one of a table, any other an event of that type, without header
 * and checksum. What the decoder lets through must keep the promises of decoders/binlog.h and
 * model/txn.h; what it refuses must be a DATA error.
 */
#include "base/buf.h"
#include "base/memory.h"
#include "decoders/binlog.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Small, so that transactions come in several pieces. */
#define PIECE_BYTES 6000
#define SHAPES 8

struct seen {
        const struct relation *shapes[SHAPES], *later[SHAPES];
        unsigned shapes_n;
        bool inside; /* a transaction began and its last piece has not come */
        struct position commit;
        unsigned sum; /* every byte is read */
        uint64_t at;
};

static void must(bool ok)
{
        if (!ok)
                abort();
}

static void check_row(struct seen *s, const struct value *row, const struct relation *r)
{
        for (uint16_t i = 0; row && i < r->columns_n; i++) {
                must(row[i].kind <= VALUE_TEXT);
                if (row[i].kind != VALUE_TEXT)
                        continue;
                must(row[i].data[row[i].len] == '\0');
                for (uint32_t k = 0; k < row[i].len; k++)
                        s->sum += (unsigned char)row[i].data[k];
        }
}

static void check_change(struct seen *s, const struct change *c)
{
        must(c->relation && c->relation->references > 0);
        must((c->op == CHANGE_TRUNCATE) == (c->truncated_n > 0));
        must((c->op == CHANGE_INSERT || c->op == CHANGE_UPDATE) == (c->new != NULL));
        must((c->op == CHANGE_DELETE || c->op == CHANGE_UPDATE) == (c->old != NULL));
        check_row(s, c->old, c->relation);
        check_row(s, c->new, c->relation);
}

static const struct relation *on_known(
        void *context, const char *schema, const char *name, unsigned which)
{
        struct seen *s = context;

        must(which < 2);
        for (unsigned i = 0; i < s->shapes_n; i++)
                if (!strcmp(s->shapes[i]->schema, schema) &&
                        (!*name || !strcmp(s->shapes[i]->name, name)))
                        return which ? s->later[i] : s->shapes[i];
        return NULL;
}

static int on_relation(void *context, const struct relation *r, struct error *e)
{
        struct seen *s = context;
        AUTO_BUF text = BUF_INIT;

        (void)e;
        must(on_known(s, r->schema, r->name, 0) != NULL);
        relation_to_text(r, &text);
        s->sum += (unsigned)text.len;
        return 0;
}

static int on_piece(void *context, struct txn **piece, struct error *e)
{
        struct seen *s = context;
        const struct txn *t = *piece;
        uint32_t n = 0;

        (void)e;
        must(t->first == !s->inside);
        must(t->first || position_compare(t->commit, s->commit) == 0);
        must(!t->last || position_compare(t->end, t->commit) >= 0);
        s->inside = !t->last;
        s->commit = t->commit;
        for (const struct change *c = t->changes; c; c = c->next, n++)
                check_change(s, c);
        must(n == t->changes_n);
        *piece = txn_free(*piece);
        return 0;
}

static int on_statement(void *context, const struct statement *st, struct error *e)
{
        (void)e;
        must(st->kind <= STATEMENT_WRITE);
        must(on_known(context, st->schema, st->table, 0) != NULL);
        return 0;
}

static void put_le(struct buf *b, uint64_t v, unsigned bytes)
{
        for (; bytes--; v >>= 8)
                buf_char(b, (char)v);
}

/* A copy of its own for each event, so that reading past its end shows. */
static int give(struct seen *s, struct binlog *b, uint8_t type, const void *body, uint32_t len,
        struct error *e)
{
        AUTO_BUF event = BUF_INIT;
        void *exact;
        int rc;

        s->at += 19 + len;
        put_le(&event, 1, 4);
        put_le(&event, type, 1);
        put_le(&event, 1, 4);
        put_le(&event, 19 + len, 4);
        put_le(&event, s->at, 4);
        put_le(&event, 0, 2);
        buf_add(&event, body, len);
        exact = memory_copy(event.data, event.len);
        rc = binlog_event(b, exact, event.len, e);
        free(exact);
        return rc;
}

/* Without checksums. */
static void describe(struct seen *s, struct binlog *b)
{
        AUTO_BUF body = BUF_INIT;
        struct error e = ERROR_INIT;
        char version[50] = "10.11.0-MariaDB";

        put_le(&body, 4, 2);
        buf_add(&body, version, sizeof version);
        put_le(&body, 0, 4);
        put_le(&body, 19, 1);
        for (unsigned i = 0; i < 40; i++)
                put_le(&body, i == 18 ? 8 : 0, 1);
        put_le(&body, 0, 5);
        must(give(s, b, 15, body.data, (uint32_t)body.len, &e) == 0);
}

static void learn(struct seen *s, const void *data, size_t len, bool later)
{
        AUTO_STRING text = memory_printf("%.*s", (int)len, (const char *)data);
        struct relation *r = relation_from_text(text);

        for (unsigned i = 0; r && later && i < s->shapes_n; i++)
                if (!s->later[i] && !strcmp(r->name, s->shapes[i]->name) &&
                        !strcmp(r->schema, s->shapes[i]->schema)) {
                        s->later[i] = r;
                        return;
                }
        if (r && !later && s->shapes_n < SHAPES)
                s->shapes[s->shapes_n++] = r;
        else
                relation_unref(r);
}

static void stream(struct seen *s, struct binlog *b, struct reader *in)
{
        while (reader_left(in) >= 5) {
                uint8_t kind = reader_u8(in);
                uint32_t len = reader_u32(in);
                struct error e = ERROR_INIT;
                const void *data;

                if (len > reader_left(in))
                        len = (uint32_t)reader_left(in);
                data = reader_bytes(in, len);
                if (kind >= 254)
                        learn(s, data, len, kind == 254);
                else if (give(s, b, kind, data, len, &e) < 0) {
                        must(e.class == ERROR_DATA && *e.message);
                        break;
                }
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const struct binlog_events events = {on_known, on_relation, on_piece, on_statement};
        struct reader in = reader_of(data, size);
        struct binlog_setup setup = {.piece_bytes = PIECE_BYTES,
                .kept_bytes = 64 * PIECE_BYTES,
                .from = {.file = 1, .lsn = 4}};
        struct seen s = {.at = 4};
        struct binlog *b;

        setup.engine = reader_u8(&in) == 1 ? ENGINE_MYSQL : ENGINE_MARIADB;
        b = binlog_new(&setup, &events, &s);
        describe(&s, b);
        stream(&s, b, &in);
        binlog_free(b);
        for (unsigned i = 0; i < s.shapes_n; i++) {
                relation_unref(s.shapes[i]);
                relation_unref(s.later[i]);
        }
        return 0;
}
