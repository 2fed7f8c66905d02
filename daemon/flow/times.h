#pragma once
/*
 * Commit times of the transactions that are under way, oldest first: for the lag in seconds.
 * A ring that grows with what the queue lets in. Loop thread only.
 */
#include "model/position.h"

struct times {
        struct times_entry {
                struct position end;
                int64_t committed_at;
        } * ring;
        uint64_t at, n, room;
};

void times_done(struct times *t);
void times_clear(struct times *t);
void times_push(struct times *t, struct position end, int64_t committed_at);
void times_pop_until(struct times *t, struct position end); /* all that end at or before it */
int64_t times_oldest(const struct times *t);                /* 0: none */
