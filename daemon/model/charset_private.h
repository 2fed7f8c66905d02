#pragma once
/*
 * Tables behind the character sets: 8-bit sets by value, and the characters where a server's own
 * tables differ from glibc's. Constant; any thread.
 */
#include "model/charset.h"

/* Characters `first` to `last`, as big-endian numbers of their bytes, are code points from `point`
 * on; 0: they are no characters. A list ends with `last` 0. */
struct charset_run {
        uint32_t first, last, point;
};

extern const uint16_t charset_armscii8[128], charset_cp1250[128], charset_cp1251[128],
        charset_cp1256[128], charset_cp1257[128], charset_cp850[128], charset_cp852[128],
        charset_cp866[128], charset_dec8[128], charset_geostd8[128], charset_greek[128],
        charset_hebrew[128], charset_hp8[128], charset_keybcs2[128], charset_koi8r[128],
        charset_koi8u[128], charset_latin1[128], charset_latin2[128], charset_latin5[128],
        charset_latin7[128], charset_macce[128], charset_macroman[128], charset_tis620[128];
