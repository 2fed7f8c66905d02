#include "base/digest.h"

#include <string.h>

/* MurmurHash3_x64_128 (Austin Appleby, public domain), begun with what came before. */

#define C1 UINT64_C(0x87c37b91114253d5)
#define C2 UINT64_C(0x4cf5ad432745937f)

static uint64_t rotate(uint64_t v, int bits)
{
        return v << bits | v >> (64 - bits);
}

static uint64_t finish(uint64_t v)
{
        v ^= v >> 33;
        v *= UINT64_C(0xff51afd7ed558ccd);
        v ^= v >> 33;
        v *= UINT64_C(0xc4ceb9fe1a85ec53);
        return v ^ v >> 33;
}

static void mix(struct digest *d, uint64_t x, uint64_t y)
{
        d->a ^= rotate(x * C1, 31) * C2;
        d->a = (rotate(d->a, 27) + d->b) * 5 + 0x52dce729;
        d->b ^= rotate(y * C2, 33) * C1;
        d->b = (rotate(d->b, 31) + d->a) * 5 + 0x38495ab5;
}

static void end_piece(struct digest *d, uint64_t len)
{
        d->a ^= len;
        d->b ^= len;
        d->a += d->b;
        d->b += d->a;
        d->a = finish(d->a);
        d->b = finish(d->b);
        d->a += d->b;
        d->b += d->a;
}

void digest_add(struct digest *d, const void *data, size_t len)
{
        const char *at = data;
        uint64_t block[2];
        size_t left = len;

        for (; left >= sizeof block; left -= sizeof block, at += sizeof block) {
                memcpy(block, at, sizeof block);
                mix(d, block[0], block[1]);
        }
        if (left > 0) {
                block[0] = block[1] = 0;
                memcpy(block, at, left);
                mix(d, block[0], block[1]);
        }
        end_piece(d, len);
}

/* No data is that long. */
void digest_add_mark(struct digest *d, uint64_t mark)
{
        end_piece(d, UINT64_MAX - mark);
}

bool digest_same(const struct digest *x, const struct digest *y)
{
        return x->a == y->a && x->b == y->b;
}
