#pragma once
/*
 * What the files of the binlog decoder share. binlog.c reads headers and dispatches, binlog_txn.c
 * keeps the transaction that is open, binlog_rows.c table maps and rows, binlog_query.c statements,
 * binlog_payload.c MySQL's compressed transactions.
 */
#include "decoders/binlog.h"
#include "decoders/binlog_gtid.h"
#include "decoders/binlog_map.h"

#define BINLOG_HEADER 19
#define BINLOG_BUCKETS 1024

enum binlog_event_type {
        EVENT_QUERY = 2,
        EVENT_STOP = 3,
        EVENT_ROTATE = 4,
        EVENT_INTVAR = 5,
        EVENT_RAND = 13,
        EVENT_USER_VAR = 14,
        EVENT_FORMAT = 15,
        EVENT_XID = 16,
        EVENT_BEGIN_LOAD = 17,
        EVENT_EXECUTE_LOAD = 18,
        EVENT_TABLE_MAP = 19,
        EVENT_WRITE_V1 = 23,
        EVENT_UPDATE_V1 = 24,
        EVENT_DELETE_V1 = 25,
        EVENT_INCIDENT = 26,
        EVENT_HEARTBEAT = 27,
        EVENT_IGNORABLE = 28,
        EVENT_ROWS_QUERY = 29,
        EVENT_WRITE = 30,
        EVENT_UPDATE = 31,
        EVENT_DELETE = 32,
        EVENT_GTID = 33,
        EVENT_ANONYMOUS_GTID = 34,
        EVENT_PREVIOUS_GTIDS = 35,
        EVENT_TRANSACTION_CONTEXT = 36,
        EVENT_VIEW_CHANGE = 37,
        EVENT_XA_PREPARE = 38,
        EVENT_PARTIAL_UPDATE = 39,
        EVENT_TRANSACTION_PAYLOAD = 40,
        EVENT_HEARTBEAT_V2 = 41,
        EVENT_GTID_TAGGED = 42,
        /* MariaDB */
        EVENT_ANNOTATE_ROWS = 160,
        EVENT_BINLOG_CHECKPOINT = 161,
        EVENT_MARIADB_GTID = 162,
        EVENT_GTID_LIST = 163,
        EVENT_START_ENCRYPTION = 164,
        EVENT_QUERY_COMPRESSED = 165,
        EVENT_WRITE_COMPRESSED_V1 = 166,
        EVENT_UPDATE_COMPRESSED_V1 = 167,
        EVENT_DELETE_COMPRESSED_V1 = 168,
        EVENT_WRITE_COMPRESSED = 169,
        EVENT_UPDATE_COMPRESSED = 170,
        EVENT_DELETE_COMPRESSED = 171
};

enum binlog_group {
        GROUP_NONE,
        GROUP_ANNOUNCED, /* a GTID was read: BEGIN or the one statement comes next */
        GROUP_OPEN       /* until COMMIT, XID, ROLLBACK or XA PREPARE */
};

struct savepoint;
struct prepared;

/* Pieces of an XA transaction in their order. */
struct kept {
        struct txn *first, **tail;
        uint64_t bytes;
};

struct binlog {
        struct binlog_setup setup;
        struct binlog_events events;
        void *context;

        /* of the file */
        struct position at;                      /* end of the last event */
        bool placed;                             /* a ROTATE told where the stream begins */
        bool described;                          /* a FORMAT_DESCRIPTION was read */
        bool checksum;                           /* events end in a CRC-32 */
        unsigned id_bytes;                       /* of table ids */
        struct binlog_map *maps[BINLOG_BUCKETS]; /* by table id */
        size_t maps_bytes;
        const struct relation **sent; /* shapes that were sent in this file; references */
        size_t sent_n;

        /* of the event in hand */
        uint8_t type;
        uint32_t when;              /* seconds since 1970 */
        uint32_t server;            /* id of the one that wrote it first */
        struct position begin, end; /* of an event in a payload: the payload's */
        bool ignorable;             /* may be skipped where its type is not known */
        struct reader in;           /* its body, without the checksum */
        bool cascades;              /* of rows: the engine followed its foreign keys for them */

