#include "flow/checkpoint.h"

#include <inttypes.h>

void checkpoint_start(struct checkpoint *c, struct position p)
{
        *c = (struct checkpoint){.delivered = p, .last = p, .stored = p, .durable = p};
}

void checkpoint_lost(struct checkpoint *c)
{
        checkpoint_start(c, c->durable);
}

void checkpoint_kept(struct checkpoint *c, struct position p, struct position delivered)
{
        checkpoint_start(c, p);
        c->delivered = c->last = position_max(p, delivered);
}

void checkpoint_settled(struct checkpoint *c, struct position p)
{
        if (position_compare(p, c->last) < 0)
                c->last = p;
}

static int went_back(const char *what, struct position from, struct position to, struct error *e)
{
        char a[POSITION_TEXT], b[POSITION_TEXT];

        return error_set(e, ERROR_BUG, "%s position went from %s back to %s", what,
                position_format(from, a), position_format(to, b));
}

int checkpoint_delivered(struct checkpoint *c, struct position end, struct error *e)
{
        if (position_compare(end, c->delivered) < 0)
                return went_back("the delivered", c->delivered, end, e);
        c->delivered = c->last = end;
        return 0;
}

void checkpoint_passed(struct checkpoint *c, struct position p)
{
        c->delivered = position_max(c->delivered, p);
}

void checkpoint_taken(struct checkpoint *c)
{
        c->taken++;
}

int checkpoint_committed(
        struct checkpoint *c, struct position end, uint64_t transactions, struct error *e)
{
        if (position_compare(end, c->stored) < 0)
                return went_back("the committed", c->stored, end, e);
        if (position_compare(end, c->delivered) > 0 || transactions > c->taken)
                return error_set(e, ERROR_BUG,
                        "the target committed %" PRIu64 " transactions, it had %" PRIu64,
                        transactions, c->taken);
        c->stored = end;
        c->taken -= transactions;
        return 0;
}

int checkpoint_durable(struct checkpoint *c, struct position end, struct error *e)
{
        if (position_compare(end, c->durable) < 0)
                return went_back("the durable", c->durable, end, e);
        if (position_compare(end, c->stored) > 0)
                return error_set(e, ERROR_BUG, "durable before it was committed");
        c->durable = end;
        return 0;
}

bool checkpoint_pending(const struct checkpoint *c)
{
        return position_compare(c->last, c->stored) > 0;
}

struct position checkpoint_applied(const struct checkpoint *c)
{
        return checkpoint_pending(c) ? c->stored : c->delivered;
}

struct position checkpoint_idle(const struct checkpoint *c)
{
        if (checkpoint_pending(c) || position_compare(c->delivered, c->stored) <= 0)
                return POSITION_NONE;
        return c->delivered;
}

struct position checkpoint_acknowledge(const struct checkpoint *c)
{
        return c->durable;
}
