#pragma once
/*
 * Dials: opens a connection in a thread of its own and hands it to the loop. Belongs to db/my_link.
 *
 * The thread may hang in the resolver for longer than its owner wants to wait; it is then left
 * behind and cleans up after itself, without touching the loop.
 */
#include "base/loop.h"
#include "db/my.h"

struct my_dial;

/* `done` comes once, on the loop, never from inside a call; `c` NULL: it failed. The connection
 * belongs to the receiver, who frees the dial in that call or later. */
typedef void my_dial_done(void *context, MYSQL *c, const struct error *e);

struct my_dial *my_dial_new(
        struct loop *l, const struct my_params *p, my_dial_done *done, void *context);
/* `done` does not come any more, if it has not come yet. */
struct my_dial *my_dial_free(struct my_dial *d);
