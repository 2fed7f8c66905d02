#include "db/pg_link.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#define CONNECT_TIMEOUT (15 * SECOND)

struct query {
        struct query *next;
        pg_link_result *done;
        void *context;
        char *sql;
        int n;
        char **values;
};

struct pg_link {
        struct loop *loop;
        PGconn *conn;
        char *what;
        struct watch *watch;
        int watched_fd;
        struct timer deadline;
        struct task failed;
        struct error error;
        struct pg_link_events events;
        void *context;
        struct query *queries, **tail; /* the first is under way when `sent` */
        PGresult *result;              /* last result of the query under way */
        bool up, sent, reading, blocked;
        void (*input)(void *context); /* raw mode */
};

static void on_io(void *context, int ready);

static struct query *query_free(struct query *q)
{
        for (int i = 0; i < q->n; i++)
                free(q->values[i]);
        free(q->values);
        free(q->sql);
        free(q);
        return NULL;
}

static void run_failed(void *context)
{
        struct pg_link *k = context;

        k->events.down(k->context, &k->error);
}

void pg_link_fail(struct pg_link *k, const struct error *e)
{
        if (k->error.class != ERROR_NONE)
                return;
        k->error = *e;
        if (k->watch)
                watch_set(k->watch, 0);
        timer_cancel(&k->deadline);
        loop_defer(k->loop, &k->failed);
}

static void fail_conn(struct pg_link *k, const PGresult *r)
{
        struct error e = ERROR_INIT;

        pg_error(&e, k->conn, r, k->what);
        if (r == NULL && e.class == ERROR_DATA)
                e.class = ERROR_RETRY;
        pg_link_fail(k, &e);
}

static void arm(struct pg_link *k)
{
        if (k->error.class == ERROR_NONE)
                watch_set(k->watch, (k->reading ? LOOP_READ : 0) | (k->blocked ? LOOP_WRITE : 0));
}

void pg_link_flush(struct pg_link *k)
{
        int rc = PQflush(k->conn);

        if (rc < 0) {
                fail_conn(k, NULL);
                return;
        }
        k->blocked = rc > 0;
        arm(k);
}

static void send_next(struct pg_link *k)
{
        struct query *q = k->queries;
        int ok;

        if (!q || k->sent || !k->up || k->input || k->error.class != ERROR_NONE)
                return;
        ok = q->n ? PQsendQueryParams(k->conn, q->sql, q->n, NULL, (const char *const *)q->values,
                            NULL, NULL, 0)
                  : PQsendQuery(k->conn, q->sql);
        if (!ok) {
                fail_conn(k, NULL);
                return;
        }
        k->sent = true;
        pg_link_flush(k);
}

/* Takes the query off before its callback, which may queue others or go raw. */
static void finish_query(struct pg_link *k)
{
        struct query *q = k->queries;
        PGresult *r = k->result;
        ExecStatusType status = PQresultStatus(r);
        struct error e = ERROR_INIT;
        bool good = status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK ||
                    status == PGRES_COPY_BOTH;

        k->queries = q->next;
        if (!k->queries)
                k->tail = &k->queries;
        k->sent = false;
        k->result = NULL;
        if (!good)
                pg_error(&e, k->conn, r, k->what);
        if (PQstatus(k->conn) == CONNECTION_BAD)
                fail_conn(k, good ? NULL : r);
        else if (q->done)
                q->done(q->context, good ? r : NULL, &e);
        else if (!good)
                pg_link_fail(k, &e);
        PQclear(r);
        query_free(q);
        send_next(k);
}

static void read_results(struct pg_link *k)
{
        while (k->sent && !k->input && k->error.class == ERROR_NONE && !PQisBusy(k->conn)) {
                PGresult *r = PQgetResult(k->conn);

                if (r && PQresultStatus(r) == PGRES_COPY_BOTH) {
                        PQclear(k->result);
                        k->result = r;
                        finish_query(k);
                        return;
                }
                if (!r) {
                        finish_query(k);
                        continue;
                }
                /* of several statements the first error counts, else the last result */
                if (k->result && PQresultStatus(k->result) == PGRES_FATAL_ERROR) {
                        PQclear(r);
                        continue;
                }
                PQclear(k->result);
                k->result = r;
        }
}

/* The first query of a link is ours; its end is `up`. */
static void session_ready(struct pg_link *k)
{
        if (k->error.class == ERROR_NONE)
                k->events.up(k->context);
}

