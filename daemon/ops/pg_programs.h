#pragma once
/*
 * pg_dump and pg_restore as child processes. Where they connect is told by a connection string
 * without the password, which goes by environment. Messages that come back hold no values of rows:
 * only the error's first line and the entry that it is about. Blocking, worker threads.
 */
#include "base/buf.h"
#include "model/config.h"

#include <stdatomic.h>

struct pg_programs {
        const struct config *config;
        const atomic_bool *stop;
};

/* Are both there, and new enough for a source of this major version? */
int pg_programs_check(const struct pg_programs *p, int source_major, struct error *e);

struct pg_dump_options {
        const char *file, *snapshot; /* snapshot may be NULL */
        char *const *exclude;        /* tables as patterns: what the role may not read */
        unsigned exclude_n;
};

/* The source's schema into an archive in custom format. */
int pg_programs_dump(const struct pg_programs *p, const struct pg_dump_options *o, struct error *e);

/* The archive's contents, with dependencies. */
int pg_programs_list(
        const struct pg_programs *p, const char *file, struct buf *out, struct error *e);

/* The entries of the file `list` into the target. `jobs` 0: in a single transaction; else that many
 * at once, each statement by itself. Stops at the first error. */
int pg_programs_restore(const struct pg_programs *p, const char *file, const char *list,
        unsigned jobs, struct error *e);
