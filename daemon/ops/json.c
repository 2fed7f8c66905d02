#include "ops/json.h"
#include "base/loop.h"
#include "base/memory.h"
#include "model/utf8.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* cJSON keeps numbers as doubles; raw text keeps them exact. */
__attribute__((format(printf, 3, 4))) static void add_raw(
        cJSON *o, const char *key, const char *format, ...)
{
        char text[64];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        cJSON_AddRawToObject(o, key, text);
}

cJSON *json_object(void)
{
        cJSON *o = cJSON_CreateObject();

        if (!o)
                abort(); /* as base/memory.h: out of memory */
        json_count(o, "format", 1);
        return o;
}

/* Bytes of the character that begins at `s`; 0: not UTF-8 (overlong forms and surrogates are not).
 */
static size_t utf8_size(const char *s)
{
        const unsigned char *p = (const unsigned char *)s;
        unsigned low = 0x80, high = 0xbf;
        size_t n;

        if (p[0] < 0x80)
                return 1;
        if (p[0] < 0xc2 || p[0] > 0xf4)
                return 0;
        n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
        if (p[0] == 0xe0)
                low = 0xa0;
        if (p[0] == 0xed)
                high = 0x9f;
        if (p[0] == 0xf0)
                low = 0x90;
        if (p[0] == 0xf4)
                high = 0x8f;
        if (p[1] < low || p[1] > high)
                return 0;
        for (size_t i = 2; i < n; i++)
                if ((p[i] & 0xc0) != 0x80)
                        return 0;
        return n;
}

char *json_utf8(char *to, size_t size, const char *from)
{
        size_t used = 0;

        while (*from) {
                size_t n = utf8_size(from);

                if (used + (n ? n : 1) >= size)
                        break;
                if (n)
                        memcpy(to + used, from, n);
                else
                        to[used] = '?';
                used += n ? n : 1;
                from += n ? n : 1;
        }
        to[used] = '\0';
        return to;
}

void json_text(cJSON *o, const char *key, const char *text)
{
        if (!text) {
                cJSON_AddNullToObject(o, key);
                return;
        }
        size_t size = strlen(text) + 1;
        AUTO_STRING clean = memory_new(size);

        cJSON_AddStringToObject(o, key, json_utf8(clean, size, text));
}

void json_bool(cJSON *o, const char *key, bool value)
{
        cJSON_AddBoolToObject(o, key, value);
}

void json_count(cJSON *o, const char *key, uint64_t n)
{
        add_raw(o, key, "%" PRIu64, n);
}

void json_known(cJSON *o, const char *key, int64_t n)
{
        if (n < 0)
                cJSON_AddNullToObject(o, key);
        else
                json_count(o, key, (uint64_t)n);
}

void json_seconds(cJSON *o, const char *key, double seconds)
{
        if (!isfinite(seconds) || seconds < 0 || seconds > 1e15)
                cJSON_AddNullToObject(o, key);
        else
                add_raw(o, key, "%.3f", seconds);
}

void json_position(cJSON *o, const char *key, struct position p)
{
        char text[POSITION_TEXT];

        json_text(o, key, position_is_none(p) ? NULL : position_format(p, text));
}

void json_time(cJSON *o, const char *key, int64_t microseconds)
{
        time_t seconds = microseconds / SECOND;
        char day[32], text[48];
        struct tm tm;

        if (microseconds <= 0 || !gmtime_r(&seconds, &tm)) {
                cJSON_AddNullToObject(o, key);
                return;
        }
        strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm);
        snprintf(text, sizeof text, "%s.%03dZ", day, (int)(microseconds % SECOND / MILLISECOND));
        json_text(o, key, text);
}

/* C0, DEL, C1. */
static bool is_control(const uint8_t *p, unsigned n)
{
        return *p < 0x20 || *p == 0x7f || (n == 2 && p[0] == 0xc2 && p[1] < 0xa0);
}

void json_quote(struct buf *out, const char *text, size_t len)
{
        const uint8_t *p = (const uint8_t *)text;

        buf_char(out, '"');
        for (unsigned n; len > 0; p += n, len -= n) {
                n = utf8_next(p, len);
                if (n == 0) {
                        n = 1;
                        buf_char(out, '?');
                } else if (is_control(p, n)) {
                        buf_printf(out, "\\u%04x", p[n - 1]);
                } else {
                        if (*p == '"' || *p == '\\')
                                buf_char(out, '\\');
                        buf_add(out, p, n);
                }
        }
        buf_char(out, '"');
}
