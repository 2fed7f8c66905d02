#include "sinks/my_session.h"
#include "base/memory.h"
#include "db/my_meta.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A packet has the command's byte too, and the server wants a little less than it says. */
#define PACKET_SPARE 64
#define PACKET_MIN (64 * 1024)

struct my_session {
        struct my_link *link;
        char *pipeline;
        char lock[MY_META_LOCK];
        uint64_t former;
        bool former_lives, read_only;
        struct quarantine *quarantine;
        my_session_done *done;
        void *context;
        struct my_session_result result;
        const struct step *step;
        bool failed; /* `take` has refused an answer */
        struct error error;
};

/* What a step is answered by one of its statements. */
struct answer {
        unsigned statement;
        uint64_t found;
        MYSQL_RES *rows; /* NULL: it gives none */
};

/* A step asks in one text, or not at all (false); `take` judges each answer. */
struct step {
        bool (*ask)(struct my_session *s, struct buf *sql);
        int (*take)(struct my_session *s, const struct answer *a, struct error *e);
        bool may_fail;
};

/* ---- the server ---- */

/* Variables come as rows, since not every server has every one. */
static bool ask_server(struct my_session *s, struct buf *sql)
{
        (void)s;
        buf_str(sql,
                "select connection_id(), @@session.max_allowed_packet, (select count(*) from "
                "information_schema.tables where table_schema = 'culvert' and table_name = "
                "'meta');"
                "show global variables where variable_name in ('read_only', 'super_read_only', "
                "'innodb_flush_log_at_trx_commit', 'log_bin', 'sync_binlog', "
                "'binlog_format')");
        return true;
}

/* A proxy that shares connections answers with one that is not the one that it greeted for: locks
 * and settings of the session would be somebody else's (HAZARDS B8). */
static int take_connection(struct my_session *s, MYSQL_ROW row, struct error *e)
{
        unsigned long packet = strtoul(row[1], NULL, 10);

        s->result.connection = strtoull(row[0], NULL, 10);
        if ((uint32_t)s->result.connection != (uint32_t)mysql_thread_id(my_link_conn(s->link)))
                return error_set(e, ERROR_CONFIG,
                        "target: a proxy that shares connections is in between; locks and session "
                        "settings need a connection to the server itself");
        if (packet < PACKET_MIN)
                return error_set(e, ERROR_CONFIG,
                        "target: max_allowed_packet is %lu bytes, too few to write rows with: set "
                        "global max_allowed_packet = 67108864",
                        packet);
        s->result.packet = packet - PACKET_SPARE;
        if (strcmp(row[2], "0") != 0)
                return 0;
        return error_set(
                e, ERROR_DATA, "resync required: database culvert is gone from the target");
}

struct variables {
        const char *read_only, *super_read_only, *flush, *log_bin, *sync, *format;
};

static void read_variables(struct variables *v, MYSQL_RES *rows)
{
        const struct {
                const char *name;
                const char **value;
        } wanted[] = {{"read_only", &v->read_only}, {"super_read_only", &v->super_read_only},
                {"innodb_flush_log_at_trx_commit", &v->flush}, {"log_bin", &v->log_bin},
                {"sync_binlog", &v->sync}, {"binlog_format", &v->format}};
        MYSQL_ROW row;

        while ((row = mysql_fetch_row(rows)))
                for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
                        if (!strcasecmp(row[0], wanted[i].name))
                                *wanted[i].value = row[1] ? row[1] : "";
}

static bool is_off(const char *value)
{
        return !*value || !strcmp(value, "0") || !strcasecmp(value, "off");
}

/* 3 is MariaDB's: as 1, and one flush more. */
static int check_durable(const struct variables *v, struct error *e)
{
        if (strcmp(v->flush, "1") != 0 && strcmp(v->flush, "3") != 0)
                return error_set(e, ERROR_CONFIG,
                        "target: innodb_flush_log_at_trx_commit is %.20s, so what it commits is "
                        "not safe: set global innodb_flush_log_at_trx_commit = 1",
                        *v->flush ? v->flush : "unknown");
        if (is_off(v->log_bin) || !strcmp(v->sync, "1"))
                return 0;
        return error_set(e, ERROR_CONFIG,
                "target: sync_binlog is %.20s and its binary log is on, which decides after a "
                "crash what was committed: set global sync_binlog = 1",
                *v->sync ? v->sync : "unknown");
}

static int refuse_read_only(struct error *e)
{
        return error_set(e, ERROR_RETRY, "target: the server is read_only (a replica, or fenced)");
}

