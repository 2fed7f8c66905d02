#include "decoders/binlog_history.h"

#include <string.h>

/* Of TIMESTAMP(6); from MariaDB 11.5 on it counts in 32 bits without a sign. */
static const char *const greatest[] = {"2038-01-19 03:14:07.999999", "2106-02-07 06:28:15.999999"};

static int no_end(const struct binlog_map *m, struct error *e)
{
        return error_set(e, ERROR_DATA,
                "binlog: a row of %s.%s, which is system-versioned, does not tell whether it is "
                "history: binlog_row_image must be FULL on the source",
                m->shape->schema, m->shape->name);
}

int binlog_history_current(const struct binlog_map *m, const struct value *row, struct error *e)
{
        const struct value *end = m->row_end < 0 ? NULL : &row[m->row_end];

        if (!end)
                return 1;
        if (end->kind != VALUE_TEXT)
                return no_end(m, e);
        for (unsigned i = 0; i < sizeof greatest / sizeof *greatest; i++)
                if (end->len == strlen(greatest[i]) && !memcmp(end->data, greatest[i], end->len))
                        return 1;
        return 0;
}

int binlog_history_update(const struct binlog_map *m, const struct value *old,
        const struct value *new, enum binlog_history *what, struct error *e)
{
        int was = binlog_history_current(m, old, e);
        int is = was < 0 ? -1 : binlog_history_current(m, new, e);

        if (is < 0)
                return -1;
        if (is && !was)
                return error_set(e, ERROR_DATA,
                        "binlog: an update makes a row of %s.%s current that was history",
                        m->shape->schema, m->shape->name);
        *what = is ? HISTORY_CHANGE : was ? HISTORY_END : HISTORY_NONE;
        return 0;
}
