#pragma once
/*
 * MariaDB's system-versioned tables in the binlog. Their history is rows of the table like any
 * other, told from current ones by the column GENERATED ALWAYS AS ROW END alone (tried on 10.11;
 * the same with implicit and explicit columns, partitioned by system time or not, and with
 * binlog_row_metadata FULL and MINIMAL):
 *
 *   INSERT            the row, its end the greatest time there is
 *   UPDATE            update of the current row, whose start changes, then insert of the row that
 * it was, which ends now; columns WITHOUT SYSTEM VERSIONING: the update alone DELETE update of the
 * current row, which ends now REPLACE           as UPDATE, or as DELETE and INSERT DELETE HISTORY
 * deletes of rows that have ended TRUNCATE          is refused by the server INSERT with
 * @@system_versioning_insert_history: rows that have ended TRUNCATE PARTITION of history is DDL;
 * what AUTO adds to the partitions is not logged
 *
 * The end is part of the primary key, and the images after a change are whole, so that it is there
 * with binlog_row_image MINIMAL, too. Tables versioned by transaction ids (BIGINT UNSIGNED) are
 * logged as statements whatever binlog_format is: they are refused at the start
 * (daemon/db/my_check_tables.c).
 *
 * Here current rows are all there is of a table: what happens to history is dropped, and a row that
 * ends is deleted. Pure; any thread.
 */
#include "decoders/binlog_map.h"

/* 1: the row is current, as all rows are where there is no such column; 0: it is history; -1: its
 * end is not in the log. */
int binlog_history_current(const struct binlog_map *m, const struct value *row, struct error *e);

/* What an update is: a change of a current row, its end, or of no interest. */
enum binlog_history { HISTORY_NONE, HISTORY_CHANGE, HISTORY_END };
int binlog_history_update(const struct binlog_map *m, const struct value *old,
        const struct value *new, enum binlog_history *what, struct error *e);
