#include "flow/retention.h"
#include "base/loop.h"

#include <string.h>

#define LOW_LENGTH (20 * SECOND)
#define KEEPING_UP 0.1     /* growth of what is held, of what is written */
#define HALF 0.5           /* of a limit: from here on */
#define HALF_OVER 0.4      /* and down to here */
#define SHORT_OVER 1.5     /* times RETENTION_HOURS: not short any more */
#define SHORT_OF_TIME 0.25 /* of an expiry that is short itself */
#define CALM (300 * SECOND)
#define CAUGHT_UP 0.1 /* of a limit: nothing to be calm about */

/* ---- growth ---- */

/* The log was begun anew, or it is another server's. */
static bool is_reset(const struct retention *r, const struct source_retention *poll)
{
        return r->n && poll->written < r->lows[r->n - 1].written;
}

static void take_low(struct retention *r, const struct source_retention *poll)
{
        struct retention_low now = {poll->asked, poll->held, poll->written};
        struct retention_low *last = r->n ? &r->lows[r->n - 1] : NULL;

        if (last && poll->asked - r->begun < LOW_LENGTH) {
                if (now.held <= last->held)
                        *last = now;
                return;
        }
        if (r->n == RETENTION_LOWS)
                memmove(r->lows, r->lows + 1, --r->n * sizeof *r->lows);
        r->lows[r->n++] = now;
        r->begun = poll->asked;
}

/* Bytes a second by which what is held grows; 0: it does not, or nobody knows yet. The low that is
 * being made does not count. */
static double growth(const struct retention *r)
{
        const struct retention_low *from, *to;
        double seconds, held, written;

        if (r->n < 3)
                return 0;
        from = &r->lows[0];
        to = &r->lows[r->n - 2];
        seconds = (double)(to->at - from->at) / SECOND;
        held = (double)to->held - (double)from->held;
        written = (double)(to->written - from->written);
        return seconds > 0 && held > written * KEEPING_UP ? held / seconds : 0;
}

/* ---- the two limits ---- */

static double hours_of_bytes(const struct retention *r, const struct source_retention *poll)
{
        double left = (double)poll->allowed - (double)poll->used, rate;

        if (poll->allowed < 0)
                return -1;
        if (left <= 0)
                return 0;
        rate = growth(r);
        return rate > 0 ? left / rate / 3600 : -1;
}

static double hours_of_time(const struct source_retention *poll)
{
        if (poll->expiry <= 0 || poll->age < 0)
                return -1;
        return poll->age < poll->expiry ? (poll->expiry - poll->age) / 3600 : 0;
}

static double share_of_bytes(const struct source_retention *poll)
{
        if (poll->allowed < 0)
                return -1;
        return poll->allowed > 0 ? (double)poll->used / (double)poll->allowed : 1;
}

static double share_of_time(const struct source_retention *poll)
{
        return poll->expiry > 0 && poll->age >= 0 ? poll->age / poll->expiry : -1;
}

/* Is the time that is left short for one who has to mend something? An expiry of an hour is not
 * short as soon as it begins. */
static bool is_short(const struct source_retention *poll, double bytes, double times)
{
        double enough = poll->expiry / 3600 * SHORT_OF_TIME;

        if (enough > RETENTION_HOURS)
                enough = RETENTION_HOURS;
        return (bytes >= 0 && bytes < RETENTION_HOURS) || (times >= 0 && times < enough);
}

static void forecast(struct retention *r, const struct source_retention *poll, bool *is_near)
{
        double bytes = hours_of_bytes(r, poll), times = hours_of_time(poll);
        double used = share_of_bytes(poll), aged = share_of_time(poll);

        r->hours_left = bytes < 0 || (times >= 0 && times < bytes) ? times : bytes;
        r->share = used > aged ? used : aged;
        r->limit = r->share < 0 ? NULL : used > aged ? poll->limit : poll->clock;
        *is_near = is_short(poll, bytes, times);
}

/* ---- the level ---- */

/* Short is over when there is clearly more time again for a while, or next to nothing is held. */
static bool stays_short(struct retention *r, int64_t now)
{
        bool over = r->hours_left < 0 || r->hours_left > RETENTION_HOURS * SHORT_OVER;

        if (!over || !r->better)
                r->better = over ? now : 0;
        return !over || (now - r->better < CALM && r->share >= CAUGHT_UP);
}

static enum retention_level level(
        struct retention *r, const struct source_retention *poll, bool is_near)
{
        if (poll->lost.class != ERROR_NONE)
                return RETENTION_LOST;
        if (is_near) {
                r->better = 0;
                return RETENTION_SHORT;
        }
        if (r->level == RETENTION_SHORT && stays_short(r, poll->asked))
                return RETENTION_SHORT;
        if (r->share >= HALF || (r->level != RETENTION_FINE && r->share >= HALF_OVER))
                return RETENTION_HALF;
        return RETENTION_FINE;
}

bool retention_take(struct retention *r, const struct source_retention *poll)
{
        enum retention_level before = r->level;
        bool is_near;

        if (!poll->asked) {
                r->hours_left = r->share = -1;
                r->limit = NULL;
                return false;
        }
        if (poll->asked <= r->asked)
                return false;
        r->asked = poll->asked;
        if (is_reset(r, poll))
                r->n = 0;
        if (poll->held >= 0)
                take_low(r, poll);
        forecast(r, poll, &is_near);
        r->level = level(r, poll, is_near);
        return r->level != before;
}
