#include "model/charset.h"
#include "model/charset_private.h"
#include "model/utf8.h"

#include <errno.h>
#include <iconv.h>
#include <string.h>

bool charset_is_utf8(const struct charset *c)
{
        return !strcmp(c->name, "utf8mb4") || !strcmp(c->name, "utf8mb3") ||
               !strcmp(c->name, "ascii");
}

static int no_character(const struct charset *c, size_t offset, struct error *e)
{
        return error_set(
                e, ERROR_DATA, "text is not valid %s: no character at byte %zu", c->name, offset);
}

static int copy_utf8(
        const struct charset *c, const uint8_t *from, size_t len, struct buf *out, struct error *e)
{
        bool ascii = c->max_bytes == 1;
        size_t at = 0;

        while (at < len) {
                unsigned n = from[at] < 0x80 ? 1 : ascii ? 0 : utf8_next(from + at, len - at);

                if (n == 0 || n > c->max_bytes)
                        return no_character(c, at, e);
                at += n;
        }
        buf_add(out, from, len);
        return 0;
}

static int map_bytes(
        const struct charset *c, const uint8_t *from, size_t len, struct buf *out, struct error *e)
{
        size_t plain = 0; /* where the stretch of ASCII began that is not yet copied */

        for (size_t i = 0; i < len; i++) {
                if (from[i] < 0x80)
                        continue;
                if (!c->high[from[i] - 0x80])
                        return no_character(c, i, e);
                buf_add(out, from + plain, i - plain);
                utf8_add(out, c->high[from[i] - 0x80]);
                plain = i + 1;
        }
        buf_add(out, from + plain, len - plain);
        return 0;
}

/* All of from[0..len), whole characters; *offset is where it failed. */
static bool run_iconv(
        iconv_t state, const uint8_t *from, size_t len, struct buf *out, size_t *offset)
{
        char chunk[512];
        char *in = (char *)(uintptr_t)from; /* iconv() does not write to it */

        while (len > 0) {
                char *to = chunk;
                size_t room = sizeof chunk;
                size_t rc = iconv(state, &in, &len, &to, &room);

                buf_add(out, chunk, sizeof chunk - room);
                if (rc == (size_t)-1 && errno != E2BIG) {
                        *offset = (size_t)((const uint8_t *)in - from);
                        return false;
                }
        }
        return true;
}

/* Bytes of the character at `p` in one of the sets that have runs (sjis, ujis, big5, euckr). */
static unsigned character(const struct charset *c, const uint8_t *p, size_t len)
{
        unsigned n = p[0] < 0x80 ? 1 : 2;

        if (!strcmp(c->name, "sjis") && p[0] >= 0xa1 && p[0] <= 0xdf)
                n = 1;
        if (c->max_bytes == 3 && p[0] == 0x8f)
                n = 3;
        return n > len ? (unsigned)len : n;
}

static const struct charset_run *run_of(const struct charset *c, uint32_t code)
{
        for (const struct charset_run *r = c->runs; r->last; r++)
                if (code >= r->first && code <= r->last)
                        return r;
        return NULL;
}

static uint32_t code_of(const uint8_t *p, unsigned n)
{
        uint32_t code = 0;

        for (unsigned i = 0; i < n; i++)
                code = code << 8 | p[i];
        return code;
}

/* glibc converts what lies between the characters of which the server has another idea. */
static int convert_runs(const struct charset *c, iconv_t state, const uint8_t *from, size_t len,
        struct buf *out, struct error *e)
{
        size_t begin = 0, at = 0, offset = 0;

        while (at < len) {
                unsigned n = character(c, from + at, len - at);
                uint32_t code = code_of(from + at, n);
                const struct charset_run *r = run_of(c, code);

                if (r) {
                        if (!run_iconv(state, from + begin, at - begin, out, &offset))
                                return no_character(c, begin + offset, e);
                        if (!r->point)
                                return no_character(c, at, e);
                        utf8_add(out, r->point + (code - r->first));
                        begin = at + n;
                }
                at += n;
        }
        if (!run_iconv(state, from + begin, len - begin, out, &offset))
                return no_character(c, begin + offset, e);
        return 0;
}

static int by_iconv(
        const struct charset *c, const uint8_t *from, size_t len, struct buf *out, struct error *e)
{
        iconv_t state = iconv_open("UTF-8", c->iconv);
        size_t offset = 0;
        int rc = 0;

        if (state == (iconv_t)-1) /* the C library's modules (package libc6) are cut down */
                return error_set(e, ERROR_CONFIG,
                        "character set %s: this system's C library has no %s", c->name, c->iconv);
        if (c->runs)
                rc = convert_runs(c, state, from, len, out, e);
        else if (!run_iconv(state, from, len, out, &offset))
                rc = no_character(c, offset, e);
        iconv_close(state);
        return rc;
}

int charset_to_utf8(
        const struct charset *c, const void *from, size_t len, struct buf *out, struct error *e)
{
        if (c->iconv)
                return by_iconv(c, from, len, out, e);
        if (c->high)
                return map_bytes(c, from, len, out, e);
        if (charset_is_utf8(c))
                return copy_utf8(c, from, len, out, e);
        buf_add(out, from, len);
        return 0;
}

bool charset_passes(const struct charset *c)
{
        return charset_is_utf8(c) && c->max_bytes > 1;
}

/* ASCII is ASCII in every set whose characters have one byte (charset_table.c). */
static bool is_plain(const struct charset *c, const char *text, size_t len)
{
        size_t at = 0;

        if (c->min_bytes != 1)
                return false;
        while (at < len && (uint8_t)text[at] < 0x80)
                at++;
        return at == len;
}

int charset_text(
        const struct charset *c, const char **text, size_t *len, struct buf *room, struct error *e)
{
        if (!c || charset_passes(c) || is_plain(c, *text, *len))
                return 0;
        buf_clear(room);
        if (charset_to_utf8(c, *text, *len, room, e) < 0)
                return -1;
        *text = buf_text(room);
        *len = room->len;
        return 0;
}
