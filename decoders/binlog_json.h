#pragma once
/*
 * MySQL's binary JSON (sql-common/json_binary.h): to the text that the server prints. Pure.
 */
#include "base/buf.h"
#include "base/error.h"

#include <stdbool.h>

/* No bytes at all are JSON null: what a column gets that was never written. */
int binlog_json_text(const void *data, size_t len, struct buf *out, struct error *e);

/* ---- for binlog_json_diff.c ---- */

#define BINLOG_JSON_DEPTH 100 /* the server's limit */

/* A value inside a document: its type, and where it begins (an inlined one: in its entry). */
struct binlog_json {
        uint8_t type;
        struct reader data;
        /* of an object or array, after binlog_json_open */
        bool object, large;
        uint32_t count;
};

/* Offsets may be hostile: the same part may be named many times over, at each level. No honest
 * document of so many bytes has a text that is longer than this. */
size_t binlog_json_limit(size_t len);
bool binlog_json_root(const void *data, size_t len, struct binlog_json *v);
bool binlog_json_is_container(const struct binlog_json *v);
bool binlog_json_open(struct binlog_json *v);
/* The i-th element; of an object also its key. */
bool binlog_json_at(const struct binlog_json *v, uint32_t i, const char **key, size_t *key_len,
        struct binlog_json *element);
bool binlog_json_scalar(const struct binlog_json *v, struct buf *out);
void binlog_json_quote(const char *data, size_t len, struct buf *out);