/* InnoDB under READ COMMITTED writes no binary log of statements. */
static int check_variables(const struct variables *v, struct error *e)
{
        if (!is_off(v->super_read_only))
                return refuse_read_only(e);
        if (!is_off(v->log_bin) && !strcasecmp(v->format, "STATEMENT"))
                return error_set(e, ERROR_CONFIG,
                        "target: binlog_format is STATEMENT, with which rows cannot be written "
                        "under READ COMMITTED: set global binlog_format = ROW");
        return check_durable(v, e);
}

static int take_server(struct my_session *s, const struct answer *a, struct error *e)
{
        struct variables v = {"", "", "", "", "", ""};
        MYSQL_ROW row;

        if (a->statement == 0) {
                row = mysql_fetch_row(a->rows);
                return row ? take_connection(s, row, e)
                           : error_set(e, ERROR_BUG, "target: no connection number");
        }
        read_variables(&v, a->rows);
        s->read_only = !is_off(v.read_only);
        return check_variables(&v, e);
}

static bool ask_format(struct my_session *s, struct buf *sql)
{
        (void)s;
        buf_str(sql, "select max(format) from culvert.meta");
        return true;
}

static int take_format(struct my_session *s, const struct answer *a, struct error *e)
{
        MYSQL_ROW row = mysql_fetch_row(a->rows);

        (void)s;
        if (row && row[0] && atoi(row[0]) == MY_META_FORMAT)
                return 0;
        return error_set(e, ERROR_CONFIG,
                "database culvert on the target has format %.20s, this culvert %s knows %d",
                row && row[0] ? row[0] : "none", CULVERT_VERSION, MY_META_FORMAT);
}

/* Behind a cutover the side that does not lead is fenced by culvert itself (ops/fence.h), and our
 * role passes. */
static bool ask_fence(struct my_session *s, struct buf *sql)
{
        buf_str(sql, "select count(*) from culvert.fence");
        return s->read_only;
}

static int take_fence(struct my_session *s, const struct answer *a, struct error *e)
{
        MYSQL_ROW row = mysql_fetch_row(a->rows);

        (void)s;
        return row && strcmp(row[0], "0") != 0 ? 0 : refuse_read_only(e);
}

/* ---- the lock ---- */

/* Our own former connection may live on in the server behind a cut network, with a transaction open
 * and the lock held. Numbers begin again when a server restarts: the lock proves that it is ours.
 */
static bool ask_former(struct my_session *s, struct buf *sql)
{
        buf_printf(sql, "select is_used_lock('%s')", s->lock);
        return s->former != 0;
}

static int take_former(struct my_session *s, const struct answer *a, struct error *e)
{
        MYSQL_ROW row = mysql_fetch_row(a->rows);

        (void)e;
        s->former_lives = row && row[0] && strtoull(row[0], NULL, 10) == s->former;
        return 0;
}

/* It may be gone by now. */
static bool ask_kill(struct my_session *s, struct buf *sql)
{
        buf_printf(sql, "kill %" PRIu64, s->former);
        return s->former_lives;
}

static int take_any(struct my_session *s, const struct answer *a, struct error *e)
{
        (void)s;
        (void)a;
        (void)e;
        return 0;
}

/* The server lets go of a closed connection's lock a moment later. */
static bool ask_lock(struct my_session *s, struct buf *sql)
{
        buf_printf(sql, "select get_lock('%s', %d)", s->lock, s->former_lives ? 10 : 2);
        return true;
}

static int take_lock(struct my_session *s, const struct answer *a, struct error *e)
{
        MYSQL_ROW row = mysql_fetch_row(a->rows);

        if (row && row[0] && !strcmp(row[0], "1"))
                return 0;
        return error_set(e, ERROR_RETRY,
                "target: another session holds the lock of pipeline %s; is a second culvertd "
                "running?",
                s->pipeline);
}

/* ---- the session ---- */

/*
 * Beyond what every session of culvert begins with (my_session_sql). What is not committed by us
 * must never be: without autocommit not even a statement that follows a deadlock, which rolled its
 * transaction back. Values are stored as they come: 0 is not "the next number", and a date that the
 * source has taken is taken here. A connection that is cut off is ended by the server in a minute;
 * the sink has a word with it before (HAZARDS B8). Triggers may look at @culvert_apply (HAZARDS
 * A9).
 */
const char my_session_apply_sql[] =
        "set @culvert_apply = 1, autocommit = 0, sql_mode = "
        "'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION', "
        "foreign_key_checks = 0, unique_checks = 1, wait_timeout = 60, lock_wait_timeout = 60, "
        "innodb_lock_wait_timeout = 60";

static bool ask_settings(struct my_session *s, struct buf *sql)
{
        (void)s;
        buf_str(sql, my_session_apply_sql);
        return true;
}

/* ---- the epoch ---- */

static bool ask_epoch(struct my_session *s, struct buf *sql)
{
        my_meta_epoch_sql(sql, s->pipeline);
        return true;
}

