#pragma once
/*
 * Errors: what went wrong, where, and of which class.
 *
 * A function that can fail takes `struct error *` last and returns a negative number after filling
 * it. The error is filled once, where it happens; callers may add context in front and pass it on.
 * What a class means (retry, stop, quarantine) is decided in one place, flow/pipeline.c.
 *
 * Plain data, owned by the caller, usable from any thread.
 */
#include <stdarg.h>
#include <stdbool.h>

enum error_class {
        ERROR_NONE = 0,
        ERROR_RETRY,  /* goes away by itself: a lost connection, a deadlock, a full disk */
        ERROR_CONFIG, /* an operator must change something: a right, an option, a setting */
        ERROR_DATA,   /* this row, this byte or this position cannot be carried */
        ERROR_BUG     /* a promise inside culvert was broken */
};

/* Of an error of one row: how it and the target's rows do not go together. */
enum error_row {
        ROW_OTHER,      /* a value, a rule; or it is of no row */
        ROW_IN_THE_WAY, /* another one has its values of a unique index */
        ROW_MISSING     /* the one to be changed is not there */
};

struct error {
        enum error_class class;
        bool of_row; /* it is this row that the target does not take, and it may take others */
        enum error_row row;
        char code[8];       /* SQLSTATE of the server that refused, or "" */
        char message[1024]; /* one line, no values of rows, no secrets */
        char table[264];    /* schema.table the error is about, or "" */
        char key[256];      /* key of the row, for the socket only, or "" */
        char position[64];  /* position in the source's log, or "" */
};

#define ERROR_INIT                                                                                 \
        {                                                                                          \
                .class = ERROR_NONE                                                                \
        }

/* Fills `e` and returns -1, so that `return error_set(...)` reads well. Newlines become spaces. */
int error_set(struct error *e, enum error_class class, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
int error_setv(struct error *e, enum error_class class, const char *format, va_list args);

/* Puts "context: " in front of the message; always returns -1. */
int error_context(struct error *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

void error_clear(struct error *e);

/* "retry", "config", "data", "bug"; "none" when nothing is set. */
const char *error_class_name(enum error_class class);
