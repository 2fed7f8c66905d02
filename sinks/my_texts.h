#pragma once
/*
 * Texts: statements for the apply connection of a MySQL-family target, gathered into texts that
 * travel whole, and in order what each answer belongs to.
 *
 * A text goes when nothing is on its way, and several go one behind another when they are full:
 * what arrives meanwhile gathers, so texts grow with the load.
 *
 * Owned by the wire (sinks/my_wire.h). After an error, which ends the link, nothing is sent and no
 * event comes.
 */
#include "db/my_link.h"
#include "model/txn.h"

struct my_texts;

/* What an answer belongs to. */
enum my_op_kind {
        MY_OP_BEGIN,
        MY_OP_CHECKPOINT,
        MY_OP_CHANGE,
        MY_OP_TRUNCATE,
        MY_OP_KEYS, /* the target's foreign keys, on or off */
        MY_OP_BIND,
        MY_OP_PLAIN,  /* nothing is expected of it but that it works */
        MY_OP_FORGET, /* a table's quarantine ends */
        MY_OP_COMMIT,
        MY_OP_ALIVE
};

struct my_op {
        enum my_op_kind kind;
        uint32_t rows;                   /* of an insert */
        uint32_t warnings;               /* that its answer is to have; 0: as it may be */
        struct change *change;           /* the first, to be named when it is refused */
        const struct relation *relation; /* MY_OP_BIND, MY_OP_FORGET */
        bool guarded;     /* the last of its text, and may be refused: `guard_left` */
        struct txn *done; /* pieces that end with this answer */
};

struct my_texts_events {
        /* -1: it is not as it should be; the link ends with `e`. */
        int (*answer)(void *context, const struct my_op *o, uint64_t found, MYSQL_RES *rows,
                struct error *e);
        /* Its statement was refused, or its answer: `e` may be made to say more of it. */
        void (*refused)(void *context, const struct my_op *o, struct error *e);
        /* A guarded one was answered, or (`e`) refused: true when the link is to go on. */
        bool (*guard_left)(void *context, const struct my_op *o, const struct error *e);
        void (*released)(void *context, size_t bytes); /* a piece is answered and freed */
        void (*committed)(void *context);
        void (*moved)(void *context); /* a text was answered: there may be more to do */
};

/* `packet`: bytes that one text may have. */
struct my_texts *my_texts_new(
        struct my_link *k, size_t packet, const struct my_texts_events *events, void *context);
struct my_texts *my_texts_free(struct my_texts *t); /* frees the pieces that it keeps */

/* Takes what `statement` holds, which is empty afterwards. The op is the caller's to fill in until
 * the next call. */
struct my_op *my_texts_add(struct my_texts *t, enum my_op_kind kind, struct buf *statement);
/* Lets the newest statement go on, if it has not been sent and the text has room. */
bool my_texts_extend(struct my_texts *t, const char *joint, const struct buf *row);
/* What the newest statement ends with when nothing extends it any more. */
void my_texts_end(struct my_texts *t, const char *end);
struct my_op *my_texts_newest(const struct my_texts *t); /* NULL: no answer is awaited */
/* Takes a piece and frees it when the newest answer has come. */
void my_texts_keep(struct my_texts *t, struct txn *piece);
void my_texts_flush(struct my_texts *t);
void my_texts_send(struct my_texts *t);                        /* at once, whatever is on its way */
void my_texts_fail(struct my_texts *t, const struct error *e); /* ends the link */

bool my_texts_ok(const struct my_texts *t);
bool my_texts_idle(const struct my_texts *t);     /* no answer is awaited at all */
bool my_texts_answered(const struct my_texts *t); /* none but that of a commit */
bool my_texts_full(const struct my_texts *t);     /* as much is on its way as should be */
