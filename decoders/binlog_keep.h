#pragma once
/*
 * For how long a MySQL-family source keeps the binlog file that we still need. A file begins to age
 * when it is closed, and the server deletes it when it is older than its expiry; or when all files
 * together are larger than their limit. Pure, plain data.
 *
 * No statement tells when a file was closed. It is when the next one was opened, which that one's
 * FORMAT_DESCRIPTION event says; else it is known no better than between two looks at the list of
 * files, and the earlier of them is taken. What was closed before anybody looked is unknown.
 */
#include "decoders/binlog_logs.h"
#include "decoders/source.h"

#define BINLOG_OPENED_MAX 256 /* files remembered */

struct binlog_keep {
        double expiry;             /* seconds; 0: files do not go by age */
        uint64_t room;             /* bytes of all files; 0: no limit */
        const char *clock, *limit; /* names of the two */
        struct binlog_opened {
                uint32_t file;
                int64_t at;          /* seconds since 1970, of the server's clock */
        } opened[BINLOG_OPENED_MAX]; /* by number */
        unsigned n;
        uint32_t last; /* file that was written when somebody looked last; 0: nobody did */
        int64_t looked;
};

/* The server's variables that say how much is kept. */
#define BINLOG_KEEP_SQL                                                                            \
        "SHOW GLOBAL VARIABLES WHERE variable_name IN ('binlog_expire_logs_seconds', "             \
        "'expire_logs_days', 'binlog_expire_logs_auto_purge', 'max_binlog_total_size', "           \
        "'binlog_space_limit')"

void binlog_keep_begin(struct binlog_keep *k); /* before the variables are given anew */
void binlog_keep_variable(struct binlog_keep *k, const char *name, const char *value);
/* From the stream: the file was opened then. */
void binlog_keep_opened(struct binlog_keep *k, uint32_t file, int64_t at);
/* From the list: the file is written now. */
void binlog_keep_look(struct binlog_keep *k, uint32_t last, int64_t now);
/* Files before it are needed no more. */
void binlog_keep_forget(struct binlog_keep *k, uint32_t before);
/* Another server's files. */
void binlog_keep_clear(struct binlog_keep *k);

/* What it comes to for a stream that has acknowledged `from`: held, used, allowed, age, expiry. */
void binlog_keep_say(const struct binlog_keep *k, const struct binlog_logs *logs,
        struct position from, int64_t now, struct source_retention *out);
