#pragma once
/*
 * Pipeline: wires source, route, queue and sink, keeps the checkpoint, and turns an error's class
 * into retry or stop (the one place that does). Knows no database: it runs against the tables of
 * decoders/source.h and sinks/sink.h, real or simulated. Loop thread only.
 *
 * When the sink fails, what is not committed is thrown away and read again from the position that
 * the target then gives. When the source fails, whole transactions already here stay, and the
 * source goes on behind them. When the source cannot go on (a definition changed, say), what came
 * before is applied first, so that the target stands exactly where the operator has to act.
 */
#include "decoders/source.h"
#include "flow/checkpoint.h"
#include "flow/route.h"
#include "sinks/sink.h"

struct loop;
struct pipeline;

struct pipeline_events {
        /* Position, connection or error changed. */
        void (*changed)(void *context);
        /* The pipeline has stopped and needs an operator. */
        void (*stopped)(void *context, const struct error *e);
        /* Something happened that belongs in the log. */
        void (*note)(void *context, bool warning, const struct error *e, const char *text);
        void (*marked)(void *context, struct position p, const struct error *e);
        /* The pipeline has stopped where pipeline_until said; the target has stored that. */
        void (*reached)(void *context);
        /* More rows than [apply] error_threshold allows went to quarantine: the pipeline has
         * paused, as by pipeline_pause. */
        void (*overcome)(void *context, const struct error *e);
};

struct pipeline_setup {
        const struct config *config;
        const struct source_ops *source;
        const struct sink_ops *sink;
        struct route *route; /* borrowed */
        uint64_t seed;       /* of the backoff's jitter */
        const struct pipeline_events *events;
        void *context;
};

struct pipeline *pipeline_new(struct loop *l, const struct pipeline_setup *setup, struct error *e);
struct pipeline *pipeline_free(struct pipeline *p);

/* Starts or starts again after it stopped. `snapshot` is the copy's (HAZARDS A18): no transaction
 * that it saw may arrive; NULL when there was no copy in this run. Taken. */
void pipeline_start(struct pipeline *p, struct snapshot *snapshot);
/* Before a start: the stream ends there. What commits at or after it is not taken, and when all
 * else is committed, `reached` comes. POSITION_NONE: it goes on for ever. */
void pipeline_until(struct pipeline *p, struct position until);
/* Stops at once; what is not committed is read again later. */
void pipeline_stop(struct pipeline *p);
/* Stops when the open target transaction is committed, what is committed is durable and
 * acknowledged, or after `grace` microseconds. Then `done`. */
void pipeline_shutdown(
        struct pipeline *p, int64_t grace, void (*done)(void *context), void *context);
/* Paused: nothing more is applied after the transaction under way; the source's connection is kept
 * alive, and what it sends gathers up to the queue's limit. */
void pipeline_pause(struct pipeline *p, bool paused);
/* Draining: nothing more is taken from the source, not even the rest of an open transaction. What
 * is here is applied, and `changed` tells of progress. Undone by false, and by any stop. */
void pipeline_drain(struct pipeline *p, bool draining);
bool pipeline_is_draining(const struct pipeline *p);
/* All that was here is durable on the target, and the source was not allowed to forget more. */
bool pipeline_is_drained(const struct pipeline *p);
/* Changes of culvert.quarantine that are left after somebody else has seen to it. */
void pipeline_set_quarantined(struct pipeline *p, uint64_t changes);
/* Shows each piece before the sink takes it, also again when it comes again; NULL: no more. */
void pipeline_tap(
        struct pipeline *p, void (*see)(void *context, const struct txn *piece), void *context);
void pipeline_reload(struct pipeline *p, const struct config *c);
/* Begins to ask what the source keeps for a stream that will start there. */
void pipeline_watch(
        struct pipeline *p, const struct source_identity *identity, struct position from);
/* Asks the source for a mark; `marked` follows, in order. */
void pipeline_mark(struct pipeline *p);

struct pipeline_status {
        bool source_connected, sink_connected;
        bool in_sink;            /* the target has taken what it has not committed yet */
        bool caught_up;          /* the stream has been at the log's end since it was connected */
        struct position log_end; /* of the source, as last heard */
        struct position applied; /* the target shows everything before it */
        struct position acknowledged;
        uint64_t transactions, rows; /* applied since the process started */
        uint64_t pending;            /* transactions here and not on the target */
        uint64_t queue_bytes, queue_disk_bytes, queue_transactions;
        int64_t oldest; /* commit time of the oldest of them, microseconds since 1970; 0: none */
        int64_t heard;  /* loop time when the stream last told its position; 0: never */
        int64_t owed;   /* loop time since which the target owes an answer; 0: it owes none */
        bool source_started; /* the stream is wanted, if not connected */
        const struct source_retention *retention;
        int64_t quarantined;       /* changes in culvert.quarantine; -1: not known */
        uint64_t overwritten;      /* changes that did, since the process started */
        const struct error *error; /* the failure that is being retried; NULL: none */
        const char *target_version;
};

void pipeline_status(const struct pipeline *p, struct pipeline_status *s);
