#include "base/memory.h"
#include "model/coltype.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* information_schema.columns.column_type: NAME [(N[,N] | 'member',...)] [unsigned] [zerofill], then
 * in any order what the catalogue or a type map adds: charset NAME, collate NAME, generated, and
 * behind that: as row start, as row end. */

enum argument { ARGUMENT_NONE, ARGUMENT_LENGTH, ARGUMENT_DIGITS, ARGUMENT_FSP, ARGUMENT_MEMBERS };

static const struct known {
        const char *name;
        enum type_class class;
        enum argument argument;
        uint8_t width;
        uint32_t length; /* when none is written */
} known[] = {
        {"tinyint", TYPE_INTEGER, ARGUMENT_LENGTH, 1, 0},
        {"smallint", TYPE_INTEGER, ARGUMENT_LENGTH, 2, 0},
        {"mediumint", TYPE_INTEGER, ARGUMENT_LENGTH, 3, 0},
        {"int", TYPE_INTEGER, ARGUMENT_LENGTH, 4, 0},
        {"bigint", TYPE_INTEGER, ARGUMENT_LENGTH, 8, 0},
        {"decimal", TYPE_DECIMAL, ARGUMENT_DIGITS, 0, 10},
        {"float", TYPE_FLOAT, ARGUMENT_DIGITS, 0, 0},
        {"double", TYPE_DOUBLE, ARGUMENT_DIGITS, 0, 0},
        {"bit", TYPE_BIT, ARGUMENT_LENGTH, 0, 1},
        {"char", TYPE_CHAR, ARGUMENT_LENGTH, 0, 1},
        {"varchar", TYPE_VARCHAR, ARGUMENT_LENGTH, 0, 0},
        {"tinytext", TYPE_TEXT, ARGUMENT_NONE, 0, UINT8_MAX},
        {"text", TYPE_TEXT, ARGUMENT_NONE, 0, UINT16_MAX},
        {"mediumtext", TYPE_TEXT, ARGUMENT_NONE, 0, (1u << 24) - 1},
        {"longtext", TYPE_TEXT, ARGUMENT_NONE, 0, UINT32_MAX},
        {"binary", TYPE_BINARY, ARGUMENT_LENGTH, 0, 1},
        {"varbinary", TYPE_VARBINARY, ARGUMENT_LENGTH, 0, 0},
        {"tinyblob", TYPE_BLOB, ARGUMENT_NONE, 0, UINT8_MAX},
        {"blob", TYPE_BLOB, ARGUMENT_NONE, 0, UINT16_MAX},
        {"mediumblob", TYPE_BLOB, ARGUMENT_NONE, 0, (1u << 24) - 1},
        {"longblob", TYPE_BLOB, ARGUMENT_NONE, 0, UINT32_MAX},
        {"date", TYPE_DATE, ARGUMENT_NONE, 0, 0},
        {"time", TYPE_TIME, ARGUMENT_FSP, 0, 0},
        {"datetime", TYPE_DATETIME, ARGUMENT_FSP, 0, 0},
        {"timestamp", TYPE_TIMESTAMPTZ, ARGUMENT_FSP, 0, 0},
        {"year", TYPE_YEAR, ARGUMENT_LENGTH, 0, 4},
        {"enum", TYPE_ENUM, ARGUMENT_MEMBERS, 0, 0},
        {"set", TYPE_SET, ARGUMENT_MEMBERS, 0, 0},
        {"json", TYPE_JSON, ARGUMENT_NONE, 0, UINT32_MAX},
        {"uuid", TYPE_UUID, ARGUMENT_NONE, 0, 0},
        {"inet4", TYPE_INET4, ARGUMENT_NONE, 0, 0},
        {"inet6", TYPE_INET6, ARGUMENT_NONE, 0, 0},
        {"geometry", TYPE_GEOMETRY, ARGUMENT_NONE, 0, 0},
        {"point", TYPE_GEOMETRY, ARGUMENT_NONE, 0, 0},
        {"linestring", TYPE_GEOMETRY, ARGUMENT_NONE, 0, 0},
        {"polygon", TYPE_GEOMETRY, ARGUMENT_NONE, 0, 0},
        {"multipoint", TYPE_GEOMETRY, ARGUMENT_NONE, 0, 0},
        {"multilinestring", TYPE_GEOMETRY, ARGUMENT_NONE, 0, 0},
        {"multipolygon", TYPE_GEOMETRY, ARGUMENT_NONE, 0, 0},
        {"geometrycollection", TYPE_GEOMETRY, ARGUMENT_NONE, 0, 0},
        {"geomcollection", TYPE_GEOMETRY, ARGUMENT_NONE, 0, 0},
        {"vector", TYPE_OTHER, ARGUMENT_LENGTH, 0, 0},
};

