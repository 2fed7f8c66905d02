#include "db/pg_meta.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)
#define FORMAT_SQL                                                                                 \
        "insert into culvert.meta (format, version) values (" TEXT(                                \
                PG_META_FORMAT) ", '" CULVERT_VERSION "') on conflict (format) do nothing"

#define QUARANTINE_SQL                                                                             \
        "create table culvert.quarantine ("                                                        \
        "  id bigint generated always as identity primary key, pipeline text not null,"            \
        "  table_schema text not null, table_name text not null, operation text not null,"         \
        "  row_key json not null, old_row json, new_row json, old_full boolean not null,"          \
        "  shape text not null, position text not null, xid bigint not null,"                      \
        "  committed_at timestamptz not null, code text not null, message text not null,"          \
        "  row_id bigint not null, row_to bigint, attempts int not null default 0,"                \
        "  quarantined_at timestamptz not null default pg_catalog.clock_timestamp(),"              \
        "  tried_at timestamptz, source text);"                                                    \
        "create index on culvert.quarantine (pipeline, id)"

#define VERIFY_SQL                                                                                 \
        "create table culvert.verify ("                                                            \
        "  pipeline text primary key, run bigint not null, state text not null,"                   \
        "  table_schema text, table_name text, sample_percent int not null,"                       \
        "  position text not null, message text not null, started_at timestamptz not null,"        \
        "  finished_at timestamptz);"                                                              \
        "create table culvert.verify_table ("                                                      \
        "  pipeline text, run bigint not null, source_schema text, source_name text,"              \
        "  state text not null, phase int not null, after_key text, chunk bigint not null,"        \
        "  rows_compared bigint not null, rows_seen bigint not null, rows_total bigint,"           \
        "  differences bigint not null, undecided bigint not null,"                                \
        "  primary key (pipeline, source_schema, source_name));"                                   \
        "create table culvert.verify_result ("                                                     \
        "  id bigint generated always as identity primary key, pipeline text not null,"            \
        "  source_schema text not null, source_name text not null, kind text not null,"            \
        "  row_key json not null, column_names json not null, found_at timestamptz not null);"     \
        "create index on culvert.verify_result (pipeline, id)"

#define FENCE_SQL                                                                                  \
        "create table culvert.fence ("                                                             \
        "  pipeline text, kind text, name text, was text not null,"                                \
        "  noted_at timestamptz not null default pg_catalog.clock_timestamp(),"                    \
        "  primary key (pipeline, kind, name))"

/* The checkpoint row changes in every target transaction: a page of its own with room for HOT
 * chains, and vacuum that does not wait for a share of a table that has one row. */
static const char create_sql[] =
        "set synchronous_commit = on;"
        "create schema if not exists culvert;"
        "create table if not exists culvert.meta ("
        "  format int primary key, version text not null,"
        "  installed_at timestamptz not null default pg_catalog.now());"
        "create table if not exists culvert.checkpoint ("
        "  pipeline text, direction text, lane int, position text not null,"
        "  epoch bigint not null, counter bigint not null, source text not null,"
        "  origin text not null default '',"
        "  uuid uuid not null default pg_catalog.gen_random_uuid(),"
        "  updated_at timestamptz not null default pg_catalog.clock_timestamp(),"
        "  turn bigint not null default 0,"
        "  primary key (pipeline, direction, lane, turn))"
        "  with (fillfactor = 10, autovacuum_vacuum_threshold = 1000,"
        "        autovacuum_vacuum_scale_factor = 0);"
        "create table if not exists culvert.state ("
        "  pipeline text primary key, sequence bigint not null, state text not null,"
        "  phase text not null, direction text not null, since timestamptz not null,"
        "  updated_at timestamptz not null default pg_catalog.clock_timestamp());"
        "create table if not exists culvert.tables ("
        "  pipeline text, source_schema text, source_name text,"
        "  target_schema text not null, target_name text not null,"
        "  state text not null, created boolean not null, rows bigint not null, shape text not "
        "null,"
        "  shape_next text not null, mark text not null default '',"
        "  start_position text not null default '', staged boolean not null default false,"
        "  foreign_keys text,"
        "  primary key (pipeline, source_schema, source_name));"
        "create table if not exists culvert.copy ("
        "  pipeline text primary key, state text not null, start_position text not null,"
        "  snapshot text not null, source text not null, mode text not null,"
        "  published text not null default '',"
        "  updated_at timestamptz not null default pg_catalog.clock_timestamp());"
        "do $$ begin if pg_catalog.to_regclass('culvert.quarantine') is null then " QUARANTINE_SQL
        "; end if; end $$;"
        "do $$ begin if pg_catalog.to_regclass('culvert.verify') is null then " VERIFY_SQL
        "; end if; end $$;"
        "do $$ begin if pg_catalog.to_regclass('culvert.fence') is null then " FENCE_SQL
        "; end if; end $$;" FORMAT_SQL;

