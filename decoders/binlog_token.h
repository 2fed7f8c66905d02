#pragma once
/*
 * Words, names and signs of SQL text, for binlog_statement.c. A scanner may be copied to look
 * ahead.
 */
#include "base/buf.h"
#include "decoders/binlog_statement.h"

enum token_kind { TOKEN_END, TOKEN_WORD, TOKEN_NAME, TOKEN_TEXT, TOKEN_SIGN };

struct scanner {
        const char *at, *end;
        struct binlog_dialect dialect;
        unsigned executable; /* comments whose content counts, open just now */
        /* the token in hand */
        enum token_kind kind;
        const char *begin; /* of a word, sign, or quoted text with its quotes */
        size_t len;
};

void scanner_next(struct scanner *s);
bool scanner_is(const struct scanner *s, const char *word); /* the token in hand */
bool scanner_sign(const struct scanner *s, char sign);      /* the token in hand */
bool scanner_take(struct scanner *s, const char *word);     /* and goes on when it is */
bool scanner_is_name(const struct scanner *s);              /* can it be a table's? */
char *scanner_name(const struct scanner *s); /* without its quotes; the caller frees */
