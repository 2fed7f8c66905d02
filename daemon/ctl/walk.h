#pragma once
/*
 * `cutover` and `rollback` at the client's side: asks before it begins, prints gates and steps as
 * they come, and undoes on Ctrl-C. Leaving in another way (SIGHUP, a lost terminal) leaves the
 * daemon to go on; --attach comes back to it.
 */
#include "ctl/client.h"
#include "ctl/options.h"

/* Asks on the terminal, unless --yes, --rehearse or --attach say that there is nothing to ask. 0;
 * else culvertctl's exit status, and the reason in `e`. */
int walk_confirm(const struct options *o, const char *socket, struct error *e);
/* The same for `complete`, with the list of what goes. */
int walk_confirm_complete(const struct options *o, const char *socket, struct error *e);
/* After the request was sent. Returns culvertctl's exit status. */
int walk_run(const struct options *o, const char *socket, struct client *c, struct error *e);
