#pragma once
/*
 * UTF-8: what is a character, how many there are. Pure; any thread.
 */
#include "base/buf.h"

/* Bytes of the character at `p`, of which `len` bytes are there (at least one): 1 to 4. 0: none, as
 * Unicode has it: cut short, longer than needed, a surrogate, or beyond U+10FFFF. */
unsigned utf8_next(const uint8_t *p, size_t len);
/* How many characters; -1: not UTF-8. */
int64_t utf8_count(const char *text, size_t len);
void utf8_add(struct buf *out, uint32_t point);
