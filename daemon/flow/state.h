#pragma once
/*
 * States of a pipeline, with the names of INTERFACE: what `status`, `wait` and culvert.state say.
 */
enum state {
        STATE_STARTING,
        STATE_COPYING,
        STATE_STREAMING,
        STATE_PAUSED,
        STATE_STOPPED, /* stopped-on-error */
        STATE_CUTTING_OVER,
        STATE_REVERSED,
        STATE_ROLLING_BACK,
        STATE_COMPLETE,
        STATE_COUNT
};

const char *state_name(enum state s);
int state_of(const char *name); /* -1: no such state */
