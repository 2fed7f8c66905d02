#pragma once
/*
 * What culvertctl prints for people, made from the daemon's JSON. What is missing or of another
 * type is shown as unknown, so that another version's daemon is read as far as it goes. Pure.
 */
#include "base/buf.h"

#include <cjson/cJSON.h>

/* "shop  streaming  lag 0.4 s  OK" and all the rest. */
void render_status(struct buf *out, const cJSON *body);
void render_first_line(struct buf *out, const cJSON *body);
/* One line for monitoring; the exit status of `status --check`. */
int render_check(struct buf *out, const cJSON *body);
/* One line with the time, for `watch` without a terminal. */
void render_watch_line(struct buf *out, const cJSON *body);
void render_progress(struct buf *out, const cJSON *body); /* the copy's bar, rate, ETA */

void render_quarantine(struct buf *out, const cJSON *body);
void render_quarantine_done(struct buf *out, const cJSON *body);
void render_verify(struct buf *out, const cJSON *body);
void render_repair(struct buf *out, const cJSON *body);
void render_tables(struct buf *out, const cJSON *body);
void render_reload(struct buf *out, const cJSON *body);
void render_state(struct buf *out, const cJSON *body); /* pause, resume */
void render_wait(struct buf *out, const cJSON *body);
void render_text(struct buf *out, const cJSON *body); /* show config, metrics */
