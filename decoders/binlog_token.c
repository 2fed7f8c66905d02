#include "decoders/binlog_token.h"
#include "base/memory.h"

#include <ctype.h>
#include <string.h>

static bool starts(const struct scanner *s, const char *what)
{
        size_t n = strlen(what);

        return (size_t)(s->end - s->at) >= n && !memcmp(s->at, what, n);
}

static void skip_line(struct scanner *s)
{
        const char *end = memchr(s->at, '\n', (size_t)(s->end - s->at));

        s->at = end ? end + 1 : s->end;
}

static void skip_comment(struct scanner *s)
{
        const char *end = memmem(s->at + 2, (size_t)(s->end - s->at - 2), "*/", 2);

        s->at = end ? end + 2 : s->end;
}

/* MySQL's own features from 5.7 on are comments to MariaDB. */
static bool is_foreign(const struct scanner *s, unsigned long version)
{
        return s->dialect.engine == ENGINE_MARIADB && version >= 50700 && version <= 99999;
}

/* At the "!" of an executable comment: its number is skipped, its content comes next. */
static void enter_comment(struct scanner *s, const char *mark)
{
        unsigned long version = 0;
        const char *at = mark + 1;

        while (at < s->end && isdigit((unsigned char)*at) && version < 1000000)
                version = version * 10 + (unsigned long)(*at++ - '0');
        if (is_foreign(s, version)) {
                skip_comment(s);
                return;
        }
        s->at = at;
        s->executable++;
}

static bool is_blank(char c)
{
        return c == '\0' || isspace((unsigned char)c);
}

/* One comment or blank; false: neither. */
static bool skip_one(struct scanner *s)
{
        if (is_blank(*s->at)) {
                s->at++;
        } else if (*s->at == '#') {
                skip_line(s);
        } else if (starts(s, "--") && (s->end - s->at == 2 || iscntrl((unsigned char)s->at[2]) ||
                                              is_blank(s->at[2]))) {
                skip_line(s);
        } else if (starts(s, "/*!")) {
                enter_comment(s, s->at + 2);
        } else if (starts(s, "/*M!") && s->dialect.engine == ENGINE_MARIADB) {
                enter_comment(s, s->at + 3);
        } else if (starts(s, "/*")) {
                skip_comment(s);
        } else if (s->executable && starts(s, "*/")) {
                s->executable--;
                s->at += 2;
        } else {
                return false;
        }
        return true;
}

static bool is_word(char c)
{
        return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

/* To behind the closing quote; doubled ones are inside. */
static void take_quoted(struct scanner *s, bool backslash)
{
        char quote = *s->at++;

        while (s->at < s->end) {
                char c = *s->at++;

                if (c == '\\' && backslash && s->at < s->end)
                        s->at++;
                else if (c == quote && (s->at == s->end || *s->at != quote))
                        return;
                else if (c == quote)
                        s->at++;
        }
}

void scanner_next(struct scanner *s)
{
        while (s->at < s->end && skip_one(s))
                ;
        s->begin = s->at;
        s->len = 0;
        if (s->at >= s->end) {
                s->kind = TOKEN_END;
                return;
        }
        if (is_word(*s->at)) {
                s->kind = TOKEN_WORD;
                while (s->at < s->end && is_word(*s->at))
                        s->at++;
        } else if (*s->at == '`' || (*s->at == '"' && s->dialect.ansi_quotes)) {
                s->kind = TOKEN_NAME;
                take_quoted(s, false);
        } else if (*s->at == '\'' || *s->at == '"') {
                s->kind = TOKEN_TEXT;
                take_quoted(s, !s->dialect.no_backslash);
        } else {
                s->kind = TOKEN_SIGN;
                s->at++;
        }
        s->len = (size_t)(s->at - s->begin);
}

bool scanner_is(const struct scanner *s, const char *word)
{
        return s->kind == TOKEN_WORD && s->len == strlen(word) &&
               !strncasecmp(s->begin, word, s->len);
}

bool scanner_sign(const struct scanner *s, char sign)
{
        return s->kind == TOKEN_SIGN && *s->begin == sign;
}

bool scanner_take(struct scanner *s, const char *word)
{
        if (!scanner_is(s, word))
                return false;
        scanner_next(s);
        return true;
}

bool scanner_is_name(const struct scanner *s)
{
        return s->kind == TOKEN_WORD || s->kind == TOKEN_NAME;
}

char *scanner_name(const struct scanner *s)
{
        AUTO_BUF name = BUF_INIT;

        if (s->kind == TOKEN_WORD || s->len < 2)
                return memory_printf("%.*s", (int)s->len, s->begin);
        for (size_t i = 1; i + 1 < s->len; i++) {
                buf_char(&name, s->begin[i]);
                i += s->begin[i] == *s->begin;
        }
        return buf_take(&name);
}
