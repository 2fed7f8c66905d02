#pragma once
/*
 * Backoff: how long to wait before the next try; doubles from 1 s to 30 s, with jitter so that
 * pipelines do not come back all at once. Plain data.
 */
#include <stdint.h>

struct backoff {
        unsigned failures;
        uint64_t random; /* state of the jitter, any seed but 0 */
};

void backoff_init(struct backoff *b, uint64_t seed);
int64_t backoff_next(struct backoff *b); /* microseconds: between half and all of the step */
void backoff_reset(struct backoff *b);
