#include "decoders/binlog_identity.h"
#include "base/memory.h"
#include "decoders/binlog.h"

#include <ctype.h>
#include <inttypes.h>
#include <mysqld_error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOW_BINARY_LOG_STATUS 80200 /* MySQL since 8.2; SHOW MASTER STATUS went with 8.4 */

int binlog_refused(MYSQL *c, struct error *e)
{
        unsigned number = mysql_errno(c);

        if (number != ER_SPECIFIC_ACCESS_DENIED_ERROR && number != ER_ACCESS_DENIED_ERROR)
                return -1;
        AUTO_STRING text = memory_string(e->message);

        error_set(e, ERROR_CONFIG,
                "%s; the source's user needs GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.*",
                text);
        return -1;
}

char *binlog_file_name(const char *base, uint32_t file)
{
        return memory_printf("%s.%06" PRIu32, base, file);
}

const char *binlog_status_sql(enum engine engine, unsigned version)
{
        return engine == ENGINE_MYSQL && version >= SHOW_BINARY_LOG_STATUS
                       ? "SHOW BINARY LOG STATUS"
                       : "SHOW MASTER STATUS";
}

/* A blank would not survive in the identity's text form. */
static bool is_base_name(const char *name, size_t len, size_t size)
{
        if (len == 0 || len >= size)
                return false;
        for (size_t i = 0; i < len; i++)
                if (isspace((unsigned char)name[i]))
                        return false;
        return true;
}

int binlog_status_read(MYSQL_RES *r, char *base, size_t size, struct position *end, struct error *e)
{
        MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;
        size_t len = 0;
        int64_t file;

        if (!row || mysql_num_fields(r) < 2 || !row[0] || !row[1])
                return error_set(e, ERROR_CONFIG,
                        "the source writes no binary log: it needs log_bin and a restart");
        file = binlog_file_number(row[0], &len);
        if (file <= 0 || file > UINT32_MAX || (base && !is_base_name(row[0], len, size)))
                return error_set(e, ERROR_CONFIG,
                        "the source's binlog is called '%.300s', which is no name with a number",
                        row[0]);
        if (base) {
                memcpy(base, row[0], len);
                base[len] = '\0';
        }
        *end = (struct position){.file = (uint32_t)file, .lsn = strtoull(row[1], NULL, 10)};
        return 0;
}

static int take_system(MYSQL_RES *r, struct source_identity *id, struct error *e)
{
        MYSQL_ROW row = mysql_fetch_row(r);
        size_t len = row && row[0] ? strlen(row[0]) : 0;

        if (len == 0 || len >= sizeof id->system || strspn(row[0], "0123456789abcdef-") != len)
                return error_set(e, ERROR_CONFIG, "the source's server id cannot be told");
        memcpy(id->system, row[0], len + 1);
        return 0;
}

/* MariaDB has no UUID. server_uid, where there is one, is the SHA-1 of the machine's hardware
 * address and the server's port, in base64; or a word, where the machine has no such address. */
const char *binlog_system_sql(enum engine engine)
{
        if (engine == ENGINE_MYSQL)
                return "SELECT lower(@@global.server_uuid)";
        return "SELECT coalesce((SELECT lower(left(hex(from_base64(variable_value)), 32)) FROM "
               "information_schema.global_variables WHERE variable_name = 'SERVER_UID' AND "
               "length(from_base64(variable_value)) = 20), @@global.server_id)";
}

static int read_system(MYSQL *c, struct source_identity *id, struct error *e)
{
        AUTO_MY_RESULT r = my_query(c, e, binlog_system_sql(my_engine(c)));

        return r ? take_system(r, id, e) : -1;
}

int binlog_identity(MYSQL *c, struct source_identity *id, struct position *end, struct error *e)
{
        enum engine engine = my_engine(c);
        AUTO_MY_RESULT status = my_query(c, e, binlog_status_sql(engine, my_version(c)));

        *id = (struct source_identity){0};
        if (!status)
                return binlog_refused(c, e);
        if (binlog_status_read(status, id->slot, sizeof id->slot, end, e) < 0)
                return -1;
        return read_system(c, id, e);
}
