#include "base/ini.h"
#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct ini {
        const struct ini_reader *r;
        void *context;
        int line;
        bool inside, skip; /* a section has begun; its keys are skipped */
};

static bool is_blank(char c)
{
        return c == ' ' || c == '\t';
}

static char *trim(char *s)
{
        size_t n;

        while (is_blank(*s))
                s++;
        n = strlen(s);
        while (n > 0 && is_blank(s[n - 1]))
                n--;
        s[n] = '\0';
        return s;
}

/* Bytes of the UTF-8 character at s; 0: not one (RFC 3629: no overlong forms, no surrogates). */
static size_t utf8_length(const uint8_t *s, size_t left)
{
        size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

        if (s[0] > 0xf4 || n == 0 || n > left)
                return 0;
        for (size_t i = 1; i < n; i++)
                if ((s[i] & 0xc0) != 0x80)
                        return 0;
        if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
                (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
                return 0;
        return n;
}

/* NULL, or what is wrong with the bytes of a line. */
static const char *line_problem(const char *s, size_t len)
{
        size_t n;

        if (len > INI_LINE_MAX)
                return "the line is longer than 64 KiB";
        for (size_t i = 0; i < len; i += n) {
                if (s[i] == '\0')
                        return "the line holds a NUL byte";
                if (((uint8_t)s[i] < ' ' && s[i] != '\t') || s[i] == 0x7f)
                        return "the line holds a control character";
                n = utf8_length((const uint8_t *)s + i, len - i);
                if (n == 0)
                        return "the line is not valid UTF-8";
        }
        return NULL;
}

/* The first `want` outside of double quotes. */
static char *find_unquoted(char *s, char want)
{
        bool quoted = false;

        for (; *s; s++) {
                if (*s == '"')
                        quoted = !quoted;
                else if (*s == want && !quoted)
                        return s;
        }
        return NULL;
}

/* Cuts a ` ;` comment off. False: a quote is open where a comment seems to begin. */
static bool cut_comment(char *value)
{
        char quote = '\0';
        bool hidden = false;

        for (char *p = value; *p; p++) {
                bool comment = *p == ';' && p > value && is_blank(p[-1]);

                if (comment && !quote) {
                        *p = '\0';
                        return true;
                }
                hidden = comment || (hidden && quote);
                if (*p == quote)
                        quote = '\0';
                else if (!quote && (*p == '\'' || *p == '"'))
                        quote = *p;
        }
        return !(quote && hidden);
}

static void problem(struct ini *ini, const char *text)
{
        ini->r->problem(ini->context, ini->line, text);
}

static void read_section(struct ini *ini, char *s)
{
        char *end = find_unquoted(s + 1, ']'), *rest;

        ini->inside = ini->skip = true;
        if (!end) {
                problem(ini, "the section's name does not end with ]");
                return;
        }
        *end = '\0';
        rest = trim(end + 1);
        if (*rest && *rest != ';' && *rest != '#') {
                problem(ini, "text after the section's ]");
                return;
        }
        s = trim(s + 1);
        if (!*s) {
                problem(ini, "a section without a name");
                return;
        }
        ini->skip = false;
        ini->r->section(ini->context, ini->line, s);
}

static void read_key(struct ini *ini, char *s)
{
        char *equals = find_unquoted(s, '=');
        char *key;

        if (!ini->inside) {
                problem(ini, "a line before the first [section]");
                ini->inside = ini->skip = true;
                return;
        }
        if (ini->skip)
                return;
        if (!equals || equals == s) {
                problem(ini, "neither [section] nor key = value");
                return;
        }
        *equals = '\0';
        key = trim(s);
        if (!cut_comment(equals + 1)) {
                problem(ini, "a quote is not closed: a comment, or part of the value?");
                return;
        }
        ini->r->key(ini->context, ini->line, key, trim(equals + 1));
}

static void read_line(struct ini *ini, const char *s, size_t len)
{
        AUTO_BUF copy = BUF_INIT;
        const char *wrong;
        char *text;

        if (len > 0 && s[len - 1] == '\r')
                len--;
        while (len > 0 && is_blank(*s))
                s++, len--;
        if (len == 0)
                return;
        wrong = line_problem(s, len);
        if (wrong) {
                problem(ini, wrong);
                if (*s == '[')
                        ini->inside = ini->skip = true;
                return;
        }
        if (*s == ';' || *s == '#')
                return;
        buf_add(&copy, s, len);
        text = trim(copy.data);
        if (*text == '[')
                read_section(ini, text);
        else
                read_key(ini, text);
}

void ini_read(const char *text, size_t len, const struct ini_reader *r, void *context)
{
        struct ini ini = {.r = r, .context = context};
        const char *end = text + len;

        if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
                text += 3;
        while (text < end) {
                const char *stop = memchr(text, '\n', (size_t)(end - text));

                if (!stop)
                        stop = end;
                ini.line++;
                read_line(&ini, text, (size_t)(stop - text));
                text = stop + 1;
        }
}
