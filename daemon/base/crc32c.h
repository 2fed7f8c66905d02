#pragma once
/*
 * CRC-32C (Castagnoli): checks the frames of segment files. A table of our own, since Debian has no
 * small library for it. Any thread.
 */
#include <stddef.h>
#include <stdint.h>

/* Of `len` more bytes behind those whose sum is `crc`; 0 begins. */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);
