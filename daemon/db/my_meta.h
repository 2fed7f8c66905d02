#pragma once
/*
 * culvert's own objects in a MySQL-family target: database culvert, format 6. SQL texts and what
 * they take, so that the sink (on the loop) and the copy (on threads) say the same. The sister of
 * db/pg_meta.h: the same tables, without origins (HAZARDS C2).
 *
 *   meta        (format, version)           a row for each format that it has had; the highest one
 *                                           holds. A newer one is refused, an older one upgraded
 *   checkpoint  (pipeline, direction, lane) -> position, epoch, counter, source, updated_at
 *   state       (pipeline)                  for applications to read
 *   tables      (pipeline, source_schema, source_name) -> what is copied, its shape and
 *                                           its foreign keys (ops/copy_record.h)
 *   copy        (pipeline)                  how far the bulk copy is
 *   quarantine  (id)                        -> pipeline, a change that was not applied, and why
 *                                           (sinks/quarantine.h)
 *   verify, verify_table, verify_result     the last verification: how far it is, and what it found
 *                                           (ops/verify_store.h)
 *   fence       (pipeline, kind, name)      -> how what a fence changes was before (ops/fence.h)
 */
#include "db/my.h"
#include "model/position.h"

#define MY_META_FORMAT 6

/* Several statements; creates what is missing. Safe to run again. DDL: commits. */
const char *my_meta_create_sql(void);

/* 0: database culvert is there and its format is ours or an older one; 1: not there; -1: error
 * (newer format). */
int my_meta_check(MYSQL *c, struct error *e);
/* Creates or upgrades, without lock or epoch: for what is no apply. Blocking. DDL: commits. */
int my_meta_bring_up(MYSQL *c, struct error *e);

/* The name of the pipeline's lock (GET_LOCK), unique on the server. Servers allow 64 characters. */
#define MY_META_LOCK 64
const char *my_meta_lock_name(const char *pipeline, char name[MY_META_LOCK]);

/*
 * Raises the epoch and reads what it stands on, in one transaction (HAZARDS A6); it waits for a
 * transaction of an older connection that is still in doubt. Four statements: begin, the read
 * (epoch before, position, source; no row: no checkpoint yet), the update, the commit.
 */
enum { MY_META_EPOCH_READ = 1, MY_META_EPOCH_UPDATE = 2 };
void my_meta_epoch_sql(struct buf *out, const char *pipeline);

/* Moves the checkpoint and proves the epoch: finds one row, or none when it is not ours any more.
 * The counter rises with every commit, so that the row is logged each time (HAZARDS A7). */
void my_meta_checkpoint_sql(struct buf *out, const char *pipeline, uint64_t epoch,
        struct position position, const char *gtids);
/* The error for a checkpoint that was not found: BUG, "fenced: ..."; returns -1. */
int my_meta_fenced(struct error *e, const char *pipeline);

/*
 * Blocking. In a transaction: 0 when the epoch is still ours (the row is locked for sharing until
 * its end), else the error above, and the caller stops writing for good.
 */
int my_meta_prove_epoch(MYSQL *c, const char *pipeline, uint64_t epoch, struct error *e);
/* Lock (waits are the caller's), create or upgrade, epoch: for the copy's control connection. 0; 1:
 * another session holds the lock (`e` says which); -1. Commits. */
int my_meta_open(MYSQL *c, const char *pipeline, uint64_t *epoch, struct position *position,
        char source[IDENTITY_TEXT], struct error *e);
