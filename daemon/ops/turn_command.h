#pragma once
/*
 * `cutover` and `rollback`: a call that begins a turn (ops/turn.h), or attaches to the one under
 * way, is told of each step and ends with it. A client that leaves changes nothing: the turn goes
 * on. Loop thread only.
 */
#include "ops/control.h"

#include <stdbool.h>

struct migration;

struct turn_command {
        struct migration *migration;
        struct control_call *call; /* whom it is told; NULL: nobody */
};

/* Takes the call over. */
void turn_command_start(
        struct turn_command *c, struct migration *m, struct control_call *call, bool back);
/* `cutover abort`: undoes what is under way, if it still can be; answered at once. */
void turn_command_abort(struct migration *m, struct control_call *call);
/* Ends the call with an error, since the daemon ends. */
void turn_command_cancel(struct turn_command *c);
