#include "db/pg_timeline.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "1\t0/3000150\tno recovery target specified"; other lines are empty or comments. */
static bool parse_line(const char *line, uint32_t *timeline, char lsn[POSITION_TEXT])
{
        char *end;
        unsigned long n = strtoul(line, &end, 10);

        *timeline = (uint32_t)n;
        return end != line && n > 0 && n <= UINT32_MAX &&
               sscanf(end, "%*[\t ]%63[0-9A-Fa-f/]", lsn) == 1;
}

int pg_timeline_left(const char *history, uint32_t timeline, struct position *left, struct error *e)
{
        for (const char *line = history; *line;
                line += strcspn(line, "\n"), line += *line == '\n') {
                char lsn[POSITION_TEXT];
                uint32_t n;

                if (parse_line(line, &n, lsn) && n == timeline)
                        return position_parse(left, lsn, e);
        }
        return error_set(e, ERROR_DATA,
                "resync required: the source's timeline does not come from timeline %" PRIu32
                ", which the checkpoint belongs to",
                timeline);
}
