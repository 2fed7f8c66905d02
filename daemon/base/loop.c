/*
 * Timers are a sorted list of our own (there are a few dozen), and libevent sees one timeout, the
 * nearest: so the real and the simulated loop share all but the waiting.
 */
#include "base/loop.h"
#include "base/memory.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#define SIMULATED_START (INT64_C(1767225600) * SECOND)

struct posted {
        void (*run)(void *context);
        void *context;
        struct posted *next;
};

struct signal_watch {
        struct event *event;
        void (*run)(void *context);
        void *context;
        struct signal_watch *next;
};

struct loop {
        struct event_base *base; /* NULL: simulated */
        int64_t simulated_now;
        struct timer *timers; /* sorted by time */
        struct task *tasks, **tasks_tail;
        struct signal_watch *signals;
        bool stopped;

        int wake_fd;
        struct event *wake, *tick;
        pthread_mutex_t lock; /* guards posted */
        struct posted *posted, **posted_tail;
};

struct watch {
        struct loop *loop;
        struct event *event;
        int fd, want;
        void (*run)(void *context, int ready);
        void *context;
};

static void run_posted(struct loop *l)
{
        struct posted *list;

        pthread_mutex_lock(&l->lock);
        list = l->posted;
        l->posted = NULL;
        l->posted_tail = &l->posted;
        pthread_mutex_unlock(&l->lock);
        while (list) {
                struct posted *p = list;

                list = p->next;
                p->run(p->context);
                free(p);
        }
}

static void on_wake(evutil_socket_t fd, short what, void *context)
{
        uint64_t count;

        (void)what;
        (void)context;
        while (read(fd, &count, sizeof count) < 0 && errno == EINTR)
                ;
}

static void on_tick(evutil_socket_t fd, short what, void *context)
{
        (void)fd;
        (void)what;
        (void)context;
}

static struct loop *common_new(void)
{
        struct loop *l = memory_new_of(struct loop);

        l->tasks_tail = &l->tasks;
        l->posted_tail = &l->posted;
        l->wake_fd = -1;
        pthread_mutex_init(&l->lock, NULL);
        return l;
}

struct loop *loop_new(struct error *e)
{
        struct loop *l = common_new();

        l->base = event_base_new();
        l->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (!l->base || l->wake_fd < 0) {
                error_set(e, ERROR_BUG, "event loop: %s", strerror(errno));
                return loop_free(l);
        }
        l->wake = event_new(l->base, l->wake_fd, EV_READ | EV_PERSIST, on_wake, l);
        l->tick = event_new(l->base, -1, 0, on_tick, l);
        event_add(l->wake, NULL);
        return l;
}

struct loop *loop_new_simulated(void)
{
        struct loop *l = common_new();

        l->simulated_now = SIMULATED_START;
        return l;
}

struct loop *loop_free(struct loop *l)
{
        if (!l)
                return NULL;
        while (l->signals) {
                struct signal_watch *s = l->signals;

                l->signals = s->next;
                event_free(s->event);
                free(s);
        }
        for (struct posted *p = l->posted, *next; p; p = next) {
                next = p->next;
                free(p);
        }
        if (l->wake)
                event_free(l->wake);
        if (l->tick)
                event_free(l->tick);
        if (l->wake_fd >= 0)
                close(l->wake_fd);
        if (l->base)
                event_base_free(l->base);
        pthread_mutex_destroy(&l->lock);
        free(l);
        return NULL;
}

static int64_t clock_us(clockid_t id)
{
        struct timespec t;

        clock_gettime(id, &t);
        return t.tv_sec * SECOND + t.tv_nsec / 1000;
}

int64_t loop_now(const struct loop *l)
{
        return l->base ? clock_us(CLOCK_MONOTONIC) : l->simulated_now;
}

int64_t loop_wall(const struct loop *l)
{
        return l->base ? clock_us(CLOCK_REALTIME) : l->simulated_now;
}

void timer_init(struct timer *t, struct loop *l, void (*run)(void *context), void *context)
{
        *t = (struct timer){.loop = l, .run = run, .context = context};
}

void timer_cancel(struct timer *t)
{
        if (!t->at)
                return;
        for (struct timer **at = &t->loop->timers; *at; at = &(*at)->next)
                if (*at == t) {
                        *at = t->next;
                        break;
                }
        t->at = 0;
}

void timer_set(struct timer *t, int64_t delay)
{
        struct timer **at = &t->loop->timers;

        timer_cancel(t);
        t->at = loop_now(t->loop) + (delay > 0 ? delay : 0);
        while (*at && (*at)->at <= t->at)
                at = &(*at)->next;
        t->next = *at;
        *at = t;
}

bool timer_pending(const struct timer *t)
{
        return t->at != 0;
}

void task_init(struct task *t, void (*run)(void *context), void *context)
{
        *t = (struct task){.run = run, .context = context};
}

void loop_defer(struct loop *l, struct task *t)
{
        if (t->queued)
                return;
        t->queued = true;
        t->next = NULL;
        *l->tasks_tail = t;
        l->tasks_tail = &t->next;
}

