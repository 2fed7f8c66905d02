#pragma once
/*
 * Silence: what to do when a target owes an answer and none comes, on a connection that looks alive
 * (a server that hangs, a network that takes bytes and delivers none). After `limit` somebody asks
 * the server over a second connection what ours does there. It works, or waits for a lock: then we
 * go on waiting, and say so once. It is gone, or waits for us as we do for it, or nobody answers
 * there either: then ours is lost, and the ordinary retry begins; epoch and checkpoint see to it
 * that nothing is applied twice.
 *
 * Plain data of a connection's watcher (sinks/pg_silence.h, sinks/my_silence.h). Loop thread only.
 */
#include "base/error.h"
#include "base/loop.h"

/* Whoever talks over the connection. */
struct silence_events {
        bool (*owes)(void *context);                    /* is an answer awaited? */
        void (*waits)(void *context, const char *text); /* once for each silence */
};

/* What an engine does about it. */
struct silence_ops {
        void (*ask)(void *context); /* over a second connection; silence_answer follows */
        void (*unask)(
                void *context); /* ends that connection, if there is one; not from inside it */
        void (*lost)(void *context, const struct error *e);
};

struct silence {
        struct loop *loop;
        struct silence_events events;
        void *context; /* of the events */
        struct silence_ops ops;
        void *engine; /* of the functions */
        struct timer timer;
        int64_t limit; /* 0: nobody asks */
        int64_t heard, asked;
        bool asking, told;
};

/* Before that: s->events and s->context, s->ops and s->engine. */
void silence_init(struct silence *s, struct loop *l, int64_t limit);
void silence_done(struct silence *s);
void silence_limit(struct silence *s, int64_t limit);
/* An answer has come. */
void silence_heard(struct silence *s);
/* `works`: our connection does something there, `what` says it. Else `what` is why it is lost. */
void silence_answer(struct silence *s, bool works, const char *what);
/* The second connection could not be made, or its question failed. */
void silence_fails(struct silence *s, const struct error *e);