static void skip_blanks(const char **at)
{
        while (isspace((unsigned char)**at))
                (*at)++;
}

/* The word at *at in lower case; false: none, or one that is too long to mean anything. */
static bool take_word(const char **at, char word[32])
{
        size_t n = 0;

        skip_blanks(at);
        while (isalnum((unsigned char)**at) || **at == '_') {
                if (n == 31)
                        return false;
                word[n++] = (char)tolower((unsigned char)*(*at)++);
        }
        word[n] = '\0';
        return n > 0;
}

static bool take_sign(const char **at, char sign)
{
        skip_blanks(at);
        if (**at != sign)
                return false;
        (*at)++;
        return true;
}

static bool take_number(const char **at, uint32_t *number)
{
        unsigned long v;
        char *end;

        skip_blanks(at);
        if (!isdigit((unsigned char)**at))
                return false;
        v = strtoul(*at, &end, 10);
        *at = end;
        *number = (uint32_t)v;
        return v <= UINT32_MAX;
}

void coltype_my_member(struct buf *out, const char *text, size_t len)
{
        static const char plain[] = "\0\n\r\\'", escaped[] = "\\0\\n\\r\\\\''";

        buf_char(out, '\'');
        for (size_t i = 0; i < len; i++) {
                const char *at = memchr(plain, text[i], sizeof plain - 1);

                if (at)
                        buf_add(out, escaped + 2 * (at - plain), 2);
                else
                        buf_char(out, text[i]);
        }
        buf_char(out, '\'');
}

/* The character at *at of a member; false: its end, or no such character. */
static bool take_character(const char **at, char *c)
{
        static const char escaped[] = "nr\\", plain[] = "\n\r\\";
        const char *escape;

        *c = **at;
        if (*c == '\'' && (*at)[1] == '\'') {
                *at += 2;
                return true;
        }
        if (*c == '\'' || *c == '\0')
                return false;
        if (*c == '\\') {
                (*at)++;
                if (!**at || !(escape = strchr(escaped, **at)))
                        return false; /* a zero byte has no place in a member here */
                *c = plain[escape - escaped];
        }
        (*at)++;
        return true;
}

static char *take_member(const char **at)
{
        AUTO_BUF text = BUF_INIT;
        char c;

        if (!take_sign(at, '\''))
                return NULL;
        while (take_character(at, &c))
                buf_char(&text, c);
        return take_sign(at, '\'') ? buf_take(&text) : NULL;
}

static bool take_members(struct coltype *t, const char **at)
{
        unsigned room = 0;

        do {
                char *member = take_member(at);

                if (!member)
                        return false;
                if (t->members_n == room) {
                        room = room ? room * 2 : 8;
                        t->members = memory_grow(t->members, room * sizeof *t->members);
                }
                t->members[t->members_n++] = member;
        } while (take_sign(at, ','));
        return true;
}

static bool take_argument(struct coltype *t, const struct known *k, const char **at)
{
        uint32_t first = 0, second = 0;

        if (!take_sign(at, '('))
                return k->argument != ARGUMENT_MEMBERS &&
                       (k->class != TYPE_VARCHAR && k->class != TYPE_VARBINARY);
        if (k->argument == ARGUMENT_MEMBERS)
                return take_members(t, at) && take_sign(at, ')');
        if (k->argument == ARGUMENT_NONE || !take_number(at, &first))
                return false;
        if (k->argument == ARGUMENT_DIGITS && take_sign(at, ',') && !take_number(at, &second))
                return false;
        if (!take_sign(at, ')'))
                return false;
        if (k->argument == ARGUMENT_FSP) {
                t->fsp = (uint8_t)first;
                return first <= 6;
        }
        if (k->class != TYPE_FLOAT && k->class != TYPE_DOUBLE) {
                t->length = first;
                t->scale = second;
        }
        if (k->class == TYPE_DECIMAL)
                return first <= 65 && second <= 38 && second <= first;
        return k->class != TYPE_BIT || (first >= 1 && first <= 64);
}

