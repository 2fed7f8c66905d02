#pragma once
/*
 * Limits of the control socket, so that tests need not wait for the real ones. Loop thread only.
 */
#include "base/loop.h"

#include <stdint.h>

struct control;

struct control_limits {
        unsigned connections;
        int64_t half;  /* microseconds that a begun message may take */
        int64_t idle;  /* that a connection may stay without a command */
        int64_t stuck; /* that a client may leave an answer unread */
};

#define CONTROL_LIMITS_DEFAULT                                                                     \
        {                                                                                          \
                .connections = 64, .half = 10 * SECOND, .idle = 60 * SECOND, .stuck = 10 * SECOND  \
        }

void control_set_limits(struct control *c, const struct control_limits *limits);
unsigned control_connections(const struct control *c);
