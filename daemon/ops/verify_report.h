#pragma once
/*
 * What is known of the last verification, as `verify status` shows it: filled by the job's threads,
 * read by the loop. Everything goes through its lock.
 */
#include "model/position.h"

#include <cjson/cJSON.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum verify_state { VERIFY_IDLE, VERIFY_RUNNING, VERIFY_DONE, VERIFY_FAILED };
const char *verify_state_name(enum verify_state s);

/* UNDECIDED is no difference: a row that changed all the time. Those behind it are about no row
 * (ops/verify_beyond.h). */
enum verify_kind {
        VERIFY_MISSING,
        VERIFY_EXTRA,
        VERIFY_DIFFERS,
        VERIFY_UNDECIDED,
        VERIFY_OBJECT_MISSING, /* of the target: a key, an index, a constraint */
        VERIFY_OBJECT_EXTRA,   /* of the target: the source has none */
        VERIFY_ORPHANS,        /* rows of the target whose foreign key refers to none */
        VERIFY_COUNTER,        /* of the target: would give a value that is there */
        VERIFY_UNCHECKED,      /* could not be found out */
        VERIFY_CHECK,          /* of no table: a query of the operator's gives another answer */
        VERIFY_KINDS
};
const char *verify_kind_name(enum verify_kind k);
int verify_kind_of(const char *name); /* -1: no such kind */

/* What is shown at most; counts go on. */
#define VERIFY_ITEMS_MAX 1000
#define VERIFY_ITEMS_BYTES ((size_t)1 << 20)

struct verify_line {         /* a table */
        char *schema, *name; /* on the source */
        const char *state;   /* "waiting", "running", "done" */
        uint64_t rows, differences, undecided;
        uint64_t seen;    /* rows that were passed, also those that no sample has */
        int64_t total;    /* -1: unknown; estimated until it is done */
        uint64_t changed; /* rows that changed since, and are not verified again yet */
        bool stale;       /* all of it may have; a continuous one compares it again */
};

#define VERIFY_NO_LINE UINT_MAX

struct verify_item {
        unsigned table; /* its line; VERIFY_NO_LINE: of none */
        enum verify_kind kind;
        char *key;     /* JSON object: of a row; else {"name", "detail"} */
        char *columns; /* JSON array */
};

struct verify_report {
        pthread_mutex_t lock;
        enum verify_state state;
        unsigned sample;
        int64_t started, finished; /* microseconds since 1970; 0: none */
        int64_t resumed;           /* monotonic: when this process began or went on with it */
        uint64_t seen_before;      /* rows by then */
        bool continuous;           /* what changes is compared again until it is stopped */
        uint64_t changed;          /* of all lines */
        struct position verified;  /* continuous: of the source, up to which nothing is open */
        struct position at;        /* of the source, up to which everything reported was proved */
        char message[1024];        /* why it failed; "" */
        struct verify_line *lines;
        unsigned lines_n;
        struct verify_item *items;
        unsigned items_n;
        size_t items_bytes;
        bool truncated;
};

struct verify_report *verify_report_new(void);
struct verify_report *verify_report_free(struct verify_report *r);

/* With the lock held. */
void verify_report_clear(struct verify_report *r);
/* Copies the names. */
struct verify_line *verify_report_line(
        struct verify_report *r, const char *schema, const char *name);
void verify_report_item(struct verify_report *r, unsigned table, enum verify_kind kind,
        const char *key, const char *columns);
/* What was found of a row by that key, or of all rows of the table (NULL), is shown no more. */
void verify_report_forget(struct verify_report *r, unsigned table, const char *key);

struct verify_sums {
        enum verify_state state;
        uint64_t rows, differences, undecided;
        int64_t total, finished; /* -1: unknown; 0: not yet */
        double coverage, eta;    /* percent; seconds; -1: unknown */
        bool continuous;
        uint64_t changed; /* rows that are not verified again yet */
        unsigned stale;   /* tables of which that is all */
};

/* These take the lock. `now`: monotonic microseconds. */
void verify_report_sums(struct verify_report *r, int64_t now, struct verify_sums *s);
cJSON *verify_report_json(struct verify_report *r, int64_t now);
