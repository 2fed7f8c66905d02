#include "decoders/source.h"

#include <stddef.h>

static const struct source_ops *const sources[] = {
        &pg_stream_ops, &mysql_stream_ops, &mariadb_stream_ops, &segment_stream_ops};

const struct source_ops *source_ops_of(enum config_kind kind)
{
        for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
                if (sources[i]->kind == kind)
                        return sources[i];
        return NULL;
}
