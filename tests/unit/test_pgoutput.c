#include "decoders/pgoutput.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/memory.h"
#include "tests/support/story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what the decoder said, as text ---- */

struct heard {
        struct buf text;
        unsigned pieces;
        bool refuse; /* the events return an error */
};

static void render_row(struct buf *out, const struct value *row, const struct relation *r)
{
        buf_char(out, '(');
        for (uint16_t i = 0; i < r->columns_n; i++) {
                buf_str(out, i ? ", " : "");
                if (row[i].kind == VALUE_NULL)
                        buf_str(out, "NULL");
                else if (row[i].kind == VALUE_UNCHANGED)
                        buf_str(out, "unchanged");
                else if (row[i].len > 40)
                        buf_printf(out, "'%.10s...%u'", row[i].data, row[i].len);
                else
                        buf_printf(out, "'%s'", row[i].data);
                if (row[i].kind == VALUE_TEXT)
                        assert_int_equal(row[i].data[row[i].len], 0);
        }
        buf_char(out, ')');
}

static void render_truncate(struct buf *out, const struct change *c)
{
        assert_ptr_equal(c->relation, c->truncated[0]);
        buf_printf(out, "truncate%s%s", c->cascade ? " cascade" : "",
                c->restart_identity ? " restart" : "");
        for (uint32_t i = 0; i < c->truncated_n; i++)
                buf_printf(out, " %s.%s", c->truncated[i]->schema, c->truncated[i]->name);
}

static void render_change(struct buf *out, const struct change *c)
{
        static const char *const names[] = {"insert", "update", "delete"};

        buf_str(out, "  ");
        if (c->op == CHANGE_TRUNCATE) {
                render_truncate(out, c);
        } else {
                buf_printf(out, "%s %s.%s", names[c->op], c->relation->schema, c->relation->name);
                if (c->old) {
                        buf_str(out, c->old_full ? " old " : " key ");
                        render_row(out, c->old, c->relation);
                }
                if (c->new) {
                        buf_str(out, " new ");
                        render_row(out, c->new, c->relation);
                }
        }
        buf_char(out, '\n');
}

static int on_relation(void *context, const struct relation *r, struct error *e)
{
        struct heard *h = context;

        buf_printf(&h->text, "relation %s.%s %c", r->schema, r->name, r->identity);
        for (uint16_t i = 0; i < r->columns_n; i++)
                buf_printf(&h->text, " %s%s:%u:%d", r->columns[i].key ? "*" : "",
                        r->columns[i].name, (unsigned)r->columns[i].type,
                        (int)r->columns[i].modifier);
        buf_char(&h->text, '\n');
        return h->refuse ? error_set(e, ERROR_DATA, "refused") : 0;
}

static int on_piece(void *context, struct txn **piece, struct error *e)
{
        struct heard *h = context;
        const struct txn *t = *piece;
        unsigned n = 0;
        char commit[POSITION_TEXT], end[POSITION_TEXT];

        h->pieces++;
        position_format(t->commit, commit);
        position_format(t->end, end);
        buf_printf(&h->text, "piece%s%s xid %u commit %s end %s at %lld\n",
                t->first ? " first" : "", t->last ? " last" : "", (unsigned)t->xid, commit, end,
                (long long)t->committed_at);
        for (const struct change *c = t->changes; c; c = c->next, n++)
                render_change(&h->text, c);
        assert_int_equal(n, t->changes_n);
        if (h->refuse)
                return error_set(e, ERROR_CONFIG, "refused");
        *piece = txn_free(*piece);
        return 0;
}

static const struct pgoutput_events events = {on_relation, on_piece};

/* ---- messages by hand: big endian, text with its NUL ---- */

static void put16(struct buf *b, unsigned v)
{
        buf_char(b, (char)(v >> 8));
        buf_char(b, (char)v);
}

static void put_text(struct buf *b, const char *s)
{
        buf_add(b, s, strlen(s) + 1);
}

static struct buf begin(uint64_t commit, uint32_t xid)
{
        struct buf b = BUF_INIT;

        buf_char(&b, 'B');
        buf_u64(&b, commit);
        buf_u64(&b, 1000000); /* a second past 2000-01-01 */
        buf_u32(&b, xid);
        return b;
}

