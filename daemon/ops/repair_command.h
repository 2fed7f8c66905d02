#pragma once
/*
 * `repair`: one call at a time, which ends when its job does. The job goes on when the client
 * leaves. Loop thread only.
 */
#include "ops/control.h"

struct migration;

struct repair_command {
        struct control_call *call; /* NULL: none, or its client has left */
};

/* Takes the call over. */
void repair_command_start(struct repair_command *c, struct migration *m, struct control_call *call);
/* Ends the call with an error, since the daemon ends. */
void repair_command_cancel(struct repair_command *c);
