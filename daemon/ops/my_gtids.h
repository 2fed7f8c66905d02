#pragma once
/*
 * GTIDs of a MySQL-family source, for the start: what its state is where the copy stands, and
 * whether another server can take its place (decoders/binlog_gtid.h). Blocking.
 */
#include "db/my.h"
#include "model/position.h"

/* What must be read before the position is taken, and under its lock: MySQL's state itself;
 * MariaDB: what it has replicated, which may lie before its binlog begins. NULL: GTIDs are off. */
int my_gtids_note(MYSQL *c, char **noted, struct error *e);
/* The state at a position. NULL: there is none. The caller frees. */
int my_gtids_at(MYSQL *c, const char *base, struct position at, const char *noted, char **gtids,
        struct error *e);
/* Has this server all that we have, and nothing purged that the stream needs? `state`: as the
 * checkpoint has it (decoders/binlog_state.h). A DATA error if not, or if it cannot be told. */
int my_gtids_follow(MYSQL *c, const char *state, struct error *e);
