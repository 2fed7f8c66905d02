#pragma once
/*
 * `wait`: one call that ends when the pipeline is in a state, or lags no more than so much, or
 * both; when it stopped on an error; or when the time is over. Loop thread only.
 */
#include "ops/control.h"

struct loop;
struct migration;
struct wait;

/* Takes the call over. Until it has ended the wait is in the list at `list`. */
void wait_start(struct loop *l, struct migration *m, struct control_call *call, struct wait **list);
/* The same for `pause`: ends when what the target had taken before is committed. */
void wait_settled(
        struct loop *l, struct migration *m, struct control_call *call, struct wait **list);
/* For `drain`: the stream drains from now on, and `done` is called when it has. Ends it otherwise,
 * it goes on as before. */
void wait_drained(struct loop *l, struct migration *m, struct control_call *call,
        struct wait **list, void (*done)(void *context), void *context);
/* Ends it with an error, since the daemon ends. */
void wait_cancel(struct wait *w);
