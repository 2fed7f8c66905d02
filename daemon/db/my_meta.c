#include "db/my_meta.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)
#define FORMAT_SQL                                                                                 \
        "insert into culvert.meta (format, version, installed_at) values (" TEXT(                  \
                MY_META_FORMAT) ", '" CULVERT_VERSION "', utc_timestamp(6)) "                      \
                                "on duplicate key update format = format"
#define MAKING "culvert.meta" /* lock */
#define MAKING_SECONDS 60
#define COLUMN_IS_THERE 1060 /* mysqld_error.h, ER_DUP_FIELDNAME */

#define TABLE_OPTIONS                                                                              \
        ") engine = InnoDB, row_format = dynamic, default character set utf8mb4 collate "          \
        "utf8mb4_bin;"

#define QUARANTINE_SQL                                                                             \
        "create table if not exists culvert.quarantine ("                                          \
        "  id bigint unsigned not null auto_increment primary key, pipeline varchar(64) not null," \
        "  table_schema varchar(64) not null, table_name varchar(64) not null,"                    \
        "  operation varchar(16) not null, row_key longtext not null, old_row longtext,"           \
        "  new_row longtext, old_full tinyint not null, shape longtext not null,"                  \
        "  position varchar(255) not null, xid bigint not null,"                                   \
        "  committed_at datetime(6) not null, code varchar(8) not null,"                           \
        "  message varchar(1100) not null, row_id bigint not null, row_to bigint,"                 \
        "  attempts int not null, quarantined_at datetime(6) not null, tried_at datetime(6),"      \
        "  source varchar(16),"                                                                    \
        "  key (pipeline, id)" TABLE_OPTIONS

#define VERIFY_SQL                                                                                 \
        "create table if not exists culvert.verify ("                                              \
        "  pipeline varchar(64) primary key, run bigint unsigned not null,"                        \
        "  state varchar(16) not null, table_schema varchar(64), table_name varchar(64),"          \
        "  sample_percent int not null, position varchar(255) not null,"                           \
        "  message varchar(1100) not null, started_at datetime(6) not null,"                       \
        "  finished_at datetime(6)" TABLE_OPTIONS                                                  \
        "create table if not exists culvert.verify_table ("                                        \
        "  pipeline varchar(64) not null, run bigint unsigned not null,"                           \
        "  source_schema varchar(64) not null, source_name varchar(64) not null,"                  \
        "  state varchar(16) not null, phase int not null, after_key longtext,"                    \
        "  chunk bigint unsigned not null, rows_compared bigint unsigned not null,"                \
        "  rows_seen bigint unsigned not null, rows_total bigint unsigned,"                        \
        "  differences bigint unsigned not null, undecided bigint unsigned not null,"              \
        "  primary key (pipeline, source_schema, source_name)" TABLE_OPTIONS                       \
        "create table if not exists culvert.verify_result ("                                       \
        "  id bigint unsigned not null auto_increment primary key, pipeline varchar(64) not null," \
        "  source_schema varchar(64) not null, source_name varchar(64) not null,"                  \
        "  kind varchar(16) not null, row_key longtext not null, column_names longtext not null,"  \
        "  found_at datetime(6) not null, key (pipeline, id)" TABLE_OPTIONS

#define FENCE_SQL                                                                                  \
        "create table if not exists culvert.fence ("                                               \
        "  pipeline varchar(64) not null, kind varchar(16) not null, name varchar(400) not null,"  \
        "  was varchar(255) not null, noted_at datetime(6) not null,"                              \
        "  primary key (pipeline, kind, name)" TABLE_OPTIONS

/* Text columns of a bounded length have no default that an older server would refuse; every writer
 * names all columns. */