        /* of the group */
        enum binlog_group group;
        struct txn *open;
        struct position group_begin;
        struct gtids *gtids; /* delivered after the last group; NULL: not known */
        struct gtid gtid;    /* of the group */
        bool named;          /* it has one */
        int64_t committed_at;
        unsigned pieces; /* that were given away */
        struct savepoint *savepoints;
        unsigned savepoints_n;
        bool past;   /* delivered before */
        bool xa;     /* will be prepared: its pieces are kept */
        bool spoilt; /* rows of it came in another shape than the known one, and it was delivered:
                        an error only if it was not committed by then */
        struct kept kept; /* of the group, but for the open one */

        /* What was delivered before comes again, see binlog_setup. */
        bool catching_up;
        struct gtids *delivered;   /* NULL: the position tells */
        struct gtids *seen;        /* of the log from its begin on; NULL: not known */
        struct prepared *prepared; /* the oldest first */
        unsigned prepared_n;
        uint64_t kept_bytes; /* of the group and of all that is prepared */
};

int binlog_malformed(const struct binlog *b, struct error *e);

/* binlog.c: one event whose header is read and whose checksum is off. */
int binlog_dispatch(struct binlog *b, struct error *e);

/* binlog_txn.c */
int binlog_begin(struct binlog *b, enum binlog_group group, struct error *e);
int binlog_commit(struct binlog *b, struct error *e);
int binlog_rollback(struct binlog *b, struct error *e);
/* The file ends inside the group, or the server did: nothing of it happened. */
int binlog_abandon(struct binlog *b, struct error *e);
/* After each change: closes the piece when it is full. */
int binlog_cut(struct binlog *b, struct error *e);
int binlog_savepoint(struct binlog *b, const char *name, struct error *e);
int binlog_rollback_to(struct binlog *b, const char *name, struct error *e);
void binlog_forget_savepoints(struct binlog *b);
int binlog_on_xid(struct binlog *b, struct error *e);
int binlog_on_gtid(struct binlog *b, struct error *e);
int binlog_on_anonymous(struct binlog *b, struct error *e);
int binlog_on_gtid_tagged(struct binlog *b, struct error *e);
int binlog_on_mariadb_gtid(struct binlog *b, struct error *e);

/* An empty piece of the group. */
struct txn *binlog_piece(const struct binlog *b);
/* Gives a piece away; `last` ends the group. Takes it. */
int binlog_give(struct binlog *b, struct txn *piece, bool last, struct error *e);
/* The state behind the last group; NULL: nothing to say. In the arena of `t`. */
const char *binlog_state_text(struct binlog *b, struct txn *t);

/* binlog_xa.c */
/* The group's piece in hand is full: it is kept. */
int binlog_keep(struct binlog *b, struct error *e);
/* Nothing of the group is kept any more: it is rolled back. */
void binlog_forget_kept(struct binlog *b);
/* It is committed: all but the piece in hand goes out. */
int binlog_give_kept(struct binlog *b, struct error *e);
/* Where the oldest that is prepared begins, and the state there; false: nothing is. */
bool binlog_since(const struct binlog *b, struct position *since, const char **gtids);
int binlog_on_xa_prepare(struct binlog *b, struct error *e);
/* XA COMMIT (`applied`) or XA ROLLBACK of what was prepared before, as text "X'..',X'..',1". */
int binlog_xa_end(struct binlog *b, const char *xid, bool applied, struct error *e);
void binlog_forget_prepared(struct binlog *b);

/* binlog_rows.c */
int binlog_on_table_map(struct binlog *b, struct error *e);
int binlog_on_rows(struct binlog *b, struct error *e);
void binlog_forget_maps(struct binlog *b);
/* Sends the shape unless this file's stream has it already. */
int binlog_send(struct binlog *b, const struct relation *shape, struct error *e);
/* The shape that rows of this table come in just now; NULL: not migrated. */
const struct relation *binlog_shape_of(struct binlog *b, const char *schema, const char *name);

/* binlog_query.c */
int binlog_on_query(struct binlog *b, struct error *e);
int binlog_on_query_compressed(struct binlog *b, struct error *e);
int binlog_on_execute_load(struct binlog *b, struct error *e);

/* binlog_payload.c */
int binlog_on_payload(struct binlog *b, struct error *e);
