#include "ops/pg_source.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/loop.h"
#include "db/pg_slot.h"
#include "db/pg_timeline.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DROP_TRIES 100 /* 5 s */

int pg_source_identity(
        PGconn *replication, const char *slot, struct source_identity *id, struct error *e)
{
        AUTO_RESULT r = NULL;

        if (pg_slot_server_ready(replication, e) < 0)
                return -1;
        r = PQexec(replication, "IDENTIFY_SYSTEM");
        if (PQresultStatus(r) != PGRES_TUPLES_OK)
                return pg_error(e, replication, r, "source: IDENTIFY_SYSTEM");
        if (PQntuples(r) != 1 || PQnfields(r) < 2)
                return error_set(e, ERROR_BUG, "source: IDENTIFY_SYSTEM gave no row");
        snprintf(id->system, sizeof id->system, "%s", pg_text(r, 0, 0));
        id->timeline = (uint32_t)strtoul(pg_text(r, 0, 1), NULL, 10);
        snprintf(id->slot, sizeof id->slot, "%s", slot);
        return 0;
}

/* The server's own history, as its file has it. */
static PGresult *read_history(PGconn *replication, uint32_t timeline, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;
        PGresult *r;

        buf_printf(&sql, "TIMELINE_HISTORY %" PRIu32, timeline);
        r = PQexec(replication, buf_text(&sql));
        if (PQresultStatus(r) == PGRES_TUPLES_OK && PQntuples(r) == 1 && PQnfields(r) >= 2)
                return r;
        pg_error(e, replication, r, "source: TIMELINE_HISTORY");
        PQclear(r);
        return NULL;
}

static void say_moved(
        const struct source_identity *stored, const struct source_identity *now, const char *left)
{
        log_event(LOG_LEVEL_WARNING, LOG_PLAIN, NULL,
                "the source is a promoted standby: it was on timeline %" PRIu32
                ", it is on timeline %" PRIu32 " since %s; it has all that the target has, so the "
                "stream goes on there",
                stored->timeline, now->timeline, left);
}

int pg_source_follow(PGconn *replication, const struct source_identity *stored,
        const struct source_identity *now, struct position at, struct error *e)
{
        struct source_identity later = *stored;
        struct position left;
        AUTO_RESULT r = NULL;
        char a[POSITION_TEXT], b[POSITION_TEXT];

        if (now->timeline > stored->timeline)
                later.timeline = now->timeline;
        if (identity_check(&later, now, e) < 0)
                return -1;
        if (later.timeline == stored->timeline)
                return 0;
        if (!(r = read_history(replication, now->timeline, e)) ||
                pg_timeline_left(pg_text(r, 0, 1), stored->timeline, &left, e) < 0)
                return -1;
        if (position_compare(at, left) <= 0) {
                say_moved(stored, now, position_format(left, a));
                return 1;
        }
        return error_set(e, ERROR_DATA,
                "resync required: the source is a promoted standby, which left timeline %" PRIu32
                " at %s; the checkpoint %s is ahead of that: what was committed in between is on "
                "the target and not on this server",
                stored->timeline, position_format(left, a), position_format(at, b));
}

int pg_slot_set_failover(PGconn *source, PGconn *replication, const char *slot, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;
        AUTO_RESULT r = NULL;
        AUTO_RESULT done = NULL;

        if (PQserverVersion(source) < 170000)
                return 0;
        r = pg_query(source, e,
                "select 1 from pg_catalog.pg_replication_slots s where s.slot_name = $1 "
                "and pg_catalog.to_jsonb(s) ->> 'failover' = 'false'",
                1, &slot);
        if (!r || PQntuples(r) == 0)
                return r ? 0 : -1;
        buf_str(&sql, "ALTER_REPLICATION_SLOT ");
        pg_ident(&sql, slot);
        buf_str(&sql, " (FAILOVER true)");
        done = PQexec(replication, buf_text(&sql));
        return PQresultStatus(done) == PGRES_COMMAND_OK
                       ? 0
                       : pg_error(e, replication, done, "source: ALTER_REPLICATION_SLOT");
}

int pg_slot_exists(PGconn *source, const char *slot, struct error *e)
{
        AUTO_RESULT r = pg_query(source, e,
                "select 1 from pg_catalog.pg_replication_slots where slot_name = $1", 1, &slot);

        return r ? PQntuples(r) : -1;
}

/* The columns of SLOT_SQL. */
enum { PLUGIN, DATABASE_OK, DATABASE, KIND, TEMPORARY, PID, WAL, INVALID };

