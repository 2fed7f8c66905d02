#pragma once
/*
 * What a PostgreSQL source says of a slot that it has given up: one question and one answer for the
 * start, the stream and the retention watch. All but the last are pure.
 */
#include "db/pg.h"

/* Of `s`, a row of pg_replication_slots: why the slot is of no use any more, or "". Columns came
 * with 16 (conflicting) and 17 (invalidation_reason). */
#define PG_SLOT_REASON                                                                             \
        "coalesce(pg_catalog.to_jsonb(s) ->> 'invalidation_reason',"                               \
        " case when pg_catalog.to_jsonb(s) ->> 'conflicting' = 'true' then 'conflict' else '' "    \
        "end)"

/* -1: the slot is lost, and the DATA error "resync required: ..." says why. Both texts may be "".
 */
int pg_slot_usable(const char *slot, const char *wal_status, const char *reason, struct error *e);
/* -1: the server is a standby, whose slots are the primary's; a RETRY error, since it may be
 * promoted. Asks what the connection has been told (14 and later). */
int pg_slot_server_ready(const PGconn *c, struct error *e);
