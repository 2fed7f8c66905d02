#include "sinks/sink.h"

#include <stddef.h>

static const struct sink_ops *const sinks[] = {
        &pg_sink_ops, &my_sink_ops, &mariadb_sink_ops, &segment_sink_ops};

const struct sink_ops *sink_ops_of(enum config_kind kind)
{
        for (size_t i = 0; i < sizeof sinks / sizeof *sinks; i++)
                if (sinks[i]->kind == kind)
                        return sinks[i];
        return NULL;
}
