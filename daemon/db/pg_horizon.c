#include "db/pg_horizon.h"

/* A session's pid, name and xmin are shown to everybody, the rest to its own role and to
 * pg_read_all_stats. */
const char pg_horizon_sql[] =
        "select pid, what, since from ("
        " select pid, 'session of user ' || coalesce(usename::text, 'unknown') ||"
        "  coalesce(', application ' || nullif(application_name, ''), '') as what,"
        "  xact_start::text as since, pg_catalog.age(backend_xmin) as age"
        "  from pg_catalog.pg_stat_activity"
        "  where backend_xmin is not null and pid <> pg_catalog.pg_backend_pid()"
        "  and (datid is null or datname = pg_catalog.current_database())"
        " union all"
        " select null, 'prepared transaction ' || gid, prepared::text,"
        "  pg_catalog.age(transaction) from pg_catalog.pg_prepared_xacts"
        "  where database = pg_catalog.current_database()"
        " union all"
        " select active_pid, 'replication slot ' || slot_name, null, pg_catalog.age(xmin)"
        "  from pg_catalog.pg_replication_slots where xmin is not null"
        ") x where age > 3000 order by age desc limit 1";

void pg_horizon_text(const PGresult *r, struct buf *out)
{
        buf_str(out,
                "a long snapshot on the target keeps the old versions of all rows: tables that "
                "change grow, culvert.checkpoint among them, until it ends (");
        if (!PQgetisnull(r, 0, 0))
                buf_printf(out, "pid %s, ", pg_text(r, 0, 0));
        buf_printf(out, "%.200s", pg_text(r, 0, 1));
        if (!PQgetisnull(r, 0, 2))
                buf_printf(out, ", since %s", pg_text(r, 0, 2));
        buf_char(out, ')');
}
