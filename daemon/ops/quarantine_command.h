#pragma once
/*
 * `quarantine list`, `retry` and `discard`: one call at a time, which ends when its job does. The
 * job goes on when the client leaves. Loop thread only.
 */
#include "ops/control.h"
#include "ops/quarantine.h"

struct migration;

struct quarantine_command {
        struct control_call *call; /* NULL: none, or its client has left */
        enum quarantine_action action;
};

/* Takes the call over. */
void quarantine_command_start(struct quarantine_command *c, struct migration *m,
        struct control_call *call, enum quarantine_action action);
/* Ends the call with an error, since the daemon ends. */
void quarantine_command_cancel(struct quarantine_command *c);
