#pragma once
/*
 * A job on the quarantine, in a thread of its own with a blocking connection: lists what is there,
 * applies it, or removes it. The last two write, as the pipeline's one writer, so the stream stands
 * meanwhile (ops/migration.h sees to that); the sink reads what is left when it connects again.
 *
 * A retry goes through all changes in their order. One is applied when it is wanted and none before
 * it of the same row stays; it goes from the table in the same transaction.
 *
 * What waits as the source had it is converted again, by the configuration and the target's
 * catalogue as they are now (ops/quarantine_convert.h).
 *
 * Loop thread only, but for the job itself.
 */
#include "flow/route.h"

#include <cjson/cJSON.h>

struct loop;
struct quarantine_job;

enum quarantine_action { QUARANTINE_LIST, QUARANTINE_RETRY, QUARANTINE_DISCARD };

#define QUARANTINE_IDS_MAX 5000

struct quarantine_request {
        enum quarantine_action action;
        char *schema, *table; /* on the target; NULL: all */
        uint64_t *ids;        /* sorted; none: all */
        unsigned ids_n, seen; /* seen: the job's */
};

struct quarantine_result {
        cJSON *body;      /* of a list; the receiver may take it and leave NULL */
        uint64_t done;    /* applied, or removed */
        uint64_t refused; /* again; `error` is the first one's */
        uint64_t left;    /* wanted, and behind one that stays */
        int64_t changes;  /* that are there now; -1: not known */
        uint64_t missing; /* an id that is not there: nothing was done; 0: all are */
        struct error error;
        bool failed; /* for `error`; what was counted before is done */
};

/* `done` comes once, from the loop, unless the job is freed before; then it is freed by the
 * receiver, not from inside. Takes what the request holds. */
struct quarantine_job *quarantine_job_new(struct loop *l, const struct config *c, struct route *r,
        struct quarantine_request *request,
        void (*done)(void *context, struct quarantine_result *result), void *context);
/* Breaks it off. */
struct quarantine_job *quarantine_job_free(struct quarantine_job *j);

/* "1,2,3"; -1: it is no such list. Sorted. */
int quarantine_ids(const char *text, struct quarantine_request *request, struct error *e);
void quarantine_request_done(struct quarantine_request *request);
