#include "base/memory.h"
#include "decoders/binlog_private.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define XID_BYTES 64 /* MAXGTRIDSIZE, MAXBQUALSIZE */
#define PREPARED_MAX 10000

struct prepared {
        struct prepared *next;
        char *xid;
        struct position begin;
        char *gtids; /* state at `begin`; NULL: not known */
        struct kept kept;
        bool spoilt;
};

/* ---- pieces that are kept ---- */

static void add_kept(struct kept *k, struct txn *piece)
{
        if (!k->first)
                k->tail = &k->first;
        piece->next = NULL;
        *k->tail = piece;
        k->tail = &piece->next;
        k->bytes += txn_bytes(piece);
}

static struct txn *take_kept(struct kept *k)
{
        struct txn *piece = k->first;

        if (piece)
                k->first = piece->next;
        return piece;
}

static void free_kept(struct binlog *b, struct kept *k)
{
        struct txn *piece;

        while ((piece = take_kept(k)))
                txn_free(piece);
        b->kept_bytes -= k->bytes;
        *k = (struct kept){0};
}

int binlog_keep(struct binlog *b, struct error *e)
{
        char text[POSITION_TEXT];
        struct txn *piece = b->open;

        b->open = NULL;
        b->kept_bytes += txn_bytes(piece);
        add_kept(&b->kept, piece);
        if (b->kept_bytes <= b->setup.kept_bytes)
                return 0;
        return error_set(e, ERROR_DATA,
                "XA transactions that are prepared and not committed, the last one at %s, have "
                "more "
                "rows of migrated tables than queue.memory allows (%" PRIu64
                " bytes): raise it, or commit or roll them back",
                position_format(b->group_begin, text), b->setup.kept_bytes);
}

void binlog_forget_kept(struct binlog *b)
{
        free_kept(b, &b->kept);
}

int binlog_give_kept(struct binlog *b, struct error *e)
{
        struct txn *piece;
        int rc = 0;

        b->kept_bytes -= b->kept.bytes;
        b->kept.bytes = 0;
        while (rc == 0 && (piece = take_kept(&b->kept)))
                rc = binlog_give(b, piece, false, e);
        return rc;
}

/* ---- transactions that are prepared ---- */

static struct prepared *free_prepared(struct binlog *b, struct prepared *p)
{
        struct prepared *next = p->next;

        free_kept(b, &p->kept);
        b->prepared_n--;
        free(p->xid);
        free(p->gtids);
        free(p);
        return next;
}

void binlog_forget_prepared(struct binlog *b)
{
        binlog_forget_kept(b);
        while (b->prepared)
                b->prepared = free_prepared(b, b->prepared);
}

bool binlog_since(const struct binlog *b, struct position *since, const char **gtids)
{
        if (!b->prepared)
                return false;
        *since = b->prepared->begin;
        *gtids = b->prepared->gtids;
        return true;
}

static char *state_now(const struct binlog *b)
{
        const struct gtids *now = b->catching_up ? b->seen : b->gtids;
        AUTO_BUF text = BUF_INIT;

        if (!now)
                return NULL;
        gtids_format(now, &text);
        return text.len ? buf_take(&text) : NULL;
}

/* The newest goes to the end. */
static void remember(struct binlog *b, const char *xid)
{
        struct prepared *p = memory_new_of(struct prepared), **at = &b->prepared;

        *p = (struct prepared){.xid = memory_string(xid),
                .begin = b->group_begin,
                .gtids = state_now(b),
                .kept = b->kept,
                .spoilt = b->spoilt};
        b->kept = (struct kept){0};
        while (*at)
                at = &(*at)->next;
        *at = p;
        b->prepared_n++;
}

static void put_hex(struct buf *out, const uint8_t *data, size_t len)
{
        buf_str(out, "X'");
        for (size_t i = 0; i < len; i++)
                buf_printf(out, "%02x", data[i]);
        buf_char(out, '\'');
}

/* As the server writes it into statements. */
static bool read_xid(struct reader *in, struct buf *out)
{
        uint32_t format = reader_le32(in), global = reader_le32(in), branch = reader_le32(in);
        const uint8_t *data;

        if (global > XID_BYTES || branch > XID_BYTES)
                return false;
        data = reader_bytes(in, (size_t)global + branch);
        if (!data)
                return false;
        put_hex(out, data, global);
        buf_char(out, ',');
        put_hex(out, data + global, branch);
        buf_printf(out, ",%d", (int)format);
        return true;
}

/* Its rows count from the XA COMMIT on; the group itself changes nothing. */
static int prepare(struct binlog *b, const char *xid, struct error *e)
{
        if (b->prepared_n == PREPARED_MAX)
                return error_set(e, ERROR_DATA, "binlog: more than %u XA transactions are prepared",
                        PREPARED_MAX);
        if (b->open->changes_n > 0) {
                if (binlog_keep(b, e) < 0)
                        return -1;
                b->open = binlog_piece(b);
        }
        b->open->first = true;
        remember(b, xid);
        return binlog_commit(b, e);
}

/* In one phase 1, then the xid: format 4, length of the global part 4, of the branch 4, bytes. In
 * one phase it is a commit. */
int binlog_on_xa_prepare(struct binlog *b, struct error *e)
{
        bool one_phase = reader_u8(&b->in);
        AUTO_BUF xid = BUF_INIT;

        if (!read_xid(&b->in, &xid))
                return binlog_malformed(b, e);
        if (b->group != GROUP_OPEN)
                return error_set(e, ERROR_DATA, "binlog: an XA PREPARE outside a transaction");
        if (one_phase)
                return binlog_commit(b, e);
        if (!b->xa && (b->pieces > 0 || b->open->changes_n > 0))
                return error_set(e, ERROR_DATA,
                        "binlog: an XA PREPARE of a transaction that did not begin as one");
        return prepare(b, buf_text(&xid), e);
}

/* What was kept becomes the group's: it commits here. */
static void take_over(struct binlog *b, struct prepared *p)
{
        b->kept = p->kept;
        p->kept = (struct kept){0};
        for (struct txn *t = b->kept.first; t; t = t->next) {
                t->commit = b->group_begin;
                t->committed_at = b->committed_at;
        }
        b->open->first = !b->kept.first;
}

int binlog_xa_end(struct binlog *b, const char *xid, bool applied, struct error *e)
{
        struct prepared **at = &b->prepared;
        bool there, spoilt;

        while (*at && strcmp((*at)->xid, xid) != 0)
                at = &(*at)->next;
        there = *at;
        spoilt = there && (*at)->spoilt;
        if (there && applied)
                take_over(b, *at);
        if (there)
                *at = free_prepared(b, *at);
        if (!applied || b->past || (there && !spoilt))
                return 0;
        return error_set(e, ERROR_DATA,
                "resync required: XA COMMIT %.300s belongs to a transaction that was prepared %s, "
                "so its rows are not known",
                xid, spoilt ? "when its tables had another definition" : "before the stream began");
}