static struct buf commit(uint64_t commit_at, uint64_t end)
{
        struct buf b = BUF_INIT;

        buf_add(&b, "C", 2); /* and flags 0 */
        buf_u64(&b, commit_at);
        buf_u64(&b, end);
        buf_u64(&b, 1000000);
        return b;
}

/* Columns as "*id:23 name:25", modifier -1. */
static struct buf relation(
        uint32_t id, const char *schema, const char *name, char identity, const char *columns)
{
        struct buf b = BUF_INIT;
        unsigned n = *columns != '\0';
        char list[200], *at = list, *column;

        for (const char *s = columns; *s; s++)
                n += *s == ' ';
        buf_char(&b, 'R');
        buf_u32(&b, id);
        put_text(&b, schema);
        put_text(&b, name);
        buf_char(&b, identity);
        put16(&b, n);
        snprintf(list, sizeof list, "%s", columns);
        while (n-- && (column = strsep(&at, " "))) {
                char *type = strchr(column, ':');

                *type = '\0';
                buf_char(&b, *column == '*');
                put_text(&b, column + (*column == '*'));
                buf_u32(&b, (uint32_t)strtoul(type + 1, NULL, 10));
                buf_u32(&b, UINT32_MAX);
        }
        return b;
}

/* Values by '|': "N" is NULL, "U" unchanged, else text. */
static void put_row(struct buf *b, char tag, const char *values)
{
        unsigned n = 1;
        char list[200], *at = list, *value;

        for (const char *s = values; *s; s++)
                n += *s == '|';
        buf_char(b, tag);
        put16(b, n);
        snprintf(list, sizeof list, "%s", values);
        while ((value = strsep(&at, "|"))) {
                if (!strcmp(value, "N")) {
                        buf_char(b, 'n');
                } else if (!strcmp(value, "U")) {
                        buf_char(b, 'u');
                } else {
                        buf_char(b, 't');
                        buf_u32(b, (uint32_t)strlen(value));
                        buf_str(b, value);
                }
        }
}

/* `old` with its tag in front ("Kid|N"), or NULL; `new` or NULL. */
static struct buf row(char kind, uint32_t id, const char *old, const char *new)
{
        struct buf b = BUF_INIT;

        buf_char(&b, kind);
        buf_u32(&b, id);
        if (old)
                put_row(&b, *old, old + 1);
        if (new)
                put_row(&b, 'N', new);
        return b;
}

static struct buf truncated(char options, unsigned n, const uint32_t *ids)
{
        struct buf b = BUF_INIT;

        buf_char(&b, 'T');
        buf_u32(&b, n);
        buf_char(&b, options);
        for (unsigned i = 0; i < n; i++)
                buf_u32(&b, ids[i]);
        return b;
}

static struct buf bytes(const char *data, size_t len)
{
        struct buf b = BUF_INIT;

        buf_add(&b, data, len);
        return b;
}

#define BYTES(s) bytes(s, sizeof(s) - 1)

/* ---- fixtures ---- */

struct stream {
        struct pgoutput *decoder;
        struct heard heard;
        struct error e;
};

static void open_stream(struct stream *s, uint64_t piece_bytes)
{
        memset(s, 0, sizeof *s);
        s->decoder = pgoutput_new(piece_bytes, &events, &s->heard);
}

static void close_stream(struct stream *s)
{
        s->decoder = pgoutput_free(s->decoder);
        buf_done(&s->heard.text);
}

static int give(struct stream *s, struct buf message)
{
        char *exact = memory_copy(message.data, message.len); /* so that ASan sees its end */
        int rc;

        error_clear(&s->e);
        rc = pgoutput_message(s->decoder, exact, message.len, &s->e);
        free(exact);
        buf_done(&message);
        return rc;
}

static void take(struct stream *s, struct buf message)
{
        if (give(s, message) != 0)
                fail_msg("refused: %s", s->e.message);
}

static void refuse(struct stream *s, struct buf message, const char *why)
{
        assert_int_equal(give(s, message), -1);
        assert_int_equal(s->e.class, ERROR_DATA);
        if (!strstr(s->e.message, why))
                fail_msg("'%s' has no '%s'", s->e.message, why);
}

