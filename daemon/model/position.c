#include "model/position.h"

#include <stdio.h>
#include <string.h>

bool position_is_none(struct position p)
{
        return p.lsn == 0;
}

int position_compare(struct position a, struct position b)
{
        return (a.lsn > b.lsn) - (a.lsn < b.lsn);
}

struct position position_max(struct position a, struct position b)
{
        return position_compare(a, b) >= 0 ? a : b;
}

const char *position_format(struct position p, char *text)
{
        if (position_is_none(p))
                *text = '\0';
        else
                snprintf(text, POSITION_TEXT, "%X/%X", (unsigned)(p.lsn >> 32), (unsigned)p.lsn);
        return text;
}

int position_parse(struct position *p, const char *text, struct error *e)
{
        unsigned high, low;
        int used = 0;

        *p = POSITION_NONE;
        if (*text == '\0')
                return 0;
        if (strlen(text) > 17 || sscanf(text, "%8X/%8X%n", &high, &low, &used) != 2 ||
                text[used] != '\0' || strspn(text, "0123456789abcdefABCDEF/") != strlen(text))
                return error_set(e, ERROR_DATA, "'%.64s' is not an LSN", text);
        p->lsn = (uint64_t)high << 32 | low;
        return 0;
}

const char *identity_format(const struct source_identity *id, char *text)
{
        snprintf(text, IDENTITY_TEXT, "%s/%u/%s", id->system, id->timeline, id->slot);
        return text;
}

int identity_parse(struct source_identity *id, const char *text, struct error *e)
{
        int used = 0;

        *id = (struct source_identity){0};
        if (sscanf(text, "%31[0-9]/%u/%63s%n", id->system, &id->timeline, id->slot, &used) != 3 ||
                text[used] != '\0')
                return error_set(e, ERROR_DATA, "'%.128s' does not name a source", text);
        return 0;
}

int identity_check(
        const struct source_identity *stored, const struct source_identity *now, struct error *e)
{
        if (strcmp(stored->system, now->system) != 0)
                return error_set(e, ERROR_DATA,
                        "resync required: the source's system identifier is %s, the checkpoint "
                        "belongs to %s",
                        now->system, stored->system);
        if (stored->timeline != now->timeline)
                return error_set(e, ERROR_DATA,
                        "resync required: the source is on timeline %u, the checkpoint belongs to "
                        "timeline %u",
                        now->timeline, stored->timeline);
        if (strcmp(stored->slot, now->slot) != 0)
                return error_set(e, ERROR_DATA,
                        "resync required: the configuration names slot %s, the checkpoint belongs "
                        "to slot %s",
                        now->slot, stored->slot);
        return 0;
}
