/* Would the fence of a MySQL-family database hold? Errors keep it from being raised or would let
 * writes pass; nothing is touched. */
#include "ops/fence_private.h"
#include "base/memory.h"
#include "db/my_check_private.h"

#include <inttypes.h>
#include <mysqld_error.h>
#include <stdlib.h>
#include <string.h>

#define LONG_SECONDS 5 /* a transaction with changes that is open for longer */

struct look {
        struct fence_my my;
        struct my_grants grants;
        struct checks *out;
        struct error *e;
};

/* ---- rights ---- */

struct right {
        const char *name, *or_else; /* or_else: grants as much; NULL: none */
        bool when_events;           /* only where the event scheduler is on */
        const char *for_what;
};

static const struct right mariadb_rights[] = {
        {"CREATE USER", NULL, false, "locking accounts"},
        {"CONNECTION ADMIN", NULL, false, "ending sessions"},
        {"PROCESS", NULL, false, "seeing sessions and their transactions"},
        {"RELOAD", NULL, false, "the lock under which the position is read"},
        {"READ_ONLY ADMIN", NULL, false, "read_only, and writing while it is on"},
        {"SUPER", NULL, true, "event_scheduler"},
};
static const struct right mysql_rights[] = {
        {"CREATE USER", NULL, false, "locking accounts"},
        {"CONNECTION_ADMIN", "SUPER", false, "ending sessions, and writing while read_only is on"},
        {"PROCESS", NULL, false, "seeing sessions and their transactions"},
        {"FLUSH_TABLES", "RELOAD", false, "the lock under which the position is read"},
        {"SYSTEM_VARIABLES_ADMIN", "SUPER", false, "read_only and event_scheduler"},
        {"XA_RECOVER_ADMIN", NULL, false, "seeing which XA transactions are prepared"},
};
/* Where rights have no finer names yet. */
static const struct right old_rights[] = {
        {"CREATE USER", NULL, false, "locking accounts"},
        {"PROCESS", NULL, false, "seeing sessions and their transactions"},
        {"RELOAD", NULL, false, "the lock under which the position is read"},
        {"SUPER", NULL, false, "ending sessions, read_only and event_scheduler"},
};

static void check_list(struct look *l, const struct right *rights, unsigned n, bool events)
{
        for (unsigned i = 0; i < n; i++) {
                const struct right *r = &rights[i];
                AUTO_STRING mend = memory_printf("grant %s on *.* to %s", r->name, l->grants.user);

                if ((r->when_events && !events) || my_grants_has(&l->grants, r->name, NULL, NULL) ||
                        (r->or_else && my_grants_has(&l->grants, r->or_else, NULL, NULL)))
                        continue;
                checks_add(l->out, CHECK_ERROR, mend, "fence: the right %s is missing, for %s",
                        r->name, r->for_what);
        }
}

static int check_rights(struct look *l)
{
        MYSQL *c = l->my.conn;
        AUTO_MY_RESULT r = my_query(c, l->e, "select @@global.event_scheduler = 'ON'");
        MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;
        bool events = row && row[0] && !strcmp(row[0], "1");

        if (!row)
                return -1;
        if (my_engine(c) == ENGINE_MYSQL && my_version(c) >= 80000)
                check_list(l, mysql_rights, sizeof mysql_rights / sizeof *mysql_rights, events);
        else if (my_engine(c) == ENGINE_MARIADB && my_version(c) >= 101100)
                check_list(
                        l, mariadb_rights, sizeof mariadb_rights / sizeof *mariadb_rights, events);
        else
                check_list(l, old_rights, sizeof old_rights / sizeof *old_rights, events);
        if (my_grants_has(&l->grants, "INSERT", "culvert", NULL) &&
                my_grants_has(&l->grants, "DELETE", "culvert", NULL) &&
                my_grants_has(&l->grants, "CREATE", "culvert", NULL))
                return 0;
        AUTO_STRING mend = memory_printf("grant select, insert, update, delete, create, alter, "
                                         "index, references, drop on culvert.* to %s",
                l->grants.user);

        checks_add(l->out, CHECK_ERROR, mend,
                "fence: database culvert, in which is noted what the fence changes, may not be "
                "created and written");
        return 0;
}

/* ---- accounts ---- */

static int refused(struct look *l)
{
        bool mysql = my_engine(l->my.conn) == ENGINE_MYSQL;
        unsigned number = mysql_errno(l->my.conn);
        AUTO_STRING mend = NULL;

        if (number != ER_TABLEACCESS_DENIED_ERROR && number != ER_COLUMNACCESS_DENIED_ERROR &&
                number != ER_NO_SUCH_TABLE)
                return -1;
        mend = number == ER_NO_SUCH_TABLE
                       ? memory_string("upgrade the server")
                       : memory_printf("grant select on mysql.%s to %s%s",
                                 mysql ? "user" : "global_priv", l->grants.user,
                                 mysql ? "; and the same on mysql.global_grants" : "");
        checks_add(l->out, CHECK_ERROR, mend,
                "fence: which accounts there are, and which are locked, cannot be seen");
        error_clear(l->e);
        return 0;
}

