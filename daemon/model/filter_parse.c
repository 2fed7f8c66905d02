#include "model/filter_private.h"
#include "base/buf.h"
#include "base/memory.h"

#include <string.h>
#include <strings.h>

#define TEXT_MAX 65536
#define LITERALS_MAX 1000
#define CONDITIONS_MAX 1000

/* Text of a token is in `word`; a symbol is there too. */
enum token { TOKEN_END, TOKEN_WORD, TOKEN_QUOTED, TOKEN_STRING, TOKEN_NUMBER, TOKEN_SYMBOL };

struct parser {
        struct filter *f;
        const char *text, *p;
        size_t at; /* where the token began */
        enum token token;
        struct buf word;
        struct error *e;
};

/* Names a place as a person counts: in characters, from 1. */
static int fail_at(const char *text, size_t at, struct error *e, const char *what)
{
        size_t n = 1;

        for (size_t i = 0; i < at; i++)
                n += ((unsigned char)text[i] & 0xc0) != 0x80;
        return error_set(e, ERROR_CONFIG, "character %zu: %s", n, what);
}

static int fail(struct parser *p, const char *what)
{
        return fail_at(p->text, p->at, p->e, what);
}

/* Tokens */

static bool starts_word(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80);
}

static bool is_digit(char c)
{
        return c >= '0' && c <= '9';
}

static int take_quoted(struct parser *p, char quote)
{
        for (p->p++; *p->p; p->p++) {
                if (*p->p == quote && p->p[1] != quote) {
                        p->p++;
                        return 0;
                }
                if (*p->p == quote)
                        p->p++;
                buf_char(&p->word, *p->p);
        }
        return fail(p, "a quote is not closed");
}

/* The whole run, as "1e5" and "1.2.3" are: what is no number is refused later. */
static void take_number(struct parser *p)
{
        do
                buf_char(&p->word, *p->p++);
        while (is_digit(*p->p) || *p->p == '.' || starts_word(*p->p) ||
                ((*p->p == '-' || *p->p == '+') && (p->p[-1] == 'e' || p->p[-1] == 'E')));
}

static void take_symbol(struct parser *p)
{
        static const char *const two[] = {"<=", ">=", "<>", "!="};
        size_t n = 1;

        for (size_t i = 0; i < sizeof two / sizeof *two; i++)
                if (!strncmp(p->p, two[i], 2))
                        n = 2;
        buf_add(&p->word, p->p, n);
        p->p += n;
}

static int next(struct parser *p)
{
        char c;

        while (*p->p == ' ' || *p->p == '\t' || *p->p == '\n')
                p->p++;
        p->at = (size_t)(p->p - p->text);
        buf_clear(&p->word);
        c = *p->p;
        if (!c) {
                p->token = TOKEN_END;
        } else if (c == '\'' || c == '"') {
                p->token = c == '"' ? TOKEN_QUOTED : TOKEN_STRING;
                return take_quoted(p, c);
        } else if (starts_word(c)) {
                p->token = TOKEN_WORD;
                while (starts_word(*p->p) || is_digit(*p->p) || *p->p == '$')
                        buf_char(&p->word, *p->p++);
        } else if (is_digit(c) || (strchr("-+.", c) && (is_digit(p->p[1]) || p->p[1] == '.'))) {
                p->token = TOKEN_NUMBER;
                take_number(p);
        } else {
                p->token = TOKEN_SYMBOL;
                take_symbol(p);
        }
        return 0;
}

static bool is_keyword(const struct parser *p, const char *word)
{
        return p->token == TOKEN_WORD && !strcasecmp(buf_text(&p->word), word);
}

static bool is_symbol(const struct parser *p, const char *symbol)
{
        return p->token == TOKEN_SYMBOL && !strcmp(buf_text(&p->word), symbol);
}

/* Grammar */

static unsigned column_index(struct filter *f, const char *name)
{
        unsigned i;

        for (i = 0; i < f->columns_n; i++)
                if (!strcmp(f->columns[i], name))
                        return i;
        f->columns = memory_grow(f->columns, (f->columns_n + 1) * sizeof *f->columns);
        f->columns[f->columns_n++] = memory_string(name);
        return i;
}

static int parse_column(struct parser *p, struct condition *c)
{
        static const char *const reserved[] = {
                "and", "or", "not", "in", "is", "null", "true", "false"};

        if (p->token != TOKEN_WORD && p->token != TOKEN_QUOTED)
                return fail(p, "a column is wanted here");
        for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
                if (is_keyword(p, reserved[i]))
                        return fail(p, "a column is wanted here, not an SQL word");
        if (p->word.len == 0)
                return fail(p, "the column's name is empty");
        c->column = column_index(p->f, buf_text(&p->word));
        return next(p);
}

