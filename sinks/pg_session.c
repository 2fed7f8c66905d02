#include "sinks/pg_session.h"
#include "base/memory.h"
#include "db/pg_meta.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pg_session {
        struct pg_link *link;
        char *pipeline;
        struct pg_session_backend former;
        struct quarantine *quarantine;
        pg_session_done *done;
        void *context;
        struct pg_session_result result;
        const struct step *step;
        char origin[PG_META_ORIGIN_NAME];
        bool recorded; /* the row names the origin already */
};

/* A step asks one question, or none (false); `take` judges the answer. */
struct step {
        bool (*ask)(struct pg_session *s);
        int (*take)(struct pg_session *s, PGresult *r, const struct error *failed, struct error *e);
};

static void on_answer(void *context, PGresult *r, const struct error *e);

static bool ask(struct pg_session *s, const char *sql, int n, const char *const *values)
{
        pg_link_query(s->link, on_answer, s, sql, n, values);
        return true;
}

static int must(PGresult *r, const struct error *failed, struct error *e)
{
        if (r)
                return 0;
        *e = *failed;
        return -1;
}

static int take_any(struct pg_session *s, PGresult *r, const struct error *failed, struct error *e)
{
        (void)s;
        return must(r, failed, e);
}

/* A pooler answers with a backend that is not the one which libpq was told of when it connected:
 * session state would be somebody else's (HAZARDS B8). */
static bool ask_facts(struct pg_session *s)
{
        return ask(s,
                "select pg_catalog.pg_backend_pid(), (select backend_start::text from "
                "pg_catalog.pg_stat_activity where pid = pg_catalog.pg_backend_pid()), "
                "pg_catalog.current_setting('server_version'), "
                "pg_catalog.current_setting('fsync'), pg_catalog.pg_is_in_recovery(), "
                "pg_catalog.to_regclass('culvert.meta') is not null",
                0, NULL);
}

static int take_facts(
        struct pg_session *s, PGresult *r, const struct error *failed, struct error *e)
{
        if (must(r, failed, e) < 0)
                return -1;
        s->result.backend.pid = atoi(pg_text(r, 0, 0));
        snprintf(s->result.backend.started, sizeof s->result.backend.started, "%s",
                pg_text(r, 0, 1));
        snprintf(s->result.version, sizeof s->result.version, "%.*s",
                (int)strcspn(pg_text(r, 0, 2), " "), pg_text(r, 0, 2));
        if (s->result.backend.pid != PQbackendPID(pg_link_conn(s->link)))
                return error_set(e, ERROR_CONFIG,
                        "target: a connection pooler is in between; locks and session settings "
                        "need "
                        "a connection to the server itself");
        if (!strcmp(pg_text(r, 0, 3), "off"))
                return error_set(e, ERROR_CONFIG,
                        "target: fsync is off, so nothing that it commits is safe");
        if (pg_true(r, 0, 4))
                return error_set(e, ERROR_RETRY, "target: the server is a standby (in recovery)");
        if (!pg_true(r, 0, 5))
                return error_set(
                        e, ERROR_DATA, "resync required: schema culvert is gone from the target");
        return 0;
}

static bool ask_format(struct pg_session *s)
{
        return ask(s, "select max(format) from culvert.meta", 0, NULL);
}

static int take_format(
        struct pg_session *s, PGresult *r, const struct error *failed, struct error *e)
{
        (void)s;
        if (must(r, failed, e) < 0)
                return -1;
        if (atoi(pg_text(r, 0, 0)) != PG_META_FORMAT)
                return error_set(e, ERROR_CONFIG,
                        "schema culvert on the target has format %s, this culvert %s knows %d",
                        pg_text(r, 0, 0), CULVERT_VERSION, PG_META_FORMAT);
        return 0;
}

/* Our own former connection may live on in the server behind a cut network, with a transaction
 * open and the lock held. */
static bool ask_former(struct pg_session *s)
{
        char pid[16];
        const char *values[] = {pid, s->former.started};

        snprintf(pid, sizeof pid, "%d", s->former.pid);
        return ask(s,
                "select pg_catalog.pg_terminate_backend(pid) from "
                "pg_catalog.pg_stat_activity where pid = $1::int and backend_start = nullif($2, "
                "'')::timestamptz "
                "and pid <> pg_catalog.pg_backend_pid()",
                2, values);
}

