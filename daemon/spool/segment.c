#include "spool/segment.h"
#include "base/crc32c.h"
#include "base/memory.h"

#include "change.pb-c.h"

#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <zstd.h>

#define LEVEL 1 /* of zstd: the writer must be faster than the sink, not small */
#define UNPACK_STEP ((size_t)16 * 1024 * 1024)
#define FLAG_INSIDE 1u

/* ---- header ---- */

void segment_header_done(struct segment_header *h)
{
        free(h->gtids);
        *h = (struct segment_header){0};
}

uint32_t segment_header_write(struct buf *out, const struct segment_header *h)
{
        Culvert__SegmentHeader m = CULVERT__SEGMENT_HEADER__INIT;
        Culvert__Position begin = CULVERT__POSITION__INIT;
        struct segment_header texts = *h; /* the message has plain pointers */
        size_t first = out->len, len;
        uint32_t crc;

        begin.lsn = h->begin.lsn;
        begin.has_file = h->begin.file != 0;
        begin.file = h->begin.file;
        m.queue = texts.queue;
        m.pipeline = texts.pipeline;
        m.source = texts.source;
        m.sequence = h->sequence;
        m.begin = position_is_none(h->begin) ? NULL : &begin;
        m.gtids = h->gtids;
        m.has_inside = m.inside = h->inside;
        m.engine = *texts.engine ? texts.engine : NULL;
        len = culvert__segment_header__get_packed_size(&m);
        buf_add(out, SEGMENT_MAGIC, sizeof SEGMENT_MAGIC - 1);
        buf_u32(out, SEGMENT_FORMAT);
        buf_u32(out, (uint32_t)len);
        out->len += culvert__segment_header__pack(&m, (uint8_t *)buf_room(out, len));
        crc = crc32c(0, out->data + first, out->len - first);
        buf_u32(out, crc);
        return crc;
}

size_t segment_header_size(const void *bytes, size_t have, struct error *e)
{
        struct reader r = reader_of(bytes, have);
        const void *magic = reader_bytes(&r, sizeof SEGMENT_MAGIC - 1);
        uint32_t format = reader_u32(&r), len = reader_u32(&r);

        if (!reader_ok(&r) || memcmp(magic, SEGMENT_MAGIC, sizeof SEGMENT_MAGIC - 1) != 0) {
                error_set(e, ERROR_DATA, "not a segment file of culvert");
                return 0;
        }
        if (format < 1 || format > SEGMENT_FORMAT) {
                error_set(e, ERROR_CONFIG,
                        "segment format %u; this culvert knows format %u: a newer version has "
                        "written it",
                        format, SEGMENT_FORMAT);
                return 0;
        }
        if (len > SEGMENT_HEADER_MAX) {
                error_set(e, ERROR_DATA, "the header is damaged");
                return 0;
        }
        return SEGMENT_FIXED + (size_t)len + 4;
}

static bool copy_text(char *to, size_t size, const char *from)
{
        return (size_t)snprintf(to, size, "%s", from) < size;
}

static bool take_header(struct segment_header *h, const Culvert__SegmentHeader *m)
{
        h->sequence = m->sequence;
        if (m->begin)
                h->begin = (struct position){
                        .lsn = m->begin->lsn, .file = m->begin->has_file ? m->begin->file : 0};
        h->gtids = memory_string(m->gtids);
        h->inside = m->has_inside && m->inside;
        return copy_text(h->queue, sizeof h->queue, m->queue) &&
               copy_text(h->pipeline, sizeof h->pipeline, m->pipeline) &&
               copy_text(h->source, sizeof h->source, m->source) &&
               copy_text(h->engine, sizeof h->engine, m->engine ? m->engine : "");
}

int segment_header_read(
        struct segment_header *h, const void *bytes, size_t size, uint32_t *crc, struct error *e)
{
        struct reader r = reader_of((const char *)bytes + size - 4, 4);
        Culvert__SegmentHeader *m = NULL;
        bool good;

        *h = (struct segment_header){0};
        *crc = crc32c(0, bytes, size - 4);
        if (*crc == reader_u32(&r))
                m = culvert__segment_header__unpack(
                        NULL, size - SEGMENT_FIXED - 4, (const uint8_t *)bytes + SEGMENT_FIXED);
        good = m && take_header(h, m);
        if (m)
                culvert__segment_header__free_unpacked(m, NULL);
        if (good)
                return 0;
        segment_header_done(h);
        return error_set(e, ERROR_DATA, "the header is damaged");
}

/* ---- frames ---- */

static void put_u32(uint8_t **at, uint32_t v)
{
        for (int shift = 24; shift >= 0; shift -= 8)
                *(*at)++ = (uint8_t)(v >> shift);
}

