#pragma once
/*
 * Text for people: bytes, durations, counts, bars; and what a server sent made safe for a
 * terminal. Pure.
 */
#include "base/buf.h"

#include <stdbool.h>

/* Appends `s` without control characters (C0, DEL, C1) and without what is not UTF-8; '?' stands
 * for them. Line ends stay when `lines`. */
void text_safe(struct buf *out, const char *s, bool lines);

void text_bytes(struct buf *out, double bytes);      /* 1.2 MiB */
void text_duration(struct buf *out, double seconds); /* 0.4 s, 3 min 5 s, 2 h 10 min, 4 d 3 h */
void text_count(struct buf *out, double n);          /* 1234567 */
void text_bar(struct buf *out, double part, unsigned width); /* [####----]; part from 0 to 1 */

/* Bytes of the first line of `s` that fit into so many columns (one a character). */
size_t text_fit(const char *s, unsigned columns);