/* What each format has that the one before has not: [n] makes n + 1 of n. */
static const char *const upgrades[PG_META_FORMAT] = {
        [1] = "alter table culvert.tables add column foreign_keys text;"
              "alter table culvert.checkpoint add column turn bigint not null default 0,"
              "  drop constraint checkpoint_pkey,"
              "  add primary key (pipeline, direction, lane, turn);"
              "drop table culvert.heartbeat",
        [2] = QUARANTINE_SQL,
        [3] = VERIFY_SQL,
        [4] = FENCE_SQL,
        [5] = "alter table culvert.quarantine add column if not exists source text",
};

const char *pg_meta_create_sql(void)
{
        return create_sql;
}

int pg_meta_check(PGconn *c, struct error *e)
{
        AUTO_RESULT there = pg_query(
                c, e, "select pg_catalog.to_regclass('culvert.meta') is not null", 0, NULL);
        AUTO_RESULT r = NULL;

        if (!there)
                return -1;
        if (!pg_true(there, 0, 0))
                return 1;
        if (!(r = pg_query(c, e, "select max(format) from culvert.meta", 0, NULL)))
                return -1;
        if (PQgetisnull(r, 0, 0))
                return 1;
        if (atoi(pg_text(r, 0, 0)) > PG_META_FORMAT)
                return error_set(e, ERROR_CONFIG,
                        "schema culvert on the target has format %s; this culvert %s knows format "
                        "%d: use the newer culvert",
                        pg_text(r, 0, 0), CULVERT_VERSION, PG_META_FORMAT);
        return 0;
}

/* The same by two culvertds at one time is done once: the second one finds the first one's format.
 */
static int upgrade_from(PGconn *c, struct error *e)
{
        AUTO_RESULT r = NULL;

        if (pg_run(c, e,
                    "begin isolation level read committed read write;"
                    "set local lock_timeout = '30s';"
                    "lock table culvert.meta in share row exclusive mode") < 0 ||
                !(r = pg_query(c, e, "select max(format) from culvert.meta", 0, NULL)))
                return -1;
        for (int format = atoi(pg_text(r, 0, 0)); format < PG_META_FORMAT; format++)
                if (upgrades[format] && pg_run(c, e, upgrades[format]) < 0)
                        return error_context(e, "bringing schema culvert from format %d to %d",
                                format, format + 1);
        return pg_run(c, e, FORMAT_SQL ";commit");
}

static int upgrade(PGconn *c, struct error *e)
{
        struct error ignored = ERROR_INIT;
        AUTO_RESULT r = pg_query(c, e, "select max(format) from culvert.meta", 0, NULL);

        if (!r)
                return -1;
        if (atoi(pg_text(r, 0, 0)) >= PG_META_FORMAT || upgrade_from(c, e) == 0)
                return 0;
        pg_run(c, &ignored, "rollback");
        return -1;
}

int pg_meta_bring_up(PGconn *c, struct error *e)
{
        int format = pg_meta_check(c, e);

        return format < 0 || (format == 1 && pg_run(c, e, create_sql) < 0) ? -1 : upgrade(c, e);
}

int pg_meta_prove_epoch(PGconn *c, const char *pipeline, uint64_t epoch, struct error *e)
{
        char text[24];
        const char *values[] = {pipeline, text};
        AUTO_RESULT r = NULL;

        snprintf(text, sizeof text, "%" PRIu64, epoch);
        r = pg_query(c, e,
                "select 1 from culvert.checkpoint where pipeline = $1 and direction = 'forward' "
                "and lane = 0 and epoch = $2 for share",
                2, values);
        if (!r)
                return -1;
        if (PQntuples(r) == 1)
                return 0;
        return error_set(e, ERROR_BUG,
                "fenced: another culvertd has taken over pipeline %s on the target", pipeline);
}

