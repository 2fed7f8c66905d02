#include "ops/job.h"
#include "base/loop.h"
#include "base/memory.h"
#include "base/thread.h"

#include <pthread.h>
#include <stdlib.h>

struct job {
        struct loop *loop;
        job_work *work;
        job_done *done;
        void *context;
        struct halt *halt;
        pthread_t thread;
        bool threaded, failed;
        struct error error;
};

static void report(void *context)
{
        struct job *j = context;

        if (j->threaded)
                pthread_join(j->thread, NULL);
        j->threaded = false;
        j->done(j->context, j->failed ? &j->error : NULL);
}

static void *run(void *context)
{
        struct job *j = context;

        j->failed = j->work(j->context, j->halt, &j->error) < 0;
        if (halt_asked(j->halt))
                halt_wait(j->halt, 1000);
        loop_post(j->loop, report, j);
        return NULL;
}

struct job *job_new(struct loop *l, job_work *work, job_done *done, void *context)
{
        struct job *j = memory_new_of(struct job);
        *j = (struct job){.loop = l, .work = work, .done = done, .context = context};
        j->halt = halt_new();
        j->threaded = thread_start(&j->thread, run, j);
        if (!j->threaded) {
                j->failed = true;
                error_set(&j->error, ERROR_RETRY, "no thread could be started");
                loop_post(l, report, j);
        }
        return j;
}

void job_stop(struct job *j)
{
        halt_ask(j->halt);
}

struct job *job_free(struct job *j)
{
        if (!j)
                return NULL;
        if (j->threaded) {
                halt_ask(j->halt);
                pthread_join(j->thread, NULL);
        }
        loop_unpost(j->loop, j);
        halt_free(j->halt);
        free(j);
        return NULL;
}
