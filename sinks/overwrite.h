#pragma once
/*
 * Overwriting ([table] on_conflict = overwrite): what is tried where a change meets another row on
 * the target than the source had. The source is right about every row whose key it names:
 *
 *   insert, and the key is there             the row becomes the inserted one: an update by key
 *   update, and the row is not there         an insert, where the log has the whole row
 *   update to a key that is there            that row goes, then the update
 *   delete, and the row is not there         nothing
 *
 * A row with another key that a unique index has in the way is not touched: the source says nothing
 * of it here, and may still have it. That stops the pipeline, as every other refusal does.
 *
 * Steps are ordinary statements that must find exactly one row, behind the change's savepoint;
 * never a conflict clause, which would take any unique index for the key (HAZARDS A12). Pure but
 * for memory; of one change at a time; belongs to the wire, which sends the steps.
 */
#include "model/txn.h"

enum overwrite_stage {
        OVERWRITE_NONE,   /* the change itself */
        OVERWRITE_INSERT, /* in the place of an update */
        OVERWRITE_UPDATE, /* of the row that has the key of one to be inserted */
        OVERWRITE_CLEAR,  /* the row that has the key to which an update moves another */
        OVERWRITE_AGAIN   /* that update */
};

struct overwrite {
        enum overwrite_stage stage;
        struct change step; /* to be sent */
        struct value *row;  /* of it */
        uint16_t room;
        struct error why; /* that the change itself was refused for */
};

enum overwrite_result {
        OVERWRITE_TRY,  /* `step`, behind the savepoint */
        OVERWRITE_DONE, /* it is as the source says */
        OVERWRITE_STOP
};

void overwrite_begin(struct overwrite *o); /* a new change */
void overwrite_done(struct overwrite *o);
/* Was a step sent? */
bool overwrite_is_begun(const struct overwrite *o);

/* The change `c`, or the step that was sent last, was refused for `why`, and undone with all steps
 * before it but for those that were answered. `key`: one a column, by which rows are found. STOP:
 * `why` is the error to stop with. */
enum overwrite_result overwrite_refused(
        struct overwrite *o, const bool *key, const struct change *c, struct error *why);
/* The last step was done. Not STOP. */
enum overwrite_result overwrite_answered(struct overwrite *o, const struct change *c);
