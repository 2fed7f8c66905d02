#include "db/my_link.h"
#include "base/memory.h"
#include "db/my_dial.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>

#define STEPS_MAX 256 /* answers of one callback; then the loop has its turn */
#define SETTLE_MAX 100000

struct batch {
        struct batch *next;
        my_link_answer *answer;
        my_link_done *done;
        void *context;
        char *sql;
        size_t len;
};

/* What libmariadb is doing. With `waits` it is in the middle of that and waits for the socket. */
enum call { CALL_NONE, CALL_PING, CALL_QUERY, CALL_STORE, CALL_NEXT };

struct my_link {
        struct loop *loop;
        struct my_dial *dial; /* NULL: connected, or failed */
        MYSQL *conn;
        int fd;
        char *what;
        struct watch *watch;
        struct task work, failed;
        struct error error;
        struct my_link_events events;
        void *context;
        struct batch *batches, **tail; /* the first is under way while `call` is a batch's */
        enum call call;
        void (*forget_errors)(void); /* see find_forget */
        int waits;                   /* MYSQL_WAIT_*; 0: the call has ended */
        int rc;                      /* its result, */
        MYSQL_RES *rows;             /* or of CALL_STORE */
        unsigned answered;           /* statements of the batch under way */
};

static struct batch *batch_free(struct batch *b)
{
        free(b->sql);
        free(b);
        return NULL;
}

static void run_failed(void *context)
{
        struct my_link *k = context;

        k->events.down(k->context, &k->error);
}

void my_link_fail(struct my_link *k, const struct error *e)
{
        if (k->error.class != ERROR_NONE)
                return;
        k->error = *e;
        k->watch = watch_free(k->watch);
        k->dial = my_dial_free(k->dial);
        task_cancel(k->loop, &k->work);
        loop_defer(k->loop, &k->failed);
}

static bool is_alive(const struct my_link *k)
{
        return k->conn && k->error.class == ERROR_NONE;
}

/*
 * OpenSSL keeps errors for the thread, not for the connection, until somebody fetches them, and
 * libmariadb takes one that another connection left behind for a failure of its own wait: one
 * lost connection would tear down the next. We do not link with OpenSSL ourselves, and libmariadb
 * may have another TLS library, so the function is looked up.
 */
static void find_forget(struct my_link *k)
{
        *(void **)&k->forget_errors = dlsym(RTLD_DEFAULT, "ERR_clear_error");
}

static void start_call(struct my_link *k, enum call call)
{
        struct batch *b = k->batches;

        if (k->forget_errors)
                k->forget_errors();
        k->call = call;
        k->rc = 0;
        switch (call) {
        case CALL_NONE:
                break;
        case CALL_PING:
                k->waits = mysql_ping_start(&k->rc, k->conn);
                break;
        case CALL_QUERY:
                k->waits = mysql_real_query_start(&k->rc, k->conn, b->sql, b->len);
                break;
        case CALL_STORE:
                k->waits = mysql_store_result_start(&k->rows, k->conn);
                break;
        case CALL_NEXT:
                k->waits = mysql_next_result_start(&k->rc, k->conn);
                break;
        }
}

static void continue_call(struct my_link *k, int ready)
{
        if (k->forget_errors)
                k->forget_errors();
        switch (k->call) {
        case CALL_NONE:
                break;
        case CALL_PING:
                k->waits = mysql_ping_cont(&k->rc, k->conn, ready);
                break;
        case CALL_QUERY:
                k->waits = mysql_real_query_cont(&k->rc, k->conn, ready);
                break;
        case CALL_STORE:
                k->waits = mysql_store_result_cont(&k->rows, k->conn, ready);
                break;
        case CALL_NEXT:
                k->waits = mysql_next_result_cont(&k->rc, k->conn, ready);
                break;
        }
}

/* Ends the batch under way. Its callback may queue others, or fail the link. */
static void end_batch(struct my_link *k, const struct error *e)
{
        struct batch *b = k->batches;

        k->batches = b->next;
        if (!k->batches)
                k->tail = &k->batches;
        k->call = CALL_NONE;
        if (b->done)
                b->done(b->context, k->answered, e);
        else if (e)
                my_link_fail(k, e);
        batch_free(b);
}

/* The library closes the socket when the connection is lost: the watch goes before anybody else
 * gets a socket of that number. */
static void call_failed(struct my_link *k)
{
        unsigned number = mysql_errno(k->conn);
        bool lost = my_error_is_lost(number) || my_fd(k->conn) < 0 || k->call == CALL_PING;
        struct error e = ERROR_INIT;

        my_error(&e, k->conn, k->what);
        if (lost) {
                k->watch = watch_free(k->watch);
                e.class = e.class == ERROR_DATA ? ERROR_RETRY : e.class;
        }
        if (k->call != CALL_PING)
                end_batch(k, &e);
        if (lost)
                my_link_fail(k, &e);
}