static bool ask_lock(struct pg_session *s)
{
        const char *values[] = {s->pipeline};

        return ask(s, PG_META_LOCK_SQL, 1, values);
}

static int take_lock(struct pg_session *s, PGresult *r, const struct error *failed, struct error *e)
{
        if (must(r, failed, e) < 0)
                return -1;
        if (!pg_true(r, 0, 0))
                return error_set(e, ERROR_RETRY,
                        "target: another session holds the lock of pipeline %s; is a second "
                        "culvertd running?",
                        s->pipeline);
        return 0;
}

static bool ask_role(struct pg_session *s)
{
        return ask(s, "set session_replication_role = replica", 0, NULL);
}

/* Without the right (SQLSTATE 42501) foreign keys and triggers of the target stay on: the sink
 * warns. */
static int take_role(struct pg_session *s, PGresult *r, const struct error *failed, struct error *e)
{
        s->result.replica_role = r != NULL;
        if (r || !strcmp(failed->code, "42501"))
                return 0;
        return must(r, failed, e);
}

static bool ask_limits(struct pg_session *s)
{
        return ask(s,
                "set synchronous_commit = on; set lock_timeout = '60s';"
                "set idle_in_transaction_session_timeout = '60s';"
                "set tcp_keepalives_idle = 20; set tcp_keepalives_interval = 10;"
                "set tcp_keepalives_count = 4",
                0, NULL);
}

static bool ask_epoch(struct pg_session *s)
{
        const char *values[] = {s->pipeline, "forward"};

        return ask(s, PG_META_EPOCH_SQL, 2, values);
}

static int take_epoch(
        struct pg_session *s, PGresult *r, const struct error *failed, struct error *e)
{
        struct sink_start *start = &s->result.start;

        if (must(r, failed, e) < 0)
                return -1;
        if (PQntuples(r) != 1 || *pg_text(r, 0, 1) == '\0')
                return error_set(e, ERROR_DATA,
                        "resync required: the target has no checkpoint of pipeline %s",
                        s->pipeline);
        start->epoch = strtoull(pg_text(r, 0, 0), NULL, 10);
        s->recorded = *pg_text(r, 0, 4) != '\0';
        s->result.turn = strtoull(pg_text(r, 0, 6), NULL, 10);
        if (pg_meta_origin_name(r, s->pipeline, s->origin, e) < 0)
                return -1;
        if (position_parse(&start->position, pg_text(r, 0, 1), e) < 0)
                return -1;
        start->gtids = memory_string(position_gtids(pg_text(r, 0, 1)));
        return identity_parse(&start->identity, pg_text(r, 0, 2), e);
}

/* Without the rights the row alone keeps the position; once the row names an origin, only the
 * origin knows it exactly. */
static bool ask_origin_right(struct pg_session *s)
{
        return ask(s, PG_META_ORIGIN_RIGHT_SQL, 0, NULL);
}

static int take_origin_right(
        struct pg_session *s, PGresult *r, const struct error *failed, struct error *e)
{
        if (must(r, failed, e) < 0)
                return -1;
        /* an origin holds LSNs only (HAZARDS C1): positions of a binlog stay in the row */
        s->result.origin = pg_true(r, 0, 0) && s->result.start.position.file == 0;
        if (!s->recorded || s->result.origin)
                return 0;
        return error_set(e, ERROR_CONFIG,
                "target: the position is kept in replication origin %s, and the role may not use "
                "replication origins any more: grant execute on the functions that "
                "conf/postgresql-target.sql lists",
                s->origin);
}

static bool ask_origin_create(struct pg_session *s)
{
        const char *values[] = {s->origin};

        return s->result.origin && !s->recorded && ask(s, PG_META_ORIGIN_CREATE_SQL, 1, values);
}

/* One session at a time has an origin: SQLSTATE 55006 while an older one lives. */
static bool ask_origin_setup(struct pg_session *s)
{
        const char *values[] = {s->origin};

        return s->result.origin &&
               ask(s, "select pg_catalog.pg_replication_origin_session_setup($1)", 1, values);
}

/* States of origins share max_replication_slots (SQLSTATE 53400 when none is free); without one the
 * row serves. */
static int take_origin_setup(
        struct pg_session *s, PGresult *r, const struct error *failed, struct error *e)
{
        if (r || strcmp(failed->code, "53400") != 0)
                return must(r, failed, e);
        s->result.origin = false;
        if (!s->recorded)
                return 0;
        return error_set(e, ERROR_CONFIG,
                "target: no replication state is free for origin %s: raise max_replication_slots",
                s->origin);
}

