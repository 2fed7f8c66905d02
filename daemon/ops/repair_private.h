#pragma once
/*
 * What the files of ops/repair share: repair.c goes through tables, batches and rounds,
 * repair_batch.c has the rows of a batch, repair_look.c reads both sides, repair_write.c writes
 * while the stream stands, repair_stream.c knows the stream, repair_report.c says what became of
 * each row. One thread, the job's.
 */
#include "ops/quarantine_store.h"
#include "ops/repair.h"
#include "ops/repair_stream.h"
#include "ops/verify_private.h"

enum repair_action { REPAIR_NOTHING, REPAIR_INSERT, REPAIR_UPDATE, REPAIR_DELETE };
enum repair_end {
        REPAIR_OPEN,
        REPAIR_EQUAL,    /* it was no difference any more */
        REPAIR_REPAIRED, /* written, and equal since */
        REPAIR_PLANNED,  /* what would be written */
        REPAIR_REFUSED,
        REPAIR_UNDECIDED /* it changed all the time */
};

struct repair_seen {
        uint32_t rows;
        struct digest row;
};

/* A row of the target, as it has it. */
struct repair_there {
        struct repair_there *next;
        struct value *values;
};

struct repair_row {
        uint64_t hash;     /* see repair_stream_watch */
        uint32_t from, to; /* where its key is in the batch's `keys`, as of struct verify_row */
        char *key;         /* of the first finding */
        enum verify_kind kind;
        struct repair_seen source, again, target;
        struct value *values;       /* the source's, as the target takes them; of this round */
        struct repair_there *there; /* of this round */
        bool late;                  /* no room for its values in this round */
        bool ready;                 /* to be written now */
        bool fresh;                 /* it was */
        unsigned rounds, written;
        enum repair_action action;
        enum repair_end end;
        bool no_place;    /* the source's row has a value that the target's column cannot hold */
        struct error why; /* it was refused */
};

struct repair_finding {
        uint64_t id;
        enum verify_kind kind;
        uint32_t copies; /* of a table without a key: it counts for so many */
        unsigned row;    /* of the batch */
};

/* Findings of one table that are mended together, and their rows, each once, by hash. */
struct repair_batch {
        const struct verify_table *table;
        struct repair_finding *findings;
        unsigned findings_n;
        struct repair_row *rows;
        unsigned rows_n, cap;
        uint64_t *hashes; /* of the rows */
        struct buf keys;
        struct arena *arena; /* of one round */
        size_t kept, room;   /* bytes of values in it; how many there may be */
};

struct repair {
        struct repair_stream stream;
        bool dry_run;
        cJSON *items;
        size_t items_bytes;
        uint64_t repaired, equal, planned, refused, undecided;
        bool truncated, failed;
        struct error error;

        struct verify *verify; /* while it runs */
        struct verify_worker worker;
        struct relation *by_key, *whole; /* of the table: how rows are found on the target */
};

/* ---- repair_batch.c ---- */

void repair_batch_init(struct repair_batch *b, const struct verify_table *t, size_t room);
void repair_batch_done(struct repair_batch *b);
void repair_batch_add(struct repair_batch *b, struct verify_worker *w, uint64_t id,
        const struct verify_finding *f);
/* All have been added. */
void repair_batch_sort(struct repair_batch *b);
struct repair_row *repair_batch_find(struct repair_batch *b, uint64_t hash);
/* Forgets what the last round has read. */
void repair_batch_round(struct repair_batch *b);
/* Copies a row into the round's memory; NULL: there is no more room. */
struct value *repair_batch_keep(struct repair_batch *b, const struct value *row);
unsigned repair_batch_open(const struct repair_batch *b);

/* ---- repair_look.c: what both sides have of the rows that are open ---- */

enum repair_look { LOOK_SOURCE, LOOK_AGAIN, LOOK_TARGET, LOOK_THERE };
/* LOOK_SOURCE keeps values, LOOK_AGAIN does not; LOOK_THERE keeps the target's. */
int repair_look(
        struct verify_worker *w, struct repair_batch *b, enum repair_look which, struct error *e);

bool repair_is_same(const struct repair_seen *a, const struct repair_seen *b);
/* What would make the target's rows the source's. */
enum repair_action repair_action_of(const struct repair_batch *b, const struct repair_row *row);

/* ---- repair_write.c ---- */

/* The stream stands: writes the rows that are ready, in one transaction; their `action` and `why`
 * say what came of it. */
int repair_write(struct repair *r, struct repair_batch *b, struct error *e);
/* Was it refused since a unique value of it belongs to another row? */
bool repair_is_taken(const struct repair_row *row);

/* ---- repair_report.c ---- */

/* Puts one in the log that was written. */
void repair_say(
        const struct repair *r, const struct verify_progress *p, const struct repair_row *row);
/* Counts a row that has come to its end. */
void repair_report(struct repair *r, const struct verify_progress *p, const struct repair_row *row);
