#include "decoders/binlog_compressed.h"

#include <zlib.h>

#define CHUNK 65536

static bool inflate_all(z_stream *z, size_t expected, struct buf *out)
{
        size_t begin = out->len;
        char chunk[CHUNK];
        int rc;

        do {
                z->next_out = (Bytef *)chunk;
                z->avail_out = sizeof chunk;
                rc = inflate(z, Z_NO_FLUSH);
                if (rc != Z_OK && rc != Z_STREAM_END)
                        return false;
                if (sizeof chunk - z->avail_out > expected - (out->len - begin))
                        return false;
                buf_add(out, chunk, sizeof chunk - z->avail_out);
        } while (rc != Z_STREAM_END);
        return out->len - begin == expected;
}

static bool inflate_stream(struct reader *in, int window_bits, size_t expected, struct buf *out)
{
        z_stream z = {0};
        bool ok;

        z.avail_in = (uInt)reader_left(in);
        z.next_in = (Bytef *)(uintptr_t)in->at; /* zlib does not write to it */
        if (reader_left(in) > UINT32_MAX || inflateInit2(&z, window_bits) != Z_OK)
                return false;
        ok = inflate_all(&z, expected, out);
        inflateEnd(&z);
        return ok;
}

/* sql/log_event.cc, binlog_buf_compress: a byte of 1 (compressed), 3 bits of algorithm (0 zlib), 4
 * bits with the number of bytes of the length; the length, big-endian; the stream. */
bool binlog_inflate_event(struct reader from, size_t limit, struct buf *out)
{
        uint8_t head = reader_u8(&from);
        unsigned bytes = head & 7;
        uint64_t len = bytes >= 1 && bytes <= 4 ? reader_be(&from, bytes) : 0;

        if (!reader_ok(&from) || (head & 0xe0) != 0x80 || bytes < 1 || bytes > 4 || len > limit)
                return false;
        return inflate_stream(&from, MAX_WBITS, len, out);
}

/* sql/field_comp.cc: nothing at all is the empty value. Else a byte: 0, and the value follows as it
 * is; or 8 in its upper half, bit 3 for a stream without zlib's header, and the number of bytes of
 * the length; the length, big-endian; the stream. */
bool binlog_inflate_column(struct reader from, size_t limit, struct buf *out)
{
        uint8_t head;
        unsigned bytes;
        uint64_t len;

        if (!reader_left(&from))
                return true;
        head = reader_u8(&from);
        bytes = head & 7;
        if (head == 0) {
                buf_add(out, from.at, reader_left(&from));
                return true;
        }
        if (head >> 4 != 8 || bytes < 1)
                return false;
        len = reader_be(&from, bytes);
        return reader_ok(&from) && len <= limit &&
               inflate_stream(&from, head & 8 ? -MAX_WBITS : MAX_WBITS, len, out);
}
