/* libFuzzer: INI text and every option's value, from memory; no file is opened. */
#include "model/config_private.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_difference(void *context, const char *key, bool reloadable)
{
        (void)context;
        (void)key;
        (void)reloadable;
        abort();
}

/* What `show config` prints of a good file is a good file that means the same. */
static void check_show(const struct config *c)
{
        AUTO_BUF first = BUF_INIT;
        struct config *again;

        config_show(c, &first);
        again = config_parse(c->path, buf_text(&first), first.len, false);
        if (again->problems_n > 0)
                abort();
        config_diff(c, again, on_difference, NULL);
        config_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        AUTO_BUF problems = BUF_INIT;
        struct config *c = config_parse("/fuzz.conf", (const char *)data, size, false);

        config_print_problems(c, &problems);
        if (c->problems_n == 0)
                check_show(c);
        config_free(c);
        return 0;
}
