#pragma once
/*
 * Retention: a source keeps its log for us up to limits of its own. From what it says at each poll
 * (decoders/source.h, struct source_retention): how long until it throws away what we have not
 * acknowledged, and when to warn of that. Pure; the clock is that of the polls.
 *
 * What is held goes up and down like a saw while we keep up, since sources let go in steps. So the
 * lowest of each 20 s is kept, for 5 minutes, and growth is measured between two such lows. Growth
 * of less than a tenth of what is written is taken for keeping up: there is no end in sight then.
 */
#include "decoders/source.h"

#define RETENTION_LOWS 16
#define RETENTION_HOURS 2 /* fewer are short */

enum retention_level { RETENTION_FINE, RETENTION_HALF, RETENTION_SHORT, RETENTION_LOST };

struct retention {
        double hours_left; /* -1: unknown, or no end in sight */
        double share; /* of what the source keeps at most, the nearer limit; -1: no limit known */
        const char *limit; /* name of the nearer limit; NULL: none known */
        enum retention_level level;

        struct retention_low {
                int64_t at, held;
                uint64_t written;
        } lows[RETENTION_LOWS]; /* oldest first; the last one is still being made */
        unsigned n;
        int64_t begun, asked; /* the last low's first poll; the last poll */
        int64_t better;       /* since when it is not short any more; 0: it is */
};

#define RETENTION_INIT                                                                             \
        {                                                                                          \
                .hours_left = -1, .share = -1                                                      \
        }

/* Takes a poll; one that was taken already, or has no answer, changes no level. Whether the level
 * changed. */
bool retention_take(struct retention *r, const struct source_retention *poll);
