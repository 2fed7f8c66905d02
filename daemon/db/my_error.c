#include "db/my.h"

#include <errmsg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Numbers are those of the servers' error references; names that only one family or a newer release
 * knows are not in mysqld_error.h, hence numbers. Sorted by number. */
static const struct {
        unsigned number;
        enum error_class class;
} classes[] = {
        {1015, ERROR_RETRY},  /* cannot lock file */
        {1020, ERROR_RETRY},  /* record has changed since last read */
        {1021, ERROR_RETRY},  /* disk full */
        {1026, ERROR_RETRY},  /* error writing file */
        {1030, ERROR_RETRY},  /* storage engine: 28 is a full disk */
        {1037, ERROR_RETRY},  /* out of memory */
        {1038, ERROR_RETRY},  /* out of sort memory */
        {1040, ERROR_RETRY},  /* too many connections */
        {1041, ERROR_RETRY},  /* out of resources */
        {1042, ERROR_RETRY},  /* bad host: the server could not resolve us */
        {1043, ERROR_RETRY},  /* bad handshake */
        {1044, ERROR_CONFIG}, /* access denied: database */
        {1045, ERROR_CONFIG}, /* access denied: user */
        {1046, ERROR_CONFIG}, /* no database selected */
        {1049, ERROR_CONFIG}, /* unknown database */
        {1053, ERROR_RETRY},  /* server shutdown */
        {1077, ERROR_RETRY},  /* normal shutdown */
        {1079, ERROR_RETRY},  /* shutdown complete */
        {1080, ERROR_RETRY},  /* forcing close of a thread */
        {1095, ERROR_CONFIG}, /* not owner of the thread */
        {1114, ERROR_RETRY},  /* table is full: InnoDB's word for a full disk */
        {1115, ERROR_CONFIG}, /* unknown character set */
        {1129, ERROR_CONFIG}, /* host is blocked: FLUSH HOSTS */
        {1130, ERROR_CONFIG}, /* host is not allowed */
        {1141, ERROR_CONFIG}, /* no such grant */
        {1142, ERROR_CONFIG}, /* table access denied */
        {1143, ERROR_CONFIG}, /* column access denied */
        {1148, ERROR_CONFIG}, /* not allowed: LOCAL INFILE */
        {1152, ERROR_RETRY},  /* aborting connection */
        {1153, ERROR_CONFIG}, /* packet bigger than max_allowed_packet */
        {1158, ERROR_RETRY},  /* network: read */
        {1159, ERROR_RETRY},  /* network: read interrupted */
        {1160, ERROR_RETRY},  /* network: write */
        {1161, ERROR_RETRY},  /* network: write interrupted */
        {1180, ERROR_RETRY},  /* error during COMMIT */
        {1184, ERROR_RETRY},  /* new aborting connection */
        {1193, ERROR_CONFIG}, /* unknown system variable */
        {1203, ERROR_RETRY},  /* user has max_user_connections */
        {1205, ERROR_RETRY},  /* lock wait timeout */
        {1206, ERROR_RETRY},  /* lock table full */
        {1213, ERROR_RETRY},  /* deadlock */
        {1226, ERROR_RETRY},  /* user limit reached, for this hour perhaps */
        {1227, ERROR_CONFIG}, /* privilege needed */
        {1231, ERROR_CONFIG}, /* variable does not take the value */
        {1235, ERROR_CONFIG}, /* not supported by this version */
        {1236, ERROR_CONFIG}, /* binlog cannot be read from there */
        {1251, ERROR_CONFIG}, /* authentication protocol */
        {1273, ERROR_CONFIG}, /* unknown collation */
        {1275, ERROR_CONFIG}, /* old password format */
        {1286, ERROR_CONFIG}, /* unknown storage engine */
        {1290, ERROR_RETRY},  /* read-only, while a failover goes on */
        {1298, ERROR_CONFIG}, /* unknown time zone */
        {1317, ERROR_RETRY},  /* query interrupted */
        {1370, ERROR_CONFIG}, /* routine access denied */
        {1381, ERROR_CONFIG}, /* no binary logging */
        {1410, ERROR_CONFIG}, /* may not create users */
        {1419, ERROR_CONFIG}, /* no SUPER and binary logging */
        {1524, ERROR_CONFIG}, /* plugin is not loaded */
        {1637, ERROR_RETRY},  /* too many transactions */
        {1698, ERROR_CONFIG}, /* access denied, no password used */
        {1820, ERROR_CONFIG}, /* password must be changed */
        {1836, ERROR_RETRY},  /* read-only mode */
        {1862, ERROR_CONFIG}, /* password expired */
        {1873, ERROR_CONFIG}, /* access denied: change user */
        {1927, ERROR_RETRY},  /* connection was killed (MariaDB) */
        {1969, ERROR_RETRY},  /* max_statement_time (MariaDB) */
        {CR_SOCKET_CREATE_ERROR, ERROR_RETRY},
        {CR_CONNECTION_ERROR, ERROR_RETRY},
        {CR_CONN_HOST_ERROR, ERROR_RETRY},
        {CR_IPSOCK_ERROR, ERROR_RETRY},
        {CR_UNKNOWN_HOST, ERROR_RETRY},
        {CR_SERVER_GONE_ERROR, ERROR_RETRY},
        {CR_VERSION_ERROR, ERROR_CONFIG},
        {CR_OUT_OF_MEMORY, ERROR_RETRY},
        {CR_SERVER_HANDSHAKE_ERR, ERROR_RETRY},
        {CR_SERVER_LOST, ERROR_RETRY},
        {CR_COMMANDS_OUT_OF_SYNC, ERROR_BUG},
        {CR_CANT_READ_CHARSET, ERROR_CONFIG},
        {CR_SSL_CONNECTION_ERROR, ERROR_CONFIG}, /* but see tls_class */
        {CR_MALFORMED_PACKET, ERROR_RETRY},
        {CR_SECURE_AUTH, ERROR_CONFIG},
        {CR_SERVER_LOST_EXTENDED, ERROR_RETRY},
        {CR_AUTH_PLUGIN_CANNOT_LOAD, ERROR_CONFIG},
        {CR_AUTH_PLUGIN_ERR, ERROR_CONFIG},
        {3024, ERROR_RETRY},  /* max_execution_time (MySQL) */
        {3098, ERROR_CONFIG}, /* table does not fit group replication */
        {3100, ERROR_RETRY},  /* group replication: commit hook */
        {3101, ERROR_RETRY},  /* group replication: rolled back */
        {3118, ERROR_CONFIG}, /* account locked (MySQL) */
        {3159, ERROR_CONFIG}, /* secure transport required (MySQL) */
        {3168, ERROR_RETRY},  /* server is not available */
        {3169, ERROR_RETRY},  /* session was killed (MySQL) */
        {3572, ERROR_RETRY},  /* NOWAIT */
        {3948, ERROR_CONFIG}, /* LOCAL INFILE is off (MySQL) */
        {4031, ERROR_RETRY},  /* disconnected for inactivity (MySQL) */
        {4151, ERROR_CONFIG}, /* account locked (MariaDB) */
        {4166, ERROR_CONFIG}, /* LOCAL INFILE is off (MariaDB) */
        {CR_PLUGIN_NOT_ALLOWED, ERROR_CONFIG},
        {CR_ERR_NET_READ, ERROR_RETRY},
        {CR_ERR_NET_WRITE, ERROR_RETRY},
        {CR_ERR_NET_UNCOMPRESS, ERROR_RETRY},
};

