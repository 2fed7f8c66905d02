#include "db/my_dial.h"
#include "base/memory.h"
#include "base/thread.h"

#include <pthread.h>
#include <stdlib.h>

struct my_dial {
        struct loop *loop;
        struct my_params *params;
        my_dial_done *done;
        void *context;
        atomic_bool stop;
        pthread_mutex_t lock; /* guards what follows */
        bool finished;        /* the thread touches this no more */
        bool abandoned;       /* the owner does not */
        MYSQL *conn;
        struct error error;
};

static void dial_destroy(struct my_dial *d)
{
        my_close(d->conn);
        my_params_free(d->params);
        pthread_mutex_destroy(&d->lock);
        free(d);
}

static void on_finished(void *context)
{
        struct my_dial *d = context;
        MYSQL *c = d->conn;
        struct error e;

        /* the thread may still be within its unlock */
        pthread_mutex_lock(&d->lock);
        e = d->error;
        d->conn = NULL;
        pthread_mutex_unlock(&d->lock);
        d->done(d->context, c, &e);
}

static void *run(void *context)
{
        struct my_dial *d = context;
        struct error e = ERROR_INIT;
        MYSQL *c = my_connect(d->params, &d->stop, &e);
        bool abandoned;

        mysql_thread_end();
        pthread_mutex_lock(&d->lock);
        d->conn = c;
        d->error = e;
        d->finished = true;
        abandoned = d->abandoned;
        /* Under the lock: not abandoned means that the loop is there. */
        if (!abandoned)
                loop_post(d->loop, on_finished, d);
        pthread_mutex_unlock(&d->lock);
        if (abandoned)
                dial_destroy(d);
        return NULL;
}

struct my_dial *my_dial_new(
        struct loop *l, const struct my_params *p, my_dial_done *done, void *context)
{
        struct my_dial *d = memory_new_of(struct my_dial);
        pthread_t thread;

        d->loop = l;
        d->params = my_params_copy(p);
        d->done = done;
        d->context = context;
        pthread_mutex_init(&d->lock, NULL);
        if (thread_start(&thread, run, d)) {
                pthread_detach(thread);
        } else {
                error_set(&d->error, ERROR_RETRY, "%s: no thread to connect in", p->what);
                d->finished = true;
                loop_post(l, on_finished, d);
        }
        return d;
}

struct my_dial *my_dial_free(struct my_dial *d)
{
        bool finished;

        if (!d)
                return NULL;
        atomic_store(&d->stop, true);
        pthread_mutex_lock(&d->lock);
        d->abandoned = true;
        finished = d->finished;
        pthread_mutex_unlock(&d->lock);
        if (finished) {
                loop_unpost(d->loop, d);
                dial_destroy(d);
        }
        return NULL;
}