/* In a transaction, with public.t (id, a, b) as 10 and pg_catalog.u (x) as 20. */
static void open_in_transaction(struct stream *s)
{
        open_stream(s, 1 << 20);
        take(s, begin(0x500, 700));
        take(s, relation(10, "public", "t", 'd', "*id:23 a:25 b:25"));
        take(s, relation(20, "", "u", 'f', "*x:25"));
        buf_clear(&s->heard.text);
}

static void expect(struct stream *s, const char *text)
{
        assert_string_equal(buf_text(&s->heard.text), text);
}

/* ---- tests ---- */

static void test_every_kind(void **state)
{
        static const uint32_t both[] = {10, 20};
        struct stream s;

        (void)state;
        open_stream(&s, 1 << 20);
        assert_true(pgoutput_idle(s.decoder));
        take(&s, begin(0x500, 700));
        assert_false(pgoutput_idle(s.decoder));
        take(&s, BYTES("O\0\0\0\0\0\0\1\0here\0"));
        take(&s, BYTES("Y\0\0\0\7public\0mood\0"));
        take(&s, relation(10, "public", "t", 'd', "*id:23 a:25 b:25"));
        take(&s, relation(20, "", "u", 'f', "*x:25"));
        take(&s, row('I', 10, NULL, "1||N"));
        take(&s, row('U', 10, NULL, "1|x|U"));
        take(&s, row('U', 10, "K1|N|N", "2|x|y"));
        take(&s, row('U', 20, "OA", "B"));
        take(&s, row('D', 10, "K2|N|N", NULL));
        take(&s, row('D', 20, "ON", NULL));
        take(&s, truncated(0, 1, both));
        take(&s, truncated(3, 2, both));
        take(&s, BYTES("M\1\0\0\0\0\0\0\5\0culvert\0\0\0\0\4mark"));
        take(&s, commit(0x500, 0x530));
        assert_true(pgoutput_idle(s.decoder));
        expect(&s, "relation public.t d *id:23:-1 a:25:-1 b:25:-1\n"
                   "relation pg_catalog.u f *x:25:-1\n"
                   "piece first last xid 700 commit 0/500 end 0/530 at 946684801000000\n"
                   "  insert public.t new ('1', '', NULL)\n"
                   "  update public.t new ('1', 'x', unchanged)\n"
                   "  update public.t key ('1', unchanged, unchanged) new ('2', 'x', 'y')\n"
                   "  update pg_catalog.u old ('A') new ('B')\n"
                   "  delete public.t key ('2', unchanged, unchanged)\n"
                   "  delete pg_catalog.u old (NULL)\n"
                   "  truncate public.t\n"
                   "  truncate cascade restart public.t pg_catalog.u\n");
        take(&s, BYTES("M\0\0\0\0\0\0\0\5\0x\0\0\0\0\0")); /* between transactions */
        assert_true(pgoutput_idle(s.decoder));
        close_stream(&s);
        assert_null(pgoutput_free(NULL));
}

static void test_empty_transaction(void **state)
{
        struct stream s;

        (void)state;
        open_stream(&s, 1 << 20);
        take(&s, begin(UINT64_C(0x1600000010), UINT32_MAX));
        take(&s, commit(UINT64_C(0x1600000010), UINT64_C(0x1600000010)));
        expect(&s, "piece first last xid 4294967295 commit 16/10 end 16/10 at 946684801000000\n");
        close_stream(&s);
}

/* In a key tuple NULL stands for "not in the log" outside the key, and for NULL inside. */
static void test_key_tuples(void **state)
{
        struct stream s;

        (void)state;
        open_in_transaction(&s);
        take(&s, relation(30, "public", "k", 'i', "a:25 *b:25 *c:25"));
        buf_clear(&s.heard.text);
        take(&s, row('D', 30, "KN|N|7", NULL));
        take(&s, row('U', 30, "KN|1|2", "N|3|2"));
        take(&s, row('U', 30, "ON|1|2", "U|3|2"));
        take(&s, commit(0x500, 0x501));
        expect(&s, "piece first last xid 700 commit 0/500 end 0/501 at 946684801000000\n"
                   "  delete public.k key (unchanged, NULL, '7')\n"
                   "  update public.k key (unchanged, '1', '2') new (NULL, '3', '2')\n"
                   "  update public.k old (NULL, '1', '2') new (unchanged, '3', '2')\n");
        close_stream(&s);
}

