#pragma once
/*
 * Child: runs another program to its end, with its output taken up to a limit. The program dies
 * with the calling thread, so nothing goes on behind a killed daemon's back. Blocking, any worker
 * thread.
 */
#include "base/buf.h"
#include "base/error.h"

#include <stdatomic.h>

struct child {
        const char *const *argv; /* ends with NULL; argv[0] is searched in PATH */
        const char *const
                *environment;    /* "NAME=value" on top of ours; ends with NULL, may be NULL */
        size_t output_limit;     /* more on stdout than this is an error */
        const atomic_bool *stop; /* may be NULL: ends the program */
};

/*
 * The exit status; -1: it could not be started, was stopped (RETRY), or died by a signal. `out`
 * may be NULL: stdout goes nowhere. `err` gets the first and the last kilobytes of stderr.
 */
int child_run(const struct child *c, struct buf *out, struct buf *err, struct error *e);
