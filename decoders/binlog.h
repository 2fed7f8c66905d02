#pragma once
/*
 * Decoder of the MySQL family's binary log: events in, shapes, statements and transaction pieces
 * out. Pure: no socket, no clock, no log, so it can be fuzzed and replayed.
 *
 * Formats: MariaDB knowledge base "Replication Protocol" and sql/log_event.h; MySQL's
 * libbinlogevents (mysql/binlog/event), "Binary Log Event". Rows events v1 and v2, MariaDB's
 * compressed events, MySQL's TRANSACTION_PAYLOAD (zstd). Any other event that is not marked
 * ignorable (LOG_EVENT_IGNORABLE_F) is a DATA error that names its type.
 *
 * Which tables are migrated is asked by name; the rows of all others are skipped. A table map is
 * checked against the known shape (number of columns, types, lengths; names, signedness, character
 * sets, members and key where binlog_row_metadata gives them); one that differs is sent as the
 * shape that the map describes, which the receiver refuses with what changed. Values become the
 * server's native text (model/convert.h). The column-present bitmaps decide: an absent column is
 * VALUE_UNCHANGED.
 *
 * Positions: struct position with file number and offset of the end of an event. A transaction's
 * `commit` is where its first event begins (where its last one will is not known while its pieces
 * go out), `end` where its last one ends. The `xid` is 0. A group that changes nothing of interest
 * is an empty piece, so that the position goes on. The last piece carries the GTID state, if there
 * is one: from the first transaction without a GTID on there is none.
 *
 * Undone rows: ROLLBACK and ROLLBACK TO SAVEPOINT take back the rows that the log has of them;
 * where they went out already in an earlier piece, that is a DATA error.
 *
 * XA: the log has the rows where a transaction is prepared. They are kept until its XA COMMIT,
 * which may come weeks later, and go out as of that; the state (decoders/binlog_state.h) says where
 * a stream must begin to have them again. XA COMMIT of what was prepared before is a DATA error,
 * and so are more kept rows than the setup allows.
 *
 * Rows that InnoDB changes by a foreign key's action are not in the log. change->cascades tells of
 * each update and delete whether the engine followed its keys for it (HAZARDS A14).
 *
 * Generated columns are in the log. Their place in a shape has a native that ends in " generated";
 * they are delivered as VALUE_UNCHANGED. Not shared between threads.
 */
#include "model/coltype.h"
#include "model/statement.h"
#include "model/txn.h"

struct binlog;

struct binlog_events {
        /* The shape that the receiver expects of a table (`which` 0), or the later one that the
         * operator accepted besides (1); NULL: none, or not migrated. A `name` of "": any table of
         * the schema (DROP DATABASE). Borrowed, valid as long as the decoder. Columns have
         * `native`. */
        const struct relation *(*known)(
                void *context, const char *schema, const char *name, unsigned which);
        /* A known shape, when rows of it come first in a file, and after another one of its table;
         * or what a table map describes that is no known shape. If that is no error, its rows are
         * skipped. */
        int (*relation)(void *context, const struct relation *shape, struct error *e);
        int (*piece)(void *context, struct txn **piece, struct error *e);
        int (*statement)(void *context, const struct statement *s, struct error *e);
};

struct binlog_setup {
        enum engine engine;   /* ENGINE_MYSQL or ENGINE_MARIADB */
        uint64_t piece_bytes; /* a piece is closed when it holds this much; a row may exceed it */
        uint64_t kept_bytes;  /* rows of prepared transactions; more is an error */
        struct position from; /* where the server was asked to begin: between two transactions */
        const char *gtids;    /* state there (decoders/binlog_gtid.h); NULL: not known */
        /* What was delivered before, though it comes again since it lies behind a transaction that
         * is prepared: all that begins before the position, or what is in the state where that has
         * its mark. Of it only what is prepared is taken. None: nothing comes again. */
        struct position delivered;
        const char *delivered_gtids;
        struct position exact; /* began by GTID: transactions that begin before may be repeated by a
                                  stream that begins at a position; none: no such */
        bool lower_case;       /* lower_case_table_names is not 0: names compare without case */
};

struct binlog *binlog_new(
        const struct binlog_setup *setup, const struct binlog_events *events, void *context);
struct binlog *binlog_free(struct binlog *b);

/* One event, header included, as the server sends it behind the packet's status byte. Negative:
 * malformed, damaged (CRC-32), out of order or not known (DATA), or what an event returned; the
 * decoder is of no use after that. */
int binlog_event(struct binlog *b, const void *event, size_t len, struct error *e);
/* Where the stream stands; a position to begin at only when idle. */
struct position binlog_position(const struct binlog *b);
bool binlog_idle(const struct binlog *b); /* between two transactions */

/* "mysql-bin.000003" to 3 and, where `base` is not NULL, its length without ".000003"; -1: not such
 * a name. Numbers may have more than six digits. */
int64_t binlog_file_number(const char *name, size_t *base);
