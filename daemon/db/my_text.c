#include "db/my.h"

#include <string.h>

void my_ident(struct buf *out, const char *name)
{
        buf_char(out, '`');
        for (; *name; name++) {
                if (*name == '`')
                        buf_char(out, '`');
                buf_char(out, *name);
        }
        buf_char(out, '`');
}

void my_table(struct buf *out, const char *schema, const char *name)
{
        my_ident(out, schema);
        buf_char(out, '.');
        my_ident(out, name);
}

/* The session's sql_mode has backslash escapes, and its character set utf8mb4 has no character with
 * a quote or a backslash as a later byte. */
void my_literal(struct buf *out, const char *text, size_t len)
{
        const char *end = text + len, *plain = text;

        buf_char(out, '\'');
        for (; text < end; text++) {
                if (*text != '\'' && *text != '\\' && *text != '\0')
                        continue;
                buf_add(out, plain, (size_t)(text - plain));
                buf_char(out, '\\');
                buf_char(out, *text ? *text : '0');
                plain = text + 1;
        }
        buf_add(out, plain, (size_t)(text - plain));
        buf_char(out, '\'');
}

void my_bytes(struct buf *out, const void *data, size_t len)
{
        static const char digits[] = "0123456789abcdef";
        const unsigned char *at = data;
        char piece[512];

        buf_str(out, "x'");
        while (len > 0) {
                size_t n = len < sizeof piece / 2 ? len : sizeof piece / 2;

                for (size_t i = 0; i < n; i++) {
                        piece[2 * i] = digits[at[i] >> 4];
                        piece[2 * i + 1] = digits[at[i] & 15];
                }
                buf_add(out, piece, 2 * n);
                at += n;
                len -= n;
        }
        buf_char(out, '\'');
}
