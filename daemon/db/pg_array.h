#pragma once
/*
 * Array values as text, for parameters such as $1::text[]. Begin with an empty buffer, add, close.
 * Pure; any thread.
 */
#include "base/buf.h"

void pg_array_text(struct buf *array, const char *text);
void pg_array_number(struct buf *array, uint32_t number);
/* The finished value; "{}" when nothing was added. */
const char *pg_array_close(struct buf *array);
