/*
 * The fence of a MySQL-family database (ops/fence.h). Nothing here is of one transaction, so what a
 * step changes is noted before, and each step may find its work done. A pipeline that was raising
 * when it was killed is lowered, or raised to the end, from the notes:
 *
 *   fence      -          raising | up
 *   read_only  -          @@global.read_only
 *   events     -          @@global.event_scheduler
 *   account    its name   was open
 *
 * Why the scheduler and not each event: ALTER EVENT makes whoever runs it the event's definer.
 */
#include "ops/fence_private.h"
#include "base/memory.h"
#include "db/my_meta.h"
#include "decoders/binlog_identity.h"

#include <inttypes.h>
#include <mysqld_error.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LOCK_SECONDS 1 /* of one attempt at the global lock: writers wait behind it */

int fence_my_open(struct fence_my *m, const struct fence_request *q, struct error *e)
{
        MYSQL_ROW row;

        *m = (struct fence_my){.q = q};
        if (!(m->params = my_params_new(&q->config->source, "source", e)) ||
                !(m->conn = halt_my_connect(q->halt, m->params, e)))
                return -1;
        AUTO_MY_RESULT r = my_query(m->conn, e,
                "select substring_index(user(), '@', 1), substring_index(user(), '@', -1)");

        if (!r || !(row = mysql_fetch_row(r)))
                return -1;
        m->user = memory_string(row[0]);
        m->host = memory_string(row[1]);
        return 0;
}

void fence_my_done(struct fence_my *m)
{
        halt_my_close(m->q->halt, &m->conn);
        my_params_free(m->params);
        free(m->user);
        free(m->host);
}

int fence_my_prepared(struct fence_my *m, struct error *e)
{
        AUTO_MY_RESULT r = my_query(m->conn, e, "xa recover convert xid");
        MYSQL_ROW row;

        if (!r && mysql_errno(m->conn) == ER_PARSE_ERROR) { /* MariaDB */
                error_clear(e);
                r = my_query(m->conn, e, "xa recover format='SQL'");
        }
        if (!r)
                return -1;
        if (!(row = mysql_fetch_row(r)))
                return 0;
        return error_set(e, ERROR_CONFIG,
                "%" PRIu64
                " XA transactions are prepared on the source, %.64s first: they could be "
                "committed behind the fence. End them by XA COMMIT or XA ROLLBACK",
                (uint64_t)mysql_num_rows(r), row[mysql_num_fields(r) - 1]);
}

/* ---- notes ---- */

static void where(struct buf *out, const struct fence_my *m, const char *kind)
{
        const char *pipeline = m->q->config->pipeline.name;

        buf_str(out, " where pipeline = ");
        my_literal(out, pipeline, strlen(pipeline));
        if (kind)
                buf_printf(out, " and kind = '%s'", kind);
}

/* Of a kind; the first is `was`. No row: none is noted. */
static MYSQL_RES *notes(struct fence_my *m, const char *kind, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;

        buf_str(&sql, "select was, name from culvert.fence");
        where(&sql, m, kind);
        return my_query(m->conn, e, buf_text(&sql));
}

/* 0, and NULL into `was` when there is no such note. The caller frees. */
static int noted(struct fence_my *m, const char *kind, char **was, struct error *e)
{
        AUTO_MY_RESULT r = notes(m, kind, e);
        MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;

        *was = row ? memory_string(row[0]) : NULL;
        return r ? 0 : -1;
}

/* Not over one that is there: it is older, and knows better. `was`: an expression. */
static void note_sql(struct buf *out, const struct fence_my *m, const char *kind, const char *name,
        const char *was)
{
        const char *pipeline = m->q->config->pipeline.name;

        buf_str(out, "insert into culvert.fence (pipeline, kind, name, was, noted_at) select ");
        my_literal(out, pipeline, strlen(pipeline));
        buf_printf(out, ", '%s', ", kind);
        my_literal(out, name, strlen(name));
        buf_printf(out,
                ", %s, utc_timestamp(6) from dual where not exists (select 1 from "
                "culvert.fence f",
                was);
        where(out, m, kind);
        buf_str(out, " and name = ");
        my_literal(out, name, strlen(name));
        buf_str(out, ");");
}

