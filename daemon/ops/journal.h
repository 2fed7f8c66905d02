#pragma once
/*
 * Journal: which side leads, and whether a cutover or rollback is under way. The row of the
 * pipeline in culvert.state on the configured target, whatever the direction, with a copy on the
 * configured source for applications that look there:
 *
 *   select direction, state from culvert.state where pipeline = 'shop';
 *
 * direction `forward`: the source takes the writes; `reverse`: the target does. It changes in one
 * commit on the target, which is what a cutover is. A state of cutting-over or rolling-back says
 * that a walk (ops/cutover.h) is under way: the side that leads is to be opened, and the walk is
 * over.
 *
 * Blocking, on a thread with endpoints; committed durably.
 */
#include "flow/state.h"
#include "model/config.h"
#include "ops/halt.h"

struct endpoint;

struct journal_entry {
        uint64_t sequence; /* rises with each entry; 0: there is none */
        enum state state, phase;
        bool reversed; /* direction */
};

/* That side leads, and no walk is under way. */
struct journal_entry journal_leads(bool reversed);
/* The same within a walk: a rollback if `back`. */
struct journal_entry journal_walks(bool back, bool reversed);
bool journal_is_walking(const struct journal_entry *j);
/* May a stream in that direction begin? Without an entry only the configured one. */
bool journal_agrees(const struct journal_entry *j, bool reversed);
/* `c` of either direction. No schema culvert yet is no error. `target`: open to the configured one.
 */
int journal_read_at(
        struct endpoint *target, const struct config *c, struct journal_entry *j, struct error *e);
int journal_read(const struct config *c, struct halt *h, struct journal_entry *j, struct error *e);
/* Target first, then source; the sequence is made, and filled in. */
int journal_write(const struct config *c, struct halt *h, struct journal_entry *j, struct error *e);
/* The configuration from the file. */
const struct config *journal_base(const struct config *c);
