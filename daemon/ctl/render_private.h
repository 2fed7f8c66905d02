#pragma once
/* What the files of ctl/render share: members of the daemon's JSON, by path ("lag.seconds"). */
#include "base/buf.h"

#include <cjson/cJSON.h>

double render_number(const cJSON *o, const char *path); /* NAN: it is none */
void render_string(struct buf *out, const cJSON *o, const char *path);
void render_value(
        struct buf *out, const cJSON *o, const char *path, void (*add)(struct buf *out, double v));
void render_json(
        struct buf *out, const cJSON *o, const char *name); /* a member as it is; "?": none */
/* A text in a column of that width, and a blank. */
void render_cell(struct buf *out, const cJSON *o, const char *path, size_t width);
