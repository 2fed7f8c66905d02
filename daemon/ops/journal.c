#include "ops/journal.h"
#include "base/memory.h"
#include "ops/endpoint.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const struct config *journal_base(const struct config *c)
{
        return c->forward ? c->forward : c;
}

struct journal_entry journal_leads(bool reversed)
{
        enum state state = reversed ? STATE_REVERSED : STATE_STREAMING;

        return (struct journal_entry){.state = state, .phase = state, .reversed = reversed};
}

struct journal_entry journal_walks(bool back, bool reversed)
{
        struct journal_entry j = journal_leads(reversed);

        j.state = back ? STATE_ROLLING_BACK : STATE_CUTTING_OVER;
        return j;
}

bool journal_is_walking(const struct journal_entry *j)
{
        return j->state == STATE_CUTTING_OVER || j->state == STATE_ROLLING_BACK;
}

bool journal_agrees(const struct journal_entry *j, bool reversed)
{
        if (!j->sequence)
                return !reversed;
        return !journal_is_walking(j) && j->state != STATE_COMPLETE && j->reversed == reversed;
}

/* A word that this culvert does not know is of a newer one. */
static int parse(char *const *fields, struct journal_entry *j, struct error *e)
{
        int state = fields[1] ? state_of(fields[1]) : -1;
        int phase = fields[2] ? state_of(fields[2]) : -1;

        if (!fields[0] || !fields[3] || state < 0 || phase < 0)
                return error_set(e, ERROR_DATA,
                        "target: culvert.state has a row that this culvert %s does not understand",
                        CULVERT_VERSION);
        j->sequence = strtoull(fields[0], NULL, 10);
        j->state = (enum state)state;
        j->phase = (enum state)phase;
        j->reversed = !strcmp(fields[3], "reverse");
        return 0;
}

int journal_read_at(
        struct endpoint *p, const struct config *c, struct journal_entry *j, struct error *e)
{
        const char *pipeline = journal_base(c)->pipeline.name;
        AUTO_BUF sql = BUF_INIT;
        char *fields[4];
        int rc;

        *j = (struct journal_entry){0};
        buf_printf(&sql, "select %s, state, phase, direction from culvert.state where pipeline = ",
                p->is_my ? "`sequence`" : "sequence");
        endpoint_literal(p, &sql, pipeline);
        rc = endpoint_row(p, buf_text(&sql), fields, 4, e);
        if (rc < 0 && endpoint_is_missing(p, e)) {
                error_clear(e);
                rc = 0;
        }
        if (rc == 1)
                rc = parse(fields, j, e);
        for (unsigned i = 0; i < 4; i++)
                free(fields[i]);
        return rc < 0 ? -1 : 0;
}

int journal_read(const struct config *c, struct halt *h, struct journal_entry *j, struct error *e)
{
        struct endpoint p;
        int rc = endpoint_open(&p, journal_base(c), true, h, e);

        if (rc == 0)
                rc = journal_read_at(&p, c, j, e);
        endpoint_close(&p);
        return rc;
}

/* ---- writing ---- */

static void values(
        struct endpoint *p, struct buf *sql, const char *pipeline, const struct journal_entry *j)
{
        buf_printf(sql,
                "insert into culvert.state%s (pipeline, %s, state, phase, direction, since, "
                "updated_at) values (",
                p->is_my ? "" : " as s", p->is_my ? "`sequence`" : "sequence");
        endpoint_literal(p, sql, pipeline);
        buf_printf(sql, ", %" PRIu64 ", '%s', '%s', '%s', ", j->sequence, state_name(j->state),
                state_name(j->phase), j->reversed ? "reverse" : "forward");
        buf_str(sql, p->is_my ? "utc_timestamp(6), utc_timestamp(6))"
                              : "pg_catalog.clock_timestamp(), pg_catalog.clock_timestamp())");
}

static int write_row(
        struct endpoint *p, const char *pipeline, const struct journal_entry *j, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;

        buf_str(&sql, p->is_my ? "" : "set synchronous_commit = on; ");
        values(p, &sql, pipeline, j);
        buf_str(&sql,
                p->is_my ? " on duplicate key update `sequence` = values(`sequence`), state = "
                           "values(state), phase = values(phase), direction = values(direction), "
                           "since = values(since), updated_at = values(updated_at)"
                         : " on conflict (pipeline) do update set sequence = excluded.sequence, "
                           "state = excluded.state, phase = excluded.phase, direction = "
                           "excluded.direction, since = excluded.since, updated_at = "
                           "excluded.updated_at");
        return endpoint_run(p, buf_text(&sql), e);
}

static int write_target(
        const struct config *base, struct halt *h, struct journal_entry *j, struct error *e)
{
        struct journal_entry before;
        struct endpoint p;
        int rc = endpoint_open(&p, base, true, h, e);

        if (rc == 0)
                rc = journal_read_at(&p, base, &before, e);
        if (rc == 0) {
                j->sequence = before.sequence + 1;
                rc = write_row(&p, base->pipeline.name, j, e);
        }
        endpoint_close(&p);
        return rc;
}

static int write_source(
        const struct config *base, struct halt *h, const struct journal_entry *j, struct error *e)
{
        struct endpoint p;
        int rc = endpoint_open(&p, base, false, h, e);

        if (rc == 0)
                rc = write_row(&p, base->pipeline.name, j, e);
        endpoint_close(&p);
        return rc;
}

int journal_write(const struct config *c, struct halt *h, struct journal_entry *j, struct error *e)
{
        const struct config *base = journal_base(c);

        return write_target(base, h, j, e) < 0 || write_source(base, h, j, e) < 0 ? -1 : 0;
}
