#pragma once
/*
 * Side connection of a MySQL-family source: for what the stream's connection cannot answer: marks,
 * where the log ends, and what it keeps and for how long. Connects when it is needed; a lost
 * connection fails the marks that are asked and is opened again at the next question. The list of
 * files is looked at while nothing streams, too: they go all the same.
 *
 * Owned by the source. Events come from the loop.
 */
#include "db/my_link.h"
#include "decoders/source.h"

struct binlog_side;

struct binlog_side_events {
        /* Answers of binlog_side_mark, in order. */
        void (*marked)(void *context, struct position p, const struct error *e);
        void (*log_end)(void *context, struct position p);
};

/* Polls the log every `interval` microseconds once it is started. */
struct binlog_side *binlog_side_new(struct loop *l, const struct my_params *p, int64_t interval,
        const struct binlog_side_events *events, void *context);
struct binlog_side *binlog_side_free(struct binlog_side *s);
void binlog_side_start(struct binlog_side *s, const struct source_identity *identity,
        struct position acknowledged);
/* Marks that are asked are forgotten; the list of files is looked at less often. */
void binlog_side_rest(struct binlog_side *s);
void binlog_side_mark(struct binlog_side *s);
void binlog_side_acknowledge(struct binlog_side *s, struct position p);
/* From the stream: this file was opened then, in seconds since 1970. */
void binlog_side_opened(struct binlog_side *s, uint32_t file, int64_t at);
const struct source_retention *binlog_side_retention(const struct binlog_side *s);