#define SLOT_SQL                                                                                   \
        "select coalesce(s.plugin, ''), s.database = pg_catalog.current_database(),"               \
        " coalesce(s.database, ''), s.slot_type, s.temporary, coalesce(s.active_pid::text, ''),"   \
        " coalesce(s.wal_status, ''),"                                                             \
        " " PG_SLOT_REASON " from pg_catalog.pg_replication_slots s where s.slot_name = $1"

/* Is it a slot as culvert makes them, with its WAL? */
static int check_kind(const PGresult *r, const char *slot, struct error *e)
{
        if (strcmp(pg_text(r, 0, KIND), "logical") != 0 || pg_true(r, 0, TEMPORARY))
                return error_set(e, ERROR_DATA,
                        "resync required: slot %s is %s%s now, not made by us", slot,
                        pg_true(r, 0, TEMPORARY) ? "temporary, " : "", pg_text(r, 0, KIND));
        if (strcmp(pg_text(r, 0, PLUGIN), "pgoutput") != 0)
                return error_set(e, ERROR_DATA,
                        "resync required: slot %s has plug-in %s, not pgoutput", slot,
                        pg_text(r, 0, PLUGIN));
        if (!pg_true(r, 0, DATABASE_OK))
                return error_set(e, ERROR_DATA, "resync required: slot %s belongs to database %s",
                        slot, pg_text(r, 0, DATABASE));
        return pg_slot_usable(slot, pg_text(r, 0, WAL), pg_text(r, 0, INVALID), e);
}

int pg_slot_check(PGconn *source, const char *slot, struct error *e)
{
        AUTO_RESULT r = pg_query(source, e, SLOT_SQL, 1, &slot);

        if (!r)
                return error_context(e, "source");
        if (PQntuples(r) == 0)
                return error_set(e, ERROR_DATA,
                        "resync required: slot %s is gone; what was committed on the source since "
                        "the "
                        "checkpoint can not be had any more",
                        slot);
        if (check_kind(r, slot, e) < 0)
                return -1;
        if (*pg_text(r, 0, PID))
                return error_set(e, ERROR_RETRY, "slot %s is in use by process %s on the source",
                        slot, pg_text(r, 0, PID));
        return 0;
}

static int64_t now(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * SECOND + t.tv_nsec / 1000;
}

/* Who keeps the slot from being made: sessions with a transaction id, and prepared transactions. */
static int say_waiting(PGconn *replication, PGconn *source, int64_t timeout, struct error *e)
{
        char pid[16];
        const char *values[] = {pid};
        AUTO_RESULT r = NULL;
        AUTO_BUF list = BUF_INIT;

        snprintf(pid, sizeof pid, "%d", PQbackendPID(replication));
        r = pg_query(source, e,
                "select pg_catalog.format('process %s (%s, since %s)', a.pid, "
                " coalesce(nullif(a.application_name, ''), a.backend_type), "
                " pg_catalog.date_trunc('second', a.xact_start)) "
                "from pg_catalog.pg_stat_activity a where a.backend_xid is not null "
                "and a.pid <> $1::int and a.pid <> pg_catalog.pg_backend_pid() "
                "union all select pg_catalog.format('prepared transaction %L (since %s)', p.gid, "
                " pg_catalog.date_trunc('second', p.prepared)) from pg_catalog.pg_prepared_xacts p "
                "limit 6",
                1, values);
        if (!r)
                return error_context(e, "source");
        for (int i = 0; i < PQntuples(r); i++)
                buf_printf(&list, "%s%.120s", i ? ", " : "", pg_text(r, i, 0));
        return error_set(e, ERROR_RETRY,
                "the slot could not be made within %" PRId64
                " s (snapshot.slot_timeout): it waits for the end of %s",
                timeout / SECOND, list.len ? buf_text(&list) : "transactions that are over by now");
}

static void cancel(PGconn *c)
{
        PGcancel *x = PQgetCancel(c);
        char why[256];

        if (x)
                PQcancel(x, why, sizeof why);
        PQfreeCancel(x);
}

/* Waits for the server's answer. 1: it is there; 0: too late; -1. */
static int await(PGconn *c, int64_t deadline, struct halt *h, struct error *e)
{
        while (PQisBusy(c)) {
                struct pollfd p = {.fd = PQsocket(c), .events = POLLIN};

                if (halt_check(h, e) < 0)
                        return -1;
                if (now() >= deadline)
                        return 0;
                if (poll(&p, 1, 200) < 0 && errno != EINTR)
                        return error_set(e, ERROR_RETRY, "poll: %s", strerror(errno));
                if (!PQconsumeInput(c))
                        return pg_error(e, c, NULL, "source");
        }
        return 1;
}

