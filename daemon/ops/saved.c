#include "ops/saved.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FORMAT 1
#define SIZE_MAX_BYTES 4096

static int bad(const char *path, struct error *e)
{
        return error_set(e, ERROR_CONFIG,
                "%s is damaged: culvert did not write this; move it away to start unpaused", path);
}

static int read_accepted(struct saved *s, const char *text)
{
        char position[POSITION_TEXT], source[IDENTITY_TEXT];
        const char *line = strstr(text, "\naccepted ");
        struct error ignored = ERROR_INIT;

        if (!line)
                return 0;
        if (sscanf(line, " accepted %63s %319s", position, source) != 2 ||
                position_parse(&s->accepted, position, &ignored) < 0)
                return -1;
        return identity_parse(&s->accepted_of, source, &ignored);
}

static int read_accepting(struct saved *s, const char *text)
{
        const char *line = strstr(text, "\naccepting ");
        const char *at = line ? line + strlen("\naccepting ") : NULL;
        AUTO_STRING name = at ? buf_take_name(&at) : NULL;

        if (!line)
                return 0;
        if (!name || strlen(name) >= sizeof s->accepting)
                return -1;
        snprintf(s->accepting, sizeof s->accepting, "%s", name);
        return 0;
}

int saved_read(struct saved *s, const char *state_dir, struct error *e)
{
        AUTO_STRING path = memory_printf("%s/state", state_dir);
        AUTO_STRING text = NULL;
        char paused[8], phase[32];
        int format;
        int phase_number;

        *s = (struct saved){.phase = STATE_COPYING};
        if (access(path, F_OK) < 0 && errno == ENOENT)
                return 0;
        if (!(text = file_read(path, SIZE_MAX_BYTES, e)))
                return -1;
        if (sscanf(text, "culvert-state %d", &format) != 1)
                return bad(path, e);
        if (format > FORMAT)
                return error_set(e, ERROR_CONFIG, "%s has format %d, this culvert %s knows %d",
                        path, format, CULVERT_VERSION, FORMAT);
        if (sscanf(text, "culvert-state %*d paused %7s phase %31s", paused, phase) != 2)
                return bad(path, e);
        phase_number = state_of(phase);
        if (phase_number < 0 || (strcmp(paused, "yes") != 0 && strcmp(paused, "no") != 0))
                return bad(path, e);
        s->paused = !strcmp(paused, "yes");
        s->phase = (enum state)phase_number;
        return read_accepted(s, text) < 0 || read_accepting(s, text) < 0 ? bad(path, e) : 0;
}

int saved_write(const struct saved *s, const char *state_dir, struct error *e)
{
        AUTO_STRING path = memory_printf("%s/state", state_dir);
        char position[POSITION_TEXT], source[IDENTITY_TEXT];
        AUTO_BUF text = BUF_INIT;

        buf_printf(&text, "culvert-state %d\npaused %s\nphase %s\n", FORMAT,
                s->paused ? "yes" : "no", state_name(s->phase));
        if (!position_is_none(s->accepted))
                buf_printf(&text, "accepted %s %s\n", position_format(s->accepted, position),
                        identity_format(&s->accepted_of, source));
        if (*s->accepting) {
                buf_str(&text, "accepting ");
                buf_name(&text, s->accepting);
                buf_char(&text, '\n');
        }
        return file_replace(path, buf_text(&text), e);
}

int saved_direction_read(bool *reversed, const char *state_dir, struct error *e)
{
        AUTO_STRING path = memory_printf("%s/direction", state_dir);
        AUTO_STRING text = NULL;

        *reversed = false;
        if (access(path, F_OK) < 0 && errno == ENOENT)
                return 0;
        if (!(text = file_read(path, SIZE_MAX_BYTES, e)))
                return -1;
        *reversed = !strcmp(text, "reverse\n");
        return *reversed || !strcmp(text, "forward\n") ? 0 : bad(path, e);
}

int saved_direction_write(bool reversed, const char *state_dir, struct error *e)
{
        AUTO_STRING path = memory_printf("%s/direction", state_dir);

        return file_replace(path, reversed ? "reverse\n" : "forward\n", e);
}
