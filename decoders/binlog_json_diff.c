#include "decoders/binlog_json_diff.h"
#include "base/arena.h"
#include "decoders/binlog_json.h"
#include "decoders/binlog_map.h"

#include <stdlib.h>
#include <string.h>

enum { DIFF_REPLACE, DIFF_INSERT, DIFF_REMOVE };

#define NODES_PER_BYTE 1 /* each value takes more than a byte */

/* A document that can be changed. */
struct node {
        struct node *next;
        const char *key; /* in an object */
        size_t key_len;
        struct binlog_json value; /* of a scalar */
        bool container;
        struct node *first;
};

struct builder {
        struct arena *arena;
        size_t left; /* values that may still come */
};

static struct node *build(struct builder *b, struct binlog_json *v, unsigned depth)
{
        struct node *n, **tail;

        if (depth > BINLOG_JSON_DEPTH || b->left == 0)
                return NULL;
        b->left--;
        n = arena_zero(b->arena, sizeof *n);
        n->container = binlog_json_is_container(v);
        if (n->container && !binlog_json_open(v))
                return NULL;
        n->value = *v;
        tail = &n->first;
        for (uint32_t i = 0; n->container && i < v->count; i++) {
                struct binlog_json element;
                const char *key;
                size_t len;

                if (!binlog_json_at(v, i, &key, &len, &element) ||
                        !(*tail = build(b, &element, depth + 1)))
                        return NULL;
                (*tail)->key = key;
                (*tail)->key_len = len;
                tail = &(*tail)->next;
        }
        return n;
}

static struct node *parse(struct arena *a, const void *data, size_t len)
{
        struct builder b = {a, len * NODES_PER_BYTE + 1};
        struct binlog_json v;

        return binlog_json_root(data, len, &v) ? build(&b, &v, 0) : NULL;
}

static bool print(const struct node *n, unsigned depth, size_t limit, struct buf *out)
{
        if (depth > BINLOG_JSON_DEPTH || out->len > limit)
                return false;
        if (!n->container)
                return binlog_json_scalar(&n->value, out);
        buf_char(out, n->value.object ? '{' : '[');
        for (const struct node *c = n->first; c; c = c->next) {
                buf_str(out, c == n->first ? "" : ", ");
                if (n->value.object) {
                        binlog_json_quote(c->key, c->key_len, out);
                        buf_str(out, ": ");
                }
                if (!print(c, depth + 1, limit, out))
                        return false;
        }
        buf_char(out, n->value.object ? '}' : ']');
        return true;
}

/* ---- paths: $.key, $."any key", $[3] ---- */

struct leg {
        bool member;
        struct buf key;
        uint32_t index;
};

/* A key in quotes is a JSON string; the server writes these escapes. */
static bool read_quoted(struct reader *path, struct buf *key)
{
        static const char letters[] = "bfnrt\"\\/", plain[] = "\b\f\n\r\t\"\\/";

        while (reader_ok(path)) {
                char c = (char)reader_u8(path);
                const char *at;

                if (c == '"')
                        return reader_ok(path);
                if (c == '\\') {
                        c = (char)reader_u8(path);
                        if (c == 'u') {
                                const char *hex = reader_bytes(path, 4);
                                char digits[5] = "";

                                if (!hex)
                                        return false;
                                memcpy(digits, hex, 4);
                                c = (char)strtoul(digits, NULL, 16);
                        } else if ((at = c ? strchr(letters, c) : NULL)) {
                                c = plain[at - letters];
                        }
                }
                buf_char(key, c);
        }
        return false;
}

static bool read_leg(struct reader *path, struct leg *leg)
{
        uint8_t c = reader_u8(path);
        uint64_t n = 0;

        buf_clear(&leg->key);
        leg->member = c == '.';
        if (c == '.') {
                if (reader_left(path) && *path->at == '"') {
                        reader_u8(path);
                        return read_quoted(path, &leg->key);
                }
                while (reader_left(path) && *path->at != '.' && *path->at != '[')
                        buf_char(&leg->key, (char)reader_u8(path));
                return leg->key.len > 0;
        }
        if (c != '[' || !reader_left(path))
                return false;
        while ((c = reader_u8(path)) != ']') {
                if (c < '0' || c > '9' || (n = n * 10 + (c - '0')) > UINT32_MAX)
                        return false;
        }
        leg->index = (uint32_t)n;
        return reader_ok(path);
}

