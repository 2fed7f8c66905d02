#include "spool/record_numbers.h"
#include "base/crc32c.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

struct defined {
        struct defined *next;
        uint32_t sum;
        uint32_t number;
        size_t len;
        uint8_t bytes[];
};

void record_numbers_clear(struct record_numbers *d)
{
        for (size_t i = 0; i < d->slots_n; i++)
                for (struct defined *at = d->slots[i], *next; at; at = next) {
                        next = at->next;
                        free(at);
                }
        free(d->slots);
        *d = (struct record_numbers){0};
}

static void grow(struct record_numbers *d)
{
        size_t n = d->slots_n ? d->slots_n * 2 : 64;
        struct defined **slots = memory_new(n * sizeof *slots);

        for (size_t i = 0; i < d->slots_n; i++)
                for (struct defined *at = d->slots[i], *next; at; at = next) {
                        next = at->next;
                        at->next = slots[at->sum & (n - 1)];
                        slots[at->sum & (n - 1)] = at;
                }
        free(d->slots);
        d->slots = slots;
        d->slots_n = n;
}

uint32_t record_number(struct record_numbers *d, const void *bytes, size_t len, bool *new)
{
        uint32_t sum = crc32c(0, bytes, len);
        struct defined *at;

        if (d->n >= d->slots_n)
                grow(d);
        for (at = d->slots[sum & (d->slots_n - 1)]; at; at = at->next)
                if (at->sum == sum && at->len == len && !memcmp(at->bytes, bytes, len))
                        break;
        *new = !at;
        if (at)
                return at->number;
        at = memory_new(sizeof *at + len);
        at->sum = sum;
        at->len = len;
        at->number = ++d->n;
        memcpy(at->bytes, bytes, len);
        at->next = d->slots[sum & (d->slots_n - 1)];
        d->slots[sum & (d->slots_n - 1)] = at;
        return at->number;
}
