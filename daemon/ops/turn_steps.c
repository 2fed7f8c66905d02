#include "ops/turn_steps.h"
#include "base/log.h"
#include "base/memory.h"
#include "decoders/binlog_identity.h"
#include "model/config_reverse.h"
#include "ops/destination.h"
#include "ops/endpoint.h"
#include "ops/fence.h"
#include "ops/my_gtids.h"
#include "ops/origin.h"
#include "ops/pg_source.h"

#include <stdlib.h>
#include <string.h>

/* ---- what is left of an earlier stream ---- */

static int drop_slot(struct endpoint *p, const char *slot, struct error *e)
{
        int there = pg_slot_exists(p->pg, slot, e);

        if (there > 0)
                log_event(LOG_LEVEL_INFO, LOG_PLAIN, NULL,
                        "dropping slot %s: the stream goes the other way", slot);
        return there <= 0 ? there : pg_slot_drop(p->pg, slot, e);
}

int turn_drop_slot(const struct config *c, struct halt *h, struct error *e)
{
        struct endpoint p;
        int rc;

        if (c->source.kind != KIND_POSTGRESQL)
                return 0;
        rc = endpoint_open(&p, c, false, h, e);
        if (rc == 0)
                rc = drop_slot(&p, c->pg.slot, e);
        endpoint_close(&p);
        return rc;
}

int turn_tidy(const struct config *c, struct endpoint *target, struct error *e)
{
        struct config *reverse;
        int rc;

        if (c->forward)
                return turn_drop_slot(c->forward, target->halt, e);
        if (target->is_my || !(reverse = config_reverse(c, e))) {
                error_clear(e); /* without a way back nothing was left of it */
                return 0;
        }
        rc = drop_slot(target, reverse->pg.slot, e);
        config_free(reverse);
        return rc;
}

/* The origin of PostgreSQL (db/pg_meta.h) belongs to the row's uuid: with another one the old
 * position is nobody's. The epoch stays, so that a daemon of before is fenced. */
static void clear_sql(const struct endpoint *p, const char *pipeline, struct buf *sql)
{
        static const char *const tables[] = {"tables", "copy", "quarantine"};

        for (unsigned i = 0; i < sizeof tables / sizeof *tables; i++) {
                buf_str(sql, "delete from culvert.");
                endpoint_name(p, sql, tables[i]);
                buf_str(sql, " where pipeline = ");
                endpoint_literal(p, sql, pipeline);
                buf_str(sql, "; ");
        }
        buf_str(sql, p->is_my ? "update culvert.checkpoint set position = '', source = '', uuid = "
                                "uuid(), counter = counter + 1 where pipeline = "
                              : "update culvert.checkpoint set position = '', source = '', uuid = "
                                "pg_catalog.gen_random_uuid(), origin = '', counter = counter + 1 "
                                "where pipeline = ");
        endpoint_literal(p, sql, pipeline);
}

void turn_origins_sql(struct buf *sql, const char *pipeline)
{
        buf_str(sql, "select roname from pg_catalog.pg_replication_origin where roname ~ (");
        pg_literal(sql, "^culvert_");
        buf_str(sql, " || ");
        pg_literal(sql, pipeline); /* [a-z0-9_], so it stands for itself */
        buf_str(sql, " || '_[0-9a-f-]{36}_' || 'culvert.checkpoint'::pg_catalog.regclass::oid || "
                     "'_' || (select oid from pg_catalog.pg_database where datname = "
                     "pg_catalog.current_database()) || '$')");
}

int turn_drop_origins(PGconn *c, const char *pipeline, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;
        AUTO_RESULT done = NULL;

        buf_str(&sql, "select pg_catalog.pg_replication_origin_drop(roname) from (");
        turn_origins_sql(&sql, pipeline);
        buf_str(&sql, ") o where pg_catalog.has_function_privilege("
                      "'pg_catalog.pg_replication_origin_drop(text)', 'execute')");
        done = pg_query(c, e, buf_text(&sql), 0, NULL);
        return done ? 0 : -1;
}

