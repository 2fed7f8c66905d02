#pragma once
/*
 * What the files of ops/verify share: verify.c starts and ends the job's thread, verify_run.c lives
 * a run with the tables of verify_tables.c, verify_work.c is a worker of it and verify_wait.c how
 * one waits, verify_walk.c reads chunk by chunk, verify_span.c has the servers compare several
 * chunks themselves, verify_bag.c does the same as the walk for tables without a key,
 * verify_settle.c reads again what differed, verify_beyond.c looks at all that is no row,
 * verify_checks.c asks the operator's queries,
 * verify_follow.c goes on with what has changed since (verify_fresh.h).
 */
#include "model/table_def.h"
#include "ops/halt.h"
#include "ops/verify.h"
#include "ops/verify_ahead.h"
#include "ops/verify_digest.h"
#include "ops/verify_set.h"
#include "ops/verify_store.h"
#include "ops/verify_table.h"

#include <pthread.h>
#include <stdatomic.h>

#define VERIFY_CHUNK 5000u /* rows that are read at once */
#define VERIFY_AMONG 200u  /* keys that are asked for at once */

enum verify_phase { PHASE_SOURCE, PHASE_TARGET, PHASE_OVER };

/* A table of the run. Belongs to the worker that took it. */
struct verify_task {
        struct verify_table table;
        unsigned line;             /* of the report */
        struct verify_progress at; /* `after` points into `after_json` */
        char *after_json;
};

struct verify_wait { /* under the job's lock */
        bool asked, passed;
        struct position at;
};

struct verify {
        struct loop *loop;
        const struct config *config;
        struct route *route;
        struct verify_request request;
        struct verify_report *report;
        struct verify_events events;
        void *context;

        pthread_mutex_t lock;
        pthread_cond_t told;
        struct halt *halt, *last; /* of this attempt; of the words at the end */
        bool stopping, forget;
        struct verify_wait waits[VERIFY_WORKERS];
        struct ask {
                struct verify *verify;
                unsigned worker;
        } asks[VERIFY_WORKERS];
        int64_t ready; /* monotonic: when the rate allows more */

        pthread_t thread;
        bool threaded;
        struct verify_run run;
        struct verify_note *notes; /* ops/verify_beyond.h */
        unsigned notes_n;
        struct verify_task *tasks;
        unsigned tasks_n, *order;
        atomic_uint next;
};

/* Of which chunks digests are asked for, verify_span.c. */
struct verify_spans {
        bool fit;         /* the servers can */
        unsigned chunks;  /* at once, the next time */
        unsigned by_rows; /* chunks that are read by rows before that */
        unsigned missed;  /* in a row: how often it was of no use */
        double spread;    /* of a key that counts: its distance from row to row; 0: not known */
};

struct verify_worker {
        struct verify *verify;
        unsigned number;
        struct verify_side from, to;
        struct verify_task *task;
        struct verify_hand hand;
        struct verify_set set, doubts;
        struct verify_ahead ahead;
        struct verify_spans spans;
        struct buf after; /* the last key of the walk (verify_keep); empty: at the beginning */
        unsigned parts;   /* of a table without a key */
        struct verify_finding *found;
        unsigned found_n;
        int64_t saved, settled; /* monotonic */
};

int64_t verify_now(void);  /* monotonic, microseconds */
int64_t verify_wall(void); /* since 1970 */

/* ---- the job's thread ---- */

/* Both sides as their catalogues are read through. */
struct verify_ends {
        const struct origin_ops *from;
        struct origin *origin;
        const struct destination_ops *to;
        struct destination *destination;
        struct table_defs *defs;
};

/* Lives the run, or a repair, with `s` on the target: what is not done of it, until it is over. */
int verify_run_once(struct verify *v, struct verify_side *s, struct error *e);
/* Opens both ends and makes the tables of all tasks that are not over. */
int verify_look(struct verify *v, struct verify_ends *x, struct error *e);
void verify_forget_tasks(struct verify *v);
/* When all is compared, for a continuous one; returns when it is stopped, or fails. */
int verify_follow(struct verify *v, struct error *e);
/* Writes how it ended, with the notes. */
int verify_end_run(struct verify *v, struct verify_side *s, enum verify_state state,
        const char *message, struct error *e);
void verify_say_result(struct verify *v); /* into the log */

/* ---- workers ---- */

int verify_worker_open(struct verify_worker *w, struct error *e);
void verify_worker_close(struct verify_worker *w); /* also one that was not opened whole */
/* One thread: takes tables until there are none. */
int verify_work(struct verify *v, unsigned number, struct error *e);
/* Compares w->task from where it is to its end. */
int verify_compare_table(struct verify_worker *w, struct error *e);
void verify_show_progress(struct verify_line *l, const struct verify_progress *p);

/* Until it is told something, or the time is over; with the lock held. */
void verify_wait_a_little(struct verify *v, int64_t microseconds);
/* Sleeps as the rate wants it. */
int verify_throttle(struct verify_worker *w, uint64_t rows, struct error *e);
int verify_pause(struct verify_worker *w, int64_t microseconds, struct error *e);
/* Returns when the target has all that was committed on the source before the call. */
int verify_await(struct verify_worker *w, struct error *e);
bool verify_is_sampled(const struct verify *v, uint64_t chunk);

int verify_walk(struct verify_worker *w, struct error *e);
uint32_t verify_chunk_rows(const struct verify *v);
/* The key of the row that is so many behind w->after, kept in `at`; empty: there are not as many.
 */
int verify_border(struct verify_worker *w, uint32_t rows, struct buf *at, struct error *e);
void verify_move_on(struct verify_worker *w, const struct buf *at);

void verify_spans_begin(struct verify_worker *w);
/* Are digests asked for before the next chunk is read? */
bool verify_span_due(const struct verify_worker *w);
/* 1: the next chunks are the same on both sides, and done; 0: rows have to be read; -1. */
int verify_span(struct verify_worker *w, bool *more, struct error *e);

/* Rows of single keys (verify_ask.c): zero, but for what is said here. `read` is called with the
 * query for some of them. */
struct verify_asking {
        bool target, few; /* which side; its key's columns alone */
        int (*read)(struct verify_worker *w, const struct buf *sql, void *context, struct error *e);
        void *context;
        struct buf sql;
        unsigned n;
};

int verify_ask(
        struct verify_worker *w, struct verify_asking *a, const struct value *key, struct error *e);
/* Asks for the rest, unless `rc` says that it has failed; returns what has come of all. */
int verify_ask_end(struct verify_worker *w, struct verify_asking *a, int rc, struct error *e);

int verify_bag(struct verify_worker *w, struct error *e);
/* Reads the rows that `sql` asks one side for into w->hand, and shows each that counts; *n grows by
 * all that came. */
int verify_read_rows(struct verify_worker *w, bool target, const struct buf *sql,
        void (*each)(struct verify_worker *w, void *context), void *context, uint64_t *n,
        struct error *e);
/* Reads w->doubts again until each is decided; what differs goes to w->found. */
int verify_settle(struct verify_worker *w, struct error *e);
/* Of a row of w->doubts, as it is found by. The caller frees. */
char *verify_key_json(struct verify_worker *w, const struct verify_row *row);
void verify_forget_found(struct verify_worker *w);
/* Takes what it is given over: JSON. */
void verify_found(struct verify_worker *w, enum verify_kind kind, char *key, char *columns);
/* Writes how far the table is and what was found; there must be no doubts. */
int verify_save(struct verify_worker *w, struct error *e);
/* The report shows the counts from now on. */
void verify_show(struct verify_worker *w);