static int note_all(struct fence_my *m, const struct fence_accounts *a, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;

        buf_str(&sql, "start transaction read write;");
        note_sql(&sql, m, "fence", "", "'raising'");
        note_sql(&sql, m, "read_only", "", "@@global.read_only");
        note_sql(&sql, m, "events", "", "@@global.event_scheduler");
        for (unsigned i = 0; i < a->n; i++)
                note_sql(&sql, m, "account", a->items[i].name, "'open'");
        buf_str(&sql, "commit");
        return my_run(m->conn, e, buf_text(&sql));
}

static int set_state(struct fence_my *m, const char *state, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;

        buf_printf(&sql, "update culvert.fence set was = '%s'", state);
        where(&sql, m, "fence");
        return my_run(m->conn, e, buf_text(&sql));
}

/* "", "raising", "up"; the caller frees. */
static int read_state(struct fence_my *m, char **state, struct error *e)
{
        AUTO_MY_RESULT r = my_query(m->conn, e,
                "select 1 from information_schema.tables where table_schema = 'culvert' and "
                "table_name = 'fence'");

        *state = NULL;
        if (!r || (mysql_num_rows(r) && noted(m, "fence", state, e) < 0))
                return -1;
        if (!*state)
                *state = memory_string("");
        return 0;
}

/* ---- the server's settings ---- */

struct settings {
        bool read_only, events;
};

static int read_settings(struct fence_my *m, struct settings *s, struct error *e)
{
        AUTO_MY_RESULT r = my_query(m->conn, e,
                "select cast(@@global.read_only as char) not in ('0', 'OFF'), "
                "@@global.event_scheduler = 'ON'");
        MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;

        if (!row)
                return -1;
        *s = (struct settings){!strcmp(row[0], "1"), !strcmp(row[1], "1")};
        return 0;
}

/* ---- raising ---- */

static int lock_accounts(struct fence_my *m, struct error *e)
{
        struct fence_accounts a;
        int rc = fence_accounts_read(m, &a, e);

        if (rc == 0 && (rc = note_all(m, &a, e)) == 0)
                rc = fence_accounts_alter(m, &a, "lock", e);
        fence_accounts_done(&a);
        return rc;
}

/* What runs by now has a session, which is ended as all are. */
static int stop_events(struct fence_my *m, struct error *e)
{
        struct settings s;

        if (read_settings(m, &s, e) < 0)
                return -1;
        return s.events ? my_run(m->conn, e, "set global event_scheduler = off") : 0;
}

static int lock_all(struct fence_my *m, int64_t deadline, struct error *e)
{
        if (my_runf(m->conn, e, "set session lock_wait_timeout = %d", LOCK_SECONDS) < 0)
                return -1;
        while (my_run(m->conn, e, "flush tables with read lock") < 0) {
                if (mysql_errno(m->conn) != ER_LOCK_WAIT_TIMEOUT || fence_now() >= deadline)
                        return error_context(e, "the lock under which the fence is raised");
                error_clear(e);
                if (halt_check(m->q->halt, e) < 0)
                        return -1;
        }
        return 0;
}

/* Nothing can be committed now. */
static int take_position(struct fence_my *m, struct position *at, struct error *e)
{
        struct source_identity ignored;

        if (fence_my_prepared(m, e) < 0 || binlog_identity(m->conn, &ignored, at, e) < 0)
                return -1;
        return my_run(m->conn, e, "set global read_only = on");
}

static int close_off(struct fence_my *m, int64_t deadline, struct position *at, struct error *e)
{
        struct error ignored = ERROR_INIT;
        int rc;

        if (lock_all(m, deadline, e) < 0)
                return -1;
        rc = take_position(m, at, e);
        if (my_run(m->conn, rc < 0 ? &ignored : e, "unlock tables") < 0)
                rc = -1;
        return rc;
}

static int raise_all(struct fence_my *m, struct fence_result *r, struct error *e)
{
        int64_t deadline = fence_now() + m->q->timeout;

        if (my_meta_bring_up(m->conn, e) < 0 || lock_accounts(m, e) < 0 || stop_events(m, e) < 0 ||
                fence_sessions_end(m, deadline, &r->sessions_ended, e) < 0 ||
                fence_my_prepared(m, e) < 0 || close_off(m, deadline, &r->at, e) < 0)
                return -1;
        return set_state(m, "up", e);
}

/* ---- lowering ---- */

static int restore_settings(struct fence_my *m, struct error *e)
{
        AUTO_STRING read_only = NULL;
        AUTO_STRING events = NULL;

        if (noted(m, "read_only", &read_only, e) < 0 || noted(m, "events", &events, e) < 0)
                return -1;
        if (read_only && my_runf(m->conn, e, "set global read_only = %s", read_only) < 0)
                return -1;
        return events && !strcasecmp(events, "ON")
                       ? my_run(m->conn, e, "set global event_scheduler = on")
                       : 0;
}