static const char create_sql[] =
        "create database if not exists culvert character set utf8mb4 collate utf8mb4_bin;"
        "create table if not exists culvert.meta ("
        "  format int primary key, version varchar(64) not null,"
        "  installed_at datetime(6) not null" TABLE_OPTIONS
        "create table if not exists culvert.checkpoint ("
        "  pipeline varchar(64) not null, direction varchar(16) not null, lane int not null,"
        "  uuid char(36) not null, position longtext not null,"
        "  epoch bigint unsigned not null, counter bigint unsigned not null,"
        "  source varchar(400) not null, updated_at datetime(6) not null,"
        "  primary key (pipeline, direction, lane)" TABLE_OPTIONS
        "create table if not exists culvert.state ("
        "  pipeline varchar(64) primary key, `sequence` bigint not null,"
        "  state varchar(64) not null, phase varchar(64) not null, direction varchar(16) not null,"
        "  since datetime(6) not null, updated_at datetime(6) not null" TABLE_OPTIONS
        "create table if not exists culvert.`tables` ("
        "  pipeline varchar(64) not null, source_schema varchar(64) not null,"
        "  source_name varchar(64) not null, target_schema varchar(64) not null,"
        "  target_name varchar(64) not null, state varchar(64) not null, created tinyint not null,"
        "  `rows` bigint unsigned not null, shape longtext not null, shape_next longtext not null,"
        "  mark longtext not null, start_position varchar(255) not null, staged tinyint not null,"
        "  foreign_keys longtext,"
        "  primary key (pipeline, source_schema, source_name)" TABLE_OPTIONS
        "create table if not exists culvert.`copy` ("
        "  pipeline varchar(64) primary key, state varchar(64) not null,"
        "  start_position longtext not null, snapshot longtext not null,"
        "  source varchar(400) not null, mode varchar(64) not null, published longtext not null,"
        "  updated_at datetime(6) not null" TABLE_OPTIONS QUARANTINE_SQL VERIFY_SQL FENCE_SQL
        FORMAT_SQL;

/* What each format has that the one before has not: [n] makes n + 1 of n. One column or
 * table each, since DDL commits by itself. */
static const char *const upgrades[MY_META_FORMAT] = {
        [1] = "alter table culvert.`tables` add column foreign_keys longtext",
        [2] = QUARANTINE_SQL,
        [3] = VERIFY_SQL,
        [4] = FENCE_SQL,
        [5] = "alter table culvert.quarantine add column source varchar(16)",
};

const char *my_meta_create_sql(void)
{
        return create_sql;
}

const char *my_meta_lock_name(const char *pipeline, char name[MY_META_LOCK])
{
        snprintf(name, MY_META_LOCK, "culvert_%s", pipeline);
        return name;
}

static void where_checkpoint(struct buf *out, const char *pipeline)
{
        buf_str(out, " where pipeline = ");
        my_literal(out, pipeline, strlen(pipeline));
        buf_str(out, " and direction = 'forward' and lane = 0");
}

void my_meta_epoch_sql(struct buf *out, const char *pipeline)
{
        buf_str(out, "start transaction read write;"
                     "select epoch, position, source from culvert.checkpoint");
        where_checkpoint(out, pipeline);
        buf_str(out, " for update;"
                     "update culvert.checkpoint set epoch = epoch + 1, counter = counter + 1, "
                     "updated_at = utc_timestamp(6)");
        where_checkpoint(out, pipeline);
        buf_str(out, ";commit");
}

void my_meta_checkpoint_sql(struct buf *out, const char *pipeline, uint64_t epoch,
        struct position position, const char *gtids)
{
        AUTO_BUF text = BUF_INIT;

        position_write(&text, position, gtids);
        buf_str(out, "update culvert.checkpoint set position = ");
        my_literal(out, buf_text(&text), text.len);
        buf_str(out, ", counter = counter + 1, updated_at = utc_timestamp(6)");
        where_checkpoint(out, pipeline);
        buf_printf(out, " and epoch = %" PRIu64, epoch);
}

int my_meta_fenced(struct error *e, const char *pipeline)
{
        return error_set(e, ERROR_BUG,
                "fenced: another culvertd has taken over pipeline %s on the target", pipeline);
}

