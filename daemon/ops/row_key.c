#include "ops/row_key.h"

#include <inttypes.h>

/* FNV-1a, 64 bits. */
void row_key_for_log(struct buf *out, const struct config *c, const char *key)
{
        uint64_t hash = UINT64_C(0xcbf29ce484222325);

        if (!*key)
                return;
        for (const char *p = key; *p; p++)
                hash = (hash ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
        if (c->log_keys)
                buf_printf(out, ", key %s", key);
        else
                buf_printf(out, ", key #%016" PRIx64, hash);
}
