/*
 * libFuzzer: MySQL's binary JSON. Two bytes of length and a document, then differences to it, as a
 * PARTIAL_UPDATE_ROWS event has them.
 */
#include "base/memory.h"
#include "decoders/binlog_json.h"
#include "decoders/binlog_json_diff.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
        if (!ok)
                abort();
}

/* Text of JSON has no control characters and is not empty. */
static void check_text(const struct buf *out)
{
        must(out->len > 0);
        for (size_t i = 0; i < out->len; i++)
                must((unsigned char)out->data[i] >= 0x20);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct reader in = reader_of(data, size);
        size_t len = reader_u16(&in);
        void *document, *diffs;
        AUTO_BUF text = BUF_INIT;
        AUTO_BUF patched = BUF_INIT;
        struct error e = ERROR_INIT;

        if (!reader_ok(&in))
                return 0;
        len = len < reader_left(&in) ? len : reader_left(&in);
        document = memory_copy(in.at, len);
        reader_bytes(&in, len);
        size = reader_left(&in);
        diffs = memory_copy(in.at, size);
        if (binlog_json_text(document, len, &text, &e) == 0)
                check_text(&text);
        else
                must(e.class == ERROR_DATA);
        if (binlog_json_patch(reader_of(document, len), reader_of(diffs, size), &patched, &e) == 0)
                check_text(&patched);
        else
                must(e.class == ERROR_DATA);
        free(document);
        free(diffs);
        return 0;
}