enum error_class my_error_class(unsigned number)
{
        unsigned low = 0, high = sizeof classes / sizeof *classes;

        while (low < high) {
                unsigned middle = (low + high) / 2;

                if (classes[middle].number == number)
                        return classes[middle].class;
                if (classes[middle].number < number)
                        low = middle + 1;
                else
                        high = middle;
        }
        return ERROR_DATA;
}

bool my_error_is_lost(unsigned number)
{
        static const unsigned lost[] = {CR_SERVER_GONE_ERROR, CR_SERVER_LOST, CR_MALFORMED_PACKET,
                CR_SERVER_LOST_EXTENDED, CR_COMMANDS_OUT_OF_SYNC, CR_ERR_NET_READ, CR_ERR_NET_WRITE,
                CR_ERR_NET_UNCOMPRESS, 1053, 1077, 1079, 1080, 1152, 1153, 1158, 1159, 1160, 1161,
                1184, 1927, 3169, 4031};

        for (unsigned i = 0; i < sizeof lost / sizeof *lost; i++)
                if (lost[i] == number)
                        return true;
        return false;
}

/* A certificate that is not the one we were told to trust, or that cannot be read, is no passing
 * trouble; a connection that broke within the handshake is. */
static enum error_class tls_class(const char *text)
{
        static const char *const passing[] = {"unexpected eof", "onnection reset", "roken pipe",
                "imed out", "onnection refused", "temporarily", "nterrupted"};

