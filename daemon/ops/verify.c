#include "ops/verify.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/memory.h"
#include "base/thread.h"
#include "ops/repair.h"
#include "ops/verify_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_AFTER (2 * SECOND)
#define WAIT_SLICE (100 * MILLISECOND)
#define REPAIR_ATTEMPTS 5 /* somebody waits for its end */

/* One attempt, with connections and a halt of its own: what failed has ended the others' work. */
static int attempt(struct verify *v, struct error *e)
{
        struct verify_side s = {0};
        int rc;

        rc = verify_side_open(&s, v->config, true, v->halt, e);
        if (rc == 0)
                rc = verify_run_once(v, &s, e);
        verify_side_close(&s);
        if (halt_asked(v->halt))
                halt_wait(v->halt, 1000);
        return rc;
}

static bool renew_halt(struct verify *v)
{
        bool goes_on;

        pthread_mutex_lock(&v->lock);
        v->halt = halt_free(v->halt);
        goes_on = !v->stopping;
        if (goes_on)
                v->halt = halt_new();
        pthread_mutex_unlock(&v->lock);
        return goes_on;
}

static void wait_to_retry(struct verify *v)
{
        int64_t until = verify_now() + RETRY_AFTER;

        pthread_mutex_lock(&v->lock);
        while (!v->stopping && verify_now() < until)
                verify_wait_a_little(v, WAIT_SLICE);
        pthread_mutex_unlock(&v->lock);
}

/* Stopped by the operator, or failed for good: it does not go on after a restart. */
static void write_end(struct verify *v, const struct error *why)
{
        struct verify_side s = {0};
        struct error e = ERROR_INIT;
        bool compared = v->run.continuous && v->run.state == VERIFY_DONE;
        enum verify_state state = why ? VERIFY_FAILED : compared ? VERIFY_DONE : VERIFY_IDLE;
        int rc;

        v->run.continuous = false;
        pthread_mutex_lock(&v->report->lock);
        v->report->state = state;
        v->report->continuous = false;
        snprintf(v->report->message, sizeof v->report->message, "%s", why ? why->message : "");
        pthread_mutex_unlock(&v->report->lock);
        if (v->run.number == 0 || v->request.begin)
                return;
        rc = verify_side_open(&s, v->config, true, v->last, &e);
        if (rc == 0)
                rc = verify_end_run(v, &s, state, why ? why->message : "", &e);
        verify_side_close(&s);
        if (rc < 0)
                log_failure(LOG_LEVEL_WARNING, LOG_PLAIN, &e,
                        "the end of the verification could not be written");
}

static void on_done(void *context)
{
        struct verify *v = context;

        if (v->threaded)
                pthread_join(v->thread, NULL);
        v->threaded = false;
        v->events.done(v->context);
}

static bool is_stopped(struct verify *v)
{
        bool stopped;

        pthread_mutex_lock(&v->lock);
        stopped = v->stopping;
        pthread_mutex_unlock(&v->lock);
        return stopped;
}

static void *run(void *context)
{
        struct verify *v = context;
        struct error e = ERROR_INIT, before = ERROR_INIT;
        bool went_on = !v->request.begin;
        int rc = -1;

        for (unsigned i = 0; rc < 0 && renew_halt(v); i++) {
                error_clear(&e);
                if ((rc = attempt(v, &e)) == 0 || is_stopped(v))
                        break;
                if (e.class != ERROR_RETRY || (v->request.repair && i >= REPAIR_ATTEMPTS))
                        break;
                if (strcmp(before.message, e.message) != 0)
                        log_failure(LOG_LEVEL_WARNING, LOG_RETRY, &e,
                                v->request.repair ? "repair is interrupted, trying again"
                                                  : "verification is interrupted, trying again");
                before = e;
                wait_to_retry(v);
        }
        if (v->request.repair) {
                if (rc < 0)
                        repair_fail(v->request.repair, &e);
        } else if (is_stopped(v) && rc < 0) {
                if (v->forget)
                        write_end(v, NULL);
        } else if (rc < 0) {
                write_end(v, &e);
                log_failure(LOG_LEVEL_WARNING, LOG_PLAIN, &e, "verification");
        } else if (!went_on || v->run.finished) {
                verify_say_result(v);
        }
        loop_post(v->loop, on_done, v);
        return NULL;
}

