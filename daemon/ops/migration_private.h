#pragma once
/*
 * What the files of ops/migration share: migration.c lives its life, migration_watch.c hears what
 * the watcher sees, migration_quarantine.c lets the stream stand for a job on the quarantine,
 * migration_verify.c tells a verification when the stream has come far enough, migration_repair.c
 * lets the stream stand for a repair,
 * migration_turn.c has the two directions and lets the other side take the lead,
 * migration_retention.c minds what the source keeps, migration_status.c says what
 * is true of it.
 */
#include "base/backoff.h"
#include "base/loop.h"
#include "flow/pipeline.h"
#include "flow/retention.h"
#include "ops/migration.h"
#include "ops/prepare.h"
#include "ops/quarantine.h"
#include "ops/repair.h"
#include "ops/job.h"
#include "ops/saved.h"
#include "ops/state_row.h"
#include "ops/turn.h"
#include "ops/verify.h"
#include "ops/watcher.h"

#define RATE_SLOTS 10 /* seconds over which rows per second are counted */

struct migration {
        struct loop *loop;
        const struct config *config;  /* of the direction: the next, or `reverse` */
        const struct config *forward; /* as the file has it */
        struct config *reverse;       /* of the way back; NULL: it was not needed yet */
        struct route *route;
        struct prepare *prepare;
        struct pipeline *pipeline;
        struct watcher *watcher;
        struct state_row *row;
        struct saved saved;
        bool preparing, streaming, stopped;
        bool accept;                      /* the operator has resumed after a refused definition */
        bool accept_marks;                /* or after what no change in the stream told */
        bool add;                         /* or wants tables that came after the start: `reload` */
        bool yielding;                    /* the stream is about to stand, for them */
        bool joining;                     /* added tables are not a part of the stream yet */
        const struct route_table **fresh; /* those tables */
        unsigned fresh_n;
        char *refused; /* why they could not be added, the last time; or NULL */
        enum state state, told_phase;
        int64_t since;
        struct error error;
        struct backoff backoff;
        struct timer retry, second;
        struct turn *turn; /* a cutover or rollback under way; NULL: none */
        struct job *mend;  /* what one that was interrupted left; NULL: nothing */
        bool led_reverse;  /* which way it found that the stream goes */
        bool completed;    /* the migration is over */
        struct {
                struct job *job; /* NULL: none */
                bool list, purge, shutting;
                struct buf lines;
                migration_completed *done;
                void *context;
        } complete;
        struct prepare_progress progress;
        char source_version[32], target_version[32];
        struct source_identity identity;          /* of the source that the stream reads */
        enum engine source_engine, target_engine; /* ENGINE_POSTGRESQL: or not known yet */

        struct migration_mark *marks, **marks_tail;
        struct migration_listener *listeners;
        struct task tell, again;

        struct retention retention;
        struct position watched; /* asked of the source while the copy runs */

        struct {
                struct quarantine_job *job; /* NULL: none */
                enum quarantine_action action;
                bool resting; /* the stream stands for it */
                void (*done)(void *context, struct quarantine_result *r);
                void *context;
                struct task end;
        } quarantine;

        struct {
                struct verify *job;           /* NULL: none */
                struct verify_report *report; /* of the last one */
                bool loaded;                  /* what the target knows of it was asked for */
                bool ended;                   /* the job has, and is to be freed */
                struct verify_ask {           /* of each worker */
                        struct migration *migration;
                        bool wanted, asking;
                        struct migration_mark *asked; /* NULL: none, or answered */
                        struct position mark;         /* none: not known yet */
                        int64_t ask_again;
                } asks[VERIFY_WORKERS];
                struct migration_listener listener;
                void (*stopped)(void *context);
                void *context;
                struct task end;

                struct repair *repair; /* the job is one; NULL: it is a verification */
                bool resting;          /* the stream stands for it */
                struct error broken;   /* why it was ended before its time */
                migration_repaired *repaired;
                void *repair_context;

                struct verify_values *values; /* they are being read; NULL: they are not */
                bool values_read;
                migration_values *shown;
                void *show_context;

                struct verify_fresh *fresh; /* of a continuous one; NULL: there is none */
                migration_verified *rested; /* who waits for migration_verify_rest; or NULL */
                void *rest_context;
        } verify;

        uint64_t rows_at[RATE_SLOTS + 1];
        unsigned seconds;
        unsigned since_line; /* seconds since the last line about progress */

        void (*shutdown_done)(void *context);
        void *shutdown_context;
        int64_t shutdown_grace;
};

/* Listeners are told once a round, whatever happened in it. */
void migration_changed(struct migration *m);
void migration_stop_with(struct migration *m, const struct error *e);
void migration_start_prepare(struct migration *m);
/* A start that failed for a passing reason is tried again. */
void migration_retry(struct migration *m, const struct error *e);
void migration_watch(struct migration *m, const struct prepare_result *r);
/* May stop the pipeline. */
void migration_look_at_retention(struct migration *m, const struct pipeline_status *p);
/* A task: the job has ended. */
void migration_quarantine_end(void *context);
void migration_verify_init(struct migration *m);
/* The stream shows what it brings to whoever wants to see it now. */
void migration_tap(struct migration *m);
void migration_verify_done(struct migration *m);
/* The stream has begun: goes on with what a restart interrupted. */
void migration_verify_resume(struct migration *m);
/* Takes the request over, in the place of the job before. */
void migration_verify_begin(struct migration *m, struct verify_request *q);
bool migration_verify_is_running(struct migration *m);
bool migration_verify_has_result(struct migration *m);
bool migration_is_migrated(const struct migration *m, const char *schema, const char *table);
bool migration_is_repairing(const struct migration *m);
/* The stream goes on, if it stands for a repair. */
void migration_repair_go(void *context);
/* Can it go on? */
void migration_repair_look(struct migration *m);
void migration_repair_ended(struct migration *m);
/* Marks that are wanted are asked for, and answered when the stream has passed them. */
void migration_verify_look(struct migration *m);
/* ---- migration_turn.c ---- */

/* The pipeline and all that belongs to one direction; -1: it is half open. */
int migration_open(struct migration *m, const struct config *c, struct error *e);
void migration_close(struct migration *m);
bool migration_is_reversed(const struct migration *m);
/* As the folder remembers it; the journal has the last word. */
const struct config *migration_remembered(struct migration *m, struct error *e);
/* The configuration of the other direction; NULL and an error: there is none. */
const struct config *migration_opposite(struct migration *m, struct error *e);
/* -1: a cutover or rollback is under way, which nothing may hold up. */
int migration_check_walk(const struct migration *m, struct error *e);
/* From now on the stream goes the other way; nothing runs. */
int migration_turn_to(struct migration *m, bool reversed, struct error *e);
/* The start found that the journal says otherwise: what was interrupted is undone or ended. */
void migration_mend(struct migration *m);
void migration_refresh(struct migration *m);
enum state migration_phase(const struct migration *m);
/* Goes on with a shutdown that waited for a walk's end. */
void migration_shutdown_step(struct migration *m);
int migration_make_pipeline(struct migration *m, struct error *e);

/* ---- migration_complete.c ---- */

void migration_complete_done(struct migration *m);

/* A task: the stream is to stand while tables are added. */
void migration_yield(void *context);
