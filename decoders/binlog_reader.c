#include "decoders/binlog_reader.h"
#include "base/memory.h"
#include "decoders/binlog.h"
#include "decoders/binlog_gtid.h"
#include "decoders/binlog_identity.h"
#include "decoders/binlog_logs.h"
#include "decoders/binlog_replica.h"

#include <errmsg.h>
#include <linux/tcp.h>
#include <mysqld_error.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define RING_BYTES (8 * 1024 * 1024)
#define RING_PACKETS 8192
#define PACKET_MAX (1024UL * 1024 * 1024) /* the server's own limit for max_allowed_packet */
#define STATUS_OK 0x00
#define STATUS_EOF 0xfe
#define EOF_PACKET_MAX 8
#define TYPE_AT 5 /* of the event: behind the status and four bytes of time */
#define ROTATE_EVENT 4

struct binlog_reader {
        struct loop *loop;
        const struct my_params *params;
        char *name;
        uint32_t server_id;
        unsigned skip;
        struct source_identity identity;
        struct position from;
        char *gtids;
        void (*wake)(void *context);
        void *context;
        struct binlog_ring *ring;
        struct binlog_begin begin; /* the thread's until the first packet is in the ring */
        unsigned files;            /* the thread's: files that were entered */
        bool displaced;            /* the thread's until the end is in the ring */
        pthread_t thread;
        bool running;
        atomic_bool stop;
        pthread_mutex_t lock; /* for fd, so that a socket that is closed is not shut down */
        int fd;
};

/* ---- the thread's connection ---- */

static void set_fd(struct binlog_reader *r, int fd)
{
        pthread_mutex_lock(&r->lock);
        r->fd = fd;
        pthread_mutex_unlock(&r->lock);
}

static MYSQL *open_connection(struct binlog_reader *r, struct error *e)
{
        MYSQL *c = my_connect(r->params, &r->stop, e);

        if (!c)
                return NULL;
        set_fd(r, my_fd(c));
        if (!atomic_load(&r->stop))
                return c;
        error_set(e, ERROR_RETRY, "source: stopped");
        set_fd(r, -1);
        return my_close(c);
}

static void close_connection(struct binlog_reader *r, MYSQL *c)
{
        set_fd(r, -1);
        my_close(c);
}

static int check_position(struct binlog_reader *r, MYSQL *c, struct error *e)
{
        AUTO_MY_RESULT rows = NULL;
        struct binlog_logs logs = {0};
        int rc;

        if (gtids_by_state(r->gtids))
                return 0;
        if (!(rows = my_query(c, e, "SHOW BINARY LOGS")))
                return binlog_refused(c, e);
        binlog_logs_read(&logs, rows, r->identity.slot);
        rc = binlog_logs_check(&logs, r->identity.slot, r->from, e);
        binlog_logs_done(&logs);
        return rc;
}

static int check_identity(struct binlog_reader *r, MYSQL *c, struct error *e)
{
        struct source_identity now;

        if (binlog_identity(c, &now, &r->begin.log_end, e) < 0)
                return -1;
        if (!strcmp(now.system, r->identity.system) && strcmp(now.slot, r->identity.slot) != 0)
                error_set(e, ERROR_DATA,
                        "resync required: the source's binlog is called %s, the checkpoint belongs "
                        "to %s",
                        now.slot, r->identity.slot);
        else if (identity_check(&r->identity, &now, e) == 0)
                return 0;
        snprintf(e->code, sizeof e->code, "%s", IDENTITY_OTHER_CODE);
        return -1;
}

static int read_settings(struct binlog_reader *r, MYSQL *c, struct error *e)
{
        AUTO_MY_RESULT rows = my_query(c, e, "SELECT @@global.lower_case_table_names");
        MYSQL_ROW row = rows ? mysql_fetch_row(rows) : NULL;

        if (!rows)
                return -1;
        r->begin.engine = my_engine(c);
        r->begin.lower_case = row && row[0] && strcmp(row[0], "0") != 0;
        return 0;
}

static int begin_stream(struct binlog_reader *r, MYSQL *c, struct error *e)
{
        struct binlog_replica replica;

        if (check_identity(r, c, e) < 0 || check_position(r, c, e) < 0 ||
                read_settings(r, c, e) < 0)
                return -1;
        if (binlog_replica_choose(c, r->name, r->server_id, r->skip, &replica, e) < 0)
                return -1;
        return binlog_replica_begin(c, &replica, r->identity.slot, r->from, r->gtids, e);
}

/* ---- packets ---- */

static void wake(struct binlog_reader *r, enum binlog_pushed pushed)
{
        if (pushed == BINLOG_PUSHED_WAKE)
                loop_post(r->loop, r->wake, r->context);
}

/* The id was free when we began, or those that have it could not be seen. Of two connections with
 * one id the server ends the elder, which is us. */
static int same_id(struct binlog_reader *r, struct error *e)
{
        r->displaced = true;
        if (r->server_id)
                return error_set(e, ERROR_CONFIG,
                        "source: another replica has [source] server_id %u", r->server_id);
        return error_set(
                e, ERROR_RETRY, "source: another replica has our server id; the next one is tried");
}

/* Number 1236 is everything that is wrong with the log or with what was asked of it. */
static int read_failed(struct binlog_reader *r, MYSQL *c, struct error *e)
{
        unsigned number = mysql_errno(c);

        if (number == CR_NET_PACKET_TOO_LARGE)
                return error_set(
                        e, ERROR_DATA, "source: an event of the binlog is larger than 1 GiB");
        my_error(e, c, "reading the source's binlog");
        if (strstr(mysql_error(c), "same server_uuid/server_id"))
                return same_id(r, e);
        if (number == ER_MASTER_FATAL_ERROR_READING_BINLOG) {
                e->class = ERROR_DATA;
                return -1;
        }
        if (e->class != ERROR_CONFIG)
                e->class = ERROR_RETRY;
        return binlog_refused(c, e);
}

