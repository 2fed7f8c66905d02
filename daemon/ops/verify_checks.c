/* The operator's queries, at the end of a verification: what differs is a note. The stream goes on
 * meanwhile, so that a difference is only one when the answers stand still. */
#include "base/memory.h"
#include "ops/checks.h"
#include "ops/verify_beyond.h"

static int await(void *context, struct error *e)
{
        struct verify_worker w = {.verify = context};

        return verify_await(&w, e);
}

static void note_result(struct verify *v, const struct check_result *r)
{
        AUTO_STRING detail = NULL;

        if (r->verdict == CHECK_EQUAL)
                return;
        if (r->verdict == CHECK_DIFFERS)
                detail = memory_printf("the two sides differ: %s", r->where);
        else if (r->verdict == CHECK_FAILED)
                detail = memory_printf("no answer %s", r->error);
        else
                detail = memory_string("undecided: the answers changed all the time");
        verify_note(v, NULL, VERIFY_CHECK, r->name, detail);
}

int verify_checks(struct verify *v, struct error *e)
{
        struct check_context x = {
                .config = v->config, .halt = v->halt, .await = await, .context = v};

        for (unsigned i = 0; i < v->config->checks_n; i++) {
                struct check_result r;
                int rc = check_run(&x, &v->config->checks[i], &r, e);

                if (rc == 0)
                        note_result(v, &r);
                check_result_done(&r);
                if (rc < 0)
                        return error_context(e, "check.%s", v->config->checks[i].name);
        }
        return 0;
}
