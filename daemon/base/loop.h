#pragma once
/*
 * The event loop: one thread, file descriptors, timers, deferred tasks, signals and the clock.
 *
 * Time is a parameter: everything that waits asks the loop. A simulated loop has no descriptors;
 * its clock jumps to the next timer, so tests own the time.
 *
 * Timers and tasks are embedded in their owners and run on the loop's thread. A callback does
 * bounded work and returns. Nothing is freed inside its own callback except by a deferred task.
 * loop_post may be called from any thread; all else belongs to the loop's thread.
 */
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

#define MILLISECOND INT64_C(1000)
#define SECOND (1000 * MILLISECOND)

struct event_base;
struct loop;
struct watch;

struct timer {
        struct loop *loop;
        void (*run)(void *context);
        void *context;
        int64_t at; /* 0: not set */
        struct timer *next;
};

struct task {
        void (*run)(void *context);
        void *context;
        bool queued;
        struct task *next;
};

enum { LOOP_READ = 1, LOOP_WRITE = 2 };

struct loop *loop_new(struct error *e);
struct loop *loop_new_simulated(void); /* starts at 2026-01-01 00:00:00 UTC */
struct loop *loop_free(struct loop *l);

/* Runs until loop_stop, or in a simulated loop until nothing is left to happen. */
void loop_run(struct loop *l);
bool loop_run_once(struct loop *l); /* one round; false when stopped or (simulated) nothing left */
void loop_stop(struct loop *l);

int64_t loop_now(const struct loop *l);  /* microseconds, monotonic */
int64_t loop_wall(const struct loop *l); /* microseconds since 1970-01-01 UTC */

void timer_init(struct timer *t, struct loop *l, void (*run)(void *context), void *context);
void timer_set(struct timer *t, int64_t delay); /* microseconds from now; replaces an earlier one */
void timer_cancel(struct timer *t);
bool timer_pending(const struct timer *t);

void task_init(struct task *t, void (*run)(void *context), void *context);
void loop_defer(struct loop *l, struct task *t); /* once, in this or the next round */
void task_cancel(struct loop *l, struct task *t);

/* The callback gets LOOP_READ and LOOP_WRITE as they are ready. `want` 0 keeps the watch asleep. */
struct watch *watch_new(
        struct loop *l, int fd, void (*run)(void *context, int ready), void *context);
void watch_set(struct watch *w, int want);
struct watch *watch_free(struct watch *w);

int loop_signal(
        struct loop *l, int signo, void (*run)(void *context), void *context, struct error *e);

/* From any thread: `run(context)` on the loop's thread, in the order of posting. */
void loop_post(struct loop *l, void (*run)(void *context), void *context);
/* Takes back what was posted with this context and has not run; its poster has ended. */
void loop_unpost(struct loop *l, const void *context);

/* libevent's base, for listeners and buffered sockets; NULL when simulated. */
struct event_base *loop_base(struct loop *l);