static int no_checkpoint(const struct my_session *s, struct error *e)
{
        return error_set(e, ERROR_DATA,
                "resync required: the target has no checkpoint of pipeline %s", s->pipeline);
}

static int take_epoch(struct my_session *s, const struct answer *a, struct error *e)
{
        struct sink_start *start = &s->result.start;
        MYSQL_ROW row;

        if (a->statement == MY_META_EPOCH_UPDATE && a->found != 1)
                return no_checkpoint(s, e);
        if (a->statement != MY_META_EPOCH_READ)
                return 0;
        row = mysql_fetch_row(a->rows);
        if (!row || !*row[1])
                return no_checkpoint(s, e);
        start->epoch = strtoull(row[0], NULL, 10) + 1;
        if (position_parse(&start->position, row[1], e) < 0)
                return -1;
        free(start->gtids);
        start->gtids = memory_string(position_gtids(row[1]));
        return identity_parse(&start->identity, row[2], e);
}

/* ---- quarantine ---- */

/* After the epoch: nobody else changes it from here on. */
static bool ask_quarantine(struct my_session *s, struct buf *sql)
{
        AUTO_BUF pipeline = BUF_INIT;
        const char *p;

        my_literal(&pipeline, s->pipeline, strlen(s->pipeline));
        p = buf_text(&pipeline);
        buf_printf(sql,
                "select count(*) from culvert.quarantine where pipeline = %s;"
                "(select table_schema, table_name, row_id from culvert.quarantine where pipeline = "
                "%s) union (select table_schema, table_name, row_to from culvert.quarantine where "
                "pipeline = %s and row_to is not null) limit %zu;commit",
                p, p, p, s->quarantine->max + 1);
        return true;
}

static int take_quarantine(struct my_session *s, const struct answer *a, struct error *e)
{
        MYSQL_ROW row;

        if (a->statement == 0) {
                quarantine_clear(s->quarantine);
                row = mysql_fetch_row(a->rows);
                s->quarantine->changes = row ? strtoull(row[0], NULL, 10) : 0;
        }
        while (a->statement == 1 && (row = mysql_fetch_row(a->rows))) {
                struct quarantine_key k = {
                        quarantine_hash(row[0], row[1]), (uint64_t)strtoll(row[2], NULL, 10)};

                if (quarantine_add(s->quarantine, k, e) < 0)
                        return -1;
        }
        return 0;
}

/* ---- steps ---- */

static const struct step steps[] = {
        {ask_server, take_server, false},
        {ask_format, take_format, false},
        {ask_fence, take_fence, false},
        {ask_former, take_former, false},
        {ask_kill, take_any, true},
        {ask_lock, take_lock, false},
        {ask_settings, take_any, false},
        {ask_epoch, take_epoch, false},
        {ask_quarantine, take_quarantine, false},
        {NULL, NULL, false},
};

static void on_answer(void *context, unsigned statement, uint64_t found, MYSQL_RES *rows)
{
        struct my_session *s = context;
        struct answer a = {statement, found, rows};

        if (!s->failed && s->step->take(s, &a, &s->error) < 0)
                s->failed = true;
}

static void on_done(void *context, unsigned answered, const struct error *e);

static void run_step(struct my_session *s)
{
        AUTO_BUF sql = BUF_INIT;

        while (s->step->ask && !s->step->ask(s, &sql)) {
                buf_clear(&sql);
                s->step++;
        }
        if (s->step->ask)
                my_link_batch(s->link, &sql, on_answer, on_done, s);
        else
                s->done(s->context, &s->result, NULL);
}

static void on_done(void *context, unsigned answered, const struct error *e)
{
        struct my_session *s = context;

        (void)answered;
        if (e && !s->step->may_fail) {
                s->done(s->context, NULL, e);
                return;
        }
        if (s->failed) {
                s->done(s->context, NULL, &s->error);
                return;
        }
        s->step++;
        run_step(s);
}

struct my_session *my_session_new(struct my_link *k, const struct my_session_setup *setup,
        my_session_done *done, void *context)
{
        struct my_session *s = memory_new_of(struct my_session);
        AUTO_STRING version = my_version_text(my_link_conn(k));

        s->link = k;
        s->pipeline = memory_string(setup->pipeline);
        my_meta_lock_name(s->pipeline, s->lock);
        s->former = setup->former;
        s->quarantine = setup->quarantine;
        s->done = done;
        s->context = context;
        s->result.engine = my_engine(my_link_conn(k));
        snprintf(s->result.version, sizeof s->result.version, "%s", version);
        s->step = steps;
        run_step(s);
        return s;
}

struct my_session *my_session_free(struct my_session *s)
{
        if (!s)
                return NULL;
        free(s->pipeline);
        free(s->result.start.gtids);
        free(s);
        return NULL;
}
