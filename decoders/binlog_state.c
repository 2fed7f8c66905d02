#include "decoders/binlog_state.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#define SINCE "since="

static int read_since(struct binlog_state *s, const char *text, struct error *e)
{
        const char *gtids = position_gtids(text);

        if (position_parse(&s->since, text, e) < 0 || position_is_none(s->since))
                return error_set(e, ERROR_DATA,
                        "'%.64s' is not where a prepared transaction may begin", text);
        s->since_gtids = memory_string(gtids && *gtids ? gtids : NULL);
        return 0;
}

int binlog_state_parse(struct binlog_state *s, const char *text, struct error *e)
{
        const char *since = text ? strstr(text, SINCE) : NULL;
        size_t len = since ? (size_t)(since - text) : text ? strlen(text) : 0;

        *s = (struct binlog_state){0};
        while (len && text[len - 1] == ' ')
                len--;
        if (len)
                s->gtids = memory_printf("%.*s", (int)len, text);
        if (!since || read_since(s, since + strlen(SINCE), e) == 0)
                return 0;
        binlog_state_done(s);
        return -1;
}

void binlog_state_done(struct binlog_state *s)
{
        free(s->gtids);
        free(s->since_gtids);
        *s = (struct binlog_state){0};
}

void binlog_state_write_since(struct buf *out, struct position since, const char *gtids)
{
        if (out->len)
                buf_char(out, ' ');
        buf_str(out, SINCE);
        position_write(out, since, gtids);
}
