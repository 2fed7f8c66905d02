#pragma once
/*
 * Rows of one chunk of a verification by their keys: digests, and the keys' own values as both
 * sides write them. Plain data of one thread.
 */
#include "base/buf.h"
#include "base/digest.h"
#include "model/txn.h"

struct verify_row {
        struct digest key, row;
        uint32_t from, to; /* where the key's values are in `keys`; UINT32_MAX: it has none there */
        uint32_t seen;     /* how many rows of the other side have this key */
};

struct verify_set {
        struct verify_row *rows;
        uint32_t n, cap;
        uint32_t *slots; /* row + 1, by digest; twice as many as rows at least */
        uint32_t slots_n;
        struct buf keys;
};

#define VERIFY_NO_KEY UINT32_MAX

void verify_set_clear(struct verify_set *s); /* keeps the memory */
void verify_set_done(struct verify_set *s);
/* A new row, or the one that has this key already (*known). Valid until the next call. */
struct verify_row *verify_set_add(struct verify_set *s, const struct digest *key, bool *known);
struct verify_row *verify_set_find(const struct verify_set *s, const struct digest *key);

/* Values one behind the other in a buffer: where they begin. NULLs and values without a place are
 * kept as such. */
uint32_t verify_keep(struct buf *keys, const struct value *values, unsigned n);
/* And back; they point into the buffer. Returns where the next ones begin. */
uint32_t verify_kept(const struct buf *keys, uint32_t at, struct value *values, unsigned n);
