#pragma once
/*
 * Side connection of a MySQL-family source: for what the stream's connection cannot answer: marks,
 * where the log ends, and what it keeps. Connects when it is needed; a lost connection fails the
 * marks that are asked and is opened again at the next question.
 *
 * Owned by the source. Events come from the loop.
 */
#include "db/my_link.h"
#include "model/position.h"

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
void binlog_side_start(struct binlog_side *s, const char *base, struct position acknowledged);
void binlog_side_stop(struct binlog_side *s); /* marks that are asked are forgotten */
void binlog_side_mark(struct binlog_side *s);
void binlog_side_acknowledge(struct binlog_side *s, struct position p);
/* Bytes of binlog from what is acknowledged to the end; -1: unknown. */
int64_t binlog_side_held(const struct binlog_side *s);
