#include "ops/service.h"
#include "base/loop.h"
#include "base/memory.h"
#include "ops/migration.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <systemd/sd-daemon.h>

#define STATUS_INTERVAL (5 * SECOND)

struct service {
        struct loop *loop;
        struct migration *migration;
        struct timer beat;
        int64_t interval;
        bool watched;
        char told[256];
};

static void tell_status(struct service *s)
{
        struct status st;
        char text[256];

        migration_status(s->migration, &st);
        if (st.error)
                snprintf(text, sizeof text, "%s: %.200s", state_name(st.state), st.error->message);
        else if (st.lag.seconds >= 0)
                snprintf(text, sizeof text, "%s, lag %.1f s", state_name(st.state), st.lag.seconds);
        else
                snprintf(text, sizeof text, "%s", state_name(st.state));
        if (!strcmp(text, s->told))
                return;
        memcpy(s->told, text, sizeof s->told);
        sd_notifyf(0, "STATUS=%s", text);
}

static void on_beat(void *context)
{
        struct service *s = context;

        timer_set(&s->beat, s->interval);
        if (s->watched)
                sd_notify(0, "WATCHDOG=1");
        tell_status(s);
}

struct service *service_new(struct loop *l, struct migration *m)
{
        struct service *s = memory_new_of(struct service);
        uint64_t watchdog = 0;

        s->loop = l;
        s->migration = m;
        s->interval = STATUS_INTERVAL;
        s->watched = sd_watchdog_enabled(0, &watchdog) > 0;
        if (s->watched && (int64_t)watchdog / 3 < s->interval)
                s->interval = (int64_t)watchdog / 3;
        timer_init(&s->beat, l, on_beat, s);
        timer_set(&s->beat, 0);
        return s;
}

struct service *service_free(struct service *s)
{
        if (!s)
                return NULL;
        timer_cancel(&s->beat);
        free(s);
        return NULL;
}

void service_ready(struct service *s)
{
        sd_notify(0, "READY=1");
        tell_status(s);
}

void service_reloading(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
                (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
}

void service_stopping(long grace_seconds)
{
        sd_notifyf(0, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%ld", (grace_seconds + 5) * 1000000);
}
