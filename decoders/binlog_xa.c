#include "base/memory.h"
#include "decoders/binlog_private.h"

#include <stdlib.h>
#include <string.h>

#define XID_BYTES 64 /* MAXGTRIDSIZE, MAXBQUALSIZE */
#define PREPARED_MAX 10000

struct prepared {
        struct prepared *next;
        char *xid;
};

static struct prepared *free_prepared(struct binlog *b, struct prepared *p)
{
        struct prepared *next = p->next;

        b->prepared_n--;
        free(p->xid);
        free(p);
        return next;
}

void binlog_forget_prepared(struct binlog *b)
{
        while (b->prepared)
                b->prepared = free_prepared(b, b->prepared);
}

static void remember(struct binlog *b, const char *xid)
{
        struct prepared *p = memory_new_of(struct prepared);

        *p = (struct prepared){b->prepared, memory_string(xid)};
        b->prepared = p;
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

/* In one phase 1, then the xid: format 4, length of the global part 4, of the branch 4, bytes. In
 * one phase it is a commit. Else the changes take effect at an XA COMMIT that comes later, maybe
 * much later and after a restart, so they would have to be kept. */
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
        if (b->pieces > 0 || b->open->changes_n > 0)
                return error_set(e, ERROR_DATA,
                        "XA transactions are not supported yet: XA PREPARE %s has rows of migrated "
                        "tables",
                        buf_text(&xid));
        if (b->prepared_n == PREPARED_MAX)
                return error_set(e, ERROR_DATA, "binlog: more than %u XA transactions are prepared",
                        PREPARED_MAX);
        remember(b, buf_text(&xid));
        return binlog_commit(b, e);
}

int binlog_xa_end(struct binlog *b, const char *xid, bool applied, struct error *e)
{
        struct prepared **at = &b->prepared;

        while (*at && strcmp((*at)->xid, xid) != 0)
                at = &(*at)->next;
        if (*at)
                *at = free_prepared(b, *at);
        else if (applied)
                return error_set(e, ERROR_DATA,
                        "resync required: XA COMMIT %.300s belongs to a transaction that was "
                        "prepared before the stream began, so its rows are not known",
                        xid);
        return 0;
}
