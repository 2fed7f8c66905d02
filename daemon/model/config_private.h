#pragma once
/*
 * Inside of model/config*.c: the option table and what reads and prints by it.
 */
#include "model/config.h"

enum option_type {
        OPTION_TEXT,    /* range: bytes */
        OPTION_NAME,    /* [a-z0-9_], range: bytes */
        OPTION_PATH,    /* absolute, range: bytes */
        OPTION_PROGRAM, /* a name looked up in PATH, or an absolute path */
        OPTION_URI,
        OPTION_PATTERNS, /* range: number of patterns */
        OPTION_BOOL,
        OPTION_CHOICE, /* enum in the order of `choices` */
        OPTION_INTEGER,
        OPTION_SIZE,
        OPTION_DURATION,
        OPTION_FREE /* config_read.c has code for it; `choices` describes the value */
};

enum option_reload { NEEDS_RESTART, RELOADABLE };

#define OPTION_NOWHERE ((size_t)-1) /* no field: nothing of it is built */

struct option {
        const char *section, *key; /* NAME, SOURCE and SCHEMA.TABLE in capitals stand for any */
        enum option_type type;
        int64_t min, max;
        const char *choices;  /* a|b|c */
        const char *standard; /* default; NAME is the pipeline's. NULL: none */
        const char *built;    /* a|b: the values that work today. NULL: all */
        enum option_reload reload;
        size_t offset; /* in struct config */
        const char *sentence;
};

extern const struct option config_options[]; /* ends with section NULL */

/* A key that the file sets, or (key "") a section that it opens. */
struct config_value {
        const struct option *option; /* NULL for "" */
        char *section, *key;
        char *text; /* of keys and sections that the user named, for config_diff; else NULL */
        int line;
        uint32_t hash; /* of section and key: what differs is told apart without reading them */
};

/* A value on its way from text into struct config. */
struct option_value {
        int64_t number;
        char *text;
        struct config_list list;
};

/* config_option.c */
int option_parse(const struct option *o, const char *text, struct option_value *v, struct error *e);
/* Is the value one of those that work today? */
bool option_is_built(const struct option *o, const struct option_value *v);
void option_store(const struct option *o, struct config *c, struct option_value *v); /* takes it */
void option_done(struct option_value *v);
/* The value in force, as the file would have it; false: none (an optional text that is not set). */
bool option_print(const struct option *o, const struct config *c, struct buf *out);
char *option_standard(const struct option *o, const struct config *c); /* NAME filled in */
const struct option *option_find(const char *section, const char *key);
void option_words(const char *words, struct buf *out);      /* a|b as a | b */
void option_range(const struct option *o, struct buf *out); /* for people */
void config_list_done(struct config_list *l);

/* config_read.c: from text to values, with complaints. */
void config_read(struct config *c, const char *text, size_t len);
const struct config_value *config_value_of(
        const struct config *c, const char *section, const char *key);
/* That key is from now on set, or not, as it is in `from`; the value itself is option_store's. */
void config_value_adopt(
        struct config *c, const char *section, const char *key, const struct config *from);

/* config_unknown.c: complaints with the nearest known name. */
void config_unknown_section(struct config *c, int line, const char *name);
void config_unknown_key(struct config *c, int line, const char *section, const char *key);
/* A line that was pasted in the wrong place may hold a URI or a password: only what looks like a
 * name may be repeated. */
bool config_may_show(const char *name);

/* config_secret.c */
/* NULL when the URI is fine, else what is wrong with it, without a part of it. */
const char *config_uri_problem(const char *uri);
enum config_kind config_uri_kind(const char *uri);
/* Reads password files or systemd's credentials of both ends. */
void config_read_passwords(struct config *c);

/* config_segments.c */
#define CONFIG_SEGMENTS "segments:"
#define CONFIG_FOLDER_MAX 4000
const char *config_folder_problem(const char *path);
/* Complains about what does not go with a folder of segments as one of the two ends. */
void config_check_segments(struct config *c);

/* config_check.c */
void config_read_check(struct config *c, int line, const char *key, const char *text);
/* Complains about queries that do not only read, or are missing for one side. */
void config_check_queries(struct config *c);
void config_free_checks(struct config *c);

/* config.c: a configuration from memory; touches no other file unless `secrets`. */
struct config *config_parse(const char *path, const char *text, size_t len, bool secrets);
