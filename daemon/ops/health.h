#pragma once
/*
 * Health: what `status --check` says, the worst level and all reasons of it in one line, from the
 * status and from how long each end has been away. Pure but for the clock that it is given. Loop thread only.
 */
#include "ops/status.h"

enum health_level { HEALTH_OK, HEALTH_WARNING, HEALTH_CRITICAL }; /* exit statuses of --check */

/* Since when each end is not connected, in the loop's microseconds; 0: it is connected. */
struct health_ends {
        int64_t source_away, target_away;
};

struct health {
        enum health_level level;
        char reason[512];
};

/* Above these: documented in `culvertctl status --help` and culvertctl(1). */
#define HEALTH_AWAY_CRITICAL 300 /* seconds without a connection */
#define HEALTH_LAG_WARNING 300   /* seconds */
#define HEALTH_SILENT_WARNING 60 /* seconds for which the target owes an answer */
#define HEALTH_HOURS_WARNING 24  /* until the source gives up what we have not read */
#define HEALTH_HOURS_CRITICAL 2

/* Notes the ends that went away or came back. */
void health_observe(struct health_ends *ends, const struct status *s, int64_t now);
struct health health_of(const struct status *s, const struct health_ends *ends, int64_t now);
const char *health_name(enum health_level level); /* "ok", "warning", "critical" */
