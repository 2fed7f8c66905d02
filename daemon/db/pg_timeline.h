#pragma once
/*
 * Timeline history of a PostgreSQL server: when a standby is promoted it begins a new timeline, and
 * its history file says where it left each one before it, a line each: number, LSN, reason. What
 * lies before that LSN is the same on both. Pure.
 */
#include "model/position.h"

/* Where the server whose history that is left `timeline`; a DATA error, "resync required: ...",
 * when it does not come from there. */
int pg_timeline_left(
        const char *history, uint32_t timeline, struct position *left, struct error *e);
