#include "sinks/my_aside.h"
#include "base/loop.h"
#include "db/my.h"

#include <inttypes.h>
#include <string.h>

static void add_text(struct buf *sql, const char *text)
{
        buf_str(sql, ", ");
        if (text)
                my_literal(sql, text, strlen(text));
        else
                buf_str(sql, "null");
}

void my_aside_sql(struct buf *sql, const char *pipeline, const struct txn *piece,
        const struct change *c, const struct quarantine_entry *n)
{
        char position[POSITION_TEXT];

        buf_str(sql, "insert into culvert.quarantine (pipeline, table_schema, table_name, "
                     "operation, row_key, old_row, new_row, shape, position, code, message, "
                     "source, old_full, xid, committed_at, attempts, quarantined_at, row_id, "
                     "row_to) values (");
        my_literal(sql, pipeline, strlen(pipeline));
        add_text(sql, c->relation->schema);
        add_text(sql, c->relation->name);
        add_text(sql, n->operation);
        add_text(sql, buf_text(&n->key));
        add_text(sql, c->old ? buf_text(&n->old) : NULL);
        add_text(sql, c->new ? buf_text(&n->new) : NULL);
        add_text(sql, buf_text(&n->shape));
        add_text(sql, position_format(piece->commit, position));
        add_text(sql, n->code);
        add_text(sql, n->message);
        add_text(sql, n->source);
        buf_printf(sql, ", %d, %" PRIu32 ", from_unixtime(%.6f), 0, utc_timestamp(6), %" PRId64,
                c->old_full, piece->xid, (double)piece->committed_at / SECOND,
                (int64_t)n->rows.keys[0].row);
        if (n->rows.n > 1)
                buf_printf(sql, ", %" PRId64 ")", (int64_t)n->rows.keys[1].row);
        else
                buf_str(sql, ", null)");
}
