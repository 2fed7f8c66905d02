#pragma once
/*
 * Digest: 128 bits of what was added, to tell rows apart without keeping them. Two rows that differ
 * in anything have two digests but for a chance of 2^-64 or less among billions; it does not
 * withstand somebody who makes rows for that purpose. The same on every run and machine. Pure; any
 * thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct digest {
        uint64_t a, b;
};

#define DIGEST_INIT                                                                                \
        {                                                                                          \
                0                                                                                  \
        }

/* "ab" then "c" is something else than "a" then "bc". */
void digest_add(struct digest *d, const void *data, size_t len);
/* Something that is no data: different for each small `mark`, and from all data. */
void digest_add_mark(struct digest *d, uint64_t mark);
bool digest_same(const struct digest *x, const struct digest *y);
