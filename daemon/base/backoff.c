#include "base/backoff.h"
#include "base/loop.h"

#define STEP_FIRST SECOND
#define STEP_LAST (30 * SECOND)

void backoff_init(struct backoff *b, uint64_t seed)
{
        *b = (struct backoff){.random = seed ? seed : 1};
}

int64_t backoff_next(struct backoff *b)
{
        int64_t step = STEP_FIRST;

        for (unsigned i = 0; i < b->failures && step < STEP_LAST; i++)
                step *= 2;
        if (step > STEP_LAST)
                step = STEP_LAST;
        b->failures++;
        b->random ^= b->random << 13; /* xorshift64 */
        b->random ^= b->random >> 7;
        b->random ^= b->random << 17;
        return step / 2 + (int64_t)(b->random % (uint64_t)(step / 2 + 1));
}

void backoff_reset(struct backoff *b)
{
        b->failures = 0;
}