static int unlock_accounts(struct fence_my *m, struct error *e)
{
        AUTO_MY_RESULT r = notes(m, "account", e);
        struct fence_accounts a = {0};
        int rc;

        if (!r)
                return -1;
        a.items = memory_new(((size_t)mysql_num_rows(r) + 1) * sizeof *a.items);
        for (MYSQL_ROW row; (row = mysql_fetch_row(r));)
                a.items[a.n++].name = memory_string(row[1]);
        rc = fence_accounts_alter(m, &a, "unlock", e);
        fence_accounts_done(&a);
        return rc;
}

static int take_down(struct fence_my *m, struct error *e)
{
        AUTO_BUF forget = BUF_INIT;
        AUTO_STRING state = NULL;

        if (read_state(m, &state, e) < 0)
                return -1;
        if (!*state)
                return 0;
        buf_str(&forget, "delete from culvert.fence");
        where(&forget, m, NULL);
        if (restore_settings(m, e) < 0 || unlock_accounts(m, e) < 0 ||
                my_run(m->conn, e, buf_text(&forget)) < 0)
                return error_context(e, "lowering the fence");
        return 0;
}

/* By a connection of its own: the other one may be what failed. */
static int undo(const struct fence_request *q, struct error *e)
{
        struct fence_my m;
        int rc = fence_my_open(&m, q, e);

        if (rc == 0)
                rc = take_down(&m, e);
        fence_my_done(&m);
        return rc;
}

static int my_raise(const struct fence_request *q, struct fence_result *r, struct error *e)
{
        struct error undone = ERROR_INIT;
        AUTO_STRING state = NULL;
        struct fence_my m;
        int rc = fence_my_open(&m, q, e);

        if (rc == 0)
                rc = read_state(&m, &state, e);
        if (rc == 0)
                rc = raise_all(&m, r, e);
        fence_my_done(&m);
        if (rc == 0 || !state || !strcmp(state, "up") || undo(q, &undone) == 0)
                return rc;
        return error_context(e, "%s; the source may stay fenced", undone.message);
}

static int my_lower(const struct fence_request *q, struct error *e)
{
        return undo(q, e);
}

/* ---- questions ---- */

static int my_is_up(const struct fence_request *q, bool *up, struct error *e)
{
        AUTO_STRING state = NULL;
        struct fence_my m;
        int rc = fence_my_open(&m, q, e);

        if (rc == 0)
                rc = read_state(&m, &state, e);
        *up = rc == 0 && !strcmp(state, "up");
        fence_my_done(&m);
        return rc;
}

/* Somebody may open an account again, to read; one that passes read_only may not be. */
static int find_open(struct fence_my *m, bool *holds, struct error *e)
{
        struct fence_accounts a;

        if (fence_accounts_read(m, &a, e) < 0)
                return -1;
        *holds = true;
        for (unsigned i = 0; i < a.n && *holds; i++)
                if (a.items[i].strong) {
                        *holds = false;
                        error_set(e, ERROR_CONFIG,
                                "the fence does not hold: account %s is open, and read_only does "
                                "not stop it",
                                a.items[i].name);
                }
        fence_accounts_done(&a);
        return 0;
}

static int prove(struct fence_my *m, bool *holds, struct error *e)
{
        AUTO_STRING state = NULL;
        struct settings s;

        if (read_state(m, &state, e) < 0 || read_settings(m, &s, e) < 0)
                return -1;
        if (!strcmp(state, "up") && s.read_only && !s.events)
                return find_open(m, holds, e);
        error_set(e, ERROR_CONFIG, "the fence does not hold: %s",
                strcmp(state, "up") != 0 ? "it is not up"
                : s.read_only            ? "events are on (event_scheduler)"
                                         : "read_only is off");
        return 0;
}

static int my_prove(const struct fence_request *q, bool *holds, struct error *e)
{
        struct fence_my m;
        int rc = fence_my_open(&m, q, e);

        if (rc == 0)
                rc = prove(&m, holds, e);
        fence_my_done(&m);
        return rc;
}

const struct fence_ops fence_my_ops = {.check = fence_my_check,
        .raise = my_raise,
        .is_up = my_is_up,
        .lower = my_lower,
        .prove = my_prove};
