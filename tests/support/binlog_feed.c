#include "tests/support/binlog_feed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <zlib.h>

static const char shapes[] = "engine mariadb\n"
                             "table t.a\n"
                             "column *id int(11)\n"
                             "column v varchar(20) charset utf8mb4\n"
                             "table t.b\n"
                             "column *id int(11)\n";

void feed_le(struct buf *b, uint64_t v, unsigned bytes)
{
        for (; bytes--; v >>= 8)
                buf_char(b, (char)v);
}

int feed_give(struct feed *f, uint8_t type, unsigned flags, const struct buf *body)
{
        AUTO_BUF event = BUF_INIT;
        uint32_t len = 19 + (uint32_t)body->len + 4;
        int rc;

        feed_le(&event, 1700000000, 4);
        feed_le(&event, type, 1);
        feed_le(&event, 7, 4);
        feed_le(&event, len, 4);
        feed_le(&event, flags & 0x20 ? 0 : f->at + len, 4);
        feed_le(&event, flags, 2);
        buf_add(&event, buf_text(body), body->len);
        feed_le(&event, crc32(0, (const Bytef *)event.data, (uInt)event.len), 4);
        error_clear(&f->e);
        rc = binlog_event(f->b, event.data, event.len, &f->e);
        if (!(flags & 0x20))
                f->at += len;
        return rc;
}

int feed_give_bytes(struct feed *f, uint8_t type, unsigned flags, const char *data, size_t len)
{
        AUTO_BUF body = BUF_INIT;

        buf_add(&body, data, len);
        return feed_give(f, type, flags, &body);
}

int feed_rotate(struct feed *f, unsigned flags, uint64_t to, const char *name)
{
        AUTO_BUF body = BUF_INIT;

        feed_le(&body, to, 8);
        buf_str(&body, name);
        return feed_give(f, 4, flags, &body);
}

int feed_describe(struct feed *f, const char *version, unsigned checksum)
{
        AUTO_BUF body = BUF_INIT;
        char name[50] = "";

        snprintf(name, sizeof name, "%s", version);
        feed_le(&body, 4, 2);
        buf_add(&body, name, sizeof name);
        feed_le(&body, 0, 4);
        feed_le(&body, 19, 1);
        for (unsigned i = 0; i < 40; i++)
                feed_le(&body, i == 18 ? 8 : 0, 1);
        feed_le(&body, checksum, 1);
        return feed_give(f, 15, 0x20, &body);
}

void feed_start_with(struct feed *f, uint64_t piece_bytes, struct binlog_setup setup)
{
        *f = (struct feed){.at = 4};
        heard_shapes(&f->h, shapes);
        f->b = heard_decoder_with(&f->h, piece_bytes, setup);
        assert_int_equal(feed_rotate(f, 0x20, 4, "bin.000001"), 0);
        assert_int_equal(feed_describe(f, "10.11.2-MariaDB", 1), 0);
}

void feed_start(struct feed *f, uint64_t piece_bytes)
{
        feed_start_with(f, piece_bytes, (struct binlog_setup){0});
}

void feed_stop(struct feed *f)
{
        binlog_free(f->b);
        heard_done(&f->h);
}

int feed_gtid(struct feed *f, unsigned flags)
{
        AUTO_BUF body = BUF_INIT;

        feed_le(&body, ++f->number, 8);
        feed_le(&body, 0, 4);
        feed_le(&body, flags, 1);
        feed_le(&body, 0, 6);
        return feed_give(f, 162, 0, &body);
}

int feed_query_of(struct feed *f, const char *schema, const char *text)
{
        AUTO_BUF body = BUF_INIT;

        feed_le(&body, 0, 8);
        feed_le(&body, strlen(schema), 1);
        feed_le(&body, 0, 2);
        feed_le(&body, 0, 2);
        buf_add(&body, schema, strlen(schema) + 1);
        buf_str(&body, text);
        return feed_give(f, 2, 0, &body);
}

int feed_query(struct feed *f, const char *text)
{
        return feed_query_of(f, "t", text);
}

int feed_xid(struct feed *f)
{
        AUTO_BUF body = BUF_INIT;

        feed_le(&body, 1, 8);
        return feed_give(f, 16, 0, &body);
}

int feed_map(struct feed *f, char table, unsigned id_type)
{
        AUTO_BUF body = BUF_INIT;

        feed_le(&body, (unsigned char)table, 6);
        feed_le(&body, 1, 2);
        buf_add(&body, "\x01t\0\x01", 4);
        buf_char(&body, table);
        buf_char(&body, '\0');
        if (table == 'a') {
                feed_le(&body, 2, 1);
                feed_le(&body, id_type, 1);
                feed_le(&body, 15, 1);
                feed_le(&body, 2, 1);
                feed_le(&body, 80, 2);
        } else {
                feed_le(&body, 1, 1);
                feed_le(&body, id_type, 1);
                feed_le(&body, 0, 1);
        }
        feed_le(&body, 2, 1);
        return feed_give(f, 19, 0, &body);
}

int feed_insert(struct feed *f, uint32_t id, const char *v)
{
        AUTO_BUF body = BUF_INIT;

        feed_le(&body, 'a', 6);
        feed_le(&body, 1, 2);
        feed_le(&body, 2, 1);
        feed_le(&body, 3, 1);
        feed_le(&body, v ? 0 : 2, 1);
        feed_le(&body, id, 4);
        if (v) {
                feed_le(&body, strlen(v), 1);
                buf_str(&body, v);
        }
        return feed_give(f, 23, 0, &body);
}

void feed_expect(struct feed *f, const char *text)
{
        assert_string_equal(buf_text(&f->h.text), text);
        buf_clear(&f->h.text);
}

void feed_fails(struct feed *f, int rc, const char *part)
{
        assert_int_equal(rc, -1);
        assert_int_equal(f->e.class, ERROR_DATA);
        if (!strstr(f->e.message, part))
                fail_msg("'%s' does not say '%s'", f->e.message, part);
}

int feed_prepare(struct feed *f, bool one_phase)
{
        AUTO_BUF body = BUF_INIT;

        feed_le(&body, one_phase, 1);
        feed_le(&body, 1, 4);
        feed_le(&body, 2, 4);
        feed_le(&body, 1, 4);
        buf_str(&body, "abc");
        return feed_give(f, 38, 0, &body);
}