static int read_made(PGconn *c, struct pg_slot *made, struct error *e)
{
        AUTO_RESULT r = PQgetResult(c);
        PGresult *more;

        while ((more = PQgetResult(c)))
                PQclear(more);
        if (PQresultStatus(r) != PGRES_TUPLES_OK)
                return pg_error(e, c, r, "source: making the slot");
        if (PQntuples(r) != 1 || PQnfields(r) < 3)
                return error_set(e, ERROR_BUG, "source: making the slot gave no row");
        snprintf(made->snapshot, sizeof made->snapshot, "%s", pg_text(r, 0, 2));
        return position_parse(&made->start, pg_text(r, 0, 1), e);
}

static void create_sql(PGconn *c, const struct pg_slot_order *o, struct buf *out)
{
        buf_str(out, "CREATE_REPLICATION_SLOT ");
        pg_ident(out, o->slot);
        buf_str(out, o->temporary ? " TEMPORARY" : "");
        if (PQserverVersion(c) >= 150000)
                buf_printf(out, " LOGICAL pgoutput (SNAPSHOT '%s'%s)",
                        o->snapshot ? "export" : "nothing",
                        PQserverVersion(c) >= 170000 && !o->temporary ? ", FAILOVER true" : "");
        else
                buf_printf(out, " LOGICAL pgoutput %s",
                        o->snapshot ? "EXPORT_SNAPSHOT" : "NOEXPORT_SNAPSHOT");
}

int pg_slot_create(PGconn *replication, PGconn *source, const struct pg_slot_order *order,
        struct halt *h, struct pg_slot *made, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;
        int rc;

        create_sql(replication, order, &sql);
        if (!PQsendQuery(replication, buf_text(&sql)))
                return pg_error(e, replication, NULL, "source: making the slot");
        rc = await(replication, now() + order->timeout, h, e);
        if (rc > 0)
                return read_made(replication, made, e);
        if (rc < 0)
                return -1;
        say_waiting(replication, source, order->timeout, e);
        /* The server removes a slot whose making was cancelled; wait until it has done so. */
        cancel(replication);
        if (read_made(replication, made, &(struct error)ERROR_INIT) == 0) {
                error_clear(e);
                return 0;
        }
        return -1;
}

static int drop_once(PGconn *source, const char *slot, struct error *e)
{
        AUTO_RESULT r =
                pg_query(source, e, "select pg_catalog.pg_drop_replication_slot($1)", 1, &slot);

        return r ? 0 : error_context(e, "dropping slot %s", slot);
}

int pg_slot_drop(PGconn *source, const char *slot, struct error *e)
{
        for (int tries = 0; drop_once(source, slot, e) < 0; tries++) {
                if (strcmp(e->code, "55006") != 0 || tries == DROP_TRIES) /* object_in_use */
                        return -1;
                error_clear(e);
                if (pg_run(source, e, "select pg_catalog.pg_sleep(0.05)") < 0)
                        return -1;
        }
        return 0;
}

int pg_slot_unknown(const char *slot, struct error *e)
{
        return error_set(e, ERROR_CONFIG,
                "slot %s exists on the source and belongs to nobody known here; if nothing uses "
                "it: select pg_drop_replication_slot('%s')",
                slot, slot);
}

int pg_source_rewritten(PGconn *anchor, struct error *e)
{
        AUTO_RESULT r = pg_query(anchor, e,
                "select n.nspname, c.relname from pg_catalog.pg_class c "
                "join pg_catalog.pg_namespace n on n.oid = c.relnamespace "
                "join pg_catalog.pg_locks l on l.locktype = 'relation' and l.relation = c.oid "
                "and l.pid = pg_catalog.pg_backend_pid() and l.mode = 'AccessShareLock' "
                "where c.relkind = 'r' and n.nspname !~ '^pg_' and c.relfilenode <> 0 "
                "and c.relfilenode is distinct from pg_catalog.pg_relation_filenode(c.oid)",
                0, NULL);

        if (!r || PQntuples(r) == 0)
                return r ? 0 : -1;
        error_set(e, ERROR_RETRY, "table %s.%s was rewritten while the copy began; it begins again",
                pg_text(r, 0, 0), pg_text(r, 0, 1));
        return 1;
}