static void test_values_of_any_bytes(void **state)
{
        struct stream s;

        (void)state;
        open_in_transaction(&s);
        take(&s, BYTES("I\0\0\0\24N\0\1t\0\0\0\5a\1b\xff\n"));
        take(&s, commit(0x500, 0x501));
        assert_non_null(strstr(buf_text(&s.heard.text), "insert pg_catalog.u new ('a\1b\xff\n')"));
        close_stream(&s);

        open_in_transaction(
                &s); /* PostgreSQL's text has no NUL; a sink would cut the value there */
        refuse(&s, BYTES("I\0\0\0\24N\0\1t\0\0\0\5a\0b\xff\n"), "malformed or truncated row");
        close_stream(&s);
}

static void test_out_of_order(void **state)
{
        static const uint32_t ids[] = {10, 99};
        struct stream s;

        (void)state;
        open_stream(&s, 1 << 20);
        refuse(&s, commit(1, 2), "commit outside a transaction");
        refuse(&s, row('I', 10, NULL, "1"), "insert outside a transaction");
        refuse(&s, row('U', 10, NULL, "1"), "update outside a transaction");
        refuse(&s, row('D', 10, "K1", NULL), "delete outside a transaction");
        /* a commit time beyond what microseconds since 1970 can hold */
        refuse(&s, BYTES("B\0\0\0\0\0\0\5\0\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\2\274"),
                "malformed or truncated begin");
        refuse(&s, truncated(0, 1, ids), "truncate outside a transaction");
        close_stream(&s);

        open_in_transaction(&s);
        refuse(&s, begin(0x600, 701), "begin inside a transaction");
        refuse(&s, row('I', 99, NULL, "1"), "relation 99, which was never described");
        refuse(&s, truncated(0, 2, ids), "relation 99, which was never described");
        refuse(&s, commit(0x501, 0x530), "commit does not fit its begin");
        refuse(&s, commit(0x500, 0x4ff), "commit does not fit its begin");
        close_stream(&s);
}

static void test_wrong_shapes(void **state)
{
        struct stream s;

        (void)state;
        open_in_transaction(&s);
        refuse(&s, row('I', 10, NULL, "1|2"), "a row of public.t does not have its 3 columns");
        refuse(&s, row('I', 10, NULL, "1|2|3|4"), "does not have its 3 columns");
        refuse(&s, row('U', 10, "K1", "1|2|3"), "does not have its 3 columns");
        refuse(&s, row('U', 10, NULL, NULL), "malformed or truncated update");
        refuse(&s, row('U', 10, "X1|2|3", NULL), "malformed or truncated update");
        refuse(&s, row('D', 10, "N1|2|3", NULL), "malformed or truncated delete");
        refuse(&s, row('I', 10, "K1|2|3", NULL), "malformed or truncated insert");
        refuse(&s, BYTES("I\0\0\0\24N\0\1b\0\0\0\1x"), "malformed or truncated row"); /* binary */
        refuse(&s, BYTES("I\0\0\0\24N\0\1t\xff\xff\xff\xffx"), "malformed or truncated row");
        refuse(&s, truncated(0, 0, NULL), "malformed or truncated truncate");
        refuse(&s, BYTES("T\0\1\206\241\0"), "malformed or truncated truncate");
        refuse(&s, BYTES("T\x40\0\0\1\0\0\0\0\12"), "malformed or truncated truncate");
        refuse(&s, relation(1, "s", "t", 'x', "*a:1"), "malformed or truncated relation");
        refuse(&s, relation(1, "s", "t", '\0', "*a:1"), "malformed or truncated relation");
        refuse(&s, BYTES("R\0\0\0\1s\0t\0d\xff\xff"), "malformed or truncated relation");
        refuse(&s, BYTES(""), "unknown kind 0x00");
        refuse(&s, BYTES("S\0\0\2\274\1"), "unknown kind 0x53"); /* stream start, not asked for */
        refuse(&s, BYTES("\xff"), "unknown kind 0xff");
        close_stream(&s);
}

