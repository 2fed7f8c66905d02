#pragma once
/*
 * Repair: puts right on the target what a verification found (culvert.verify_result), from the
 * source's rows as they are now. It runs in the place of a verification, in its thread
 * (ops/verify.h), so there is one of the two at a time.
 *
 * Some keys at a time are read on the source; then the stream is waited for until it has passed
 * that place, and the target is read. A row that came out alike is no difference any more. What
 * differs is written while the stream stands: everything that the source's row went through until
 * it was read is on the target by then, and everything later comes after the repair, as to any row.
 * That holds for a row which the stream has not touched since before it was read, so each piece
 * that goes to the sink is looked at; a touched row is read again in the next round. Then the rows
 * are compared once more: the finding of one that is equal goes, else it stays.
 *
 * The writer is the pipeline's one writer (lock and epoch), and each transaction of it begins with
 * the checkpoint's statement (ops/quarantine_store.h). After a kill the transaction is there or is
 * not, and a repair that is begun again goes on with the findings that are left.
 *
 * Left out of account, as in ops/verify.h: a commit that the source's log tells before other
 * sessions of the source see it, and that stays so over all of a round.
 */
#include "flow/route.h"

#include <cjson/cJSON.h>

struct loop;
struct halt;
struct repair;
struct verify;

struct repair_events {
        void (*stand)(void *context); /* the stream is to stand: answered by repair_stood */
        void (*go)(void *context);    /* and to go on */
};

struct repair *repair_new(
        struct loop *l, bool dry_run, const struct repair_events *events, void *context);
struct repair *repair_free(struct repair *r);

/* The loop's thread. `why` NULL: it stands. */
void repair_stood(struct repair *r, const struct error *why);
void repair_see(struct repair *r, const struct txn *piece);

/* Of verify.c, in the job's thread: all tasks of `v` that are wanted. */
int repair_run(struct repair *r, struct verify *v, struct error *e);
/* The job failed for good. */
void repair_fail(struct repair *r, const struct error *e);

/* After the job has ended. */
const struct error *repair_error(const struct repair *r); /* NULL: it did not fail */
bool repair_is_whole(const struct repair *r);             /* nothing is left to be mended */
cJSON *repair_body(struct repair *r);                     /* the caller's; once */
