#include "base/buf.h"
#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_done(struct buf *b)
{
        free(b->data);
        *b = (struct buf)BUF_INIT;
}

static void reserve(struct buf *b, size_t more)
{
        size_t need = b->len + more + 1;

        if (need <= b->cap)
                return;
        if (need < b->cap * 2)
                need = b->cap * 2;
        if (need < 64)
                need = 64;
        b->data = memory_grow(b->data, need);
        b->cap = need;
}

void buf_clear(struct buf *b)
{
        b->len = 0;
        if (b->data)
                b->data[0] = '\0';
}

char *buf_take(struct buf *b)
{
        char *data;

        reserve(b, 0);
        data = b->data;
        data[b->len] = '\0';
        *b = (struct buf)BUF_INIT;
        return data;
}

const char *buf_text(const struct buf *b)
{
        return b->data ? b->data : "";
}

void buf_add(struct buf *b, const void *data, size_t len)
{
        reserve(b, len);
        if (len)
                memcpy(b->data + b->len, data, len);
        b->len += len;
        b->data[b->len] = '\0';
}

char *buf_room(struct buf *b, size_t more)
{
        reserve(b, more);
        return b->data + b->len;
}

void buf_str(struct buf *b, const char *s)
{
        buf_add(b, s, strlen(s));
}

void buf_char(struct buf *b, char c)
{
        buf_add(b, &c, 1);
}

void buf_printf(struct buf *b, const char *format, ...)
{
        va_list args, again;
        int n;

        va_start(args, format);
        va_copy(again, args);
        n = vsnprintf(NULL, 0, format, args);
        va_end(args);
        if (n > 0) {
                reserve(b, (size_t)n);
                vsnprintf(b->data + b->len, (size_t)n + 1, format, again);
                b->len += (size_t)n;
        }
        va_end(again);
}

void buf_name(struct buf *b, const char *name)
{
        buf_printf(b, "%zu:%s", strlen(name), name);
}

char *buf_take_name(const char **at)
{
        char *end, *name;
        unsigned long n = strtoul(*at, &end, 10);

        if (end == *at || *end != ':' || n > BUF_NAME_MAX || strnlen(end + 1, n) < n)
                return NULL;
        name = memory_printf("%.*s", (int)n, end + 1);
        *at = end + 1 + n;
        return name;
}

void buf_u32(struct buf *b, uint32_t v)
{
        uint8_t bytes[4] = {v >> 24, v >> 16, v >> 8, v};

        buf_add(b, bytes, sizeof bytes);
}

void buf_u64(struct buf *b, uint64_t v)
{
        buf_u32(b, (uint32_t)(v >> 32));
        buf_u32(b, (uint32_t)v);
}

struct reader reader_of(const void *data, size_t len)
{
        const uint8_t *begin = data ? data : (const uint8_t *)"";

        return (struct reader){.at = begin, .end = begin + len};
}

const void *reader_bytes(struct reader *r, size_t len)
{
        const uint8_t *p = r->at;

        if (r->failed || (size_t)(r->end - r->at) < len) {
                r->failed = true;
                return NULL;
        }
        r->at += len;
        return p;
}

uint64_t reader_be(struct reader *r, unsigned bytes)
{
        const uint8_t *p = reader_bytes(r, bytes);
        uint64_t v = 0;

        if (!p)
                return 0;
        for (unsigned i = 0; i < bytes; i++)
                v = v << 8 | p[i];
        return v;
}

uint64_t reader_le(struct reader *r, unsigned bytes)
{
        const uint8_t *p = reader_bytes(r, bytes);
        uint64_t v = 0;

        if (!p)
                return 0;
        for (unsigned i = bytes; i-- > 0;)
                v = v << 8 | p[i];
        return v;
}

uint8_t reader_u8(struct reader *r)
{
        return (uint8_t)reader_be(r, 1);
}

uint16_t reader_u16(struct reader *r)
{
        return (uint16_t)reader_be(r, 2);
}

uint32_t reader_u32(struct reader *r)
{
        return (uint32_t)reader_be(r, 4);
}

uint64_t reader_u64(struct reader *r)
{
        return reader_be(r, 8);
}

uint16_t reader_le16(struct reader *r)
{
        return (uint16_t)reader_le(r, 2);
}

uint32_t reader_le24(struct reader *r)
{
        return (uint32_t)reader_le(r, 3);
}

uint32_t reader_le32(struct reader *r)
{
        return (uint32_t)reader_le(r, 4);
}

uint64_t reader_le48(struct reader *r)
{
        return reader_le(r, 6);
}

uint64_t reader_le64(struct reader *r)
{
        return reader_le(r, 8);
}

const char *reader_cstr(struct reader *r)
{
        const uint8_t *nul;

        if (r->failed || r->at == r->end || !(nul = memchr(r->at, 0, (size_t)(r->end - r->at)))) {
                r->failed = true;
                return "";
        }
        return reader_bytes(r, (size_t)(nul - r->at) + 1);
}

size_t reader_left(const struct reader *r)
{
        return (size_t)(r->end - r->at);
}

bool reader_ok(const struct reader *r)
{
        return !r->failed;
}

bool reader_done(const struct reader *r)
{
        return !r->failed && r->at == r->end;
}