static void test_relation_is_replaced(void **state)
{
        struct stream s;

        (void)state;
        open_in_transaction(&s);
        take(&s, row('I', 10, NULL, "1|a|b"));
        take(&s, relation(10, "public", "t", 'd', "*id:23 a:25 b:25 c:25"));
        refuse(&s, row('I', 10, NULL, "2|a|b"), "does not have its 4 columns");
        close_stream(&s);

        open_in_transaction(&s);
        take(&s, row('I', 10, NULL, "1|a|b"));
        take(&s, relation(10, "public", "t", 'd', "*id:23 c:25"));
        take(&s, row('I', 10, NULL, "2|c"));
        take(&s, relation(10, "public", "renamed", 'd', ""));
        take(&s, commit(0x500, 0x501));
        expect(&s, "relation public.t d *id:23:-1 c:25:-1\n"
                   "relation public.renamed d\n"
                   "piece first last xid 700 commit 0/500 end 0/501 at 946684801000000\n"
                   "  insert public.t new ('1', 'a', 'b')\n" /* the shape that it was written in */
                   "  insert public.t new ('2', 'c')\n");
        close_stream(&s);
}

/* The server repeats it after each ANALYZE: what is bound to the shape stays. */
static void test_relation_is_repeated(void **state)
{
        struct stream s;

        (void)state;
        open_stream(&s, 1 << 20);
        take(&s, relation(10, "public", "t", 'd', "*id:23 a:25"));
        take(&s, relation(10, "public", "t", 'd', "*id:23 a:25"));
        take(&s, relation(10, "public", "t", 'd', "*id:23 a:1043"));
        take(&s, relation(10, "public", "t", 'f', "*id:23 a:1043"));
        expect(&s, "relation public.t d *id:23:-1 a:25:-1\n"
                   "relation public.t d *id:23:-1 a:1043:-1\n"
                   "relation public.t f *id:23:-1 a:1043:-1\n");
        close_stream(&s);
}

static void test_many_relations(void **state)
{
        struct stream s;

        (void)state;
        open_stream(&s, 1 << 20);
        take(&s, begin(0x500, 700));
        for (uint32_t id = 0; id < 5000; id++) { /* more than the buckets */
                char name[16];

                snprintf(name, sizeof name, "t%u", (unsigned)id);
                take(&s, relation(id, "s", name, 'd', "*id:23"));
        }
        for (uint32_t id = 0; id < 5000; id += 617)
                take(&s, row('I', id, NULL, "1"));
        buf_clear(&s.heard.text);
        take(&s, commit(0x500, 0x501));
        assert_non_null(strstr(buf_text(&s.heard.text), "insert s.t617 "));
        assert_non_null(strstr(buf_text(&s.heard.text), "insert s.t4936 "));
        close_stream(&s);
}

static void test_pieces(void **state)
{
        struct stream s;

        (void)state;
        open_stream(&s, 1); /* each change closes its piece */
        take(&s, begin(0x500, 700));
        take(&s, relation(20, "public", "u", 'd', "*x:25"));
        buf_clear(&s.heard.text);
        take(&s, row('I', 20, NULL, "1"));
        assert_false(pgoutput_idle(s.decoder));
        take(&s, row('I', 20, NULL, "2"));
        take(&s, commit(0x500, 0x530));
        assert_true(pgoutput_idle(s.decoder));
        expect(&s, "piece first xid 700 commit 0/500 end  at 946684801000000\n"
                   "  insert public.u new ('1')\n"
                   "piece xid 700 commit 0/500 end  at 946684801000000\n"
                   "  insert public.u new ('2')\n"
                   "piece last xid 700 commit 0/500 end 0/530 at 946684801000000\n");
        close_stream(&s);
}

