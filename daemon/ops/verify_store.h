#pragma once
/*
 * What the target remembers of a verification: culvert.verify (the run), culvert.verify_table (how
 * far each table is) and culvert.verify_result (what was found). The statements are the same in
 * both kinds of target. Blocking; on whichever connection to the target a thread has, while it
 * reads nothing.
 *
 * A run has a number. Who writes for a run that is not the present one any more finds no row, and
 * stops.
 */
#include "ops/verify_report.h"
#include "ops/verify_side.h"

struct verify_run {
        uint64_t number; /* 0: there was none */
        enum verify_state state;
        char *schema, *name; /* of one table; NULL: all */
        unsigned sample;
        bool continuous; /* it goes on with what changes, when all is compared */
        char position[POSITION_TEXT];
        char message[1024];
        int64_t started, finished; /* microseconds since 1970; 0: none */
};

/* How far a table is. `after` is JSON of the key; NULL: at the beginning. */
struct verify_progress {
        const char *schema, *name, *state; /* borrowed */
        unsigned phase;
        const char *after;
        uint64_t chunk, rows, seen, differences, undecided;
        int64_t total; /* -1: unknown */
};

struct verify_finding {
        enum verify_kind kind;
        const char *key, *columns; /* JSON */
};

/* What is about no row, of this table. Names are borrowed. */
struct verify_note {
        unsigned line; /* of the report */
        const char *schema, *name;
        struct verify_finding finding;
};

void verify_run_done(struct verify_run *r);

int verify_store_run(
        struct verify_side *s, const char *pipeline, struct verify_run *r, struct error *e);
/* Calls `each` for every table of the run, then `found` for what was found, oldest first, as many
 * as are shown. */
int verify_store_read(struct verify_side *s, const char *pipeline,
        void (*each)(void *context, const struct verify_progress *p),
        void (*found)(void *context, const char *schema, const char *name,
                const struct verify_finding *f),
        void *context, struct error *e);
/* Begins a run with these tables, and forgets the one before. */
int verify_store_begin(struct verify_side *s, const char *pipeline, struct verify_run *r,
        const struct verify_progress *tables, unsigned n, struct error *e);
/* In one transaction: the table is so far, and this was found on the way. */
int verify_store_save(struct verify_side *s, const char *pipeline, const struct verify_run *r,
        const struct verify_progress *p, const struct verify_finding *found, unsigned n,
        struct error *e);
/* In one transaction: the table is so far, what was found of the rows by these keys (JSON), or of
 * all of them (NULL), is gone, and this was found instead. The counts of `p` go down by what is
 * gone. */
int verify_store_replace(struct verify_side *s, const char *pipeline, const struct verify_run *r,
        struct verify_progress *p, char *const *keys, unsigned keys_n,
        const struct verify_finding *found, unsigned n, struct error *e);
/* In one transaction: the run is over, and has these notes. */
int verify_store_end(struct verify_side *s, const char *pipeline, const struct verify_run *r,
        const struct verify_note *notes, unsigned n, struct error *e);
/* What was found in one table, behind the finding `after`, at most `limit`; how many, or -1. */
int verify_store_findings(struct verify_side *s, const char *pipeline,
        const struct verify_progress *p, uint64_t after, unsigned limit,
        void (*found)(void *context, uint64_t id, const struct verify_finding *f), void *context,
        struct error *e);
/* In one transaction: these findings of the table are gone, and it has so many fewer. */
int verify_store_resolve(struct verify_side *s, const char *pipeline, const struct verify_run *r,
        const struct verify_progress *p, const uint64_t *ids, unsigned n, uint64_t differences,
        uint64_t undecided, struct error *e);
