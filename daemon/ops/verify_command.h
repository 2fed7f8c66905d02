#pragma once
/*
 * `verify start`, `status`, `rest` and `stop`. `start` is answered at once, and `status` unless it
 * shows values; `stop` when the verification has ended. Loop thread only.
 */
#include "ops/control.h"

struct migration;

struct verify_command {
        struct migration *migration;
        struct control_call
                *call; /* of one of them that waits; NULL: none, or its client has left */
};

void verify_command_start(struct migration *m, struct control_call *call);
void verify_command_status(
        struct verify_command *c, struct migration *m, struct control_call *call);
/* Takes the call over. */
void verify_command_stop(struct verify_command *c, struct migration *m, struct control_call *call);
/* Ends the call with an error, since the daemon ends. */
/* Answers when what has changed by now is verified again. */
void verify_command_rest(struct verify_command *c, struct migration *m, struct control_call *call);
void verify_command_cancel(struct verify_command *c);
