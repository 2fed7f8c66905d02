#pragma once
/*
 * Chance for tests that tell made-up stories: the same seed tells the same one (xorshift64).
 */
#include <stdint.h>

/* 0 to n - 1; `*state` is not 0. */
static inline uint64_t story_below(uint64_t *state, uint64_t n)
{
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        return (*state >> 11) % n;
}
