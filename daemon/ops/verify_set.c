#include "ops/verify_set.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

void verify_set_clear(struct verify_set *s)
{
        s->n = 0;
        if (s->slots_n)
                memset(s->slots, 0, s->slots_n * sizeof *s->slots);
        buf_clear(&s->keys);
}

void verify_set_done(struct verify_set *s)
{
        free(s->rows);
        free(s->slots);
        buf_done(&s->keys);
        *s = (struct verify_set){0};
}

/* The slot that has the key, or the empty one where it belongs. */
static uint32_t *slot_of(const struct verify_set *s, const struct digest *key)
{
        uint32_t mask = s->slots_n - 1;

        for (uint32_t i = (uint32_t)key->a & mask;; i = (i + 1) & mask)
                if (!s->slots[i] || digest_same(&s->rows[s->slots[i] - 1].key, key))
                        return &s->slots[i];
}

static void grow(struct verify_set *s)
{
        s->cap = s->cap ? s->cap * 2 : 1024;
        s->rows = memory_grow(s->rows, s->cap * sizeof *s->rows);
        s->slots_n = s->cap * 2;
        free(s->slots);
        s->slots = memory_new(s->slots_n * sizeof *s->slots);
        for (uint32_t i = 0; i < s->n; i++)
                *slot_of(s, &s->rows[i].key) = i + 1;
}

struct verify_row *verify_set_add(struct verify_set *s, const struct digest *key, bool *known)
{
        uint32_t *slot;

        if (s->n == s->cap)
                grow(s);
        slot = slot_of(s, key);
        *known = *slot != 0;
        if (!*known) {
                s->rows[s->n] = (struct verify_row){
                        .key = *key, .from = VERIFY_NO_KEY, .to = VERIFY_NO_KEY};
                *slot = ++s->n;
        }
        return &s->rows[*slot - 1];
}

struct verify_row *verify_set_find(const struct verify_set *s, const struct digest *key)
{
        uint32_t *slot = s->n ? slot_of(s, key) : NULL;

        return slot && *slot ? &s->rows[*slot - 1] : NULL;
}

uint32_t verify_keep(struct buf *keys, const struct value *values, unsigned n)
{
        uint32_t begin = (uint32_t)keys->len;

        for (unsigned i = 0; i < n; i++) {
                uint32_t len = values[i].kind == VALUE_TEXT ? values[i].len : 0;

                buf_char(keys, (char)values[i].kind);
                buf_add(keys, &len, sizeof len);
                buf_add(keys, len ? values[i].data : "", len);
                buf_char(keys, '\0');
        }
        return begin;
}

uint32_t verify_kept(const struct buf *keys, uint32_t at, struct value *values, unsigned n)
{
        for (unsigned i = 0; i < n; i++) {
                values[i].kind = (enum value_kind)keys->data[at];
                memcpy(&values[i].len, keys->data + at + 1, sizeof values[i].len);
                at += 1 + (uint32_t)sizeof values[i].len;
                values[i].data = keys->data + at;
                at += values[i].len + 1;
        }
        return at;
}