void task_cancel(struct loop *l, struct task *t)
{
        if (!t->queued)
                return;
        for (struct task **at = &l->tasks; *at; at = &(*at)->next)
                if (*at == t) {
                        *at = t->next;
                        break;
                }
        l->tasks_tail = &l->tasks;
        while (*l->tasks_tail)
                l->tasks_tail = &(*l->tasks_tail)->next;
        t->queued = false;
}

/* Runs the tasks that are queued now; those that they queue wait for the next round, so that
 * descriptors and timers get their turn. */
static void run_tasks(struct loop *l)
{
        struct task mark = {0};

        loop_defer(l, &mark);
        while (l->tasks != &mark) {
                struct task *t = l->tasks;

                l->tasks = t->next;
                t->queued = false;
                t->run(t->context);
        }
        l->tasks = mark.next;
        if (!l->tasks)
                l->tasks_tail = &l->tasks;
}

static void run_timers(struct loop *l)
{
        int64_t now = loop_now(l);

        while (l->timers && l->timers->at <= now) {
                struct timer *t = l->timers;

                l->timers = t->next;
                t->at = 0;
                t->run(t->context);
        }
}

static bool anything_due(struct loop *l)
{
        bool due = l->tasks != NULL;

        pthread_mutex_lock(&l->lock);
        due |= l->posted != NULL;
        pthread_mutex_unlock(&l->lock);
        return due;
}

static void wait_real(struct loop *l)
{
        struct timeval tv = {0};

        if (anything_due(l)) {
                event_base_loop(l->base, EVLOOP_NONBLOCK);
                return;
        }
        if (l->timers) {
                int64_t left = l->timers->at - loop_now(l);

                if (left < 0)
                        left = 0;
                tv = (struct timeval){left / SECOND, left % SECOND};
                event_add(l->tick, &tv);
        } else {
                event_del(l->tick);
        }
        event_base_loop(l->base, EVLOOP_ONCE);
}

bool loop_run_once(struct loop *l)
{
        if (l->stopped)
                return false;
        if (l->base)
                wait_real(l);
        else if (!anything_due(l)) {
                if (!l->timers)
                        return false;
                if (l->timers->at > l->simulated_now)
                        l->simulated_now = l->timers->at;
        }
        run_posted(l);
        run_timers(l);
        run_tasks(l);
        return !l->stopped;
}

void loop_run(struct loop *l)
{
        while (loop_run_once(l))
                ;
}

void loop_stop(struct loop *l)
{
        l->stopped = true;
}

static void on_ready(evutil_socket_t fd, short what, void *context)
{
        struct watch *w = context;

        (void)fd;
        w->run(w->context, (what & EV_READ ? LOOP_READ : 0) | (what & EV_WRITE ? LOOP_WRITE : 0));
}

struct watch *watch_new(
        struct loop *l, int fd, void (*run)(void *context, int ready), void *context)
{
        struct watch *w = memory_new_of(struct watch);

        *w = (struct watch){.loop = l, .fd = fd, .run = run, .context = context};
        w->event = event_new(l->base, fd, EV_PERSIST, on_ready, w);
        return w;
}

void watch_set(struct watch *w, int want)
{
        if (w->want == want)
                return;
        event_del(w->event);
        w->want = want;
        if (!want)
                return;
        event_assign(w->event, w->loop->base, w->fd,
                EV_PERSIST | (want & LOOP_READ ? EV_READ : 0) | (want & LOOP_WRITE ? EV_WRITE : 0),
                on_ready, w);
        event_add(w->event, NULL);
}

struct watch *watch_free(struct watch *w)
{
        if (!w)
                return NULL;
        event_free(w->event);
        free(w);
        return NULL;
}

static void on_signal(evutil_socket_t fd, short what, void *context)
{
        struct signal_watch *s = context;

        (void)fd;
        (void)what;
        s->run(s->context);
}

int loop_signal(
        struct loop *l, int signo, void (*run)(void *context), void *context, struct error *e)
{
        struct signal_watch *s = memory_new_of(struct signal_watch);

        *s = (struct signal_watch){.run = run, .context = context, .next = l->signals};
        s->event = evsignal_new(l->base, signo, on_signal, s);
        l->signals = s;
        if (!s->event || event_add(s->event, NULL) < 0)
                return error_set(e, ERROR_BUG, "signal %d: cannot be watched", signo);
        return 0;
}

void loop_post(struct loop *l, void (*run)(void *context), void *context)
{
        struct posted *p = memory_new_of(struct posted);
        uint64_t one = 1;

        *p = (struct posted){.run = run, .context = context};
        pthread_mutex_lock(&l->lock);
        *l->posted_tail = p;
        l->posted_tail = &p->next;
        pthread_mutex_unlock(&l->lock);
        if (l->wake_fd >= 0)
                while (write(l->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
                        ;
}

void loop_unpost(struct loop *l, const void *context)
{
        pthread_mutex_lock(&l->lock);
        l->posted_tail = &l->posted;
        while (*l->posted_tail) {
                struct posted *p = *l->posted_tail;

                if (p->context != context) {
                        l->posted_tail = &p->next;
                        continue;
                }
                *l->posted_tail = p->next;
                free(p);
        }
        pthread_mutex_unlock(&l->lock);
}

struct event_base *loop_base(struct loop *l)
{
        return l->base;
}