/* ---- blocking ---- */

/* The first row of a result, or NULL. */
static MYSQL_ROW first(MYSQL_RES *r)
{
        return mysql_num_rows(r) ? mysql_fetch_row(r) : NULL;
}

int my_meta_check(MYSQL *c, struct error *e)
{
        AUTO_MY_RESULT there = my_query(c, e,
                "select 1 from information_schema.tables where table_schema = 'culvert' and "
                "table_name = 'meta'");
        AUTO_MY_RESULT r = NULL;
        MYSQL_ROW row;

        if (!there)
                return -1;
        if (mysql_num_rows(there) == 0)
                return 1;
        if (!(r = my_query(c, e, "select max(format) from culvert.meta")))
                return -1;
        row = first(r);
        if (!row || !row[0])
                return 1;
        if (atoi(row[0]) > MY_META_FORMAT)
                return error_set(e, ERROR_CONFIG,
                        "database culvert on the target has format %s; this culvert %s knows "
                        "format %d: use the newer culvert",
                        row[0], CULVERT_VERSION, MY_META_FORMAT);
        return 0;
}

int my_meta_prove_epoch(MYSQL *c, const char *pipeline, uint64_t epoch, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;
        AUTO_MY_RESULT r = NULL;

        buf_str(&sql, "select 1 from culvert.checkpoint");
        where_checkpoint(&sql, pipeline);
        buf_printf(&sql, " and epoch = %" PRIu64 " lock in share mode", epoch);
        if (!(r = my_query(c, e, buf_text(&sql))))
                return -1;
        return mysql_num_rows(r) == 1 ? 0 : my_meta_fenced(e, pipeline);
}

/* Not every server and role tells who holds it. */
static int say_holder(MYSQL *c, const char *pipeline, const char *lock, struct error *e)
{
        AUTO_MY_RESULT r = my_queryf(c, e,
                "select id, user, host from information_schema.processlist where id = "
                "is_used_lock('%s')",
                lock);
        MYSQL_ROW row = r ? first(r) : NULL;

        error_set(e, ERROR_RETRY,
                "another session holds the lock of pipeline %s on the target (connection %s, user "
                "%s, from %s)",
                pipeline, row ? row[0] : "unknown", row && row[1] ? row[1] : "unknown",
                row && row[2] ? row[2] : "unknown");
        return 1;
}

/* 0: the lock is ours; 1: another session has it. */
static int take_lock(MYSQL *c, const char *pipeline, struct error *e)
{
        char lock[MY_META_LOCK];
        AUTO_MY_RESULT r =
                my_queryf(c, e, "select get_lock('%s', 0)", my_meta_lock_name(pipeline, lock));
        MYSQL_ROW row = r ? first(r) : NULL;

        if (!r)
                return -1;
        return row && row[0] && !strcmp(row[0], "1") ? 0 : say_holder(c, pipeline, lock, e);
}

static int insert_checkpoint(MYSQL *c, const char *pipeline, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;

        buf_str(&sql, "insert into culvert.checkpoint (pipeline, direction, lane, uuid, position, "
                      "epoch, counter, source, updated_at) select ");
        my_literal(&sql, pipeline, strlen(pipeline));
        buf_str(&sql, ", 'forward', 0, uuid(), '', 0, 0, '', utc_timestamp(6) from dual where not "
                      "exists (select 1 from culvert.checkpoint");
        where_checkpoint(&sql, pipeline);
        buf_str(&sql, ")");
        return my_run(c, e, buf_text(&sql));
}

static int read_epoch(MYSQL *c, const char *pipeline, uint64_t *epoch, struct position *position,
        char source[IDENTITY_TEXT], struct error *e)
{
        AUTO_BUF sql = BUF_INIT;
        AUTO_MY_RESULT r = NULL;
        MYSQL_ROW row;

        buf_str(&sql, "select epoch, position, source from culvert.checkpoint");
        where_checkpoint(&sql, pipeline);
        buf_str(&sql, " for update");
        if (!(r = my_query(c, e, buf_text(&sql))))
                return -1;
        if (!(row = first(r)))
                return error_set(e, ERROR_BUG, "the checkpoint row of %s is not there", pipeline);
        *epoch = strtoull(row[0], NULL, 10) + 1;
        snprintf(source, IDENTITY_TEXT, "%s", row[2]);
        return position_parse(position, row[1], e);
}