int pg_meta_origin_name(const PGresult *epoch, const char *pipeline, char name[PG_META_ORIGIN_NAME],
        struct error *e)
{
        const char *recorded = pg_text(epoch, 0, 4);

        snprintf(name, PG_META_ORIGIN_NAME, "culvert_%s_%s", pipeline, pg_text(epoch, 0, 5));
        if (!*recorded || !strcmp(recorded, name))
                return 0;
        return error_set(e, ERROR_DATA,
                "resync required: culvert.checkpoint on the target was restored or copied: "
                "replication origin %s, which knows the position, belongs to another one",
                recorded);
}

/* The row may be a second behind the origin, which is moved by every commit; the position is read
 * after the epoch was raised, and waits until it is flushed. */
int pg_meta_origin_position(
        const PGresult *progress, const char *origin, struct position *p, struct error *e)
{
        struct position moved;

        if (PQntuples(progress) != 1)
                return error_set(e, ERROR_DATA,
                        "resync required: replication origin %s, which knows the position, is gone "
                        "from the target",
                        origin);
        if (position_parse(&moved, pg_text(progress, 0, 0), e) < 0)
                return -1;
        *p = position_max(*p, moved);
        return 0;
}

static int read_origin(PGconn *c, const char *origin, struct position *p, struct error *e)
{
        AUTO_RESULT r = NULL;

        if (!*origin)
                return 0;
        r = pg_query(c, e, PG_META_ORIGIN_PROGRESS_SQL, 1, &origin);
        return r ? pg_meta_origin_position(r, origin, p, e) : -1;
}

static int say_holder(PGconn *c, const char *pipeline, struct error *e)
{
        AUTO_RESULT r = pg_query(c, e, PG_META_LOCK_HOLDER_SQL, 1, &pipeline);

        if (!r)
                return -1;
        error_set(e, ERROR_RETRY,
                "another session holds the lock of pipeline %s on the target (backend %s, %s, from "
                "%s)",
                pipeline, PQntuples(r) ? pg_text(r, 0, 0) : "unknown",
                PQntuples(r) ? pg_text(r, 0, 1) : "unknown",
                PQntuples(r) ? pg_text(r, 0, 2) : "unknown");
        return 1;
}

int pg_meta_open(PGconn *c, const char *pipeline, uint64_t *epoch, struct position *position,
        char source[IDENTITY_TEXT], struct error *e)
{
        const char *values[] = {pipeline, "forward"};
        AUTO_RESULT lock = NULL;
        AUTO_RESULT made = NULL;
        AUTO_RESULT row = NULL;
        char origin[PG_META_ORIGIN_NAME];
        int format = pg_meta_check(c, e);

        if (format < 0 || (format == 1 && pg_run(c, e, create_sql) < 0))
                return -1;
        if (pg_run(c, e, "set synchronous_commit = on") < 0 ||
                !(lock = pg_query(c, e, PG_META_LOCK_SQL, 1, &pipeline)))
                return -1;
        if (!pg_true(lock, 0, 0))
                return say_holder(c, pipeline, e);
        if (upgrade(c, e) < 0 ||
                !(made = pg_query(c, e, PG_META_CHECKPOINT_INSERT_SQL, 2, values)) ||
                !(row = pg_query(c, e, PG_META_EPOCH_SQL, 2, values)))
                return -1;
        if (PQntuples(row) != 1)
                return error_set(e, ERROR_BUG, "the checkpoint row of %s is not there", pipeline);
        *epoch = strtoull(pg_text(row, 0, 0), NULL, 10);
        snprintf(source, IDENTITY_TEXT, "%s", pg_text(row, 0, 2));
        if (pg_meta_origin_name(row, pipeline, origin, e) < 0 ||
                position_parse(position, pg_text(row, 0, 1), e) < 0)
                return -1;
        return read_origin(c, pg_text(row, 0, 4), position, e);
}
