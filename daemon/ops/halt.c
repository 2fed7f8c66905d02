#include "ops/halt.h"
#include "base/memory.h"
#include "base/thread.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

struct link {
        const void *conn; /* PGconn or MYSQL */
        PGcancel *cancel; /* or NULL */
        int fd;
        struct link *next;
};

struct halt {
        atomic_bool asked;
        pthread_mutex_t lock;
        pthread_cond_t told;
        struct link *links;
        unsigned telling; /* cancelling threads that are still at it */
};

/* What a cancelling thread owns: the connections' cancel objects, no longer their connections. */
struct cancels {
        struct halt *halt;
        unsigned n;
        PGcancel *items[];
};

struct halt *halt_new(void)
{
        struct halt *h = memory_new_of(struct halt);
        pthread_condattr_t attributes;

        pthread_mutex_init(&h->lock, NULL);
        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(&h->told, &attributes);
        pthread_condattr_destroy(&attributes);
        return h;
}

struct halt *halt_free(struct halt *h)
{
        if (!h)
                return NULL;
        /* A cancelling thread that hangs in the network still needs it: it is left behind. */
        pthread_mutex_lock(&h->lock);
        if (h->telling > 0) {
                pthread_mutex_unlock(&h->lock);
                return NULL;
        }
        pthread_mutex_unlock(&h->lock);
        pthread_cond_destroy(&h->told);
        pthread_mutex_destroy(&h->lock);
        free(h);
        return NULL;
}

static void *tell(void *context)
{
        struct cancels *c = context;
        char why[256];

        for (unsigned i = 0; i < c->n; i++) {
                PQcancel(c->items[i], why, sizeof why);
                PQfreeCancel(c->items[i]);
        }
        pthread_mutex_lock(&c->halt->lock);
        c->halt->telling--;
        pthread_cond_broadcast(&c->halt->told);
        pthread_mutex_unlock(&c->halt->lock);
        free(c);
        return NULL;
}

static struct cancels *break_links(struct halt *h)
{
        struct cancels *c;
        unsigned n = 0;

        for (struct link *k = h->links; k; k = k->next)
                n++;
        c = memory_new(sizeof *c + n * sizeof *c->items);
        c->halt = h;
        for (struct link *k = h->links; k; k = k->next) {
                if (k->cancel)
                        c->items[c->n++] = k->cancel;
                k->cancel = NULL;
                shutdown(k->fd, SHUT_RDWR);
        }
        return c;
}

void halt_ask(struct halt *h)
{
        struct cancels *c;
        pthread_t thread;

        pthread_mutex_lock(&h->lock);
        if (atomic_exchange(&h->asked, true)) {
                pthread_mutex_unlock(&h->lock);
                return;
        }
        c = break_links(h);
        h->telling++;
        pthread_mutex_unlock(&h->lock);
        if (thread_start(&thread, tell, c))
                pthread_detach(thread);
        else
                tell(c);
}

bool halt_asked(const struct halt *h)
{
        return atomic_load(&h->asked);
}

const atomic_bool *halt_flag(const struct halt *h)
{
        return &h->asked;
}

int halt_check(const struct halt *h, struct error *e)
{
        return halt_asked(h) ? error_set(e, ERROR_RETRY, "stopped before it was finished") : 0;
}

void halt_wait(struct halt *h, int milliseconds)
{
        struct timespec until;

        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += milliseconds / 1000;
        until.tv_nsec += milliseconds % 1000 * 1000000L;
        if (until.tv_nsec >= 1000000000L) {
                until.tv_sec++;
                until.tv_nsec -= 1000000000L;
        }
        pthread_mutex_lock(&h->lock);
        while (h->telling > 0 && pthread_cond_timedwait(&h->told, &h->lock, &until) == 0)
                ;
        pthread_mutex_unlock(&h->lock);
}

static void add_link(struct halt *h, const struct link *made)
{
        struct link *k = memory_copy(made, sizeof *made);

        pthread_mutex_lock(&h->lock);
        k->next = h->links;
        h->links = k;
        pthread_mutex_unlock(&h->lock);
}

static void remove_link(struct halt *h, const void *conn)
{
        struct link **at, *k;

        pthread_mutex_lock(&h->lock);
        for (at = &h->links; *at && (*at)->conn != conn; at = &(*at)->next)
                ;
        if ((k = *at)) {
                *at = k->next;
                PQfreeCancel(k->cancel);
                free(k);
        }
        pthread_mutex_unlock(&h->lock);
}

/* Timeouts that a server or a role may have set, beyond those of pg_session_sql. */
PGconn *halt_connect(struct halt *h, const struct pg_params *p, struct error *e)
{
        PGconn *c;

        if (halt_check(h, e) < 0 || !(c = pg_connect(p, &h->asked, e)))
                return NULL;
        add_link(h, &(struct link){.conn = c, .cancel = PQgetCancel(c), .fd = PQsocket(c)});
        /* The question comes after the entry in the list, so none slips through in between. */
        if (halt_check(h, e) < 0)
                halt_close(h, &c);
        return c;
}

void halt_close(struct halt *h, PGconn **c)
{
        if (!*c)
                return;
        remove_link(h, *c);
        PQfinish(*c);
        *c = NULL;
}

MYSQL *halt_my_connect(struct halt *h, const struct my_params *p, struct error *e)
{
        MYSQL *c;

        if (halt_check(h, e) < 0 || !(c = my_connect(p, &h->asked, e)))
                return NULL;
        add_link(h, &(struct link){.conn = c, .fd = my_fd(c)});
        if (halt_check(h, e) < 0)
                halt_my_close(h, &c);
        return c;
}

void halt_my_close(struct halt *h, MYSQL **c)
{
        if (!*c)
                return;
        remove_link(h, *c);
        *c = my_close(*c);
}
