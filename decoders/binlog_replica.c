/*
 * Commands (integers little-endian):
 *   COM_REGISTER_SLAVE  server id 4 | host: length 1, bytes | user: length 1, bytes
 *                       | password: length 1, bytes | port 2 | rank 4 | source's id 4
 *   COM_BINLOG_DUMP     offset 4 | flags 2 | server id 4 | file name, to the end
 *   COM_BINLOG_DUMP_GTID
 *                       flags 2 | server id 4 | file name: length 4, bytes | offset 8
 *                       | GTIDs that are not wanted: length 4, a set (decoders/binlog_gtid.c)
 * "Replication Protocol" in the MariaDB knowledge base, "COM_BINLOG_DUMP" in MySQL's source
 * documentation. Flags 0: the server waits for more at the end of the log, and sends no
 * annotations.
 */
#include "decoders/binlog_replica.h"
#include "base/memory.h"
#include "decoders/binlog_gtid.h"
#include "decoders/binlog_identity.h"

#include <inttypes.h>
#include <mysqld_error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COM_BINLOG_DUMP_GTID ((enum enum_server_command)30) /* MySQL's */
#define FILE_HEAD 4 /* where the first event of a file begins */
#define TRIES 16
#define SHOW_REPLICAS 80022 /* MySQL since 8.0.22 */

/* ---- our id ---- */

/* FNV-1a. */
static uint32_t hash(const char *text)
{
        uint32_t h = UINT32_C(2166136261);

        for (; *text; text++)
                h = (h ^ (uint8_t)*text) * UINT32_C(16777619);
        return h;
}

/* Far from the small numbers that people give to their servers. */
static uint32_t derived_id(const char *host, unsigned attempt)
{
        return (UINT32_C(1) << 30) | ((hash(host) + attempt) & ((UINT32_C(1) << 30) - 1));
}

/* Registered replicas; NULL without an error when we may not see them. */
static MYSQL_RES *read_replicas(MYSQL *c, struct error *e)
{
        bool new = my_engine(c) == ENGINE_MYSQL &&my_version(c) >= SHOW_REPLICAS;
        MYSQL_RES *r = my_query(c, e, new ? "SHOW REPLICAS" : "SHOW SLAVE HOSTS");

        if (!r && mysql_errno(c) == ER_SPECIFIC_ACCESS_DENIED_ERROR)
                error_clear(e);
        return r;
}

/* The host of somebody else with this id, or NULL. */
static const char *holder(MYSQL_RES *replicas, const struct binlog_replica *r)
{
        MYSQL_ROW row;

        if (!replicas || mysql_num_fields(replicas) < 2)
                return NULL;
        mysql_data_seek(replicas, 0);
        while ((row = mysql_fetch_row(replicas)))
                if (row[0] && strtoul(row[0], NULL, 10) == r->id &&
                        strcmp(row[1] ? row[1] : "", r->host) != 0)
                        return row[1] && *row[1] ? row[1] : "a host without a name";
        return NULL;
}

static int read_own_id(MYSQL *c, uint32_t *id, struct error *e)
{
        AUTO_MY_RESULT r = my_query(c, e, "SELECT @@global.server_id");
        MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;

        *id = row && row[0] ? (uint32_t)strtoul(row[0], NULL, 10) : 0;
        return r ? 0 : -1;
}

static int choose_derived(MYSQL_RES *replicas, uint32_t theirs, unsigned skip,
        struct binlog_replica *r, struct error *e)
{
        for (unsigned i = 0; i < TRIES; i++) {
                r->id = derived_id(r->host, skip + i);
                if (r->id != theirs && !holder(replicas, r))
                        return 0;
        }
        return error_set(e, ERROR_CONFIG,
                "the server ids that culvert tries are all in use on the source; set [source] "
                "server_id");
}

static int check_wanted(
        MYSQL_RES *replicas, uint32_t theirs, const struct binlog_replica *r, struct error *e)
{
        const char *other = r->id == theirs ? "the source itself" : holder(replicas, r);

        if (!other)
                return 0;
        return error_set(e, ERROR_CONFIG,
                "[source] server_id %" PRIu32 " is in use on the source, by %.255s", r->id, other);
}

int binlog_replica_choose(MYSQL *c, const char *name, uint32_t wanted, unsigned skip,
        struct binlog_replica *r, struct error *e)
{
        AUTO_MY_RESULT replicas = NULL;
        char host[256] = "";
        AUTO_STRING whole = NULL;
        uint32_t theirs;

        gethostname(host, sizeof host - 1);
        whole = memory_printf("culvert-%s@%s", name, host);
        snprintf(r->host, sizeof r->host, "%.60s", whole);
        r->id = wanted;
        if (read_own_id(c, &theirs, e) < 0)
                return -1;
        replicas = read_replicas(c, e);
        if (!replicas && e->class != ERROR_NONE)
                return -1;
        return wanted ? check_wanted(replicas, theirs, r, e)
                      : choose_derived(replicas, theirs, skip, r, e);
}

/* ---- the commands ---- */

static void add_le(struct buf *b, uint32_t v, unsigned bytes)
{
        for (; bytes > 0; bytes--, v >>= 8)
                buf_char(b, (char)(v & 0xff));
}

