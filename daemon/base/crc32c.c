#include "base/crc32c.h"

#include <pthread.h>

#define POLYNOMIAL 0x82f63b78u /* bits reversed */

/* table[n][b]: the sum of byte b with n zero bytes behind it, so that eight bytes are one step. */
static uint32_t table[8][256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_table(void)
{
        for (uint32_t b = 0; b < 256; b++) {
                uint32_t crc = b;

                for (int bit = 0; bit < 8; bit++)
                        crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
                table[0][b] = crc;
        }
        for (unsigned n = 1; n < 8; n++)
                for (unsigned b = 0; b < 256; b++)
                        table[n][b] = table[n - 1][b] >> 8 ^ table[0][table[n - 1][b] & 0xff];
}

static uint32_t little_endian(const uint8_t *p)
{
        return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint32_t crc32c(uint32_t crc, const void *data, size_t len)
{
        const uint8_t *p = data;

        pthread_once(&once, make_table);
        crc = ~crc;
        for (; len >= 8; p += 8, len -= 8) {
                uint32_t low = little_endian(p) ^ crc, high = little_endian(p + 4);

                crc = table[7][low & 0xff] ^ table[6][low >> 8 & 0xff] ^
                      table[5][low >> 16 & 0xff] ^ table[4][low >> 24] ^ table[3][high & 0xff] ^
                      table[2][high >> 8 & 0xff] ^ table[1][high >> 16 & 0xff] ^
                      table[0][high >> 24];
        }
        for (; len > 0; p++, len--)
                crc = crc >> 8 ^ table[0][(crc ^ *p) & 0xff];
        return ~crc;
}
