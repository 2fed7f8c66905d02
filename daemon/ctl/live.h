#pragma once
/*
 * `watch`: the status redrawn in place on a terminal, one line a message elsewhere, until the
 * daemon goes, `count` messages came, or the user leaves with Ctrl-C.
 */
#include "ctl/client.h"

/* After the request was sent. `count` 0: no end. Returns culvertctl's exit status. */
int live_run(struct client *c, bool json, unsigned long count, struct error *e);
