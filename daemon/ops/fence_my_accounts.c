/* The accounts that a fence locks (ops/fence.h). */
#include "ops/fence_private.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#define AT_ONCE 100 /* accounts of one statement */

/* Bits of MariaDB's `access` (sql/privilege.h). */
#define MARIADB_INSERT "2"
#define MARIADB_SUPER "32768"
#define MARIADB_REPLICATION_SLAVE "524288"
#define MARIADB_READ_ONLY_ADMIN "8589934592"
#define MARIADB_SUPER_IS_ENOUGH 101100 /* SUPER passed read_only before this version */

#define NAME "concat(quote(User), '@', quote(Host))"
#define NOT_THE_SERVERS                                                                            \
        " User not in ('root', 'mysql.sys', 'mysql.session', 'mysql.infoschema', 'mariadb.sys')"   \
        " and not (User = 'mysql' and Host = 'localhost')"                                         \
        " and concat(User, '@', Host) <> current_user()"

#define MARIADB_SQL                                                                                \
        "select name, access & " MARIADB_READ_ONLY_ADMIN                                           \
        " or @culvert_old and access & " MARIADB_SUPER ", 0 from (select " NAME                    \
        " as name, User, Host,"                                                                    \
        " cast(coalesce(json_value(Priv, '$.access'), 0) as unsigned) as access,"                  \
        " coalesce(json_value(Priv, '$.account_locked'), 0) as locked,"                            \
        " coalesce(json_value(Priv, '$.is_role'), 0) as is_role from mysql.global_priv) a"         \
        " where not locked and not is_role and " NOT_THE_SERVERS                                   \
        " and not (access & " MARIADB_REPLICATION_SLAVE " and not access & " MARIADB_INSERT        \
        " and not access & " MARIADB_SUPER ") order by name"

#define MYSQL_SQL                                                                                  \
        "select " NAME ", Super_priv = 'Y' or exists (select 1 from mysql.global_grants g"         \
        "  where g.USER = u.User and g.HOST = u.Host and g.PRIV = 'CONNECTION_ADMIN'),"            \
        " exists (select 1 from mysql.global_grants g where g.USER = u.User and g.HOST = u.Host"   \
        "  and g.PRIV = 'SYSTEM_USER') from mysql.user u where account_locked = 'N' "              \
        "and " NOT_THE_SERVERS                                                                     \
        " and not (Repl_slave_priv = 'Y' and Insert_priv = 'N' and Super_priv "                    \
        "= 'N') order by 1"

static MYSQL_RES *ask(struct fence_my *m, struct error *e)
{
        if (my_engine(m->conn) == ENGINE_MYSQL)
                return my_query(m->conn, e, MYSQL_SQL);
        if (my_runf(m->conn, e, "set @culvert_old = %d",
                    my_version(m->conn) < MARIADB_SUPER_IS_ENOUGH) < 0)
                return NULL;
        return my_query(m->conn, e, MARIADB_SQL);
}

int fence_accounts_read(struct fence_my *m, struct fence_accounts *a, struct error *e)
{
        AUTO_MY_RESULT r = ask(m, e);

        *a = (struct fence_accounts){0};
        if (!r)
                return error_context(e, "reading the accounts");
        a->items = memory_new(((size_t)mysql_num_rows(r) + 1) * sizeof *a->items);
        for (MYSQL_ROW row; (row = mysql_fetch_row(r));)
                a->items[a->n++] = (struct fence_account){.name = memory_string(row[0]),
                        .strong = row[1] && strcmp(row[1], "0") != 0,
                        .system = row[2] && strcmp(row[2], "0") != 0};
        return 0;
}

void fence_accounts_done(struct fence_accounts *a)
{
        for (unsigned i = 0; i < a->n; i++)
                free(a->items[i].name);
        free(a->items);
        *a = (struct fence_accounts){0};
}

int fence_accounts_alter(
        struct fence_my *m, const struct fence_accounts *a, const char *what, struct error *e)
{
        for (unsigned i = 0; i < a->n;) {
                const char *comma = "alter user if exists ";
                AUTO_BUF sql = BUF_INIT;

                for (unsigned k = 0; k < AT_ONCE && i < a->n; k++, i++) {
                        buf_str(&sql, comma);
                        buf_str(&sql, a->items[i].name);
                        comma = ", ";
                }
                buf_printf(&sql, " account %s", what);
                if (my_run(m->conn, e, buf_text(&sql)) < 0)
                        return error_context(e, "accounts");
        }
        return 0;
}
