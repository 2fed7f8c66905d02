#pragma once
/*
 * Character sets of the MySQL family: from the bytes of a binlog row to UTF-8. What the server does
 * when a client asks for utf8mb4 is done here alike: latin1 is cp1252 with its five holes filled.
 * Pure; any thread (a converter state is made per call or per thread, never shared).
 */
#include "base/buf.h"
#include "base/error.h"

struct charset_run;

struct charset {
        const char *name;  /* as in information_schema: "latin1", "utf8mb4", "utf8mb3", "binary" */
        const char *iconv; /* glibc's name; NULL: built in */
        unsigned min_bytes, max_bytes;  /* of one character */
        const uint16_t *high;           /* 8-bit sets: what 0x80 to 0xff are; 0: nothing */
        const struct charset_run *runs; /* where the server differs from glibc; or NULL */
};

/* "utf8" is utf8mb3. NULL: not known. */
const struct charset *charset_by_name(const char *name);
/* By the number of a collation, as table maps carry it (mysys/charset-def.c, strings/ctype-*.c;
 * information_schema.collations). NULL: not known. */
const struct charset *charset_by_collation(unsigned id);
/* Are its bytes UTF-8 already (utf8mb3, utf8mb4, ascii)? Then nothing needs converting. */
bool charset_is_utf8(const struct charset *c);
/* Do all its bytes go as they are, without a look: utf8mb3, utf8mb4? */
bool charset_passes(const struct charset *c);
/*
 * What a value of a column is, for copy and stream alike: `*text` stays where its bytes go as they
 * are, or points into `room`, which is emptied before. utf8mb3 and utf8mb4 are not looked at: those
 * who take the text do (model/convert.h, or the server). `c` NULL: no characters. -1 as below.
 */
int charset_text(
        const struct charset *c, const char **text, size_t *len, struct buf *room, struct error *e);
/* Appends the text as UTF-8. -1 and a DATA error (naming the set and the offset, never the text)
 * for bytes that are none of its characters. "binary" is copied. */
int charset_to_utf8(
        const struct charset *c, const void *from, size_t len, struct buf *out, struct error *e);
