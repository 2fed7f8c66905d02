#include "ops/fence.h"
#include "ops/fence_private.h"

#include <time.h>

#define SLICE_MS 50 /* how soon a halt is noticed */

static const struct fence_ops *ops_of(const struct fence_request *q, struct error *e)
{
        switch (q->config->source.kind) {
        case KIND_POSTGRESQL:
                return &fence_pg_ops;
        case KIND_MYSQL:
        case KIND_MARIADB:
                return &fence_my_ops;
        default:
                error_set(e, ERROR_CONFIG, "an archive has no applications to keep out");
                return NULL;
        }
}

int fence_check(const struct fence_request *q, struct checks *out, struct error *e)
{
        const struct fence_ops *ops = ops_of(q, e);

        return ops ? ops->check(q, out, e) : -1;
}

int fence_raise(const struct fence_request *q, struct fence_result *r, struct error *e)
{
        const struct fence_ops *ops = ops_of(q, e);

        *r = (struct fence_result){0};
        return ops ? ops->raise(q, r, e) : -1;
}

int fence_is_up(const struct fence_request *q, bool *up, struct error *e)
{
        const struct fence_ops *ops = ops_of(q, e);

        *up = false;
        return ops ? ops->is_up(q, up, e) : -1;
}

int fence_lower(const struct fence_request *q, struct error *e)
{
        const struct fence_ops *ops = ops_of(q, e);

        return ops ? ops->lower(q, e) : -1;
}

int fence_prove(const struct fence_request *q, bool *holds, struct error *e)
{
        const struct fence_ops *ops = ops_of(q, e);

        *holds = false;
        return ops ? ops->prove(q, holds, e) : -1;
}

int64_t fence_now(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

int fence_pause(const struct fence_request *q, unsigned milliseconds, struct error *e)
{
        int64_t until = fence_now() + milliseconds * INT64_C(1000);

        for (int64_t left; (left = until - fence_now()) > 0;) {
                unsigned ms = left / 1000 < SLICE_MS ? (unsigned)(left / 1000) + 1 : SLICE_MS;
                struct timespec t = {.tv_nsec = ms * 1000000L};

                if (halt_check(q->halt, e) < 0)
                        return -1;
                nanosleep(&t, NULL);
        }
        return halt_check(q->halt, e);
}
