#include "ops/my_gtids.h"
#include "base/memory.h"
#include "decoders/binlog_gtid.h"
#include "decoders/binlog_identity.h"
#include "decoders/binlog_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN 400 /* of GTIDs in a message */

/* ---- the state ---- */

static int read_text(MYSQL *c, const char *sql, char **text, struct error *e)
{
        AUTO_MY_RESULT r = my_query(c, e, sql);
        MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;

        *text = row ? memory_string(row[0]) : NULL;
        return r ? 0 : -1;
}

int my_gtids_note(MYSQL *c, char **noted, struct error *e)
{
        return read_text(c,
                my_engine(c) == ENGINE_MARIADB
                        ? "select @@global.gtid_slave_pos"
                        : "select if(@@global.gtid_mode = 'ON', @@global.gtid_executed, null)",
                noted, e);
}

static int position_state(
        MYSQL *c, const char *base, struct position at, char **text, struct error *e)
{
        AUTO_STRING file = binlog_file_name(base, at.file);
        AUTO_BUF sql = BUF_INIT;

        buf_str(&sql, "select binlog_gtid_pos(");
        my_literal(&sql, file, strlen(file));
        buf_printf(&sql, ", %" PRIu64 ")", at.lsn);
        return read_text(c, buf_text(&sql), text, e);
}

/* The state in one form. Too much of it is none: then only the position tells. */
static char *normal(enum engine engine, const char *text, const char *more)
{
        struct error ignored = ERROR_INIT;
        struct gtids *g = text ? gtids_parse(engine, text, &ignored) : NULL;
        struct gtids *others = g && more ? gtids_parse(engine, more, &ignored) : NULL;
        struct buf out = BUF_INIT;

        if (g && (!more || (others && gtids_add_domains(g, others))))
                gtids_format(g, &out);
        gtids_free(g);
        gtids_free(others);
        if (out.len)
                return buf_take(&out);
        buf_done(&out);
        return NULL;
}

int my_gtids_at(MYSQL *c, const char *base, struct position at, const char *noted, char **gtids,
        struct error *e)
{
        enum engine engine = my_engine(c);
        AUTO_STRING text = NULL;

        *gtids = NULL;
        if (engine == ENGINE_MARIADB && position_state(c, base, at, &text, e) < 0)
                return -1;
        *gtids = engine == ENGINE_MARIADB ? normal(engine, text, noted)
                                          : normal(engine, noted, NULL);
        return 0;
}

/* ---- another server ---- */

/* `begin`: the state from which on its log is needed. */
static int follow_mysql(MYSQL *c, const char *ours, const char *begin, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;
        AUTO_MY_RESULT r = NULL;
        MYSQL_ROW row;

        buf_str(&sql, "select @@global.gtid_mode, gtid_subtract(g, @@global.gtid_executed), "
                      "gtid_subtract(@@global.gtid_purged, b) from (select ");
        my_literal(&sql, ours, strlen(ours));
        buf_str(&sql, " as g, ");
        my_literal(&sql, begin, strlen(begin));
        buf_str(&sql, " as b) as ours");
        if (!(r = my_query(c, e, buf_text(&sql))))
                return -1;
        row = mysql_fetch_row(r);
        if (!row || !row[0] || strcmp(row[0], "ON") != 0)
                return error_set(e, ERROR_DATA,
                        "its gtid_mode is %s, so its transactions cannot "
                        "be compared",
                        row && row[0] ? row[0] : "unknown");
        if (!row[1] || *row[1])
                return error_set(e, ERROR_DATA,
                        "it lacks transactions that the target has, GTIDs %.*s", SHOWN,
                        row[1] ? row[1] : "unknown");
        if (!row[2] || *row[2])
                return error_set(e, ERROR_DATA,
                        "its log has no more what the target has not, GTIDs %.*s are purged", SHOWN,
                        row[2] ? row[2] : "unknown");
        return 0;
}

/* "0-1-55,0-2-60": the last one of each server in each domain; NULL: there are no more. */
static const char *next_pair(const char *at, struct gtid *one)
{
        int used = 0;

        *one = (struct gtid){.number = 0};
        if (sscanf(at, "%" SCNu32 "-%" SCNu32 "-%" SCNu64 "%n", &one->domain, &one->server,
                    &one->number, &used) != 3)
                return NULL;
        at += used;
        return at + (*at == ',');
}

/* Within a domain all servers have one order, so that the last of ours has the others before it. */
static bool has(const char *state, const struct gtid *g)
{
        struct gtid one;

        while ((state = next_pair(state, &one)))
                if (one.domain == g->domain && one.server == g->server)
                        return one.number >= g->number;
        return false;
}

/* Numbers of servers and domains are small and given by people: two that have nothing to do with
 * each other may well use the same. One that took the other's place was its replica. */
static int compare_mariadb(
        const struct gtids *ours, const char *state, const char *replicated, struct error *e)
{
        bool related = false;
        AUTO_BUF missing = BUF_INIT;
        struct gtid g, one;

        for (unsigned i = 0; gtids_domain(ours, i, &g); i++) {
                if (!has(state, &g))
                        buf_printf(&missing, "%s%" PRIu32 "-%" PRIu32 "-%" PRIu64,
                                missing.len ? "," : "", g.domain, g.server, g.number);
                for (const char *at = replicated; (at = next_pair(at, &one));)
                        related |= one.domain == g.domain;
        }
        if (missing.len)
                return error_set(e, ERROR_DATA,
                        "it lacks transactions that the target has, GTIDs %.*s", SHOWN,
                        buf_text(&missing));
        if (!related)
                return error_set(e, ERROR_DATA,
                        "it has the same GTIDs, but was no replica of these servers (its "
                        "gtid_slave_pos has none of their domains)");
        return 0;
}

static int follow_mariadb(MYSQL *c, const char *text, struct error *e)
{
        AUTO_MY_RESULT r =
                my_query(c, e, "select @@global.gtid_binlog_state, @@global.gtid_slave_pos");
        MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;
        struct gtids *ours = r ? gtids_parse(ENGINE_MARIADB, text, e) : NULL;
        int rc = ours ? compare_mariadb(
                                ours, row && row[0] ? row[0] : "", row && row[1] ? row[1] : "", e)
                      : -1;

        gtids_free(ours);
        return rc;
}

static char *normal_text(enum engine engine, const char *gtids, struct error *e)
{
        struct gtids *g = gtids_parse(engine, gtids, e);
        struct buf text = BUF_INIT;

        if (!g)
                return NULL;
        gtids_format(g, &text);
        gtids_free(g);
        return buf_take(&text);
}

static int follow(MYSQL *c, const struct binlog_state *s, struct error *e)
{
        bool prepared = !position_is_none(s->since);
        AUTO_STRING ours = NULL;
        AUTO_STRING begin = NULL;

        if (!s->gtids || (prepared && !s->since_gtids))
                return error_set(e, ERROR_DATA, "the GTIDs that the target has are not known");
        if (!(ours = normal_text(my_engine(c), s->gtids, e)) ||
                !(begin = normal_text(my_engine(c), prepared ? s->since_gtids : s->gtids, e)))
                return -1;
        return my_engine(c) == ENGINE_MARIADB ? follow_mariadb(c, ours, e)
                                              : follow_mysql(c, ours, begin, e);
}

int my_gtids_follow(MYSQL *c, const char *state, struct error *e)
{
        struct binlog_state s;
        int rc = binlog_state_parse(&s, state, e);

        if (rc == 0)
                rc = follow(c, &s, e);
        binlog_state_done(&s);
        return rc;
}
