#include "model/position.h"
#include "base/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool position_is_none(struct position p)
{
        return p.lsn == 0;
}

int position_compare(struct position a, struct position b)
{
        if (a.file != b.file)
                return a.file > b.file ? 1 : -1;
        return (a.lsn > b.lsn) - (a.lsn < b.lsn);
}

struct position position_max(struct position a, struct position b)
{
        return position_compare(a, b) >= 0 ? a : b;
}

uint64_t position_distance(struct position from, struct position to)
{
        if (position_compare(to, from) <= 0)
                return 0;
        return from.file == to.file ? to.lsn - from.lsn : to.lsn;
}

const char *position_format(struct position p, char *text)
{
        if (position_is_none(p))
                *text = '\0';
        else if (p.file)
                snprintf(text, POSITION_TEXT, "%06" PRIu32 ":%" PRIu64, p.file, p.lsn);
        else
                snprintf(text, POSITION_TEXT, "%X/%X", (unsigned)(p.lsn >> 32), (unsigned)p.lsn);
        return text;
}

static bool parse_lsn(struct position *p, const char *text)
{
        unsigned high, low;
        int used = 0;

        if (strlen(text) > 17 || sscanf(text, "%8X/%8X%n", &high, &low, &used) != 2 ||
                text[used] != '\0' || strspn(text, "0123456789abcdefABCDEF/") != strlen(text))
                return false;
        p->lsn = (uint64_t)high << 32 | low;
        return true;
}

static bool parse_binlog(struct position *p, const char *all)
{
        AUTO_STRING text = memory_printf("%.*s", (int)strcspn(all, " "), all);
        uint64_t file;
        int used = 0;

        if (strlen(text) > 30 || strspn(text, "0123456789:") != strlen(text) ||
                sscanf(text, "%10" SCNu64 ":%19" SCNu64 "%n", &file, &p->lsn, &used) != 2 ||
                text[used] != '\0' || file == 0 || file > UINT32_MAX)
                return false;
        p->file = (uint32_t)file;
        return true;
}

int position_parse(struct position *p, const char *text, struct error *e)
{
        *p = POSITION_NONE;
        if (*text == '\0')
                return 0;
        if (strchr(text, ':') ? parse_binlog(p, text) : parse_lsn(p, text))
                return 0;
        *p = POSITION_NONE;
        return error_set(e, ERROR_DATA, "'%.64s' is neither an LSN nor a binlog position", text);
}

void position_write(struct buf *out, struct position p, const char *gtids)
{
        char text[POSITION_TEXT];

        buf_str(out, position_format(p, text));
        if (gtids && *gtids)
                buf_printf(out, " %s", gtids);
}

const char *position_gtids(const char *text)
{
        const char *blank = strchr(text, ' ');

        return blank && blank[1] ? blank + 1 : NULL;
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
        if (sscanf(text, "%39[0-9a-f-]/%u/%255s%n", id->system, &id->timeline, id->slot, &used) !=
                        3 ||
                text[used] != '\0')
                return error_set(e, ERROR_DATA, "'%.128s' does not name a source", text);
        return 0;
}

int identity_check(
        const struct source_identity *stored, const struct source_identity *now, struct error *e)
{
        if (strcmp(stored->system, now->system) != 0)
                return error_set(e, ERROR_DATA,
                        "resync required: the source is server %s, the checkpoint "
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
