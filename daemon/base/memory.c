#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *must(void *p, size_t size)
{
        if (p || size == 0)
                return p;
        fprintf(stderr, "culvert: out of memory (%zu bytes wanted)\n", size);
        abort();
}

void *memory_new(size_t size)
{
        return must(calloc(1, size ? size : 1), size);
}

void *memory_grow(void *old, size_t size)
{
        return must(realloc(old, size ? size : 1), size);
}

void *memory_copy(const void *from, size_t size)
{
        void *p = must(malloc(size ? size : 1), size);

        if (size)
                memcpy(p, from, size);
        return p;
}

char *memory_string(const char *s)
{
        return s ? memory_copy(s, strlen(s) + 1) : NULL;
}

char *memory_printf(const char *format, ...)
{
        char *s = NULL;
        va_list args;
        int n;

        va_start(args, format);
        n = vasprintf(&s, format, args);
        va_end(args);
        return must(n < 0 ? NULL : s, 1);
}

char *memory_unconst(const char *s)
{
        union {
                const char *from;
                char *to;
        } u = {.from = s};

        return u.to;
}

void memory_free_string(char **s)
{
        free(*s);
        *s = NULL;
}