static void give_answer(struct my_link *k, uint64_t found)
{
        struct batch *b = k->batches;
        unsigned statement = k->answered++;

        if (b->answer)
                b->answer(b->context, statement, found, k->rows);
        my_result_done(&k->rows);
        if (k->error.class != ERROR_NONE)
                return;
        if (mysql_more_results(k->conn))
                start_call(k, CALL_NEXT);
        else
                end_batch(k, NULL);
}

/* What follows from a call that has ended. */
static void call_ended(struct my_link *k)
{
        enum call call = k->call;

        if (call == CALL_STORE ? !k->rows : k->rc != 0)
                call_failed(k);
        else if (call == CALL_PING)
                k->call = CALL_NONE;
        else if (call == CALL_STORE)
                give_answer(k, mysql_num_rows(k->rows));
        else if (mysql_field_count(k->conn) > 0)
                start_call(k, CALL_STORE);
        else
                give_answer(k, mysql_affected_rows(k->conn));
}

static void arm(struct my_link *k)
{
        int want = (k->waits & MYSQL_WAIT_READ ? LOOP_READ : 0) |
                   (k->waits & MYSQL_WAIT_WRITE ? LOOP_WRITE : 0);

        /* Without a batch only the end of the connection can come in. */
        watch_set(k->watch, k->call == CALL_NONE ? LOOP_READ : want);
}

/* As far as it goes without waiting; not for long. */
static void work(void *context)
{
        struct my_link *k = context;

        for (unsigned n = 0; is_alive(k) && !k->waits; n++) {
                if (n == STEPS_MAX) {
                        watch_set(k->watch, 0);
                        loop_defer(k->loop, &k->work);
                        return;
                }
                if (k->call != CALL_NONE) {
                        call_ended(k);
                } else if (k->batches) {
                        k->answered = 0;
                        start_call(k, CALL_QUERY);
                } else {
                        break;
                }
        }
        if (is_alive(k))
                arm(k);
}

/* Something comes in while nothing is asked: a farewell, or the end. A ping finds out which. */
static void on_io(void *context, int ready)
{
        struct my_link *k = context;

        if (k->call == CALL_NONE)
                start_call(k, CALL_PING);
        else if (k->waits)
                continue_call(k, (ready & LOOP_READ ? MYSQL_WAIT_READ : 0) |
                                         (ready & LOOP_WRITE ? MYSQL_WAIT_WRITE : 0));
        work(k);
}

static void on_connected(void *context, MYSQL *c, const struct error *e)
{
        struct my_link *k = context;

        k->dial = my_dial_free(k->dial);
        if (!c) {
                my_link_fail(k, e);
                return;
        }
        k->conn = c;
        k->fd = my_fd(c);
        /* TLS reads and writes go by the socket's mode. */
        fcntl(k->fd, F_SETFL, O_NONBLOCK);
        k->watch = watch_new(k->loop, k->fd, on_io, k);
        k->events.up(k->context);
        work(k);
}

struct my_link *my_link_new(struct loop *l, const struct my_params *p,
        const struct my_link_events *events, void *context)
{
        struct my_link *k = memory_new_of(struct my_link);

        k->loop = l;
        k->fd = -1;
        k->events = *events;
        k->context = context;
        k->what = memory_string(p->what);
        k->tail = &k->batches;
        task_init(&k->failed, run_failed, k);
        task_init(&k->work, work, k);
        find_forget(k);
        k->dial = my_dial_new(l, p, on_connected, k);
        return k;
}

/* Brings a call under way to its end, so that what it holds is freed: on a socket that is shut
 * nothing is left to wait for. */
static void settle(struct my_link *k)
{
        if (!k->waits)
                return;
        shutdown(k->fd, SHUT_RDWR);
        for (unsigned n = 0; k->waits && n < SETTLE_MAX; n++)
                continue_call(k, k->waits & (MYSQL_WAIT_READ | MYSQL_WAIT_WRITE));
}

struct my_link *my_link_free(struct my_link *k)
{
        if (!k)
                return NULL;
        task_cancel(k->loop, &k->work);
        task_cancel(k->loop, &k->failed);
        my_dial_free(k->dial);
        watch_free(k->watch);
        settle(k);
        my_result_done(&k->rows);
        my_close(k->conn);
        while (k->batches) {
                struct batch *b = k->batches;

                k->batches = b->next;
                batch_free(b);
        }
        free(k->what);
        free(k);
        return NULL;
}

void my_link_batch(struct my_link *k, struct buf *sql, my_link_answer *answer, my_link_done *done,
        void *context)
{
        struct batch *b = memory_new_of(struct batch);

        b->answer = answer;
        b->done = done;
        b->context = context;
        b->len = sql->len;
        b->sql = buf_take(sql);
        *k->tail = b;
        k->tail = &b->next;
        if (is_alive(k) && k->call == CALL_NONE)
                loop_defer(k->loop, &k->work);
}

bool my_link_idle(const struct my_link *k)
{
        return is_alive(k) && !k->batches && k->call <= CALL_PING;
}

MYSQL *my_link_conn(struct my_link *k)
{
        return k->conn;
}
