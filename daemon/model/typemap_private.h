#pragma once
/*
 * The rules behind the type map: one table for each pair of families. The first rule that fits a
 * type is taken; the page prints all of them. Constant; any thread.
 */
#include "model/typemap.h"

enum typemap_when {
        WHEN_ALWAYS,
        WHEN_SIGNED,
        WHEN_UNSIGNED,
        WHEN_UP_TO,     /* a length from 1 to `limit` */
        WHEN_LONGER,    /* any other length */
        WHEN_MEMBERS,   /* members that MySQL keeps as they are */
        WHEN_NO_MARIADB /* the target is MySQL */
};

struct typemap_rule {
        enum type_class class;
        uint8_t width; /* TYPE_INTEGER only */
        enum typemap_when when;
        uint32_t limit;
        const char *sample; /* a type of which this is the rule */
        const char *shown;  /* the type, on the page */
        /* The target's type: {n} length, {s} scale, {f} fractional digits, {m} members, {t} the
         * character set and collation of text. "": one is made for it. */
        const char *to;
        const char *key;   /* in a key or an index; NULL: the same */
        const char *mysql; /* where MySQL has another than MariaDB; NULL: the same */
        const char *note;  /* or NULL */
};

/* Each ends with a rule without sample. */
extern const struct typemap_rule typemap_my_to_pg[], typemap_pg_to_my[], typemap_my_to_my[];