static int raise_epoch(MYSQL *c, const char *pipeline, uint64_t *epoch, struct position *position,
        char source[IDENTITY_TEXT], struct error *e)
{
        AUTO_BUF sql = BUF_INIT;
        uint64_t found = 0;

        if (my_run(c, e, "start transaction read write") < 0 ||
                read_epoch(c, pipeline, epoch, position, source, e) < 0)
                return -1;
        buf_str(&sql, "update culvert.checkpoint set epoch = epoch + 1, counter = counter + 1, "
                      "updated_at = utc_timestamp(6)");
        where_checkpoint(&sql, pipeline);
        if (my_affected(c, e, buf_text(&sql), &found) < 0)
                return -1;
        if (found != 1)
                return error_set(e, ERROR_BUG, "the checkpoint row of %s is not there", pipeline);
        return my_run(c, e, "commit");
}

/* DDL commits, so each step may find its work done, and the format is written behind the last. */
static int run_upgrade(MYSQL *c, int format, struct error *e)
{
        if (!upgrades[format] || my_run(c, e, upgrades[format]) == 0)
                return 0;
        if (mysql_errno(c) != COLUMN_IS_THERE)
                return error_context(
                        e, "bringing database culvert from format %d to %d", format, format + 1);
        error_clear(e);
        return 0;
}

static int upgrade(MYSQL *c, struct error *e)
{
        AUTO_MY_RESULT r = my_query(c, e, "select max(format) from culvert.meta");
        MYSQL_ROW row = r ? first(r) : NULL;
        int format = row && row[0] ? atoi(row[0]) : MY_META_FORMAT;

        if (!r)
                return -1;
        if (format >= MY_META_FORMAT)
                return 0;
        for (; format < MY_META_FORMAT; format++)
                if (run_upgrade(c, format, e) < 0)
                        return -1;
        return my_run(c, e, FORMAT_SQL);
}

static int make_or_upgrade(MYSQL *c, struct error *e)
{
        int format = my_meta_check(c, e);

        return format < 0 || (format == 1 && my_run(c, e, create_sql) < 0) ? -1 : upgrade(c, e);
}

/* One pipeline after the other: DDL has no transaction, and one would meet the other's half. */
int my_meta_bring_up(MYSQL *c, struct error *e)
{
        AUTO_MY_RESULT r = my_queryf(c, e, "select get_lock('" MAKING "', %d)", MAKING_SECONDS);
        MYSQL_ROW row = r ? first(r) : NULL;
        struct error ignored = ERROR_INIT;
        int rc;

        if (!r)
                return -1;
        if (!row || !row[0] || strcmp(row[0], "1") != 0)
                return error_set(e, ERROR_RETRY,
                        "another pipeline has been making database culvert on the target for %d s",
                        MAKING_SECONDS);
        rc = make_or_upgrade(c, e);
        my_run(c, &ignored, "do release_lock('" MAKING "')");
        return rc;
}

int my_meta_open(MYSQL *c, const char *pipeline, uint64_t *epoch, struct position *position,
        char source[IDENTITY_TEXT], struct error *e)
{
        struct error ignored = ERROR_INIT;
        int taken;

        if (my_meta_bring_up(c, e) < 0)
                return -1;
        if ((taken = take_lock(c, pipeline, e)) != 0)
                return taken;
        if (insert_checkpoint(c, pipeline, e) < 0)
                return -1;
        if (raise_epoch(c, pipeline, epoch, position, source, e) == 0)
                return 0;
        my_run(c, &ignored, "rollback");
        return -1;
}
