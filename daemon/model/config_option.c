#include "model/config_private.h"
#include "base/memory.h"
#include "base/unit.h"
#include "model/pattern.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(enum config_ddl) == sizeof(unsigned), "a choice is stored as unsigned");

void config_list_done(struct config_list *l)
{
        for (unsigned i = 0; i < l->n; i++)
                free(l->items[i]);
        free(l->items);
        *l = (struct config_list){0};
}

void option_done(struct option_value *v)
{
        free(v->text);
        config_list_done(&v->list);
        *v = (struct option_value){0};
}

/* Length of the word at the front of a|b|c. */
static size_t word_length(const char *words)
{
        return strcspn(words, "|");
}

static int choice_index(const char *words, const char *text)
{
        for (int i = 0;; i++) {
                size_t n = word_length(words);

                if (n == strlen(text) && !memcmp(words, text, n))
                        return i;
                if (!words[n])
                        return -1;
                words += n + 1;
        }
}

static int parse_choice(
        const struct option *o, const char *text, struct option_value *v, struct error *e)
{
        AUTO_BUF all = BUF_INIT;

        v->number = choice_index(o->choices, text);
        if (v->number >= 0)
                return 0;
        option_range(o, &all);
        return error_set(e, ERROR_CONFIG, "one of %s is wanted", buf_text(&all));
}

