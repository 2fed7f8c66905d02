#include "base/ring.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 64

void *ring_grow(void *ring, size_t size, uint64_t *at, uint64_t n, uint64_t *room)
{
        uint64_t grown = *room ? *room * 2 : FIRST_ROOM;
        char *to = memory_new(grown * size);

        for (uint64_t i = 0; *room && i < n; i++)
                memcpy(to + i * size, (const char *)ring + (*at + i) % *room * size, size);
        free(ring);
        *at = 0;
        *room = grown;
        return to;
}
