#include "db/my.h"
#include "base/memory.h"

#include <errmsg.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *my_session_sql(enum engine engine)
{
#define COMMON                                                                                     \
        "set names utf8mb4, autocommit = 1, time_zone = '+00:00', lc_messages = 'en_US',"          \
        "sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION',"             \
        "completion_type = 0, sql_auto_is_null = 0, sql_safe_updates = 0, sql_big_selects = 1,"    \
        "sql_select_limit = default, sql_quote_show_create = 1,"                                   \
        "group_concat_max_len = 4294967295, innodb_lock_wait_timeout = 50,"                        \
        "wait_timeout = 28800, net_read_timeout = 600, net_write_timeout = 600,"
        if (engine == ENGINE_MARIADB)
                return COMMON "max_statement_time = 0, idle_transaction_timeout = 0,"
                              "idle_readonly_transaction_timeout = 0,"
                              "idle_write_transaction_timeout = 0,"
                              "system_versioning_asof = default,"
                              "system_versioning_alter_history = keep;"
                              "set session transaction isolation level read committed";
        return COMMON "max_execution_time = 0;"
                      "set session transaction isolation level read committed";
#undef COMMON
}

enum engine my_engine(MYSQL *c)
{
        return mariadb_connection(c) ? ENGINE_MARIADB : ENGINE_MYSQL;
}

unsigned my_version(MYSQL *c)
{
        return (unsigned)mysql_get_server_version(c);
}

char *my_version_text(MYSQL *c)
{
        unsigned v = my_version(c);

        return memory_printf("%u.%u.%u", v / 10000, v / 100 % 100, v % 100);
}

/* Goes through what a text of several statements answers; the connection is free afterwards. */
static int drain(MYSQL *c, struct error *e, uint64_t *rows)
{
        int more;

        do {
                AUTO_MY_RESULT r = mysql_store_result(c);

                if (!r && mysql_field_count(c) > 0)
                        return my_error(e, c, "");
                *rows = r ? mysql_num_rows(r) : mysql_affected_rows(c);
                more = mysql_next_result(c);
        } while (more == 0);
        return more > 0 ? my_error(e, c, "") : 0;
}

MYSQL_RES *my_query(MYSQL *c, struct error *e, const char *sql)
{
        uint64_t rows;
        MYSQL_RES *r;
        int more;

        if (mysql_real_query(c, sql, strlen(sql)) != 0 ||
                (!(r = mysql_store_result(c)) && mysql_field_count(c) > 0)) {
                my_error(e, c, "");
                return NULL;
        }
        more = mysql_next_result(c);
        if (more > 0)
                my_error(e, c, "");
        else if (more < 0 || drain(c, e, &rows) == 0) {
                if (r)
                        return r;
                error_set(e, ERROR_BUG, "a statement that should give rows gave none");
        }
        my_result_done(&r);
        return NULL;
}

MYSQL_RES *my_queryf(MYSQL *c, struct error *e, const char *format, ...)
{
        char *sql = NULL;
        MYSQL_RES *r;
        va_list args;

        va_start(args, format);
        if (vasprintf(&sql, format, args) < 0)
                abort();
        va_end(args);
        r = my_query(c, e, sql);
        free(sql);
        return r;
}

int my_affected(MYSQL *c, struct error *e, const char *sql, uint64_t *rows)
{
        if (mysql_real_query(c, sql, strlen(sql)) != 0)
                return my_error(e, c, "");
        return drain(c, e, rows);
}

int my_run(MYSQL *c, struct error *e, const char *sql)
{
        uint64_t rows;

        return my_affected(c, e, sql, &rows);
}

int my_runf(MYSQL *c, struct error *e, const char *format, ...)
{
        char *sql = NULL;
        va_list args;
        int rc;

        va_start(args, format);
        if (vasprintf(&sql, format, args) < 0)
                abort();
        va_end(args);
        rc = my_run(c, e, sql);
        free(sql);
        return rc;
}

void my_result_done(MYSQL_RES **r)
{
        mysql_free_result(*r);
        *r = NULL;
}

void my_conn_done(MYSQL **c)
{
        *c = my_close(*c);
}
