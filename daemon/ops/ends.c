/* The tables of functions of each kind of end. */
#include "ops/destination.h"
#include "ops/origin.h"

const struct origin_ops *origin_ops_of(enum config_kind kind)
{
        switch (kind) {
        case KIND_POSTGRESQL:
                return &pg_origin_ops;
        case KIND_MYSQL:
        case KIND_MARIADB:
                return &my_origin_ops;
        case KIND_SEGMENTS:
                return &segment_origin_ops;
        default:
                return NULL;
        }
}

const struct destination_ops *destination_ops_of(enum config_kind kind)
{
        switch (kind) {
        case KIND_POSTGRESQL:
                return &pg_destination_ops;
        case KIND_MYSQL:
        case KIND_MARIADB:
                return &my_destination_ops;
        case KIND_SEGMENTS:
                return &segment_destination_ops;
        default:
                return NULL;
        }
}