static bool is_rotate(const uint8_t *packet, size_t len)
{
        return len > TYPE_AT && packet[TYPE_AT] == ROTATE_EVENT;
}

static int read_packets(struct binlog_reader *r, MYSQL *c, struct error *e)
{
        for (;;) {
                unsigned long len = mysql_net_read_packet(c);
                const uint8_t *data = c->net.read_pos;
                enum binlog_pushed pushed;

                if (len == packet_error)
                        return read_failed(r, c, e);
                if (data[0] == STATUS_EOF && len <= EOF_PACKET_MAX)
                        return error_set(e, ERROR_RETRY, "source: the server ended the stream");
                if (data[0] != STATUS_OK)
                        return error_set(e, ERROR_DATA,
                                "source: replication packet of unknown kind 0x%02x", data[0]);
                r->files += is_rotate(data, len);
                pushed = binlog_ring_push(r->ring, data, len);
                if (pushed == BINLOG_CLOSED)
                        return error_set(e, ERROR_RETRY, "source: stopped");
                wake(r, pushed);
        }
}

/* The server's "could not find first log file name" does not say which. Later files are not asked
 * about: which of them it was is not known here, and the next start looks again. */
static void explain(struct binlog_reader *r, struct error *e)
{
        struct error better = ERROR_INIT;
        MYSQL *c = open_connection(r, &better);

        if (!c)
                return;
        if (check_position(r, c, &better) < 0 && better.class == ERROR_DATA)
                *e = better;
        close_connection(r, c);
}

static void read_log(struct binlog_reader *r, struct error *e)
{
        MYSQL *c = open_connection(r, e);
        bool fatal = false;

        if (!c)
                return;
        c->net.max_packet_size = PACKET_MAX;
        if (begin_stream(r, c, e) == 0) {
                read_packets(r, c, e);
                fatal = mysql_errno(c) == ER_MASTER_FATAL_ERROR_READING_BINLOG;
        }
        close_connection(r, c);
        if (!fatal || e->class != ERROR_DATA || r->files > 1)
                return;
        if (gtids_by_state(r->gtids))
                error_context(e, "resync required: the log cannot be had from our GTIDs on");
        else
                explain(r, e);
}

static void *run(void *context)
{
        struct binlog_reader *r = context;
        struct error e = ERROR_INIT;

        read_log(r, &e);
        mysql_thread_end();
        wake(r, binlog_ring_end(r->ring, &e));
        return NULL;
}

/* ---- the loop's side ---- */

/* Signals are the main thread's. */
static void start_thread(struct binlog_reader *r)
{
        struct error e = ERROR_INIT;
        sigset_t all, old;

        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &old);
        r->running = pthread_create(&r->thread, NULL, run, r) == 0;
        pthread_sigmask(SIG_SETMASK, &old, NULL);
        if (r->running)
                return;
        error_set(&e, ERROR_RETRY, "source: no thread could be started");
        wake(r, binlog_ring_end(r->ring, &e));
}

struct binlog_reader *binlog_reader_new(struct loop *l, const struct binlog_reader_setup *setup,
        void (*run_wake)(void *context), void *context)
{
        struct binlog_reader *r = memory_new_of(struct binlog_reader);

        r->loop = l;
        r->params = setup->params;
        r->name = memory_string(setup->name);
        r->server_id = setup->server_id;
        r->skip = setup->skip;
        r->identity = setup->identity;
        r->from = setup->from;
        r->gtids = memory_string(setup->gtids);
        r->wake = run_wake;
        r->context = context;
        r->ring = binlog_ring_new(RING_BYTES, RING_PACKETS);
        r->fd = -1;
        pthread_mutex_init(&r->lock, NULL);
        start_thread(r);
        return r;
}

static void stop_thread(struct binlog_reader *r)
{
        atomic_store(&r->stop, true);
        binlog_ring_close(r->ring);
        pthread_mutex_lock(&r->lock);
        if (r->fd >= 0)
                shutdown(r->fd, SHUT_RDWR);
        pthread_mutex_unlock(&r->lock);
        pthread_join(r->thread, NULL);
}

struct binlog_reader *binlog_reader_free(struct binlog_reader *r)
{
        if (!r)
                return NULL;
        if (r->running)
                stop_thread(r);
        loop_unpost(r->loop, r->context);
        binlog_ring_free(r->ring);
        pthread_mutex_destroy(&r->lock);
        free(r->name);
        free(r->gtids);
        free(r);
        return NULL;
}

enum binlog_taken binlog_reader_take(
        struct binlog_reader *r, struct binlog_packet *p, struct error *why)
{
        return binlog_ring_take(r->ring, p, why);
}

const struct binlog_begin *binlog_reader_begin(const struct binlog_reader *r)
{
        return &r->begin;
}

bool binlog_reader_displaced(const struct binlog_reader *r)
{
        return r->displaced;
}

int64_t binlog_reader_silence(struct binlog_reader *r)
{
        struct tcp_info info = {0};
        socklen_t size = sizeof info;
        int64_t silence = -1;

        pthread_mutex_lock(&r->lock);
        if (r->fd >= 0 && getsockopt(r->fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0)
                silence = info.tcpi_last_data_recv * MILLISECOND;
        pthread_mutex_unlock(&r->lock);
        return silence;
}
