#pragma once
/*
 * Reader of INI text: `[section]`, `key = value`, comments from `;` or `#` at the start of a line
 * and from ` ;` behind a value. Quotes ('...' and "...") hide ` ;` and stay in the value, since
 * filters and patterns use them; double quotes also hide `]` in a section's name and `=` in a key.
 * A quote that is never closed is an ordinary character, unless that would make it unclear where
 * the value ends.
 *
 * Lines may have 64 KiB, UTF-8 without control characters; CR LF is fine. What cannot be read is
 * reported with its line and skipped; keys below an unreadable section line are skipped too.
 * Strings are valid during the call only. Pure, any thread.
 */
#include <stddef.h>

#define INI_LINE_MAX 65536

struct ini_reader {
        void (*section)(void *context, int line, const char *name);
        void (*key)(void *context, int line, const char *key, const char *value);
        void (*problem)(void *context, int line, const char *text);
};

void ini_read(const char *text, size_t len, const struct ini_reader *r, void *context);