static bool has_charset(enum type_class class)
{
        return class == TYPE_CHAR || class == TYPE_VARCHAR || class == TYPE_TEXT ||
               class == TYPE_ENUM || class == TYPE_SET || class == TYPE_JSON;
}

/* Characters of the set "binary" are bytes. */
static void as_bytes(struct coltype *t)
{
        if (t->class == TYPE_CHAR)
                t->class = TYPE_BINARY;
        else if (t->class == TYPE_VARCHAR)
                t->class = TYPE_VARBINARY;
        else if (t->class == TYPE_TEXT)
                t->class = TYPE_BLOB;
        else
                return;
        t->charset = NULL;
}

static bool take_charset(struct coltype *t, const char **at, struct error *e)
{
        char name[32];

        if (!take_word(at, name) || !has_charset(t->class))
                return false;
        if (!(t->charset = charset_by_name(name))) {
                error_set(e, ERROR_DATA, "character set %s is not supported", name);
                return false;
        }
        if (!strcmp(name, "binary"))
                as_bytes(t);
        return true;
}

/* MariaDB marks the temporal formats of before 5.3: datetime (with a comment behind it). */
static bool skip_comment(const char **at)
{
        const char *end;

        skip_blanks(at);
        if (strncmp(*at, "/*", 2) != 0 || !(end = strstr(*at + 2, "*/")))
                return false;
        *at = end + 2;
        return true;
}

/* One word behind the type, with what belongs to it. */
static bool take_attribute(struct coltype *t, const char *word, const char **at, struct error *e)
{
        char next[32];

        if (!strcmp(word, "unsigned") && coltype_is_number(t)) {
                t->is_unsigned = true;
                return true;
        }
        if (!strcmp(word, "zerofill") && coltype_is_number(t)) {
                t->zerofill = t->is_unsigned = true;
                return true;
        }
        if (!strcmp(word, "charset"))
                return take_charset(t, at, e);
        if (!strcmp(word, "character"))
                return take_word(at, next) && !strcmp(next, "set") && take_charset(t, at, e);
        if (!strcmp(word, "collate"))
                return take_word(at, next);
        if (!strcmp(word, "as")) /* generated as row start, as row end */
                return take_word(at, next) && !strcmp(next, "row") && take_word(at, next);
        return !strcmp(word, "generated");
}

static bool take_attributes(struct coltype *t, const char **at, struct error *e)
{
        char word[32];

        for (;;) {
                if (skip_comment(at))
                        continue;
                if (!take_word(at, word))
                        return **at == '\0';
                if (!take_attribute(t, word, at, e))
                        return false;
        }
}

/* MariaDB has a vector of its own from 11.7 on, in another form. */
static const struct known *find(enum engine engine, const char *name)
{
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
                if (!strcmp(known[i].name, name))
                        return known[i].class == TYPE_OTHER && engine == ENGINE_MARIADB ? NULL
                                                                                        : &known[i];
        return NULL;
}

struct coltype *coltype_my(enum engine engine, const char *native, struct error *e)
{
        struct coltype *t = memory_new_of(struct coltype);
        const struct known *k = NULL;
        const char *at = native;
        char name[32];

        error_clear(e);
        t->engine = engine;
        t->native = memory_string(native);
        if (take_word(&at, name) && (k = find(engine, name))) {
                t->class = k->class;
                t->width = k->width;
                t->length = k->length;
        }
        if (k && take_argument(t, k, &at) && take_attributes(t, &at, e))
                return t;
        if (e->class == ERROR_NONE)
                error_set(e, ERROR_DATA, "\"%.80s\" is not a type that is known", native);
        else
                error_context(e, "type \"%.80s\"", native);
        return coltype_free(t);
}
