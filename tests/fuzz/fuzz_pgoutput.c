/*
 * libFuzzer: a stream of pgoutput messages. Each is a frame: its length in four bytes, network
 * order, then the message (as in tests/unit/data). What the decoder lets through must keep the
 * promises of decoders/pgoutput.h and model/txn.h; what it refuses must be a DATA error.
 */
#include "base/buf.h"
#include "base/memory.h"
#include "decoders/pgoutput.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Small, so that transactions come in several pieces. */
#define PIECE_BYTES 6000

struct seen {
        bool inside; /* a transaction began and its last piece has not come */
        uint32_t xid;
        struct position commit;
        unsigned sum; /* every byte is read */
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
        must(c->op != CHANGE_DELETE || c->old);
        must(c->op != CHANGE_INSERT || !c->old);
        for (uint32_t i = 0; i < c->truncated_n; i++)
                s->sum += (unsigned)strlen(c->truncated[i]->name);
        check_row(s, c->old, c->relation);
        check_row(s, c->new, c->relation);
}

static int on_relation(void *context, const struct relation *r, struct error *e)
{
        struct seen *s = context;
        AUTO_BUF text = BUF_INIT;

        (void)e;
        must(strchr("difn", (int)r->identity) != NULL);
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
        must(t->first || (t->xid == s->xid && t->commit.lsn == s->commit.lsn));
        must(!t->last || position_compare(t->end, t->commit) >= 0);
        s->inside = !t->last;
        s->xid = t->xid;
        s->commit = t->commit;
        for (const struct change *c = t->changes; c; c = c->next, n++)
                check_change(s, c);
        must(n == t->changes_n);
        *piece = txn_free(*piece);
        return 0;
}

/* A copy of its own for each message, so that reading past its end shows. */
static int give(struct pgoutput *p, const void *message, size_t len, struct error *e)
{
        void *exact = memory_copy(message, len);
        int rc = pgoutput_message(p, exact, len, e);

        free(exact);
        return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const struct pgoutput_events events = {on_relation, on_piece};
        struct reader in = reader_of(data, size);
        struct seen seen = {0};
        struct pgoutput *p = pgoutput_new(PIECE_BYTES, &events, &seen);

        while (reader_left(&in) >= 4) {
                uint32_t len = reader_u32(&in);
                struct error e = ERROR_INIT;

                if (len > reader_left(&in))
                        len = (uint32_t)reader_left(&in);
                if (give(p, reader_bytes(&in, len), len, &e) < 0) {
                        must(e.class == ERROR_DATA && *e.message);
                        break;
                }
        }
        pgoutput_free(p);
        return 0;
}