static int literal_kind(struct parser *p, enum literal_kind *kind)
{
        struct filter_operand number;

        if (p->token == TOKEN_STRING) {
                *kind = LITERAL_STRING;
        } else if (p->token == TOKEN_NUMBER) {
                number = filter_operand_of(FILTER_NUMBER, buf_text(&p->word), p->word.len);
                if (!number.read)
                        return fail(p, "not a number");
                *kind = LITERAL_NUMBER;
        } else if (is_keyword(p, "true") || is_keyword(p, "false")) {
                *kind = LITERAL_BOOL;
        } else if (is_keyword(p, "null")) {
                return fail(p, "NULL equals nothing: use IS NULL or IS NOT NULL");
        } else {
                return fail(p, "a 'string', a number, TRUE or FALSE is wanted here");
        }
        return 0;
}

static int parse_literal(struct parser *p, struct condition *c)
{
        struct filter *f = p->f;
        struct literal l = {.at = p->at};

        if (literal_kind(p, &l.kind) < 0)
                return -1;
        if (f->literals_n == LITERALS_MAX)
                return fail(p, "more than 1000 literals");
        l.text = memory_string(buf_text(&p->word));
        l.operand = filter_operand_of(FILTER_TEXT, l.text, p->word.len);
        f->literals = memory_grow(f->literals, (f->literals_n + 1) * sizeof *f->literals);
        f->literals[f->literals_n++] = l;
        c->n++;
        return next(p);
}

static int parse_in(struct parser *p, struct condition *c)
{
        if (next(p) < 0)
                return -1;
        if (!is_symbol(p, "("))
                return fail(p, "( is wanted after IN");
        do {
                if (next(p) < 0 || parse_literal(p, c) < 0)
                        return -1;
        } while (is_symbol(p, ","));
        if (!is_symbol(p, ")"))
                return fail(p, ", or ) is wanted here");
        return next(p);
}

static int parse_is(struct parser *p, struct condition *c)
{
        c->op = OP_IS_NULL;
        if (next(p) < 0)
                return -1;
        if (is_keyword(p, "not")) {
                c->op = OP_NOT_NULL;
                if (next(p) < 0)
                        return -1;
        }
        if (!is_keyword(p, "null"))
                return fail(p, "NULL is wanted after IS");
        return next(p);
}

static int parse_comparison(struct parser *p, struct condition *c)
{
        static const struct {
                const char *symbol;
                enum operator op;
        } symbols[] = {{"=", OP_EQUAL}, {"<>", OP_DIFFERS}, {"!=", OP_DIFFERS}, {"<", OP_LESS},
                {"<=", OP_AT_MOST}, {">", OP_GREATER}, {">=", OP_AT_LEAST}};

        for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
                if (!is_symbol(p, symbols[i].symbol))
                        continue;
                c->op = symbols[i].op;
                return next(p) < 0 ? -1 : parse_literal(p, c);
        }
        return fail(p, "= <> != < <= > >=, IN, NOT IN, IS NULL or IS NOT NULL is wanted here");
}

static int parse_condition(struct parser *p)
{
        struct filter *f = p->f;
        struct condition c = {.first = f->literals_n};
        int rc;

        if (f->conditions_n == CONDITIONS_MAX)
                return fail(p, "more than 1000 conditions");
        if (parse_column(p, &c) < 0)
                return -1;
        if (is_keyword(p, "is")) {
                rc = parse_is(p, &c);
        } else if (is_keyword(p, "in")) {
                c.op = OP_IN;
                rc = parse_in(p, &c);
        } else if (is_keyword(p, "not")) {
                c.op = OP_NOT_IN;
                if (next(p) < 0)
                        return -1;
                rc = is_keyword(p, "in") ? parse_in(p, &c) : fail(p, "IN is wanted after NOT");
        } else {
                rc = parse_comparison(p, &c);
        }
        f->conditions = memory_grow(f->conditions, (f->conditions_n + 1) * sizeof c);
        f->conditions[f->conditions_n++] = c;
        return rc;
}

static int parse(struct parser *p)
{
        if (strlen(p->text) > TEXT_MAX)
                return error_set(p->e, ERROR_CONFIG, "longer than 64 KiB");
        for (;;) {
                if (next(p) < 0 || parse_condition(p) < 0)
                        return -1;
                if (p->token == TOKEN_END)
                        return 0;
                if (!is_keyword(p, "and"))
                        return fail(p, "AND or the end is wanted here");
        }
}

struct filter *filter_parse(const char *text, struct error *e)
{
        struct parser p = {.f = memory_new_of(struct filter), .text = text, .p = text, .e = e};
        int rc = parse(&p);

        buf_done(&p.word);
        return rc < 0 ? filter_free(p.f) : p.f;
}
