#pragma once
/*
 * Numbers for what a segment defines (tables, lists of foreign keys): private to the writing of
 * records. By content, since a relation that was freed may come back as another one at the same
 * address. Zeroed: none.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct defined;

struct record_numbers {
        struct defined **slots;
        size_t slots_n; /* a power of two */
        uint32_t n;
};

/* The number of these bytes, from 1 on; `*new`: they had none yet. */
uint32_t record_number(struct record_numbers *d, const void *bytes, size_t len, bool *new);
void record_numbers_clear(struct record_numbers *d);
