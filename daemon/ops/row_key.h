#pragma once
/*
 * Keys of rows in the log: ", key ..." is appended, a hash that tells two rows apart, or the key
 * itself where the operator chose so ([log] keys). Over the socket a key is shown as it is. Any
 * thread.
 */
#include "base/buf.h"
#include "model/config.h"

void row_key_for_log(struct buf *out, const struct config *c, const char *key); /* "": nothing */
