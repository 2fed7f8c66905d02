/* Does the source keep its log for as long as the copy takes? */
#include "db/pg_check.h"

#include <stdlib.h>

#define DAY_SECONDS 86400
#define MIB (1024.0 * 1024)

/* Both settings are absent before 13 and 18; pg_stat_wal came with 14, and tells how much the
 * server writes, on the average since its reset. */
#define LIMITS_SQL                                                                                 \
        "select coalesce((select setting::bigint from pg_catalog.pg_settings"                      \
        "  where name = 'max_slot_wal_keep_size'), -1),"                                           \
        " coalesce(pg_catalog.date_part('epoch',"                                                  \
        "  pg_catalog.current_setting('idle_replication_slot_timeout', true)::interval), 0)"

#define RATE_SQL                                                                                   \
        "select coalesce(wal_bytes / nullif(pg_catalog.date_part('epoch',"                         \
        " pg_catalog.now() - stats_reset), 0)::numeric, -1)::float8 from pg_catalog.pg_stat_wal"

static int read_rate(PGconn *c, double *rate, struct error *e)
{
        AUTO_RESULT r = NULL;

        *rate = -1;
        if (PQserverVersion(c) < 140000)
                return 0;
        r = pg_query(c, e, RATE_SQL, 0, NULL);
        if (r)
                *rate = strtod(pg_text(r, 0, 0), NULL);
        return r ? 0 : -1;
}

static void check_size(double limit, double hours, double rate, struct checks *out)
{
        double expected = rate > 0 ? rate * hours * 3600 / MIB : -1;

        if (expected < 0)
                checks_add(out, CHECK_WARNING, NULL,
                        "source: max_slot_wal_keep_size lets a slot keep %.0f MiB of WAL: that "
                        "must "
                        "hold what is written during the copy (about %.1f hours at %d MiB/s) and "
                        "any pause, or the copy has to begin again",
                        limit, hours, CHECK_COPY_MIB);
        else
                checks_add(out, expected * 2 > limit ? CHECK_WARNING : CHECK_NOTE, NULL,
                        "source: max_slot_wal_keep_size lets a slot keep %.0f MiB of WAL: the copy "
                        "takes about %.1f hours at %d MiB/s, in which the source writes %.0f MiB "
                        "as "
                        "it has on the average; if the slot is behind by more, the copy has to "
                        "begin again",
                        limit, hours, CHECK_COPY_MIB, expected);
}

int pg_check_retention(
        PGconn *source, const struct check_input *in, struct checks *out, struct error *e)
{
        AUTO_RESULT r = pg_query(source, e, LIMITS_SQL, 0, NULL);
        uint64_t bytes = 0;
        double limit, idle, rate;

        if (!r || read_rate(source, &rate, e) < 0)
                return -1;
        limit = strtod(pg_text(r, 0, 0), NULL);
        idle = strtod(pg_text(r, 0, 1), NULL);
        for (unsigned i = 0; i < in->n; i++)
                bytes += in->tables[i].source->bytes;
        if (limit >= 0)
                check_size(limit, check_copy_hours(bytes), rate, out);
        if (idle > 0)
                checks_add(out, idle < DAY_SECONDS ? CHECK_WARNING : CHECK_NOTE, NULL,
                        "source: a slot that nothing is connected to is given up after %.1f hours "
                        "(idle_replication_slot_timeout): the copy, during which nothing is, and "
                        "any outage must be shorter",
                        idle / 3600);
        return 0;
}