static int send_register(MYSQL *c, const struct binlog_replica *r, struct error *e)
{
        AUTO_BUF b = BUF_INIT;

        add_le(&b, r->id, 4);
        add_le(&b, (uint32_t)strlen(r->host), 1);
        buf_str(&b, r->host);
        add_le(&b, 0, 1 + 1 + 2); /* user, password, port */
        add_le(&b, 0, 4);
        add_le(&b, 0, 4);
        if (c->methods->db_command(c, COM_REGISTER_SLAVE, b.data, b.len, 0, NULL) == 0)
                return 0;
        my_error(e, c, "registering as a replica");
        return binlog_refused(c, e);
}

static int send_dump(MYSQL *c, const struct binlog_replica *r, const char *base,
        struct position from, struct error *e)
{
        AUTO_STRING file = binlog_file_name(base, from.file);
        AUTO_BUF b = BUF_INIT;

        add_le(&b, (uint32_t)from.lsn, 4);
        add_le(&b, 0, 2);
        add_le(&b, r->id, 4);
        buf_str(&b, file);
        if (c->methods->db_command(c, COM_BINLOG_DUMP, b.data, b.len, 1, NULL) == 0)
                return 0;
        return my_error(e, c, "asking for the binary log");
}

static int send_dump_gtid(
        MYSQL *c, const struct binlog_replica *r, const char *gtids, struct error *e)
{
        struct gtids *state = gtids_parse(ENGINE_MYSQL, gtids, e);
        AUTO_BUF b = BUF_INIT;
        AUTO_BUF set = BUF_INIT;

        if (!state)
                return -1;
        gtids_encode(state, &set);
        gtids_free(state);
        add_le(&b, 0, 2);
        add_le(&b, r->id, 4);
        add_le(&b, 0, 4);
        add_le(&b, FILE_HEAD, 4);
        add_le(&b, 0, 4);
        add_le(&b, (uint32_t)set.len, 4);
        buf_add(&b, set.data, set.len);
        if (c->methods->db_command(c, COM_BINLOG_DUMP_GTID, b.data, b.len, 1, NULL) == 0)
                return 0;
        return my_error(e, c, "asking for the binary log by GTID");
}

/* Each domain is sent from behind its own GTID. Strict: a GTID that is not in the server's log, but
 * later ones of its domain are, is an error and not a gap. */
static int send_dump_state(
        MYSQL *c, const struct binlog_replica *r, const char *gtids, struct error *e)
{
        struct gtids *state = gtids_parse(ENGINE_MARIADB, gtids, e);
        AUTO_BUF text = BUF_INIT;
        AUTO_BUF b = BUF_INIT;

        if (!state)
                return -1;
        gtids_format(state, &text);
        gtids_free(state);
        if (my_runf(c, e,
                    "SET @slave_connect_state = '%s', @slave_gtid_strict_mode = 1, "
                    "@slave_gtid_ignore_duplicates = 0",
                    buf_text(&text)) < 0)
                return -1;
        add_le(&b, FILE_HEAD, 4);
        add_le(&b, 0, 2);
        add_le(&b, r->id, 4);
        if (c->methods->db_command(c, COM_BINLOG_DUMP, b.data, b.len, 1, NULL) == 0)
                return 0;
        return my_error(e, c, "asking for the binary log by GTID");
}

/* The period is in nanoseconds. We do not read while the target is slow, for hours if need be: a
 * server that cannot write for net_write_timeout seconds drops us; a year is the most that it
 * takes. What ends a connection to a host that is gone is TCP's keepalive. Capability 4: MariaDB's
 * GTID events are sent as they are. Each family ignores the variables of the other. */
static int set_session(MYSQL *c, struct error *e)
{
        int64_t period = BINLOG_HEARTBEAT_SECONDS * INT64_C(1000000000);

        return my_runf(c, e,
                "SET @master_heartbeat_period = %" PRId64 ", @source_heartbeat_period = %" PRId64
                ", @master_binlog_checksum = @@global.binlog_checksum"
                ", @source_binlog_checksum = @@global.binlog_checksum"
                ", @mariadb_slave_capability = 4, SESSION net_write_timeout = 31536000",
                period, period);
}

/* The command has 32 bits for the offset. A file is that long only when a transaction of gigabytes
 * went into it; then its beginning is asked for, and the receiver drops what it had. */
struct position binlog_replica_start(struct position from)
{
        if (from.lsn > UINT32_MAX || from.lsn < FILE_HEAD)
                from.lsn = FILE_HEAD;
        return from;
}

/* By file and offset, which works with and without GTIDs, but behind a failover. */
int binlog_replica_begin(MYSQL *c, const struct binlog_replica *r, const char *base,
        struct position from, const char *gtids, struct error *e)
{
        if (set_session(c, e) < 0 || send_register(c, r, e) < 0)
                return -1;
        if (!gtids_by_state(gtids))
                return send_dump(c, r, base, binlog_replica_start(from), e);
        return my_engine(c) == ENGINE_MARIADB ? send_dump_state(c, r, gtids, e)
                                              : send_dump_gtid(c, r, gtids, e);
}