static void put_u64(uint8_t **at, uint64_t v)
{
        put_u32(at, (uint32_t)(v >> 32));
        put_u32(at, (uint32_t)v);
}

static uint32_t head_crc(const uint8_t head[FRAME_HEAD], uint32_t crc, uint64_t at)
{
        uint8_t place[8], *p = place;

        put_u64(&p, at);
        return crc32c(crc32c(crc, place, sizeof place), head, FRAME_HEAD - 4);
}

void frame_write(uint8_t head[FRAME_HEAD], const struct frame *f, uint32_t crc, uint64_t at)
{
        uint8_t *p = head;

        for (const char *c = FRAME_MAGIC; *c; c++)
                *p++ = (uint8_t)*c;
        put_u32(&p, f->packed);
        put_u32(&p, f->raw);
        put_u32(&p, f->transactions);
        put_u32(&p, f->inside ? FLAG_INSIDE : 0);
        put_u32(&p, f->end.file);
        put_u64(&p, f->end.lsn);
        put_u64(&p, f->synced);
        put_u32(&p, f->packed_crc);
        put_u32(&p, head_crc(head, crc, at));
}

bool frame_read(struct frame *f, const uint8_t head[FRAME_HEAD], uint32_t crc, uint64_t at)
{
        struct reader r = reader_of(head, FRAME_HEAD);
        bool magic = !memcmp(reader_bytes(&r, 4), FRAME_MAGIC, 4);

        f->packed = reader_u32(&r);
        f->raw = reader_u32(&r);
        f->transactions = reader_u32(&r);
        f->inside = reader_u32(&r) & FLAG_INSIDE;
        f->end.file = reader_u32(&r);
        f->end.lsn = reader_u64(&r);
        f->synced = reader_u64(&r);
        f->packed_crc = reader_u32(&r);
        return magic && reader_u32(&r) == head_crc(head, crc, at) && f->raw <= FRAME_MAX;
}

struct frame_packer {
        ZSTD_CCtx *pack; /* made when first used */
        ZSTD_DCtx *unpack;
};

struct frame_packer *frame_packer_new(void)
{
        return memory_new_of(struct frame_packer);
}

struct frame_packer *frame_packer_free(struct frame_packer *p)
{
        if (!p)
                return NULL;
        ZSTD_freeCCtx(p->pack);
        ZSTD_freeDCtx(p->unpack);
        free(p);
        return NULL;
}

int frame_pack(struct frame_packer *p, struct frame *f, const struct buf *raw, struct buf *to,
        struct error *e)
{
        size_t bound = ZSTD_compressBound(raw->len), n;

        if (!p->pack && !(p->pack = ZSTD_createCCtx()))
                return error_set(e, ERROR_RETRY, "zstd: out of memory");
        if (raw->len > FRAME_MAX)
                return error_set(e, ERROR_DATA, "a frame of %zu bytes; at most %u are written",
                        raw->len, FRAME_MAX);
        buf_clear(to);
        buf_room(to, FRAME_HEAD + bound);
        n = ZSTD_compressCCtx(
                p->pack, to->data + FRAME_HEAD, bound, raw->len ? raw->data : "", raw->len, LEVEL);
        if (ZSTD_isError(n))
                return error_set(e, ERROR_RETRY, "zstd: %s", ZSTD_getErrorName(n));
        to->len = FRAME_HEAD + n;
        f->packed = (uint32_t)n;
        f->raw = (uint32_t)raw->len;
        f->packed_crc = crc32c(0, to->data + FRAME_HEAD, n);
        return 0;
}

/* Room grows with what is there, since the length may be a lie. */
static size_t more_room(const struct frame *f, struct buf *to)
{
        size_t left = f->raw - to->len, step = to->len > UNPACK_STEP ? to->len : UNPACK_STEP;

        step = step < left ? step : left;
        buf_room(to, step);
        return step;
}

int frame_unpack(struct frame_packer *p, const struct frame *f, const void *packed, struct buf *to,
        struct error *e)
{
        ZSTD_inBuffer in = {packed, f->packed, 0};
        size_t left;

        if (!p->unpack && !(p->unpack = ZSTD_createDCtx()))
                return error_set(e, ERROR_RETRY, "zstd: out of memory");
        ZSTD_DCtx_reset(p->unpack, ZSTD_reset_session_only);
        buf_clear(to);
        do {
                size_t room = more_room(f, to);
                ZSTD_outBuffer out = {to->data + to->len, room, 0};
                size_t before = in.pos;

                left = ZSTD_decompressStream(p->unpack, &out, &in);
                to->len += out.pos;
                if (ZSTD_isError(left) || (out.pos == 0 && in.pos == before))
                        break;
        } while (left > 0);
        if (left != 0 || in.pos != in.size || to->len != f->raw)
                return error_set(e, ERROR_DATA, "what is packed is malformed");
        return 0;
}