static int parse_text(
        const struct option *o, const char *text, struct option_value *v, struct error *e)
{
        int64_t len = (int64_t)strlen(text);

        if (len == 0 && o->min > 0)
                return error_set(e, ERROR_CONFIG, "a value is wanted");
        if (len > o->max)
                return error_set(e, ERROR_CONFIG, "longer than %" PRId64 " bytes", o->max);
        if (o->type == OPTION_PATH && *text != '/')
                return error_set(e, ERROR_CONFIG, "an absolute path is wanted");
        if (o->type == OPTION_PROGRAM && *text != '/' && strchr(text, '/'))
                return error_set(e, ERROR_CONFIG, "a name or an absolute path is wanted");
        if (o->type == OPTION_NAME && text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_")])
                return error_set(e, ERROR_CONFIG, "only a-z, 0-9 and _ are allowed");
        v->text = memory_string(text);
        return 0;
}

static int parse_uri(const char *text, struct option_value *v, struct error *e)
{
        const char *problem = config_uri_problem(text);

        if (problem)
                return error_set(e, ERROR_CONFIG, "%s", problem);
        v->text = memory_string(text);
        return 0;
}

static int parse_patterns(
        const struct option *o, const char *text, struct option_value *v, struct error *e)
{
        struct config_list *l = &v->list;
        char *schema, *name;

        if (pattern_list(text, &l->items, &l->n, e) < 0)
                return -1;
        if (l->n < o->min)
                return error_set(e, ERROR_CONFIG, "a pattern is wanted");
        if (l->n > o->max)
                return error_set(e, ERROR_CONFIG, "more than %" PRId64 " patterns", o->max);
        for (unsigned i = 0; i < l->n; i++) {
                if (pattern_split(l->items[i], &schema, &name, e) < 0)
                        return error_context(e, "pattern '%.100s'", l->items[i]);
                free(schema);
                free(name);
        }
        return 0;
}

static int parse(const struct option *o, const char *text, struct option_value *v, struct error *e)
{
        bool truth = false;
        int rc;

        switch (o->type) {
        case OPTION_TEXT:
        case OPTION_NAME:
        case OPTION_PATH:
        case OPTION_PROGRAM:
                return parse_text(o, text, v, e);
        case OPTION_URI:
                return parse_uri(text, v, e);
        case OPTION_PATTERNS:
                return parse_patterns(o, text, v, e);
        case OPTION_CHOICE:
                return parse_choice(o, text, v, e);
        case OPTION_BOOL:
                rc = unit_bool(text, &truth, e);
                v->number = truth;
                return rc;
        case OPTION_INTEGER:
                return unit_integer(text, o->min, o->max, &v->number, e);
        case OPTION_SIZE:
                return unit_size(text, o->min, o->max, &v->number, e);
        case OPTION_DURATION:
                return unit_duration(text, o->min, o->max, &v->number, e);
        case OPTION_FREE:
                break;
        }
        return error_set(e, ERROR_BUG, "option %s has no type", o->key);
}

int option_parse(const struct option *o, const char *text, struct option_value *v, struct error *e)
{
        *v = (struct option_value){0};
        if (parse(o, text, v, e) == 0)
                return 0;
        option_done(v);
        return -1;
}

bool option_is_built(const struct option *o, const struct option_value *v)
{
        const char *words = o->built;

        while (words) {
                AUTO_BUF word = BUF_INIT;
                size_t n = word_length(words);
                struct option_value one;
                struct error e;
                bool same;

                buf_add(&word, words, n);
                if (option_parse(o, buf_text(&word), &one, &e) < 0)
                        return false;
                same = v->number == one.number &&
                       (!v->text || (one.text && !strcmp(v->text, one.text)));
                option_done(&one);
                if (same || !words[n])
                        return same;
                words += n + 1;
        }
        return true;
}

void option_store(const struct option *o, struct config *c, struct option_value *v)
{
        void *at = (char *)c + o->offset;
        unsigned choice = (unsigned)v->number;

        switch (o->type) {
        case OPTION_TEXT:
        case OPTION_NAME:
        case OPTION_PATH:
        case OPTION_PROGRAM:
        case OPTION_URI:
                free(*(char **)at);
                *(char **)at = v->text;
                v->text = NULL;
                break;
        case OPTION_PATTERNS:
                config_list_done(at);
                *(struct config_list *)at = v->list;
                v->list = (struct config_list){0};
                break;
        case OPTION_BOOL:
                *(bool *)at = v->number;
                break;
        case OPTION_CHOICE:
                memcpy(at, &choice, sizeof choice);
                break;
        case OPTION_INTEGER:
        case OPTION_SIZE:
        case OPTION_DURATION:
                *(int64_t *)at = v->number;
                break;
        case OPTION_FREE:
                break;
        }
        option_done(v);
}

static void print_choice(const struct option *o, const void *at, struct buf *out)
{
        const char *words = o->choices;
        unsigned choice;

        memcpy(&choice, at, sizeof choice);
        while (choice-- > 0)
                words += word_length(words) + 1;
        buf_add(out, words, word_length(words));
}

static void print_list(const struct config_list *l, struct buf *out)
{
        for (unsigned i = 0; i < l->n; i++)
                buf_printf(out, "%s%s", i ? ", " : "", l->items[i]);
}

bool option_print(const struct option *o, const struct config *c, struct buf *out)
{
        const void *at = (const char *)c + o->offset;

        switch (o->type) {
        case OPTION_TEXT:
        case OPTION_NAME:
        case OPTION_PATH:
        case OPTION_PROGRAM:
        case OPTION_URI:
                if (!*(char *const *)at)
                        return false;
                buf_str(out, *(char *const *)at);
                break;
        case OPTION_PATTERNS:
                print_list(at, out);
                break;
        case OPTION_BOOL:
                buf_str(out, *(const bool *)at ? "yes" : "no");
                break;
        case OPTION_CHOICE:
                print_choice(o, at, out);
                break;
        case OPTION_INTEGER:
                buf_printf(out, "%" PRId64, *(const int64_t *)at);
                break;
        case OPTION_SIZE:
                unit_print_size(out, *(const int64_t *)at);
                break;
        case OPTION_DURATION:
                unit_print_duration(out, *(const int64_t *)at);
                break;
        case OPTION_FREE:
                return false;
        }
        return true;
}

char *option_standard(const struct option *o, const struct config *c)
{
        const char *name = o->standard ? strstr(o->standard, "NAME") : NULL;

        if (!name)
                return memory_string(o->standard);
        return memory_printf(
                "%.*s%s%s", (int)(name - o->standard), o->standard, c->pipeline.name, name + 4);
}

void option_words(const char *words, struct buf *out)
{
        for (; *words; words++) {
                if (*words == '|')
                        buf_str(out, " | ");
                else
                        buf_char(out, *words);
        }
}

void option_range(const struct option *o, struct buf *out)
{
        switch (o->type) {
        case OPTION_NAME:
                buf_printf(out, "[a-z0-9_]{%" PRId64 ",%" PRId64 "}", o->min, o->max);
                break;
        case OPTION_PATH:
                buf_str(out, "absolute path");
                break;
        case OPTION_PROGRAM:
                buf_str(out, "name or absolute path of a program");
                break;
        case OPTION_URI:
                buf_str(out, "URI");
                break;
        case OPTION_PATTERNS:
                buf_str(out, "schema.table with * and ?, quoted as in SQL");
                break;
        case OPTION_BOOL:
                buf_str(out, "yes | no");
                break;
        case OPTION_INTEGER:
                buf_printf(out, "%" PRId64 " to %" PRId64, o->min, o->max);
                break;
        case OPTION_SIZE:
                unit_print_size(out, o->min);
                buf_str(out, " to ");
                unit_print_size(out, o->max);
                break;
        case OPTION_DURATION:
                unit_print_duration(out, o->min);
                buf_str(out, " to ");
                unit_print_duration(out, o->max);
                break;
        case OPTION_TEXT:
        case OPTION_CHOICE:
        case OPTION_FREE:
                option_words(o->choices ? o->choices : "text", out);
                break;
        }
}

/* column.status.to and check.revenue have NAME in the table. check.revenue.source is found by the
 * first of its kind: what is behind the name is config_check.c's. */
static bool key_fits(const struct option *o, const char *key)
{
        const char *wild = strstr(o->key, "NAME");
        size_t front, back, len = strlen(key);

        if (!wild)
                return !strcmp(o->key, key) || !strcmp(o->key, "SOURCE");
        front = (size_t)(wild - o->key);
        back = strlen(wild + 4);
        return len > front + back && !memcmp(o->key, key, front) &&
               !strcmp(key + len - back, wild + 4);
}

const struct option *option_find(const char *section, const char *key)
{
        if (!strncmp(section, "table ", 6))
                section = "table SCHEMA.TABLE";
        for (const struct option *o = config_options; o->section; o++)
                if (!strcmp(o->section, section) && key_fits(o, key))
                        return o;
        return NULL;
}