static void test_pieces_are_as_large_as_asked(void **state)
{
        struct stream s;

        (void)state;
        open_stream(&s, 10000);
        take(&s, begin(0x500, 700));
        take(&s, relation(20, "public", "u", 'd', "*x:25"));
        for (int i = 0; i < 1000; i++)
                take(&s, row('I', 20, NULL, "some value of some length"));
        take(&s, commit(0x500, 0x530));
        assert_in_range(s.heard.pieces, 5, 20);
        close_stream(&s);
}

static void test_errors_of_events(void **state)
{
        struct stream s;

        (void)state;
        open_stream(&s, 1 << 20);
        take(&s, begin(0x500, 700));
        s.heard.refuse = true;
        assert_int_equal(give(&s, relation(20, "public", "u", 'd', "*x:25")), -1);
        assert_string_equal(s.e.message, "refused");
        assert_int_equal(give(&s, commit(0x500, 0x530)), -1); /* the piece is not leaked */
        assert_int_equal(s.e.class, ERROR_CONFIG);
        close_stream(&s);
}

/* ---- hostile bytes ---- */

#define MESSAGES 14

static unsigned valid_messages(struct buf *all)
{
        static const uint32_t both[] = {10, 20};
        unsigned n = 0;

        all[n++] = BYTES("O\0\0\0\0\0\0\1\0here\0");
        all[n++] = BYTES("Y\0\0\0\7public\0mood\0");
        all[n++] = relation(10, "public", "t", 'd', "*id:23 a:25 b:25");
        all[n++] = relation(20, "public", "u", 'f', "*x:25");
        all[n++] = row('I', 10, NULL, "1||N");
        all[n++] = row('U', 10, NULL, "1|x|U");
        all[n++] = row('U', 10, "K1|N|N", "2|x|y");
        all[n++] = row('U', 20, "OA", "B");
        all[n++] = row('D', 10, "K2|N|N", NULL);
        all[n++] = row('D', 20, "ON", NULL);
        all[n++] = truncated(3, 2, both);
        all[n++] = BYTES("M\1\0\0\0\0\0\0\5\0culvert\0\0\0\0\4mark");
        all[n++] = commit(0x500, 0x530);
        all[n++] = begin(0x500, 700);
        return n;
}

static void test_every_truncation(void **state)
{
        struct buf all[MESSAGES];
        unsigned n = valid_messages(all);

        (void)state;
        for (unsigned i = 0; i < n; i++) {
                for (size_t len = 0; len < all[i].len; len++) {
                        struct stream s;

                        open_in_transaction(&s);
                        if (i == n - 1) { /* begin: outside a transaction */
                                close_stream(&s);
                                open_stream(&s, 1 << 20);
                        }
                        if (give(&s, bytes(all[i].data, len)) != -1)
                                fail_msg("%zu bytes of message %u were taken", len, i);
                        assert_int_equal(s.e.class, ERROR_DATA);
                        close_stream(&s);
                }
                buf_done(&all[i]);
        }
}

static void test_nothing_may_follow(void **state)
{
        struct buf all[MESSAGES];
        unsigned n = valid_messages(all);

        (void)state;
        for (unsigned i = 0; i < n; i++) {
                struct stream s;

                open_in_transaction(&s);
                if (i == n - 1) {
                        close_stream(&s);
                        open_stream(&s, 1 << 20);
                }
                buf_char(&all[i], 'x');
                if (give(&s, all[i]) != -1)
                        fail_msg("message %u was taken with a byte too many", i);
                assert_int_equal(s.e.class, ERROR_DATA);
                close_stream(&s);
        }
}

static uint64_t seed = 20261123;

static unsigned below(size_t n)
{
        return (unsigned)story_below(&seed, n);
}

static struct buf mutated(const struct buf *m)
{
        struct buf b = bytes(m->data, m->len);

        for (unsigned k = 1 + below(3); k; k--)
                b.data[below(b.len)] = (char)below(256);
        return b;
}