static int clear_records(struct endpoint *p, const char *pipeline, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;
        char *there = NULL;
        int rc = endpoint_row(p, "select max(format) from culvert.meta", &there, 1, e);

        free(there);
        if (rc < 0 && endpoint_is_missing(p, e)) {
                error_clear(e);
                return 0;
        }
        if (rc < 0)
                return -1;
        clear_sql(p, pipeline, &sql);
        if (endpoint_run(p, buf_text(&sql), e) < 0)
                return -1;
        return p->is_my ? 0 : turn_drop_origins(p->pg, pipeline, e);
}

int turn_clear(const struct config *c, struct halt *h, struct error *e)
{
        struct endpoint p;
        int rc = endpoint_open(&p, c, true, h, e);

        if (rc == 0)
                rc = clear_records(&p, c->pipeline.name, e);
        endpoint_close(&p);
        return rc < 0 ? -1 : turn_drop_slot(c, h, e);
}

/* ---- the place from which the other stream goes on ---- */

static int pg_end(struct endpoint *p, struct position *at, struct error *e)
{
        char *text = NULL;
        int rc = endpoint_row(p, "select pg_catalog.pg_current_wal_insert_lsn()", &text, 1, e);

        if (rc == 1)
                rc = position_parse(at, text, e);
        else if (rc == 0)
                rc = error_set(e, ERROR_BUG, "the server gave no position");
        free(text);
        return rc < 0 ? -1 : 0;
}

static int my_end(struct endpoint *p, struct position *at, char **gtids, struct error *e)
{
        struct source_identity id;
        AUTO_STRING noted = NULL;
        int rc = my_gtids_note(p->my, &noted, e);

        if (rc == 0)
                rc = binlog_identity(p->my, &id, at, e);
        if (rc == 0 && noted)
                rc = my_gtids_at(p->my, id.slot, *at, noted, gtids, e);
        return rc;
}

static int source_end(
        const struct config *to, struct halt *h, struct position *at, char **gtids, struct error *e)
{
        struct endpoint p;
        int rc = endpoint_open(&p, to, false, h, e);

        if (rc == 0)
                rc = p.is_my ? my_end(&p, at, gtids, e) : pg_end(&p, at, e);
        endpoint_close(&p);
        return rc;
}

static int store(const struct destination_ops *ops, struct destination *d, struct position at,
        const char *gtids, struct error *e)
{
        struct copy_record r = {0};
        char source[IDENTITY_TEXT];
        struct position before;
        int rc = ops->claim(d, &before, source, e) != 0 || ops->read_record(d, &r, e) < 0 ||
                                 ops->begin(d, e) < 0
                         ? -1
                         : 0;

        if (rc == 0) {
                r.start = at;
                free(r.gtids);
                r.gtids = gtids ? memory_string(gtids) : NULL;
                rc = ops->write_record(d, &r, e) < 0 || ops->checkpoint(d, &r, e) < 0
                             ? -1
                             : ops->commit(d, e);
        }
        copy_record_done(&r);
        return rc;
}

int turn_pass(
        const struct config *to, struct halt *h, char position[POSITION_TEXT], struct error *e)
{
        const struct destination_ops *ops = destination_ops_of(to->target.kind);
        struct destination *d;
        struct position at = POSITION_NONE;
        AUTO_STRING gtids = NULL;
        int rc;

        if (source_end(to, h, &at, &gtids, e) < 0 || !(d = ops->open(to, h, e)))
                return -1;
        rc = store(ops, d, at, gtids, e);
        ops->close(d);
        position_format(at, position);
        return rc;
}

/* ---- the end of a walk ---- */

int turn_settle(const struct config *forward, const struct config *reverse, bool reversed,
        struct halt *h, struct error *e)
{
        const struct config *leads = reversed ? reverse : forward;
        struct journal_entry j = journal_leads(reversed);

        if (fence_lower(&(struct fence_request){.config = leads, .halt = h}, e) < 0 ||
                journal_write(forward, h, &j, e) < 0)
                return -1;
        return turn_drop_slot(reversed ? forward : reverse, h, e);
}
