#include "model/query_text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define NO_SELECT "it does not begin with SELECT, WITH, VALUES or TABLE"
#define WORD_MAX 16 /* of those that are looked for */

struct scan {
        const char *at;
        bool my, begun, ended;
        char before[WORD_MAX], word[WORD_MAX]; /* the last two words; "": something else */
        const char *problem;
};

static bool is_letter(char c)
{
        return isalpha((unsigned char)c) || c == '_' || (c & 0x80);
}

static bool is_of_word(char c)
{
        return is_letter(c) || isdigit((unsigned char)c) || c == '$';
}

static bool is(const char *word, const char *of)
{
        return strcasecmp(word, of) == 0;
}

/* ---- what is passed over ---- */

static void pass_line(struct scan *s)
{
        s->at += strcspn(s->at, "\n");
}

static void pass_comment(struct scan *s)
{
        unsigned depth = 0;

        if (s->my && (s->at[2] == '!' || !strncmp(s->at + 2, "M!", 2))) {
                s->problem = "a comment that the server runs";
                return;
        }
        do {
                if (!strncmp(s->at, "/*", 2) && (!s->my || !depth)) {
                        depth++;
                        s->at += 2;
                } else if (!strncmp(s->at, "*/", 2)) {
                        depth--;
                        s->at += 2;
                } else if (!*s->at) {
                        s->problem = "a comment is not closed";
                        return;
                } else {
                        s->at++;
                }
        } while (depth > 0);
}

static void pass_quotes(struct scan *s)
{
        char quote = *s->at++;
        bool escapes = quote != '`' && (s->my || (quote == '\'' && is(s->word, "e")));

        for (; *s->at; s->at++) {
                if (*s->at == '\\' && escapes && s->at[1])
                        s->at++;
                else if (*s->at == quote && s->at[1] == quote)
                        s->at++;
                else if (*s->at == quote)
                        break;
        }
        if (!*s->at) {
                s->problem = "a quote is not closed";
                return;
        }
        s->at++;
}

/* $tag$ ... $tag$ of PostgreSQL; else it is a sign as others are. */
static void pass_dollars(struct scan *s)
{
        char tag[64];
        const char *end = s->at + 1;

        while (is_of_word(*end) && *end != '$')
                end++;
        if (*end != '$' || isdigit((unsigned char)s->at[1]) ||
                (size_t)(end - s->at) + 2 > sizeof tag) {
                s->at++;
                return;
        }
        snprintf(tag, sizeof tag, "%.*s", (int)(end + 1 - s->at), s->at);
        end = strstr(end + 1, tag);
        if (!end)
                s->problem = "a quote is not closed";
        else
                s->at = end + strlen(tag);
}

/* Blanks and comments. */
static bool pass_nothing(struct scan *s)
{
        if (isspace((unsigned char)*s->at))
                s->at++;
        else if (!strncmp(s->at, "--", 2) || (s->my && *s->at == '#'))
                pass_line(s);
        else if (!strncmp(s->at, "/*", 2))
                pass_comment(s);
        else
                return false;
        return true;
}

/* ---- what counts ---- */

static void take_word(struct scan *s)
{
        size_t n = 0;

        while (is_of_word(s->at[n]))
                n++;
        memcpy(s->before, s->word, sizeof s->before);
        snprintf(s->word, sizeof s->word, "%.*s", n < sizeof s->word ? (int)n : 0, s->at);
        s->at += n;
        if (!s->begun && !is(s->word, "select") && !is(s->word, "with") && !is(s->word, "values") &&
                !is(s->word, "table"))
                s->problem = NO_SELECT;
        else if (is(s->word, "into"))
                s->problem = "INTO is not for a query that only reads";
        else if ((is(s->before, "for") && (is(s->word, "update") || is(s->word, "share"))) ||
                 (is(s->before, "in") && is(s->word, "share")))
                s->problem = "it locks rows";
        s->begun = true;
}

static void take_sign(struct scan *s)
{
        if (*s->at == ';')
                s->ended = true;
        s->at++;
}

const char *query_problem(const char *sql, bool my)
{
        struct scan s = {.at = sql, .my = my};

        while (*s.at && !s.problem) {
                if (pass_nothing(&s))
                        continue;
                if (s.ended) {
                        s.problem = "it is more than one statement";
                } else if (!s.begun && !is_letter(*s.at) && *s.at != '(' && *s.at != ';') {
                        s.problem = NO_SELECT;
                } else if (is_letter(*s.at)) {
                        take_word(&s);
                } else {
                        if (*s.at == '\'' || *s.at == '"' || (my && *s.at == '`'))
                                pass_quotes(&s);
                        else if (*s.at == '$' && !my)
                                pass_dollars(&s);
                        else
                                take_sign(&s);
                        *s.word = '\0';
                }
        }
        if (!s.problem && !s.begun)
                s.problem = "a query is wanted";
        return s.problem;
}
