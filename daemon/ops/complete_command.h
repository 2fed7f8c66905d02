#pragma once
/*
 * `complete`: a call that ends the migration, and the daemon with it; with `list` it says what that
 * would remove. Loop thread only.
 */
#include "ops/control.h"

struct migration;

struct complete_command {
        struct control_call *call;   /* NULL: none, or its client has left */
        void (*stop)(void *context); /* ends the daemon */
        void *context;
};

/* Takes the call over. */
void complete_command_start(
        struct complete_command *c, struct migration *m, struct control_call *call);
/* Ends the call with an error, since the daemon ends. */
void complete_command_cancel(struct complete_command *c);