static int check_accounts(struct look *l)
{
        bool may = my_grants_has(&l->grants, "SYSTEM_USER", NULL, NULL);
        struct check_names system = {0};
        struct fence_accounts a;

        if (fence_accounts_read(&l->my, &a, l->e) < 0)
                return refused(l);
        for (unsigned i = 0; i < a.n && !may; i++)
                if (a.items[i].system)
                        buf_printf(&system.text, "%s%s", system.n++ ? ", " : "", a.items[i].name);
        if (system.n) {
                AUTO_STRING mend = memory_printf("grant SYSTEM_USER on *.* to %s; -- or revoke it "
                                                 "from them",
                        l->grants.user);

                checks_add(l->out, CHECK_ERROR, mend,
                        "fence: accounts that only who has SYSTEM_USER may lock: %.800s",
                        buf_text(&system.text));
        }
        check_names_done(&system);
        fence_accounts_done(&a);
        return 0;
}

/* Applications that log in as culvert: by what each session said of its program, where the server
 * keeps that; and by where it comes from. */
#define SAME_SQL                                                                                   \
        "select count(distinct p.ID), min(p.HOST) from information_schema.processlist p"           \
        " where p.USER = substring_index(user(), '@', 1) and p.COMMAND not like 'Binlog Dump%'"    \
        " and (substring_index(p.HOST, ':', 1) <> substring_index(substring_index(user(), '@', "   \
        "-1), ':', 1) or exists (select 1 from performance_schema.session_account_connect_attrs "  \
        "a where a.PROCESSLIST_ID = p.ID and a.ATTR_NAME = 'program_name' and a.ATTR_VALUE <> "    \
        "'culvert'))"

static int check_same(struct look *l)
{
        AUTO_MY_RESULT r = my_query(l->my.conn, l->e, SAME_SQL);
        MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;

        if (!row)
                return -1;
        if (strcmp(row[0], "0") != 0)
                checks_add(l->out, CHECK_ERROR, "let applications connect by accounts of their own",
                        "fence: %s sessions are open by culvert's own account %s that are not "
                        "culvert's (from %s), and that account is not locked",
                        row[0], l->grants.user, row[1] ? row[1] : "unknown");
        return 0;
}

static int check_sessions(struct look *l)
{
        struct fence_sessions s;
        unsigned root = 0;

        if (fence_sessions_read(&l->my, &s, l->e) < 0)
                return -1;
        for (unsigned i = 0; i < s.n; i++)
                root += s.items[i].stays;
        if (root)
                checks_add(l->out, CHECK_WARNING, "let applications connect by other accounts",
                        "fence: %u sessions are open as root, which is neither ended nor locked, "
                        "and read_only does not stop it",
                        root);
        if (s.replicates)
                checks_add(l->out, CHECK_ERROR, "stop replica (stop slave)",
                        "fence: the server applies another server's log, which read_only does not "
                        "stop");
        fence_sessions_done(&s);
        return 0;
}

/* ---- transactions ---- */

static int check_prepared(struct look *l)
{
        struct error found = ERROR_INIT;

        if (fence_my_prepared(&l->my, &found) == 0)
                return 0;
        if (mysql_errno(l->my.conn) == ER_XAER_RMERR) /* the right was asked for already */
                return 0;
        if (found.class != ERROR_CONFIG) {
                *l->e = found;
                return -1;
        }
        checks_add(l->out, CHECK_ERROR, NULL, "fence: %s", found.message);
        return 0;
}

static int check_open(struct look *l)
{
        AUTO_MY_RESULT r = my_queryf(l->my.conn, l->e,
                "select t.trx_mysql_thread_id, coalesce(p.USER, 'unknown'), timestampdiff(second, "
                "t.trx_started, convert_tz(utc_timestamp(), '+00:00', 'SYSTEM')) from "
                "information_schema.innodb_trx t left join "
                "information_schema.processlist p on p.ID = t.trx_mysql_thread_id where "
                "t.trx_rows_modified > 0 and t.trx_mysql_thread_id <> 0 and t.trx_started < "
                "convert_tz(utc_timestamp(), '+00:00', 'SYSTEM') - interval %d second and p.USER "
                "<> substring_index(user(), '@', 1) order by "
                "t.trx_started limit 10",
                LONG_SECONDS);

        for (MYSQL_ROW row; r && (row = mysql_fetch_row(r));) {
                AUTO_STRING mend = memory_printf("kill %s; -- or wait for its end", row[0]);

                checks_add(l->out, CHECK_ERROR, mend,
                        "fence: session %s of user %s has had a transaction with changes open for "
                        "%s s, and the fence would wait for it",
                        row[0], row[1], row[2]);
        }
        return r ? 0 : -1;
}

/* Without PROCESS the rest would see nothing, or an error; that is said already. */
static int look_around(struct look *l)
{
        if (my_grants_read(l->my.conn, &l->grants, l->e) < 0 || check_rights(l) < 0 ||
                check_accounts(l) < 0 || check_prepared(l) < 0)
                return -1;
        if (!my_grants_has(&l->grants, "PROCESS", NULL, NULL))
                return 0;
        return check_same(l) < 0 || check_sessions(l) < 0 ? -1 : check_open(l);
}

int fence_my_check(const struct fence_request *q, struct checks *out, struct error *e)
{
        struct look l = {.out = out, .e = e};
        int rc = fence_my_open(&l.my, q, e);

        if (rc == 0)
                rc = look_around(&l);
        my_grants_done(&l.grants);
        fence_my_done(&l.my);
        return rc;
}
