#include "base/memory.h"
#include "decoders/binlog_private.h"

#include <stdlib.h>
#include <zstd.h>

#define EVENT_BYTES_MAX (1u << 30) /* packets are no larger */

enum { FIELD_END, FIELD_SIZE, FIELD_COMPRESSION, FIELD_UNCOMPRESSED };
enum { COMPRESSION_ZSTD = 0, COMPRESSION_NONE = 255 };

struct payload {
        uint64_t size, compression, uncompressed;
};

/* Fields of type, length and value, all packed; type 0 alone ends them. The rest is the payload. */
static bool read_fields(struct reader *in, struct payload *p)
{
        *p = (struct payload){.compression = COMPRESSION_NONE};
        for (;;) {
                uint64_t field = binlog_packed(in), len;
                struct reader value;
                uint64_t v;

                if (!reader_ok(in) || field == FIELD_END)
                        break;
                len = binlog_packed(in);
                value = reader_of(in->at, len <= reader_left(in) ? len : 0);
                reader_bytes(in, len);
                if (field == FIELD_SIZE || field == FIELD_COMPRESSION ||
                        field == FIELD_UNCOMPRESSED) {
                        v = binlog_packed(&value);
                        if (!reader_done(&value))
                                return false;
                        *(field == FIELD_SIZE                ? &p->size
                                : field == FIELD_COMPRESSION ? &p->compression
                                                             : &p->uncompressed) = v;
                }
        }
        return reader_ok(in) && p->size == reader_left(in);
}

/* Events in a payload have headers, but neither positions nor checksums. */
static int inner_event(struct binlog *b, const char *event, size_t len, struct error *e)
{
        struct reader head = reader_of(event, len);

        reader_le32(&head);
        b->type = reader_u8(&head);
        reader_bytes(&head, BINLOG_HEADER - 7);
        b->ignorable = reader_le16(&head) & 0x80;
        b->in = head;
        if (!reader_ok(&head) || b->type == EVENT_TRANSACTION_PAYLOAD || b->type == EVENT_FORMAT ||
                b->type == EVENT_ROTATE)
                return binlog_malformed(b, e);
        return binlog_dispatch(b, e);
}

/* Gives the whole events that have come together; what is left over moves to the front. */
static int take_events(struct binlog *b, struct buf *plain, struct error *e)
{
        size_t at = 0;

        while (plain->len - at >= BINLOG_HEADER) {
                struct reader head = reader_of(plain->data + at + 9, 4);
                uint32_t len = reader_le32(&head);

                if (len < BINLOG_HEADER || len > EVENT_BYTES_MAX)
                        return binlog_malformed(b, e);
                if (plain->len - at < len)
                        break;
                if (inner_event(b, plain->data + at, len, e) < 0)
                        return -1;
                at += len;
        }
        if (at) {
                AUTO_BUF rest = BUF_INIT;

                buf_add(&rest, plain->data + at, plain->len - at);
                buf_clear(plain);
                buf_add(plain, buf_text(&rest), rest.len);
        }
        return 0;
}

static int damaged(struct error *e)
{
        return error_set(e, ERROR_DATA, "binlog: a compressed transaction that is damaged");
}

/* Unpacked in pieces, so that a transaction of any size takes little memory. */
static int unpack(struct binlog *b, ZSTD_DStream *z, struct reader in, uint64_t expected,
        struct buf *plain, struct error *e)
{
        ZSTD_inBuffer from = {in.at, reader_left(&in), 0};
        size_t room = ZSTD_DStreamOutSize(), rc = 1;
        uint64_t total = 0;
        char *chunk = memory_new(room);
        int result = 0;

        while (result == 0 && rc != 0) {
                ZSTD_outBuffer to = {chunk, room, 0};

                rc = ZSTD_decompressStream(z, &to, &from);
                total += to.pos;
                if (ZSTD_isError(rc) || total > expected ||
                        (rc != 0 && to.pos == 0 && from.pos == from.size)) {
                        result = damaged(e);
                        break;
                }
                buf_add(plain, chunk, to.pos);
                result = take_events(b, plain, e);
        }
        free(chunk);
        if (result == 0 && (total != expected || plain->len || from.pos != from.size))
                result = damaged(e);
        return result;
}

int binlog_on_payload(struct binlog *b, struct error *e)
{
        struct payload p;
        AUTO_BUF plain = BUF_INIT;
        ZSTD_DStream *z;
        int rc;

        if (!read_fields(&b->in, &p))
                return binlog_malformed(b, e);
        if (p.compression == COMPRESSION_NONE) {
                buf_add(&plain, b->in.at, reader_left(&b->in));
                if (take_events(b, &plain, e) < 0)
                        return -1;
                return plain.len ? damaged(e) : 0;
        }
        if (p.compression != COMPRESSION_ZSTD)
                return error_set(e, ERROR_DATA,
                        "binlog: a transaction compressed by the unknown method %u",
                        (unsigned)p.compression);
        z = ZSTD_createDStream();
        if (!z)
                return error_set(e, ERROR_RETRY, "zstd: out of memory");
        rc = unpack(b, z, b->in, p.uncompressed, &plain, e);
        ZSTD_freeDStream(z);
        return rc;
}
