/*
 * Servers quote row data in messages, and culvert repeats none. Names are what may stay: in
 * backticks, and in quotes behind a word such as "column". The first other quote begins a value,
 * which may have quotes in it, so the rest goes; but "for key '..'" and "for column .. at row N"
 * stand behind the value at the very end of the message, and stay.
 *
 * Messages with values (share/errmsg-utf8.txt, errmsg of both families): 1062 1586 1569 duplicate
 * entry, 1292 1366 1367 1411 1525 incorrect value, 1690 out of range expression, 1300 invalid
 * character string, 1526 no partition for value, 1557 1761 1762 duplicate by foreign key, 1064
 * near, 1644 what a trigger says, 3140 3141 3143 JSON.
 */
#include "db/my.h"

#include <string.h>

#define SIGNALLED 1644 /* the words are a trigger's or routine's own */

static bool ends_with(const char *message, const char *at, const char *word)
{
        size_t n = strlen(word);

        return (size_t)(at - message) >= n && !memcmp(at - n, word, n);
}

/* Is what is quoted at `quote` the name of something? */
static bool is_name(const char *message, const char *quote)
{
        static const char *const words[] = {"column ", "Column ", "key ", "Key ", "Field ",
                "field ", "Table ", "table ", "constraint ", "CONSTRAINT ", "index ", "database ",
                "function ", "variable ", "Variable ", "trigger ", "partition ", "' in "};

        for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
                if (ends_with(message, quote, words[i]))
                        return true;
        return false;
}

/* doesn't, can't */
static bool is_apostrophe(const char *message, const char *at)
{
        return at > message && at[-1] == 'n' && !strncmp(at, "'t ", 3);
}

/* The first quote that begins a value, or NULL. */
static char *first_value(char *message)
{
        for (char *at = message; (at = strpbrk(at, "'\"`")); at++) {
                char *end = strchr(at + 1, *at);

                if (is_apostrophe(message, at))
                        continue;
                if (*at != '`' && !is_name(message, at))
                        return at;
                if (!end)
                        return *at == '`' ? NULL : at;
                at = end;
        }
        return NULL;
}

static char *last(char *from, const char *what)
{
        char *found = NULL;

        for (char *at = from; (at = strstr(at, what)); at++)
                found = at;
        return found;
}

static const char *skip_quoted(const char *s)
{
        const char *end = *s == '\'' || *s == '`' ? strchr(s + 1, *s) : NULL;

        return end ? end + 1 : NULL;
}

/* 'x' or `a`.`b`.`c` at row 1 */
static bool is_column_at_row(const char *s)
{
        do {
                if (*s == '.')
                        s++;
                if (!(s = skip_quoted(s)))
                        return false;
        } while (*s == '.');
        if (strncmp(s, " at row ", 8) != 0)
                return false;
        s += 8;
        return *s && !s[strspn(s, "0123456789")];
}

static bool is_key(const char *s)
{
        s = *s == '\'' ? skip_quoted(s) : NULL;
        return s && !*s;
}

/* What stands behind the value and is none of it, or NULL. */
static char *tail_of(char *value, unsigned number)
{
        bool duplicate = number == 1062 || number == 1586 || number == 1569;
        const char *words = duplicate ? "' for key " : "' for column ";
        char *at = last(value, words);

        if (!at)
                return NULL;
        return (duplicate ? is_key : is_column_at_row)(at + strlen(words)) ? at + 1 : NULL;
}

static void cut_from(char *message, char *at, const char *tail)
{
        while (at > message && (at[-1] == ' ' || at[-1] == ':'))
                at--;
        memmove(at, tail, strlen(tail) + 1);
}

void my_error_cut(char *message, unsigned number)
{
        static const char no_partition[] = "no partition for value";
        char *value, *tail;

        if (number == SIGNALLED)
                *message = '\0';
        if ((value = strstr(message, no_partition)))
                value[sizeof no_partition - 1] = '\0';
        if (!(value = first_value(message)))
                return;
        tail = tail_of(value, number);
        cut_from(message, value, tail ? tail : "");
}
