#pragma once
/*
 * What the files of ops/turn share: turn.c begins and ends, turn_gates.c has the gates,
 * turn_proof.c proves the opposite direction, turn_walk.c walks, turn_report.c says what happened.
 * turn_steps.c is on its own.
 */
#include "base/loop.h"
#include "flow/pipeline.h"
#include "ops/fence.h"
#include "ops/job.h"
#include "ops/migration_private.h"
#include "ops/turn.h"
#include "ops/turn_steps.h"

enum gate_verdict { GATE_GO, GATE_NO_GO, GATE_ADVICE, GATE_OVERRIDDEN };

struct gate {
        const char *name; /* static */
        enum gate_verdict verdict;
        char figure[512];
};

enum { GATES_MAX = 16, STEPS_MAX = 16 };

struct turn_step {
        const char *name;    /* static */
        int64_t began, took; /* loop time; microseconds, -1: it is not over */
        bool pauses;         /* writes are refused meanwhile */
};

/* The proof of the opposite direction: it is prepared, and a mark goes there and back. */
struct turn_proof {
        struct route *route;  /* expects no table: whatever comes is dropped */
        struct config *equal; /* its configuration */
        struct prepare *prepare;
        struct pipeline *pipeline;
        struct error failed;
        void (*then)(struct turn *t);
        bool begun; /* a slot may have been made */
        bool stopping;
        bool asked_there, asked_back;
        struct migration_mark *mark; /* of the stream that runs; NULL: not asked, or answered */
        struct position there, back; /* marks; none: not known yet */
        int64_t began;
};

struct turn {
        struct migration *migration;
        struct loop *loop;
        const struct config *from, *to; /* the direction that runs, and the opposite one */
        struct turn_events events;
        void *context;
        bool back, rehearse, force, stopped;
        int64_t timeout;
        char *override;

        void (*stage)(struct turn *t); /* called when something has happened; NULL: none waits */
        struct task look;
        struct timer deadline, again;
        struct job *job;
        void (*job_then)(struct turn *t, const struct error *e);
        void (*gates_then)(struct turn *t);

        struct gate gates[GATES_MAX];
        unsigned gates_n;
        struct turn_step steps[STEPS_MAX];
        unsigned steps_n;

        struct fence_table *tables; /* migrated ones, as the source of `from` names them */
        unsigned tables_n;
        struct checks checks; /* of the job */
        struct turn_proof proof;

        bool walking;  /* the journal has been told, or is about to be */
        bool fenced;   /* a fence was raised, or half */
        bool silent;   /* the forward stream was stopped */
        bool holding;  /* until nothing else writes culvert.state */
        bool resting;  /* what has changed since it was verified is being compared */
        bool stopping; /* the stream is about to be */
        bool passing;  /* the journal is being told of the new leader */
        bool asking;   /* and it is not known whether it was */
        bool passed;   /* the journal names the new leader: there is no way back */
        bool turned;   /* the migration goes the other way */
        bool undoing, over;
        bool aborted; /* as soon as the job is back */
        char abort_why[1024];
        bool late;
        bool tapped; /* the stream shows what it brings */
        enum turn_end end;
        char why[1024];
        int64_t began, ended; /* wall clock, microseconds since 1970 */
        struct fence_result fence;
        uint64_t strays; /* rows that came behind the fence */
        bool fence_known;
        bool marked;
        struct migration_mark *mark;
        struct position drained; /* mark behind the fence; none: not known yet */
        char position[POSITION_TEXT];
        struct journal_entry journal;
};

/* Runs `work` in a thread; `then` on the loop. One at a time. */
void turn_job(struct turn *t, job_work *work, void (*then)(struct turn *t, const struct error *e));
/* Any thread: what the fence is asked for. */
void turn_fence_request(const struct turn *t, struct halt *h, struct fence_request *q);
/* Runs a program with the name of the step; none (NULL or "") is fine. Job thread. */
int turn_hook(
        struct turn *t, const char *program, const char *step, struct halt *h, struct error *e);
void turn_begin_step(struct turn *t, const char *name, bool pauses);
void turn_end_step(struct turn *t);
void turn_changed(struct turn *t);
void turn_set_why(struct turn *t, const char *why);
/* Whatever waits, waits no more. */
void turn_quiet(struct turn *t);
void turn_end(struct turn *t, enum turn_end how, const char *why);
/* The end where nothing was walked. */
void turn_leave(struct turn *t, enum turn_end how, const char *why);
/* Job thread: the slot that the proof has made, which holds the log back until it is gone. */
void turn_drop_proof(struct turn *t, struct halt *h);
/* Has the target what the source had when this was asked first? */
bool turn_reaches_mark(struct turn *t);
/* A job's: sequences and AUTO_INCREMENT (ops/counters.h). */
int turn_work_counters(void *context, struct halt *h, struct error *e);

/* All gates have passed. */
void turn_walk(struct turn *t);
/* What is under way is to end soon, since the time is over or somebody has asked for it. */
void turn_interrupt(struct turn *t);
/* What could not be done before is tried once more, or looked at. */
void turn_again(struct turn *t);

/* Adds a gate; a verdict of no go is one of advice or overridden where the request says so. */
struct gate *turn_gate(struct turn *t, const char *name, bool go, const char *format, ...)
        __attribute__((format(printf, 4, 5)));
bool turn_gates_pass(const struct turn *t);
bool turn_overrides(const struct turn *t, const char *gate); /* or it is only advice */
/* Names of gates that a request may override; false: there is one that is none. */
bool turn_override_is_known(const char *list, char *unknown, size_t size);
/* Those that the loop can tell. */
void turn_gates_at_once(struct turn *t);
/* Those that servers and programs have to be asked for; ends with `then`. */
void turn_gates_asked(struct turn *t, void (*then)(struct turn *t));

/* Ends with `then`. */
void turn_prove(struct turn *t, void (*then)(struct turn *t));
void turn_proof_done(struct turn *t);
