#include "flow/threshold.h"

#define SLOT_ROWS (THRESHOLD_ROWS / THRESHOLD_SLOTS)

void threshold_clear(struct threshold *t)
{
        *t = (struct threshold){0};
}

static void next_slot(struct threshold *t)
{
        t->at = (t->at + 1) % THRESHOLD_SLOTS;
        t->quarantined -= t->slots[t->at];
        t->slots[t->at] = 0;
        t->filled = 0;
}

static void add_rows(struct threshold *t, uint64_t rows, bool quarantined)
{
        while (rows) {
                uint64_t n;

                if (t->filled == SLOT_ROWS)
                        next_slot(t);
                n = rows < SLOT_ROWS - t->filled ? rows : SLOT_ROWS - t->filled;
                t->filled += (uint32_t)n;
                t->slots[t->at] += quarantined ? (uint32_t)n : 0;
                t->quarantined += quarantined ? n : 0;
                rows -= n;
        }
}

void threshold_add(struct threshold *t, uint64_t rows, uint64_t quarantined)
{
        uint64_t fine = rows > quarantined ? rows - quarantined : 0;

        /* more than all slots clear them once */
        add_rows(t, fine < 2 * THRESHOLD_ROWS ? fine : 2 * THRESHOLD_ROWS, false);
        add_rows(t, quarantined < 2 * THRESHOLD_ROWS ? quarantined : 2 * THRESHOLD_ROWS, true);
}

bool threshold_passed(const struct threshold *t, double share)
{
        return (double)t->quarantined > share * THRESHOLD_ROWS + 1e-6; /* 0.0003 is a little less */
}
