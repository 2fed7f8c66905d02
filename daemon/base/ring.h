#pragma once
/*
 * Growing of ring buffers, whose owners keep `ring`, `at` (the first entry), `n` and `room`
 * themselves. Any thread.
 */
#include <stddef.h>
#include <stdint.h>

/* A ring with twice the room (or a first one) that begins with the entries of `ring`, which is
 * freed:
 * `*at` is 0 then. `size`: of an entry, in bytes. */
void *ring_grow(void *ring, size_t size, uint64_t *at, uint64_t n, uint64_t *room);