static bool ask_origin_record(struct pg_session *s)
{
        const char *values[] = {s->pipeline, s->origin};

        return s->result.origin && !s->recorded &&
               ask(s,
                       "update culvert.checkpoint set origin = $2, counter = counter + 1 where "
                       "pipeline = $1 and direction = 'forward' and lane = 0",
                       2, values);
}

static bool ask_progress(struct pg_session *s)
{
        const char *values[] = {s->origin};

        return s->result.origin && ask(s, PG_META_ORIGIN_PROGRESS_SQL, 1, values);
}

static int take_progress(
        struct pg_session *s, PGresult *r, const struct error *failed, struct error *e)
{
        if (must(r, failed, e) < 0)
                return -1;
        return pg_meta_origin_position(r, s->origin, &s->result.start.position, e);
}

/* After the epoch: nobody else changes it from here on. */
static bool ask_quarantine(struct pg_session *s)
{
        char most[24];
        const char *values[] = {s->pipeline, most};

        snprintf(most, sizeof most, "%zu", s->quarantine->max + 1);
        return ask(s,
                "select table_schema, table_name, k, (select count(*) from culvert.quarantine "
                "where pipeline = $1) from (select table_schema, table_name, row_id as k from "
                "culvert.quarantine where pipeline = $1 union select table_schema, table_name, "
                "row_to from culvert.quarantine where pipeline = $1 and row_to is not null) as q "
                "limit $2::bigint",
                2, values);
}

static int take_quarantine(
        struct pg_session *s, PGresult *r, const struct error *failed, struct error *e)
{
        if (must(r, failed, e) < 0)
                return -1;
        quarantine_clear(s->quarantine);
        for (int i = 0; i < PQntuples(r); i++) {
                struct quarantine_key k = {quarantine_hash(pg_text(r, i, 0), pg_text(r, i, 1)),
                        (uint64_t)strtoll(pg_text(r, i, 2), NULL, 10)};

                s->quarantine->changes = strtoull(pg_text(r, i, 3), NULL, 10);
                if (quarantine_add(s->quarantine, k, e) < 0)
                        return -1;
        }
        return 0;
}

/* Data and checkpoint are in one transaction, so a target crash takes both back; what is
 * acknowledged waits for the durability marker. Every statement of ours finds its rows by a key,
 * and has its plan from when the table was small: culvert.checkpoint would be read whole although
 * it has grown since under a long snapshot. */
static bool ask_async(struct pg_session *s)
{
        return ask(s,
                "set synchronous_commit = off; set lock_timeout = 0; set random_page_cost = 0.1", 0,
                NULL);
}

static const struct step steps[] = {
        {ask_facts, take_facts},
        {ask_format, take_format},
        {ask_former, take_any},
        {ask_lock, take_lock},
        {ask_role, take_role},
        {ask_limits, take_any},
        {ask_epoch, take_epoch},
        {ask_origin_right, take_origin_right},
        {ask_origin_create, take_any},
        {ask_origin_setup, take_origin_setup},
        {ask_origin_record, take_any},
        {ask_progress, take_progress},
        {ask_quarantine, take_quarantine},
        {ask_async, take_any},
        {NULL, NULL},
};

static void on_answer(void *context, PGresult *r, const struct error *failed)
{
        struct pg_session *s = context;
        struct error e = ERROR_INIT;

        if (s->step->take(s, r, failed, &e) < 0) {
                s->done(s->context, NULL, &e);
                return;
        }
        do
                s->step++;
        while (s->step->ask && !s->step->ask(s));
        if (!s->step->ask)
                s->done(s->context, &s->result, NULL);
}

struct pg_session *pg_session_new(struct pg_link *k, const char *pipeline,
        const struct pg_session_backend *former, struct quarantine *quarantine,
        pg_session_done *done, void *context)
{
        struct pg_session *s = memory_new_of(struct pg_session);

        s->link = k;
        s->pipeline = memory_string(pipeline);
        s->former = *former;
        s->quarantine = quarantine;
        s->done = done;
        s->context = context;
        s->step = steps;
        s->step->ask(s);
        return s;
}

struct pg_session *pg_session_free(struct pg_session *s)
{
        if (!s)
                return NULL;
        free(s->pipeline);
        free(s->result.start.gtids);
        free(s);
        return NULL;
}