static void start(struct verify *v)
{
        v->threaded = thread_start(&v->thread, run, v);
        if (v->threaded)
                return;
        if (v->request.repair) {
                struct error e = ERROR_INIT;

                error_set(&e, ERROR_RETRY, "no thread could be started");
                repair_fail(v->request.repair, &e);
                loop_post(v->loop, on_done, v);
                return;
        }
        v->report->state = VERIFY_FAILED;
        snprintf(v->report->message, sizeof v->report->message, "no thread could be started");
        loop_post(v->loop, on_done, v);
}

/* From now on nothing of an earlier one is shown. */
static void clear_report(struct verify_report *r, const struct verify_request *q)
{
        pthread_mutex_lock(&r->lock);
        verify_report_clear(r);
        r->state = VERIFY_RUNNING;
        r->sample = q->sample;
        r->continuous = q->continuous;
        r->started = verify_wall();
        pthread_mutex_unlock(&r->lock);
}

static void copy_request(struct verify *v, struct verify_request *q)
{
        v->request = *q;
        v->request.tables = memory_copy(q->tables, q->tables_n * sizeof(*q->tables));
        *q = (struct verify_request){0};
}

struct verify *verify_new(struct loop *l, const struct config *c, struct route *r,
        struct verify_request *request, struct verify_report *report,
        const struct verify_events *events, void *context)
{
        struct verify *v = memory_new_of(struct verify);
        pthread_condattr_t attributes;

        v->loop = l;
        v->config = c;
        v->route = r;
        copy_request(v, request);
        v->report = report;
        v->events = *events;
        v->context = context;
        v->last = halt_new();
        for (unsigned i = 0; i < VERIFY_WORKERS; i++)
                v->asks[i] = (struct ask){v, i};
        pthread_mutex_init(&v->lock, NULL);
        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(&v->told, &attributes);
        pthread_condattr_destroy(&attributes);
        if (v->request.begin)
                clear_report(report, &v->request);
        start(v);
        return v;
}

void verify_passed(struct verify *v, unsigned worker, struct position at)
{
        pthread_mutex_lock(&v->lock);
        v->waits[worker].passed = true;
        v->waits[worker].at = at;
        pthread_cond_broadcast(&v->told);
        pthread_mutex_unlock(&v->lock);
}

void verify_stop(struct verify *v, bool forget)
{
        pthread_mutex_lock(&v->lock);
        v->stopping = true;
        v->forget |= forget;
        if (v->halt)
                halt_ask(v->halt);
        pthread_cond_broadcast(&v->told);
        pthread_mutex_unlock(&v->lock);
}

/* Its own thread may still be telling the servers. */
static void end_halt(struct halt *h)
{
        if (h && halt_asked(h))
                halt_wait(h, 1000);
        halt_free(h);
}

struct verify *verify_free(struct verify *v)
{
        if (!v)
                return NULL;
        if (v->threaded) {
                verify_stop(v, false);
                halt_ask(v->last);
                pthread_join(v->thread, NULL);
        }
        loop_unpost(v->loop, v);
        for (unsigned i = 0; i < VERIFY_WORKERS; i++)
                loop_unpost(v->loop, &v->asks[i]);
        verify_forget_tasks(v);
        verify_run_done(&v->run);
        free(v->request.schema);
        free(v->request.name);
        free(v->request.tables);
        end_halt(v->halt);
        end_halt(v->last);
        pthread_cond_destroy(&v->told);
        pthread_mutex_destroy(&v->lock);
        free(v);
        return NULL;
}
