#pragma once
/*
 * culvertctl's command line: one table of commands drives parsing and every --help. Pure but for
 * options_help, which prints.
 */
#include "base/error.h"
#include "ops/control_wire.h"

#include <cjson/cJSON.h>

#include <stdbool.h>
#include <stdio.h>

struct command_option {
        const char *name;  /* without the dashes */
        const char *value; /* what the help calls it; NULL: a flag */
        const char *help;
};

enum command_kind {
        COMMAND_ASK,     /* of the daemon: ends with its answer */
        COMMAND_ASK_IDS, /* the same, and IDs may follow */
        COMMAND_WATCH,
        COMMAND_STOP,
        COMMAND_WALK, /* cutover and rollback */
        COMMAND_COMPLETE,
        COMMAND_PLAN, /* without a daemon */
        COMMAND_CAT,  /* files follow; without a daemon */
        COMMAND_UNBUILT
};

#define COMMAND_OPTIONS_MAX 6

struct command {
        const char *name; /* "show config" is two words */
        enum command_kind kind;
        const char *summary;
        struct command_option options[COMMAND_OPTIONS_MAX];
        const char *more; /* further help, or NULL */
        void (*render)(struct buf *out, const cJSON *body);
};

struct options {
        const char *socket, *name;
        bool json, help, version;
        const struct command *command; /* NULL: none given, with help or version */
        struct control_argument arguments[COMMAND_OPTIONS_MAX];
        size_t n;
        char **files; /* of COMMAND_CAT, or a command's words; inside argv */
        size_t files_n;
};

/* -1: wrong usage. */
int options_parse(struct options *o, int argc, char **argv, struct error *e);
const char *options_argument(const struct options *o, const char *name); /* NULL: not given */
void options_help(const struct command *c, FILE *out);                   /* NULL: of culvertctl */
