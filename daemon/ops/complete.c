#include "ops/complete.h"
#include "base/log.h"
#include "base/memory.h"
#include "ops/endpoint.h"
#include "ops/fence.h"
#include "ops/journal.h"
#include "ops/pg_source.h"
#include "ops/turn_steps.h"

#include <stdlib.h>
#include <string.h>

/* One side, as the two directions have it: the source of `from` is the target of `to`. */
struct side {
        struct endpoint *at;
        const struct config *from, *to;
        bool purge;
        struct buf *lines; /* NULL: it is done, not listed */
};

/* No foreign keys are between them. */
static const char *const tables[] = {"verify_result", "verify_table", "verify", "quarantine",
        "copy", "tables", "fence", "checkpoint", "meta"};

enum { TABLES = sizeof tables / sizeof *tables };

static void say(const struct side *s, const char *what, const char *name)
{
        const char *side = s->from->forward ? "target" : "source";

        if (s->lines)
                buf_printf(s->lines, "%s: %s%s\n", side, what, name);
        else
                log_info("complete: %s: %s%s", side, what, name);
}

/* 1: a row; 0: none, also where the table is not there. */
static int ask(const struct side *s, const char *sql, char **field, struct error *e)
{
        int rc = endpoint_row(s->at, sql, field, 1, e);

        if (rc < 0 && endpoint_is_missing(s->at, e)) {
                error_clear(e);
                rc = 0;
        }
        return rc;
}

static int exists(const struct side *s, const char *sql, const char *name, struct error *e)
{
        AUTO_BUF text = BUF_INIT;
        char *ignored = NULL;
        int rc;

        buf_str(&text, sql);
        endpoint_literal(s->at, &text, name);
        rc = ask(s, buf_text(&text), &ignored, e);
        free(ignored);
        return rc;
}

/* ---- the source's part ---- */

static int drop_publication(const struct side *s, struct error *e)
{
        const char *name = s->from->pg.publication;
        AUTO_BUF sql = BUF_INIT;
        int rc = exists(s, "select 1 from pg_catalog.pg_publication where pubname = ", name, e);

        if (rc <= 0)
                return rc;
        say(s, "publication ", name);
        if (s->lines)
                return 0;
        buf_str(&sql, "drop publication if exists ");
        pg_ident(&sql, name);
        if (endpoint_run(s->at, buf_text(&sql), e) == 0)
                return 0;
        if (strcmp(e->code, "42501") != 0) /* insufficient_privilege: an administrator made it */
                return -1;
        log_failure(LOG_LEVEL_WARNING, LOG_PLAIN, e, "the publication stays");
        error_clear(e);
        return 0;
}

static int drop_slot(const struct side *s, struct error *e)
{
        int there = pg_slot_exists(s->at->pg, s->from->pg.slot, e);

        if (there <= 0)
                return there;
        say(s, "replication slot ", s->from->pg.slot);
        return s->lines ? 0 : pg_slot_drop(s->at->pg, s->from->pg.slot, e);
}

/* ---- the target's part ---- */

static int drop_origins(const struct side *s, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;
        char *name = NULL;
        int rc;

        turn_origins_sql(&sql, s->to->pipeline.name);
        if ((rc = ask(s, buf_text(&sql), &name, e)) <= 0)
                return rc;
        say(s, "replication origin ", name);
        free(name);
        return s->lines ? 0 : turn_drop_origins(s->at->pg, s->to->pipeline.name, e);
}

/* ---- schema culvert ---- */

static int clear_table(const struct side *s, const char *table, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;

        if (!strcmp(table, "meta"))
                return 0;
        buf_str(&sql, "delete from culvert.");
        endpoint_name(s->at, &sql, table);
        buf_str(&sql, " where pipeline in (");
        endpoint_literal(s->at, &sql, s->from->pipeline.name);
        buf_str(&sql, ", ");
        endpoint_literal(s->at, &sql, s->to->pipeline.name);
        buf_str(&sql, ")");
        if (endpoint_run(s->at, buf_text(&sql), e) == 0)
                return 0;
        if (!endpoint_is_missing(s->at, e))
                return -1;
        error_clear(e);
        return 0;
}

