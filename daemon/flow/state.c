#include "flow/state.h"

#include <string.h>

static const char *const names[STATE_COUNT] = {
        [STATE_STARTING] = "starting",
        [STATE_COPYING] = "copying",
        [STATE_STREAMING] = "streaming",
        [STATE_PAUSED] = "paused",
        [STATE_STOPPED] = "stopped-on-error",
        [STATE_CUTTING_OVER] = "cutting-over",
        [STATE_REVERSED] = "reversed",
        [STATE_ROLLING_BACK] = "rolling-back",
        [STATE_COMPLETE] = "complete",
};

const char *state_name(enum state s)
{
        return names[s];
}

int state_of(const char *name)
{
        for (int i = 0; i < STATE_COUNT; i++)
                if (!strcmp(names[i], name))
                        return i;
        return -1;
}
