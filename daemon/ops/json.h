#pragma once
/*
 * JSON by INTERFACE's rules on top of cJSON: integers exact whatever their size, seconds as
 * numbers, positions as strings, times RFC 3339 in UTC, unknown null. Text is made valid UTF-8.
 * Each function adds one key to an object. Any thread.
 */
#include "model/position.h"

#include <cjson/cJSON.h>
#include <stdint.h>

cJSON *json_object(void); /* with "format": 1 */

void json_text(cJSON *o, const char *key, const char *text); /* NULL: null */
void json_bool(cJSON *o, const char *key, bool value);
void json_count(cJSON *o, const char *key, uint64_t n);
void json_known(cJSON *o, const char *key, int64_t n);            /* negative: null */
void json_seconds(cJSON *o, const char *key, double seconds);     /* negative or not finite: null */
void json_position(cJSON *o, const char *key, struct position p); /* none: null */
void json_time(cJSON *o, const char *key, int64_t microseconds);  /* since 1970; <= 0: null */

/* Copies text, at most size - 1 bytes, with what is not UTF-8 replaced by '?'; never half a
 * character at the end. Returns `to`. */
char *json_utf8(char *to, size_t size, const char *from);
/* Appends the text, any bytes, as a string in quotes; fit for a terminal. Not UTF-8: '?'. */
void json_quote(struct buf *out, const char *text, size_t len);
