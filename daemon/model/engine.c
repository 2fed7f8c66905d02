#include "model/engine.h"

#include <string.h>

static const char *const names[] = {
        [ENGINE_POSTGRESQL] = "postgresql",
        [ENGINE_MYSQL] = "mysql",
        [ENGINE_MARIADB] = "mariadb",
};

const char *engine_name(enum engine e)
{
        return names[e];
}

int engine_of(const char *name)
{
        for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
                if (!strcmp(names[i], name))
                        return (int)i;
        return -1;
}
