#include "sinks/pg_turn.h"

#include <inttypes.h>
#include <stdio.h>

void pg_turn_start(struct pg_turn *t, uint64_t now)
{
        *t = (struct pg_turn){.now = now, .next = now};
}

void pg_turn_sent(struct pg_turn *t)
{
        t->now = t->next;
}

void pg_turn_answer(struct pg_turn *t, const char *ctid)
{
        uint32_t block;

        if (sscanf(ctid, "(%" SCNu32 ",", &block) != 1)
                return;
        if (t->placed && block != t->block && t->next == t->now) {
                t->next = t->now + 1;
                t->taken++;
        }
        t->block = block;
        t->placed = true;
}
