#include "ops/health.h"
#include "base/loop.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void observe(int64_t *away, bool connected, int64_t now)
{
        if (connected)
                *away = 0;
        else if (*away == 0)
                *away = now > 0 ? now : 1;
}

void health_observe(struct health_ends *ends, const struct status *s, int64_t now)
{
        /* What is paused or complete need not hold a connection to the target. */
        bool needs_target = s->state != STATE_PAUSED && s->state != STATE_COMPLETE;

        observe(&ends->source_away, s->source.connected || s->state == STATE_COMPLETE, now);
        observe(&ends->target_away, s->target.connected || !needs_target, now);
}

/* All reasons of the worst level, in one line: none hides another that lasts longer. */
__attribute__((format(printf, 3, 4))) static void raise_to(
        struct health *h, enum health_level level, const char *format, ...)
{
        size_t at = level > h->level ? 0 : strlen(h->reason);
        va_list args;

        if (level < h->level)
                return;
        h->level = level;
        at += (size_t)snprintf(h->reason + at, sizeof h->reason - at, "%s", at ? "; " : "");
        if (at >= sizeof h->reason)
                return;
        va_start(args, format);
        vsnprintf(h->reason + at, sizeof h->reason - at, format, args);
        va_end(args);
}

static void check_end(struct health *h, const char *which, int64_t away, int64_t now)
{
        int64_t seconds = (now - away) / SECOND;

        if (away == 0)
                return;
        raise_to(h, seconds >= HEALTH_AWAY_CRITICAL ? HEALTH_CRITICAL : HEALTH_WARNING,
                "%s not connected for %lld s", which, (long long)seconds);
}

static void check_retention(struct health *h, const struct status *s)
{
        double hours = s->retention.hours_left;

        if (s->retention.lost &&
                !(s->error && !strcmp(s->error->message, s->retention.lost->message)))
                raise_to(h, HEALTH_CRITICAL, "%.200s", s->retention.lost->message);
        if (s->retention.limit)
                raise_to(h, HEALTH_WARNING, "%.0f %% of what the source keeps is used (%.60s)",
                        s->retention.share * 100, s->retention.limit);
        if (hours < 0 || hours >= HEALTH_HOURS_WARNING)
                return;
        raise_to(h, hours < HEALTH_HOURS_CRITICAL ? HEALTH_CRITICAL : HEALTH_WARNING,
                "%.1f hours until the source drops changes that were not read", hours);
}

struct health health_of(const struct status *s, const struct health_ends *ends, int64_t now)
{
        struct health h = {.level = HEALTH_OK};
        /* by itself */
        bool has_paused = s->state == STATE_PAUSED && s->error && s->error->class != ERROR_RETRY;

        if (s->state == STATE_STOPPED)
                raise_to(&h, HEALTH_CRITICAL, "stopped on an error: %.200s",
                        s->error ? s->error->message : "unknown");
        check_end(&h, "source", ends->source_away, now);
        check_end(&h, "target", ends->target_away, now);
        check_retention(&h, s);
        if (has_paused)
                raise_to(&h, HEALTH_WARNING, "paused: %.300s", s->error->message);
        else if (s->state == STATE_PAUSED)
                raise_to(&h, HEALTH_WARNING, "paused");
        if (s->error && !has_paused)
                raise_to(&h, HEALTH_WARNING, "tries again after: %.200s", s->error->message);
        if (s->silent >= HEALTH_SILENT_WARNING)
                raise_to(&h, HEALTH_WARNING, "the target has not answered for %lld s",
                        (long long)s->silent);
        if (s->quarantined > 0)
                raise_to(&h, HEALTH_WARNING, "%lld changes in quarantine",
                        (long long)s->quarantined);
        if (s->refused)
                raise_to(&h, HEALTH_WARNING, "new tables could not be added: %.200s", s->refused);
        if (s->lag.seconds > HEALTH_LAG_WARNING)
                raise_to(&h, HEALTH_WARNING, "lag is %.0f s", s->lag.seconds);
        return h;
}

const char *health_name(enum health_level level)
{
        static const char *const names[] = {"ok", "warning", "critical"};

        return names[level];
}
