#include "ops/nearest.h"

#include <string.h>

#define LONGEST 128

static unsigned least(unsigned a, unsigned b, unsigned c)
{
        unsigned m = a < b ? a : b;

        return m < c ? m : c;
}

/* Levenshtein's distance with one row of memory; too long a name is far from everything. */
static unsigned distance(const char *a, const char *b)
{
        size_t a_len = strlen(a), b_len = strlen(b);
        unsigned row[LONGEST + 1];

        if (a_len > LONGEST || b_len > LONGEST)
                return LONGEST;
        for (unsigned j = 0; j <= b_len; j++)
                row[j] = j;
        for (unsigned i = 1; i <= a_len; i++) {
                unsigned diagonal = row[0];

                row[0] = i;
                for (unsigned j = 1; j <= b_len; j++) {
                        unsigned above = row[j];

                        row[j] =
                                least(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
                        diagonal = above;
                }
        }
        return row[b_len];
}

const char *nearest_of(const char *text, const char *const *names, unsigned n)
{
        unsigned best = (unsigned)strlen(text) / 3 + 1;
        const char *found = NULL;

        for (unsigned i = 0; i < n; i++) {
                unsigned d = distance(text, names[i]);

                if (d >= best)
                        continue;
                best = d;
                found = names[i];
        }
        return found;
}
