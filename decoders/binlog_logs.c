#include "decoders/binlog_logs.h"
#include "base/memory.h"
#include "decoders/binlog.h"
#include "decoders/binlog_identity.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void binlog_logs_done(struct binlog_logs *logs)
{
        free(logs->log);
        *logs = (struct binlog_logs){0};
}

/* The server's index is in order already, but for a hand that edited it. */
void binlog_logs_add(struct binlog_logs *logs, uint32_t file, uint64_t size)
{
        unsigned at = logs->n++;

        logs->log = memory_grow(logs->log, logs->n * sizeof(*logs->log));
        for (; at > 0 && logs->log[at - 1].file > file; at--)
                logs->log[at] = logs->log[at - 1];
        logs->log[at] = (struct binlog_log){file, size};
}

void binlog_logs_read(struct binlog_logs *logs, MYSQL_RES *r, const char *base)
{
        size_t base_len = strlen(base);
        MYSQL_ROW row;

        while (mysql_num_fields(r) >= 2 && (row = mysql_fetch_row(r))) {
                size_t len = 0;
                int64_t file = row[0] && row[1] ? binlog_file_number(row[0], &len) : -1;

                if (file > 0 && file <= UINT32_MAX && len == base_len &&
                        memcmp(row[0], base, len) == 0)
                        binlog_logs_add(logs, (uint32_t)file, strtoull(row[1], NULL, 10));
        }
}

static const struct binlog_log *find(const struct binlog_logs *logs, uint32_t file)
{
        for (unsigned i = 0; i < logs->n; i++)
                if (logs->log[i].file == file)
                        return &logs->log[i];
        return NULL;
}

/* Older than all, or a hole: the first file that is kept behind it. Newer than all: the server was
 * put back, or its log was begun anew. */
static int missing(
        const struct binlog_logs *logs, const char *base, struct position from, struct error *e)
{
        AUTO_STRING wanted = binlog_file_name(base, from.file);
        AUTO_STRING other = NULL;

        for (unsigned i = 0; i < logs->n && !other; i++)
                if (logs->log[i].file > from.file)
                        other = binlog_file_name(base, logs->log[i].file);
        if (other)
                return error_set(e, ERROR_DATA,
                        "resync required: the source has no binlog %s any more (it keeps from %s "
                        "on)",
                        wanted, other);
        if (logs->n == 0)
                return error_set(e, ERROR_DATA,
                        "resync required: the source has no binlog %s, nor any other", wanted);
        other = binlog_file_name(base, logs->log[logs->n - 1].file);
        return error_set(e, ERROR_DATA,
                "resync required: the source's binlog ends before %s, with %s: it was put back to "
                "an older state, or its log was begun anew",
                wanted, other);
}

int binlog_logs_check(
        const struct binlog_logs *logs, const char *base, struct position from, struct error *e)
{
        const struct binlog_log *log = find(logs, from.file);
        AUTO_STRING name = NULL;

        if (!log)
                return missing(logs, base, from, e);
        if (from.lsn <= log->size)
                return 0;
        name = binlog_file_name(base, from.file);
        return error_set(e, ERROR_DATA,
                "resync required: the source's binlog %s ends at %" PRIu64
                ", before the checkpoint at %" PRIu64 ": it was put back to an older state, or "
                "lost its tail in a crash",
                name, log->size, from.lsn);
}

int64_t binlog_logs_held(const struct binlog_logs *logs, struct position from)
{
        uint64_t bytes = 0;

        for (unsigned i = 0; i < logs->n; i++) {
                const struct binlog_log *log = &logs->log[i];

                if (log->file > from.file)
                        bytes += log->size;
                else if (log->file == from.file && log->size > from.lsn)
                        bytes += log->size - from.lsn;
        }
        return (int64_t)bytes;
}