static void on_deadline(void *context)
{
        struct pg_link *k = context;
        struct error e = ERROR_INIT;

        error_set(&e, ERROR_RETRY, "%s: no connection within %d s", k->what,
                (int)(CONNECT_TIMEOUT / SECOND));
        pg_link_fail(k, &e);
}

static void watch_socket(struct pg_link *k)
{
        int fd = PQsocket(k->conn);

        /* libpq may go on with another socket (next address, SSL refused) under the same number */
        watch_free(k->watch);
        k->watch = watch_new(k->loop, fd, on_io, k);
        k->watched_fd = fd;
}

static void poll_connect(struct pg_link *k)
{
        PostgresPollingStatusType state = PQconnectPoll(k->conn);

        if (state == PGRES_POLLING_FAILED) {
                fail_conn(k, NULL);
                return;
        }
        watch_socket(k);
        if (state != PGRES_POLLING_OK) {
                watch_set(k->watch, state == PGRES_POLLING_READING ? LOOP_READ : LOOP_WRITE);
                return;
        }
        k->up = k->reading = true;
        PQsetnonblocking(k->conn, 1);
        arm(k);
        send_next(k);
}

static void on_io(void *context, int ready)
{
        struct pg_link *k = context;

        if (!k->up) {
                poll_connect(k);
                return;
        }
        if (ready & LOOP_READ && !PQconsumeInput(k->conn)) {
                fail_conn(k, NULL);
                return;
        }
        if (k->input) {
                if (ready & LOOP_WRITE)
                        pg_link_flush(k);
                if (k->error.class == ERROR_NONE)
                        k->input(k->context);
                return;
        }
        if (ready & LOOP_READ) {
                bool session = timer_pending(&k->deadline);

                read_results(k);
                if (session && !k->sent && k->error.class == ERROR_NONE && !k->queries) {
                        timer_cancel(&k->deadline);
                        session_ready(k);
                        return;
                }
        }
        if (k->error.class == ERROR_NONE && (k->blocked || ready & LOOP_WRITE))
                pg_link_flush(k);
}

struct pg_link *pg_link_new(struct loop *l, const struct pg_params *p,
        const struct pg_link_events *events, void *context)
{
        struct pg_link *k = memory_new_of(struct pg_link);

        k->loop = l;
        k->events = *events;
        k->context = context;
        k->what = memory_string(p->what);
        k->tail = &k->queries;
        task_init(&k->failed, run_failed, k);
        timer_init(&k->deadline, l, on_deadline, k);
        timer_set(&k->deadline, CONNECT_TIMEOUT);
        pg_link_query(k, NULL, NULL, pg_session_sql(), 0, NULL);
        k->conn = PQconnectStartParams(
                (const char *const *)p->keywords, (const char *const *)p->values, 0);
        if (!k->conn || PQstatus(k->conn) == CONNECTION_BAD) {
                fail_conn(k, NULL);
                return k;
        }
        PQsetErrorVerbosity(k->conn, PQERRORS_VERBOSE);
        watch_socket(k);
        watch_set(k->watch, LOOP_WRITE);
        return k;
}

struct pg_link *pg_link_free(struct pg_link *k)
{
        if (!k)
                return NULL;
        timer_cancel(&k->deadline);
        task_cancel(k->loop, &k->failed);
        watch_free(k->watch);
        PQclear(k->result);
        PQfinish(k->conn);
        while (k->queries) {
                struct query *q = k->queries;

                k->queries = q->next;
                query_free(q);
        }
        free(k->what);
        free(k);
        return NULL;
}

void pg_link_query(struct pg_link *k, pg_link_result *done, void *context, const char *sql, int n,
        const char *const *values)
{
        struct query *q = memory_new_of(struct query);

        q->done = done;
        q->context = context;
        q->sql = memory_string(sql);
        q->n = n;
        q->values = n ? memory_new((size_t)n * sizeof *q->values) : NULL;
        for (int i = 0; i < n; i++)
                q->values[i] = memory_string(values[i]);
        *k->tail = q;
        k->tail = &q->next;
        send_next(k);
}

void pg_link_raw(struct pg_link *k, void (*input)(void *context))
{
        k->input = input;
}

void pg_link_read(struct pg_link *k, bool wanted)
{
        k->reading = wanted;
        arm(k);
}

bool pg_link_blocked(const struct pg_link *k)
{
        return k->blocked;
}

PGconn *pg_link_conn(struct pg_link *k)
{
        return k->conn;
}
