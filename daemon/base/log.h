#pragma once
/*
 * Log: one line an event, with fields. To the journal when systemd's stream is stderr, else to
 * stderr. Called by daemon/flow and above only; what is below returns errors. Any thread.
 * Values of rows and secrets never come here.
 */
#include "base/error.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Ids of the journal catalogue, systemd/culvert.catalog. LOG_PLAIN has none. */
enum log_id {
        LOG_PLAIN,
        LOG_STATE,   /* the pipeline changed its state */
        LOG_STOPPED, /* stopped on an error; an operator is needed */
        LOG_RETRY,   /* a connection was lost and is tried again */
        LOG_COMMAND, /* somebody used the control socket */
        LOG_COPY,    /* progress of the copy */
        LOG_LIMIT,   /* a limit comes near */
        LOG_IDS
};

void log_open(const char *pipeline, enum log_level level);
void log_set_level(enum log_level level);
int log_level_of(const char *name); /* -1: no such level */

/* Fields of the journal entry; "" leaves one out. */
struct log_fields {
        const char *position, *table;
};

void log_event(enum log_level level, enum log_id id, const struct log_fields *fields,
        const char *format, ...) __attribute__((format(printf, 4, 5)));
void log_failure(enum log_level level, enum log_id id, const struct error *e, const char *what);

#define log_error(...) log_event(LOG_LEVEL_ERROR, LOG_PLAIN, NULL, __VA_ARGS__)
#define log_warning(...) log_event(LOG_LEVEL_WARNING, LOG_PLAIN, NULL, __VA_ARGS__)
#define log_info(...) log_event(LOG_LEVEL_INFO, LOG_PLAIN, NULL, __VA_ARGS__)
#define log_debug(...) log_event(LOG_LEVEL_DEBUG, LOG_PLAIN, NULL, __VA_ARGS__)
