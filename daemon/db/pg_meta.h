#pragma once
/*
 * culvert's own objects in a PostgreSQL target: schema culvert, format 6. SQL texts and what they
 * take, so that the sink (on the loop) and the copy (on threads) say the same.
 *
 *   meta        (format, version)           a row for each format that it has had; the highest one
 *                                           holds. A newer one is refused, an older one upgraded
 *   checkpoint  (pipeline, direction, lane) -> position, epoch, counter, source, updated_at; one
 *                                           row, whose key has a turn, too (sinks/pg_turn.h)
 *   state       (pipeline)                  for applications to read
 *   tables      (pipeline, source_schema, source_name) -> what is copied, its shape and
 *                                           its foreign keys (ops/copy_record.h)
 *   copy        (pipeline)                  how far the bulk copy is
 *   quarantine  (id)                        -> pipeline, a change that was not applied, and why
 *                                           (sinks/quarantine.h)
 *   verify, verify_table, verify_result     the last verification: how far it is, and what it found
 *                                           (ops/verify_store.h)
 *   fence       (pipeline, kind, name)      -> how what a fence changes was before (ops/fence.h)
 */
#include "db/pg.h"
#include "model/position.h"

#define PG_META_FORMAT 6

/* Several statements; creates what is missing. Safe to run again. */
const char *pg_meta_create_sql(void);

/* 0: schema culvert is there and its format is ours or an older one; 1: not there; -1: error (newer
 * format). */
int pg_meta_check(PGconn *c, struct error *e);
/* Creates or upgrades, in transactions of its own, without lock or epoch: for what is no apply. */
int pg_meta_bring_up(PGconn *c, struct error *e);

/* One row: true when this session now holds the pipeline's advisory lock. $1 = pipeline. */
#define PG_META_LOCK_SQL                                                                           \
        "select pg_catalog.pg_try_advisory_lock(1131768946, pg_catalog.hashtext($1))"
/* Who holds it: pid, application_name, client address, backend_start. $1 = pipeline. */
#define PG_META_LOCK_HOLDER_SQL                                                                    \
        "select a.pid, a.application_name, coalesce(host(a.client_addr), 'local'), "               \
        "a.backend_start::text from pg_catalog.pg_locks l "                                        \
        "join pg_catalog.pg_stat_activity a on a.pid = l.pid where l.locktype = 'advisory' "       \
        "and l.classid = 1131768946 and l.objid = pg_catalog.hashtext($1)::oid and l.granted "     \
        "and l.database = (select oid from pg_catalog.pg_database "                                \
        "where datname = pg_catalog.current_database())"

/*
 * Raises the epoch and returns what it stands on, in one statement (HAZARDS A6); it waits for a
 * transaction of an older connection that is still in doubt. Commit it synchronously.
 * $1 = pipeline, $2 = direction. Returns epoch, position, source, counter, origin ("": none),
 * the identity of the row: its uuid, its table's oid and the database's; and its turn. No row: no
 * checkpoint yet.
 */
#define PG_META_EPOCH_SQL                                                                          \
        "update culvert.checkpoint set epoch = epoch + 1, counter = counter + 1, "                 \
        "updated_at = pg_catalog.clock_timestamp() where pipeline = $1 and direction = $2 "        \
        "and lane = 0 returning epoch, position, source, counter, origin, "                        \
        "uuid::text || '_' || tableoid::text || '_' || (select oid from "                          \
        "pg_catalog.pg_database where datname = pg_catalog.current_database()), turn"
/* First use, under the pipeline's lock. $1 = pipeline, $2 = direction. */
#define PG_META_CHECKPOINT_INSERT_SQL                                                              \
        "insert into culvert.checkpoint (pipeline, direction, lane, position, epoch, counter, "    \
        "source) select $1::text, $2::text, 0, '', 0, 0, '' where not exists (select from "        \
        "culvert.checkpoint where pipeline = $1 and direction = $2 and lane = 0)"

/*
 * Where the role may, the position is kept in a replication origin (HAZARDS C1): it is part of the
 * commit record, so no row changes with every commit and none bloats under a long snapshot. The
 * checkpoint row follows once a second, and names the origin. The origin's name has the row's uuid
 * in it, so that a later pipeline of the same name never inherits a position, and the table's oid,
 * since a dump that is restored brings back the rows and not the origin, which belongs to the
 * whole cluster and lives on with a later position.
 */
#define PG_META_ORIGIN_NAME 128
/* The origin's name by what PG_META_EPOCH_SQL gave; -1: the row is from a dump. */
int pg_meta_origin_name(const PGresult *epoch, const char *pipeline, char name[PG_META_ORIGIN_NAME],
        struct error *e);
#define PG_META_ORIGIN_RIGHT_SQL                                                                   \
        "select pg_catalog.bool_and(pg_catalog.has_function_privilege(f::regprocedure, "           \
        "'execute')) "                                                                             \
        "and pg_catalog.current_setting('max_replication_slots')::int > 0 "                        \
        "from (values ('pg_catalog.pg_replication_origin_create(text)'),"                          \
        "('pg_catalog.pg_replication_origin_session_setup(text)'),"                                \
        "('pg_catalog.pg_replication_origin_xact_setup(pg_lsn,timestamptz)'),"                     \
        "('pg_catalog.pg_replication_origin_progress(text,boolean)')) as t (f)"
/* $1 = origin. No row: it does not exist. Waits until the position is flushed. */
#define PG_META_ORIGIN_PROGRESS_SQL                                                                \
        "select coalesce(pg_catalog.pg_replication_origin_progress(roname, true)::text, '') "      \
        "from pg_catalog.pg_replication_origin where roname = $1"
/* $1 = origin: makes it if it is not there. */
#define PG_META_ORIGIN_CREATE_SQL                                                                  \
        "select pg_catalog.pg_replication_origin_create($1) where not exists "                     \
        "(select from pg_catalog.pg_replication_origin where roname = $1)"
/* The later of `*p` and what PG_META_ORIGIN_PROGRESS_SQL gave. */
int pg_meta_origin_position(
        const PGresult *progress, const char *origin, struct position *p, struct error *e);

/*
 * In a transaction: 0 when the epoch is still ours (the row is locked FOR SHARE until its end),
 * else a BUG error "fenced: ..." and the caller stops writing for good.
 */
int pg_meta_prove_epoch(PGconn *c, const char *pipeline, uint64_t epoch, struct error *e);
/* Lock (waits are the caller's), create or upgrade, epoch: for the copy's control connection. 0; 1:
 * another session holds the lock (`e` says which); -1. Commits synchronously. */
int pg_meta_open(PGconn *c, const char *pipeline, uint64_t *epoch, struct position *position,
        char source[IDENTITY_TEXT], struct error *e);
