#include "base/error.h"

#include <stdio.h>
#include <string.h>

static void one_line(char *s)
{
        size_t n = strlen(s);

        while (n > 0 && (s[n - 1] == '\n' || s[n - 1] == ' '))
                s[--n] = '\0';
        for (; *s; s++)
                if ((unsigned char)*s < ' ')
                        *s = ' ';
}

int error_setv(struct error *e, enum error_class class, const char *format, va_list args)
{
        *e = (struct error){.class = class};
        vsnprintf(e->message, sizeof e->message, format, args);
        one_line(e->message);
        return -1;
}

int error_set(struct error *e, enum error_class class, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        error_setv(e, class, format, args);
        va_end(args);
        return -1;
}

int error_context(struct error *e, const char *format, ...)
{
        char front[500], rest[512];
        va_list args;

        va_start(args, format);
        vsnprintf(front, sizeof front, format, args);
        va_end(args);
        snprintf(rest, sizeof rest, "%.509s", e->message);
        snprintf(e->message, sizeof e->message, "%s: %s", front, rest);
        one_line(e->message);
        return -1;
}

void error_clear(struct error *e)
{
        *e = (struct error)ERROR_INIT;
}

const char *error_class_name(enum error_class class)
{
        switch (class) {
        case ERROR_NONE:
                return "none";
        case ERROR_RETRY:
                return "retry";
        case ERROR_CONFIG:
                return "config";
        case ERROR_DATA:
                return "data";
        case ERROR_BUG:
                return "bug";
        }
        return "bug";
}