        for (unsigned i = 0; i < sizeof passing / sizeof *passing; i++)
                if (strstr(text, passing[i]))
                        return ERROR_RETRY;
        return ERROR_CONFIG;
}

/* A refusal that comes before TLS is wrapped in a connection error: "... be verified: 1130 - " */
static enum error_class connection_class(const char *text)
{
        const char *at = strstr(text, "cannot be verified: ");
        unsigned number = at ? (unsigned)strtoul(strchr(at, ':') + 1, NULL, 10) : 0;

        return number && my_error_class(number) == ERROR_CONFIG ? ERROR_CONFIG : ERROR_RETRY;
}

static enum error_class class_of(unsigned number, const char *text)
{
        if (number == CR_SSL_CONNECTION_ERROR)
                return tls_class(text);
        if (number == CR_CONNECTION_ERROR)
                return connection_class(text);
        return my_error_class(number);
}

/* A value, a constraint, a trigger's SIGNAL; and those of the same kind that go under a state which
 * says nothing: mysqld_error.h. */
static bool is_of_row(unsigned number, const char *state)
{
        static const unsigned more[] = {
                1118, 1265, 1292, 1364, 1366, 1411, 1467, 1525, 1526, 1591, 1748, 1863, 3819, 4025};

        for (unsigned i = 0; i < sizeof more / sizeof *more; i++)
                if (more[i] == number)
                        return true;
        return !strncmp(state, "22", 2) || !strncmp(state, "23", 2) || !strncmp(state, "44", 2) ||
               !strncmp(state, "45", 2);
}

static void cut_password(char *message, const char *password)
{
        size_t n = password ? strlen(password) : 0;

        for (char *at = message; n && (at = strstr(at, password)); at += n)
                memset(at, '*', n);
}

int my_error(struct error *e, MYSQL *c, const char *doing)
{
        unsigned number = c ? mysql_errno(c) : CR_OUT_OF_MEMORY;
        const char *state = c ? mysql_sqlstate(c) : "HY000";
        enum error_class class;
        char line[800];

        snprintf(line, sizeof line, "%s", c ? mysql_error(c) : "out of memory");
        class = class_of(number, line);
        if (class == ERROR_DATA)
                my_error_cut(line, number);
        cut_password(line, c ? c->passwd : NULL);
        error_set(e, class, "%s%s%s (error %u, SQLSTATE %s)", doing, *doing ? ": " : "",
                *line ? line : "refused by a trigger or routine", number, state);
        snprintf(e->code, sizeof e->code, "%s", state);
        e->of_row = class == ERROR_DATA && is_of_row(number, state);
        e->row = number == 1062 || number == 1586 ? ROW_IN_THE_WAY : ROW_OTHER; /* duplicate */
        return -1;
}
