#include "base/arena.h"
#include "base/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The first block is small: most transactions hold a handful of rows. Later ones double up to
 * BLOCK_MAX; a larger piece gets a block of its own. */
#define BLOCK_FIRST 2048
#define BLOCK_MAX (256 * 1024)

struct block {
        struct block *next;
        size_t used, size;
        _Alignas(8) char data[];
};

struct arena {
        struct block *head;
        size_t bytes;
};

static struct block *block_new(struct arena *a, size_t size)
{
        struct block *b = memory_grow(NULL, sizeof *b + size);

        *b = (struct block){.size = size};
        a->bytes += sizeof *b + size;
        return b;
}

struct arena *arena_new(void)
{
        struct arena *a = memory_new_of(struct arena);

        a->bytes = sizeof *a;
        return a;
}

struct arena *arena_free(struct arena *a)
{
        if (!a)
                return NULL;
        for (struct block *b = a->head, *next; b; b = next) {
                next = b->next;
                free(b);
        }
        free(a);
        return NULL;
}

void *arena_alloc(struct arena *a, size_t size)
{
        struct block *b = a->head;
        void *p;

        size = (size + 7) & ~(size_t)7;
        if (!b || b->size - b->used < size) {
                size_t want = b ? b->size * 2 : BLOCK_FIRST;

                if (want > BLOCK_MAX)
                        want = BLOCK_MAX;
                if (size > want / 4 && b) { /* behind the head, which keeps its room */
                        struct block *own = block_new(a, size);

                        own->used = size;
                        own->next = b->next;
                        b->next = own;
                        return own->data;
                }
                b = block_new(a, size > want ? size : want);
                b->next = a->head;
                a->head = b;
        }
        p = b->data + b->used;
        b->used += size;
        return p;
}

void *arena_zero(struct arena *a, size_t size)
{
        return memset(arena_alloc(a, size), 0, size);
}

char *arena_text(struct arena *a, const void *from, size_t size)
{
        char *s = arena_alloc(a, size + 1);

        if (size)
                memcpy(s, from, size);
        s[size] = '\0';
        return s;
}

size_t arena_bytes(const struct arena *a)
{
        return a->bytes;
}