/* Whatever comes: taken or a DATA error, never a crash or a leak (the sanitizers look on). */
static void test_mutations(void **state)
{
        struct buf all[MESSAGES];
        unsigned n = valid_messages(all), taken = 0, refused = 0;

        (void)state;
        for (int round = 0; round < 3000; round++) {
                struct stream s;

                open_in_transaction(&s);
                for (unsigned k = 0; k < 12; k++) {
                        const struct buf *m = &all[below(n)];
                        struct buf b = below(3) ? mutated(m) : bytes(m->data, m->len);

                        if (give(&s, b) == 0) {
                                taken++;
                                continue;
                        }
                        refused++;
                        assert_int_equal(s.e.class, ERROR_DATA);
                        break;
                }
                close_stream(&s);
        }
        assert_true(taken > 1000 && refused > 1000);
        for (unsigned i = 0; i < n; i++)
                buf_done(&all[i]);
}

/* ---- what servers really send ---- */

static char *data_file(const char *name, const char *ending, size_t *len)
{
        const char *top = getenv("CULVERT_TOP");
        AUTO_STRING path = memory_printf(
                "%s%stests/unit/data/%s.%s", top ? top : "", top ? "/" : "", name, ending);
        FILE *f = fopen(path, "rb");
        char *data = memory_new(1 << 20);

        if (!f)
                fail_msg("%s cannot be opened", path);
        *len = fread(data, 1, (1 << 20) - 1, f);
        fclose(f);
        return data;
}

/*
 * The files were recorded on PostgreSQL 15 with pg_logical_slot_peek_binary_changes (pgoutput,
 * protocol 3, messages on; commit times set to 2026-01-01). -changes: every operation and replica
 * identity, unchanged TOAST, a key update, a partition, a savepoint rolled back, generated columns,
 * logical messages. -ddl: columns added, dropped and renamed (also inside a transaction), a table
 * renamed, dropped and made again, a type and a key changed.
 *
 * Frames: length in four bytes, then the message.
 */
static void replay(const char *name, uint64_t piece_bytes, struct buf *text)
{
        size_t len;
        AUTO_STRING data = data_file(name, "bin", &len);
        struct reader r = reader_of(data, len);
        struct stream s;

        open_stream(&s, piece_bytes);
        while (reader_left(&r) > 0) {
                uint32_t n = reader_u32(&r);
                const void *message = reader_bytes(&r, n);

                assert_non_null(message);
                take(&s, bytes(message, n));
        }
        assert_true(pgoutput_idle(s.decoder));
        buf_str(text, buf_text(&s.heard.text));
        close_stream(&s);
}

/* REPLAY_OUTPUT=FOLDER keeps what was decoded, to be read and made the expected file. */
static void save(const char *name, const char *text)
{
        AUTO_STRING path = memory_printf("%s/%s.expected", getenv("REPLAY_OUTPUT"), name);
        struct error e = ERROR_INIT;

        assert_int_equal(file_replace(path, text, &e), 0);
}

static void assert_replay(const char *name)
{
        size_t len;
        AUTO_STRING expected = data_file(name, "expected", &len);
        AUTO_BUF text = BUF_INIT;

        replay(name, 1 << 20, &text);
        if (getenv("REPLAY_OUTPUT"))
                save(name, buf_text(&text));
        assert_string_equal(buf_text(&text), expected);
}

static void test_recorded_changes(void **state)
{
        (void)state;
        assert_replay("pgoutput-15-changes");
}

static void test_recorded_ddl(void **state)
{
        (void)state;
        assert_replay("pgoutput-15-ddl");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_kind),
                cmocka_unit_test(test_empty_transaction),
                cmocka_unit_test(test_key_tuples),
                cmocka_unit_test(test_values_of_any_bytes),
                cmocka_unit_test(test_out_of_order),
                cmocka_unit_test(test_wrong_shapes),
                cmocka_unit_test(test_relation_is_replaced),
                cmocka_unit_test(test_relation_is_repeated),
                cmocka_unit_test(test_many_relations),
                cmocka_unit_test(test_pieces),
                cmocka_unit_test(test_pieces_are_as_large_as_asked),
                cmocka_unit_test(test_errors_of_events),
                cmocka_unit_test(test_every_truncation),
                cmocka_unit_test(test_nothing_may_follow),
                cmocka_unit_test(test_mutations),
                cmocka_unit_test(test_recorded_changes),
                cmocka_unit_test(test_recorded_ddl),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
