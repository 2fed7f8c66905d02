#include "decoders/binlog_keep.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The position moves on to the next file by itself within a few of the pipeline's idle intervals;
 * a file that was closed just now is not one that we lag behind in. */
#define SETTLE 30
#define GAP 600 /* between two looks: too long to say when in between */
#define DAY_SECONDS 86400

/* ---- limits ---- */

void binlog_keep_begin(struct binlog_keep *k)
{
        k->expiry = 0;
        k->room = 0;
        k->clock = k->limit = NULL;
}

static void set_expiry(struct binlog_keep *k, const char *clock, const char *value, double unit)
{
        double v = strtod(value, NULL) * unit;

        if (!isfinite(v) || v <= 0)
                return;
        k->expiry = v;
        k->clock = clock;
}

/* In any order: seconds count where both are set, and nothing does where purging is off. */
void binlog_keep_variable(struct binlog_keep *k, const char *name, const char *value)
{
        static const char never[] = "binlog_expire_logs_auto_purge";
        static const char seconds[] = "binlog_expire_logs_seconds";

        if (!strcasecmp(name, never) && (!strcasecmp(value, "OFF") || !strcmp(value, "0"))) {
                k->expiry = 0;
                k->clock = never;
        } else if (!strcasecmp(name, seconds) && k->clock != never) {
                set_expiry(k, seconds, value, 1);
        } else if (!strcasecmp(name, "expire_logs_days") && !k->clock) {
                set_expiry(k, "expire_logs_days", value, DAY_SECONDS);
        } else if (!strcasecmp(name, "max_binlog_total_size") ||
                   !strcasecmp(name, "binlog_space_limit")) {
                uint64_t room = strtoull(value, NULL, 10);

                if (room && (!k->room || room < k->room)) {
                        k->room = room;
                        k->limit = !strcasecmp(name, "binlog_space_limit")
                                           ? "binlog_space_limit"
                                           : "max_binlog_total_size";
                }
        }
}

/* ---- when files were opened ---- */

static unsigned place(const struct binlog_keep *k, uint32_t file)
{
        unsigned i = 0;

        while (i < k->n && k->opened[i].file < file)
                i++;
        return i;
}

static bool is_known(const struct binlog_keep *k, unsigned i, uint32_t file)
{
        return i < k->n && k->opened[i].file == file;
}

/* When there are too many, the ones that we need first stay. */
static void insert(struct binlog_keep *k, unsigned i, uint32_t file, int64_t at)
{
        if (i == BINLOG_OPENED_MAX)
                return;
        if (k->n == BINLOG_OPENED_MAX)
                k->n--;
        memmove(k->opened + i + 1, k->opened + i, (k->n - i) * sizeof *k->opened);
        k->opened[i] = (struct binlog_opened){file, at};
        k->n++;
}

void binlog_keep_opened(struct binlog_keep *k, uint32_t file, int64_t at)
{
        unsigned i = place(k, file);

        if (at <= 0)
                return;
        if (is_known(k, i, file))
                k->opened[i].at = at;
        else
                insert(k, i, file, at);
}

void binlog_keep_look(struct binlog_keep *k, uint32_t last, int64_t now)
{
        bool near;

        if (k->last && last < k->last)
                binlog_keep_clear(k);
        near = k->last && now - k->looked <= GAP;
        for (uint32_t f = k->last; near && f < last && f - k->last < BINLOG_OPENED_MAX; f++) {
                unsigned i = place(k, f + 1);

                if (!is_known(k, i, f + 1))
                        insert(k, i, f + 1, k->looked);
        }
        k->last = last;
        k->looked = now;
}

void binlog_keep_forget(struct binlog_keep *k, uint32_t before)
{
        unsigned i = place(k, before);

        memmove(k->opened, k->opened + i, (k->n - i) * sizeof *k->opened);
        k->n -= i;
}

void binlog_keep_clear(struct binlog_keep *k)
{
        k->n = 0;
        k->last = 0;
        k->looked = 0;
}

/* ---- what it comes to ---- */

static double age(const struct binlog_keep *k, uint32_t file, int64_t now)
{
        unsigned i = place(k, file + 1);
        double seconds;

        if (!is_known(k, i, file + 1))
                return -1;
        seconds = (double)now - (double)k->opened[i].at;
        return seconds < SETTLE ? -1 : seconds;
}

/* The file that is written is never deleted. */
void binlog_keep_say(const struct binlog_keep *k, const struct binlog_logs *logs,
        struct position from, int64_t now, struct source_retention *out)
{
        struct position whole = {.file = from.file};

        out->held = binlog_logs_held(logs, from);
        out->limit = k->limit;
        out->clock = k->clock;
        if (!logs->n || from.file >= logs->log[logs->n - 1].file)
                return;
        out->used = binlog_logs_held(logs, whole);
        out->allowed = k->room ? k->room > INT64_MAX ? INT64_MAX : (int64_t)k->room : -1;
        out->expiry = k->expiry;
        out->age = k->expiry > 0 ? age(k, from.file, now) : -1;
}
