#define SD_JOURNAL_SUPPRESS_LOCATION
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include <systemd/sd-journal.h>

static struct {
        char pipeline[48];
        enum log_level level;
        bool journal;
} out = {.level = LOG_LEVEL_INFO};

static const char *const ids[LOG_IDS] = {
        [LOG_STATE] = "5f1c2a6d0f0b4f5c9d3e8a7b61c40e01",
        [LOG_STOPPED] = "5f1c2a6d0f0b4f5c9d3e8a7b61c40e02",
        [LOG_RETRY] = "5f1c2a6d0f0b4f5c9d3e8a7b61c40e03",
        [LOG_COMMAND] = "5f1c2a6d0f0b4f5c9d3e8a7b61c40e04",
        [LOG_COPY] = "5f1c2a6d0f0b4f5c9d3e8a7b61c40e05",
        [LOG_LIMIT] = "5f1c2a6d0f0b4f5c9d3e8a7b61c40e06",
};

static const struct {
        const char *name;
        int priority;
} levels[] = {
        [LOG_LEVEL_ERROR] = {"error", LOG_ERR},
        [LOG_LEVEL_WARNING] = {"warning", LOG_WARNING},
        [LOG_LEVEL_INFO] = {"info", LOG_INFO},
        [LOG_LEVEL_DEBUG] = {"debug", LOG_DEBUG},
};

/* systemd sets JOURNAL_STREAM to the device and inode of the stream that it gave us. */
static bool stderr_is_journal(void)
{
        const char *stream = getenv("JOURNAL_STREAM");
        unsigned long long device, inode;
        struct stat st;

        return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
               fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

void log_open(const char *pipeline, enum log_level level)
{
        snprintf(out.pipeline, sizeof out.pipeline, "%s", pipeline);
        out.level = level;
        out.journal = stderr_is_journal();
}

void log_set_level(enum log_level level)
{
        out.level = level;
}

int log_level_of(const char *name)
{
        for (int i = 0; i < (int)(sizeof levels / sizeof *levels); i++)
                if (!strcmp(levels[i].name, name))
                        return i;
        return -1;
}

static void to_stderr(enum log_level level, const char *message)
{
        char when[32];
        struct timespec now;
        struct tm tm;

        clock_gettime(CLOCK_REALTIME, &now);
        gmtime_r(&now.tv_sec, &tm);
        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &tm);
        fprintf(stderr, "%s.%03ldZ %s: %s%s%s\n", when, now.tv_nsec / 1000000, levels[level].name,
                out.pipeline, *out.pipeline ? ": " : "", message);
}

static void to_journal(
        enum log_level level, enum log_id id, const struct log_fields *f, const char *message)
{
        char text[6][1400];
        struct iovec field[6];
        int n = 0;

#define ADD(...)                                                                                   \
        do {                                                                                       \
                snprintf(text[n], sizeof text[n], __VA_ARGS__);                                    \
                field[n] = (struct iovec){text[n], strlen(text[n])};                               \
                n++;                                                                               \
        } while (0)
        ADD("MESSAGE=%s", message);
        ADD("PRIORITY=%d", levels[level].priority);
        if (*out.pipeline)
                ADD("CULVERT_PIPELINE=%s", out.pipeline);
        if (ids[id])
                ADD("MESSAGE_ID=%s", ids[id]);
        if (f && f->position && *f->position)
                ADD("CULVERT_POSITION=%s", f->position);
        if (f && f->table && *f->table)
                ADD("CULVERT_TABLE=%s", f->table);
#undef ADD
        sd_journal_sendv(field, n);
}

void log_event(enum log_level level, enum log_id id, const struct log_fields *fields,
        const char *format, ...)
{
        char message[1280];
        va_list args;

        if (level > out.level)
                return;
        va_start(args, format);
        vsnprintf(message, sizeof message, format, args);
        va_end(args);
        if (out.journal)
                to_journal(level, id, fields, message);
        else
                to_stderr(level, message);
}

void log_failure(enum log_level level, enum log_id id, const struct error *e, const char *what)
{
        struct log_fields fields = {.position = e->position, .table = e->table};

        log_event(level, id, &fields, "%s%s%s", what, *what ? ": " : "", e->message);
}
