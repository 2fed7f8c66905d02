#pragma once
/*
 * What the files of flow/pipeline share: pipeline.c begins, stops and is asked, pipeline_source.c
 * takes what the source says, pipeline_sink.c hands it on and takes what the target says.
 */
#include "base/backoff.h"
#include "base/loop.h"
#include "flow/pipeline.h"
#include "flow/queue.h"
#include "flow/tally.h"
#include "flow/threshold.h"
#include "flow/times.h"
#include "flow/trail.h"

struct pipeline {
        struct loop *loop;
        struct pipeline_events events;
        void *context;
        const struct config *config;
        struct route *route;
        const struct source_ops *source_ops;
        const struct sink_ops *sink_ops;
        struct source *source;
        struct sink *sink;

        bool running, paused, draining, sink_ready, source_started, source_ready;
        struct source_identity identity;
        struct checkpoint checkpoint;
        struct buf gtids; /* state where the checkpoint has `delivered`; empty: not known */
        struct queue queue;
        struct times times;
        struct tally tally;
        struct trail trail;
        struct threshold threshold;
        uint64_t set_aside;                       /* rows that `committed` is about to tell */
        int64_t quarantined;                      /* changes in culvert.quarantine; -1: not known */
        uint64_t overwritten, overwritten_untold; /* changes; see pipeline_on_overwritten */
        struct error overwritten_why;             /* the first that is not told */
        bool start_wanted;                        /* the sink, when it is known what the disk has */
        bool disk_failed;                         /* it is opened again before the next start */
        struct error disk_error;
        unsigned disk_level; /* 0, 1: half full, 2: nearly */
        bool save_noted, choked;
        bool save;                    /* acknowledge = auto: the source holds too much */
        struct position taken;        /* end of the last transaction that the sink took */
        struct position acknowledged; /* what the source is told */
        struct position forgotten;    /* what it may have been told ever; not before that */
        struct position until;        /* where the stream ends; none: nowhere */
        bool ended;                   /* it has come there; what follows is not taken */
        bool sink_partial;            /* the sink holds the beginning of a transaction */
        bool counted;                 /* the first in the queue is in `times` and `tally` already */
        struct snapshot *snapshot;
        struct position log_end, idle_asked;
        int64_t heard, answered; /* when source and target last said something */
        struct position
                goal;   /* end of the log when the stream was connected; none: not heard yet */
        unsigned marks; /* asked of the source and not answered */

        struct backoff sink_backoff, source_backoff;
        struct timer sink_retry, source_retry, idle, outage, look, tell_overwritten;
        struct task push, stop, end, reopen;
        struct error error; /* being retried, or what stopped it */
        struct error stopping;
        struct error last;         /* ends the stream when what came before it is committed */
        struct position failed_at; /* where the last transient failure of a transaction was */
        unsigned failed_times;

        uint64_t transactions, rows;
        void (*see)(void *context, const struct txn *piece); /* NULL: nobody looks */
        void *see_context;
        struct timer grace;
        bool last_stored; /* while shutting down: the last position is where readers see it */
        void (*shutdown_done)(void *context);
        void *shutdown_context;
};

extern const struct source_events pipeline_from_source;
extern const struct sink_events pipeline_from_sink;

extern const struct queue_events pipeline_from_queue;

void pipeline_changed(struct pipeline *p);
/* One end is there again: if the other is, too, what was tried again is over. */
void pipeline_connected(struct pipeline *p);
void pipeline_start_source(struct pipeline *p);
void pipeline_set_gtids(struct pipeline *p, const char *gtids);
/* Closes one end; the other goes on. */
void pipeline_stop_source(struct pipeline *p);
void pipeline_stop_sink(struct pipeline *p);
/* Closes both ends and forgets what was between them. */
void pipeline_drop_all(struct pipeline *p);
/* Not from inside an event of source or sink: the stop is deferred. */
void pipeline_stop_on(struct pipeline *p, const struct error *e);
/* A lost connection is tried again for ever. A transaction that the target refuses for a passing
 * reason (deadlock, serialisation) is tried `retry_attempts` times in one place. */
bool pipeline_gives_up(struct pipeline *p, struct error *e);
void pipeline_retry_later(
        struct pipeline *p, const struct error *e, struct backoff *b, struct timer *t);

/* The first in the queue was dropped: it is not under way any more. */
void pipeline_uncount(struct pipeline *p);

/* Tells the source what it may forget. */
void pipeline_acknowledge(struct pipeline *p);
/* What may be acknowledged is on disk as well, if it is there without a gap. */
bool pipeline_saves(const struct pipeline *p);
/* The sink, behind the queue's disk. */
void pipeline_start_sink(struct pipeline *p);
/* Read or write has failed: it is opened again, or the pipeline stops; deferred. */
void pipeline_lose_disk(struct pipeline *p, const struct error *e);
/* All was taken, or the target has made more durable: is the disk needed any more? */
void pipeline_settle(struct pipeline *p);
/* Before a piece arrives: does its transaction go to disk? */
void pipeline_choose_way(struct pipeline *p);
/* The connection to the target was lost; it is tried again. */
void pipeline_watch_outage(struct pipeline *p);

/* Tasks and timers. */
void pipeline_on_outage(void *context);
void pipeline_on_look(void *context);
void pipeline_on_overwritten(void *context);
void pipeline_run_reopen(void *context);
void pipeline_push(void *context);
void pipeline_on_idle(void *context);
void pipeline_run_end(void *context);

/* The source reads while the queue has room. */
void pipeline_update_reading(struct pipeline *p);
/* Has the target taken what it has not committed? */
bool pipeline_in_sink(const struct pipeline *p);
/* Does the target owe an answer: a commit, or word that one is durable? */
bool pipeline_is_owed(const struct pipeline *p);
/* Draining: stores a position that only the source knows of, if that is needed. */
void pipeline_drained_step(struct pipeline *p);
/* Go on with a stop, or a shutdown, that waits for the target. */
void pipeline_last_step(struct pipeline *p);
void pipeline_shutdown_step(struct pipeline *p);