/* 1: another pipeline has its positions there. */
static int is_shared(const struct side *s, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;
        char *ignored = NULL;
        int rc;

        buf_str(&sql, "select 1 from culvert.checkpoint where pipeline not in (");
        endpoint_literal(s->at, &sql, s->from->pipeline.name);
        buf_str(&sql, ", ");
        endpoint_literal(s->at, &sql, s->to->pipeline.name);
        buf_str(&sql, ") limit 1");
        rc = ask(s, buf_text(&sql), &ignored, e);
        free(ignored);
        return rc;
}

static int drop_tables(const struct side *s, struct error *e)
{
        for (unsigned i = 0; i < TABLES; i++) {
                AUTO_BUF sql = BUF_INIT;

                buf_str(&sql, "drop table if exists culvert.");
                endpoint_name(s->at, &sql, tables[i]);
                if (endpoint_run(s->at, buf_text(&sql), e) < 0)
                        return -1;
        }
        return 0;
}

static int clear_tables(const struct side *s, struct error *e)
{
        for (unsigned i = 0; i < TABLES; i++)
                if (clear_table(s, tables[i], e) < 0)
                        return -1;
        return s->purge ? clear_table(s, "state", e) : 0;
}

static int drop_schema(const struct side *s, struct error *e)
{
        const char *what = s->at->is_my ? "database" : "schema";
        int there = exists(s,
                s->at->is_my ? "select 1 from information_schema.schemata where schema_name = "
                             : "select 1 from pg_catalog.pg_namespace where nspname = ",
                "culvert", e);
        int shared = there <= 0 ? 0 : is_shared(s, e);

        if (there <= 0 || shared < 0)
                return there < 0 || shared < 0 ? -1 : 0;
        if (shared)
                say(s, "what is of this pipeline, and not of others, in culvert's ", what);
        else if (s->purge)
                say(s, "culvert's ", what);
        else
                say(s, "all tables but culvert.state of culvert's ", what);
        if (s->lines)
                return 0;
        if (shared)
                return clear_tables(s, e);
        if (s->purge)
                return endpoint_run(s->at,
                        s->at->is_my ? "drop database culvert" : "drop schema culvert cascade", e);
        return drop_tables(s, e);
}

/* ---- all of it ---- */

static int lower_fence(const struct side *s, struct halt *h, struct error *e)
{
        struct fence_request q = {.config = s->from, .halt = h};
        bool up = false;

        if (fence_is_up(&q, &up, e) < 0)
                return -1;
        if (up)
                say(s, "the fence: applications can write there again", "");
        return s->lines || fence_lower(&q, e) >= 0 ? 0 : -1;
}

static int clean(const struct side *s, struct halt *h, struct error *e)
{
        if (lower_fence(s, h, e) < 0)
                return -1;
        if (!s->at->is_my &&
                (drop_slot(s, e) < 0 || drop_publication(s, e) < 0 || drop_origins(s, e) < 0))
                return -1;
        return drop_schema(s, e);
}

static int both(const struct config *forward, const struct config *reverse, bool purge,
        struct halt *h, struct buf *lines, struct error *e)
{
        const struct config *ends[] = {forward, reverse};
        int rc = 0;

        for (unsigned i = 0; rc == 0 && i < 2; i++) {
                struct endpoint at;
                struct side s = {.at = &at,
                        .from = ends[i],
                        .to = ends[1 - i],
                        .purge = purge,
                        .lines = lines};

                rc = endpoint_open(&at, ends[i], false, h, e);
                if (rc == 0)
                        rc = clean(&s, h, e);
                endpoint_close(&at);
        }
        return rc;
}

int complete_list(const struct config *forward, const struct config *reverse, bool purge,
        struct halt *h, struct buf *lines, struct error *e)
{
        return both(forward, reverse, purge, h, lines, e);
}

int complete_run(const struct config *forward, const struct config *reverse, bool purge,
        struct halt *h, struct error *e)
{
        struct journal_entry j;

        if (journal_read(forward, h, &j, e) < 0)
                return -1;
        if (j.sequence && j.state != STATE_COMPLETE) { /* else it was begun before */
                j.state = j.phase = STATE_COMPLETE;
                if (journal_write(forward, h, &j, e) < 0)
                        return -1;
        }
        return both(forward, reverse, purge, h, NULL, e);
}