/* Where the child is, or would be: the order in an object is by length, then by bytes. */
static struct node **child(struct node *n, const struct leg *leg, bool *there)
{
        struct node **at;
        uint32_t i = 0;

        *there = false;
        if (!n->container || n->value.object != leg->member)
                return NULL;
        for (at = &n->first; *at; at = &(*at)->next, i++) {
                size_t len = (*at)->key_len;
                int order;

                if (!leg->member) {
                        if (i < leg->index)
                                continue;
                        *there = true;
                        break;
                }
                order = len != leg->key.len ? (len < leg->key.len ? -1 : 1)
                                            : memcmp((*at)->key, buf_text(&leg->key), len);
                if (order >= 0) {
                        *there = order == 0;
                        break;
                }
        }
        return at;
}

/* Takes the place of what is in the slot, or goes in front of it. */
static void put(struct node **slot, struct node *value, const struct leg *leg, bool replaces,
        struct arena *a)
{
        const struct node *old = *slot;

        value->next = replaces ? old->next : *slot;
        if (replaces) {
                value->key = old->key;
                value->key_len = old->key_len;
        } else if (leg->member) {
                value->key = arena_text(a, buf_text(&leg->key), leg->key.len);
                value->key_len = leg->key.len;
        }
        *slot = value;
}

/* `slot` is where the document's node hangs. The whole document may be replaced, no more. `value`
 * is there but for remove. */
static bool change(struct node **slot, struct reader path, unsigned op, struct node *value,
        struct leg *leg, struct arena *a)
{
        bool there = true;

        if (reader_u8(&path) != '$' || (op != DIFF_REPLACE && !reader_left(&path)))
                return false;
        while (reader_left(&path)) {
                if (!*slot || !read_leg(&path, leg) || !(slot = child(*slot, leg, &there)) ||
                        (!there && reader_left(&path)))
                        return false;
        }
        if (op == DIFF_INSERT ? there && leg->member : !there || !*slot)
                return false;
        if (op == DIFF_REMOVE)
                *slot = (*slot)->next;
        else if (value)
                put(slot, value, leg, op == DIFF_REPLACE, a);
        return true;
}

/* What, 1: 0 replace, 1 insert, 2 remove; path (length packed, text); but for remove the value
 * (length packed, binary JSON). */
static bool apply(struct node **root, struct reader *diffs, struct leg *leg, struct arena *a)
{
        uint8_t op = reader_u8(diffs);
        uint64_t len = binlog_packed(diffs);
        const void *path = reader_bytes(diffs, len);
        struct node *value = NULL;

        if (!path || op > DIFF_REMOVE)
                return false;
        if (op != DIFF_REMOVE) {
                uint64_t value_len = binlog_packed(diffs);
                const void *data = reader_bytes(diffs, value_len);

                if (!data || !(value = parse(a, data, value_len)))
                        return false;
        }
        return change(root, reader_of(path, len), op, value, leg, a);
}

int binlog_json_patch(struct reader before, struct reader diffs, struct buf *out, struct error *e)
{
        struct arena *a = arena_new();
        struct node *root = parse(a, before.at, reader_left(&before));
        struct leg leg = {0};
        size_t limit = binlog_json_limit(reader_left(&before) + reader_left(&diffs));
        bool ok = root != NULL;

        while (ok && reader_left(&diffs))
                ok = apply(&root, &diffs, &leg, a);
        ok = ok && root && !root->next && print(root, 0, out->len + limit, out);
        buf_done(&leg.key);
        arena_free(a);
        return ok ? 0
                  : error_set(e, ERROR_DATA,
                            "differences of a JSON value that do not fit the value before");
}
