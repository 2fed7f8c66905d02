#pragma once
/* The statement that sets a change aside (sinks/quarantine.h) on a MySQL-family target, for the
 * sink and for the copy. Pure. */
#include "sinks/quarantine.h"

/* `piece`: whose commit, time and id are told of it. */
void my_aside_sql(struct buf *sql, const char *pipeline, const struct txn *piece,
        const struct change *c, const struct quarantine_entry *n);
