#pragma once
/*
 * Steps of a turn (ops/turn.h) that block: what is said to the servers. Each is safe to run again.
 * Job threads.
 */
#include "model/config.h"
#include "ops/halt.h"
#include "ops/journal.h"

/* What an earlier stream in this direction left: slot, records, position. The stream does not run,
 * and another one may begin anew. */
int turn_clear(const struct config *c, struct halt *h, struct error *e);
/* SQL for a PostgreSQL target: a column `roname` with the replication origins (db/pg_meta.h) that
 * streams of that pipeline have had in this database, also under earlier uuids. Fails where there
 * is no culvert.checkpoint. */
void turn_origins_sql(struct buf *sql, const char *pipeline);
/* Drops them, where the role may: each holds one of max_replication_slots. */
int turn_drop_origins(PGconn *c, const char *pipeline, struct error *e);
/* Of it only what its source keeps: the slot. */
int turn_drop_slot(const struct config *c, struct halt *h, struct error *e);

/* At a start: what was interrupted may have left the slot of the other direction. `target`: open to
 * the configured one. */
int turn_tidy(const struct config *c, struct endpoint *target, struct error *e);

/* Where the log of the source of `to` ends now, with the GTIDs there, becomes the place from which
 * the stream of `to` goes on: what commits later is in it, what was before is not. */
int turn_pass(
        const struct config *to, struct halt *h, char position[POSITION_TEXT], struct error *e);

/* No walk is under way: the side that leads is opened, the stream of the other direction keeps
 * nothing at its source, and the journal says so. */
int turn_settle(const struct config *forward, const struct config *reverse, bool reversed,
        struct halt *h, struct error *e);
