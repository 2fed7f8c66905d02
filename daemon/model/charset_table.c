#include "model/charset_private.h"

#include <string.h>

static const struct charset_run sjis_runs[] = {
        {0x5c, 0x5c, 0x5c}, {0x7e, 0x7e, 0x7e}, {0x815f, 0x815f, 0x5c}, {0, 0, 0}};

/* Behind the two single ones: the user-defined rows, which are the private use area. */
static const struct charset_run ujis_runs[] = {{0xa1c0, 0xa1c0, 0x5c}, {0xf5a1, 0xf5fe, 0xe000},
        {0xf6a1, 0xf6fe, 0xe05e}, {0xf7a1, 0xf7fe, 0xe0bc}, {0xf8a1, 0xf8fe, 0xe11a},
        {0xf9a1, 0xf9fe, 0xe178}, {0xfaa1, 0xfafe, 0xe1d6}, {0xfba1, 0xfbfe, 0xe234},
        {0xfca1, 0xfcfe, 0xe292}, {0xfda1, 0xfdfe, 0xe2f0}, {0xfea1, 0xfefe, 0xe34e},
        {0x8fa2b7, 0x8fa2b7, 0x7e}, {0x8ff5a1, 0x8ff5fe, 0xe3ac}, {0x8ff6a1, 0x8ff6fe, 0xe40a},
        {0x8ff7a1, 0x8ff7fe, 0xe468}, {0x8ff8a1, 0x8ff8fe, 0xe4c6}, {0x8ff9a1, 0x8ff9fe, 0xe524},
        {0x8ffaa1, 0x8ffafe, 0xe582}, {0x8ffba1, 0x8ffbfe, 0xe5e0}, {0x8ffca1, 0x8ffcfe, 0xe63e},
        {0x8ffda1, 0x8ffdfe, 0xe69c}, {0x8ffea1, 0x8ffefe, 0xe6fa}, {0, 0, 0}};

/* Signs, then kana, Cyrillic and circled numbers of the ETEN extension. */
static const struct charset_run big5_runs[] = {{0xa145, 0xa145, 0x2022}, {0xa14e, 0xa14e, 0xff64},
        {0xa15a, 0xa15a, 0}, {0xa1c2, 0xa1c2, 0x203e}, {0xa1c3, 0xa1c3, 0}, {0xa1c5, 0xa1c5, 0},
        {0xa1e3, 0xa1e3, 0x223c}, {0xa1f2, 0xa1f2, 0x2641}, {0xa1f3, 0xa1f3, 0x2609},
        {0xa1fe, 0xa1fe, 0}, {0xa240, 0xa240, 0}, {0xa241, 0xa241, 0xff0f},
        {0xa242, 0xa242, 0xff3c}, {0xa244, 0xa244, 0xa5}, {0xa246, 0xa247, 0xa2},
        {0xa2cc, 0xa2cc, 0}, {0xa2ce, 0xa2ce, 0}, {0xa3e1, 0xa3e1, 0}, {0xc6a1, 0xc6a1, 0x30fe},
        {0xc6a2, 0xc6a3, 0x309d}, {0xc6a4, 0xc6a4, 0x3005}, {0xc6a5, 0xc6f7, 0x3041},
        {0xc6f8, 0xc6fe, 0x30a1}, {0xc740, 0xc77e, 0x30a8}, {0xc7a1, 0xc7b0, 0x30e7},
        {0xc7b1, 0xc7b2, 0x414}, {0xc7b3, 0xc7b3, 0x401}, {0xc7b4, 0xc7ba, 0x416},
        {0xc7bb, 0xc7cd, 0x423}, {0xc7ce, 0xc7ce, 0x451}, {0xc7cf, 0xc7e8, 0x436},
        {0xc7e9, 0xc7f2, 0x2460}, {0xc7f3, 0xc7fc, 0x2474}, {0xc7fd, 0xc7fe, 0},
        {0xc840, 0xc87e, 0}, {0xc8a1, 0xc8fe, 0}, {0xf9dd, 0xf9fe, 0}, {0, 0, 0}};

static const struct charset_run euckr_runs[] = {{0xa2e8, 0xa2e8, 0}, {0, 0, 0}};

/* swe7 is missing: it has other letters in the place of ASCII's brackets. */
enum id {
        NONE,
        ARMSCII8,
        ASCII,
        BIG5,
        BINARY,
        CP1250,
        CP1251,
        CP1256,
        CP1257,
        CP850,
        CP852,
        CP866,
        CP932,
        DEC8,
        EUCJPMS,
        EUCKR,
        GB18030,
        GB2312,
        GBK,
        GEOSTD8,
        GREEK,
        HEBREW,
        HP8,
        KEYBCS2,
        KOI8R,
        KOI8U,
        LATIN1,
        LATIN2,
        LATIN5,
        LATIN7,
        MACCE,
        MACROMAN,
        SJIS,
        TIS620,
        UCS2,
        UJIS,
        UTF16,
        UTF16LE,
        UTF32,
        UTF8MB3,
        UTF8MB4
};

#define EIGHT(set)                                                                                 \
        {                                                                                          \
                .name = #set, .min_bytes = 1, .max_bytes = 1, .high = charset_##set                \
        }

static const struct charset sets[] = {
        [ARMSCII8] = EIGHT(armscii8),
        [ASCII] = {.name = "ascii", .min_bytes = 1, .max_bytes = 1},
        [BIG5] = {"big5", "BIG5", 1, 2, NULL, big5_runs},
        [BINARY] = {.name = "binary", .min_bytes = 1, .max_bytes = 1},
        [CP1250] = EIGHT(cp1250),
        [CP1251] = EIGHT(cp1251),
        [CP1256] = EIGHT(cp1256),
        [CP1257] = EIGHT(cp1257),
        [CP850] = EIGHT(cp850),
        [CP852] = EIGHT(cp852),
        [CP866] = EIGHT(cp866),
        [CP932] = {"cp932", "CP932", 1, 2, NULL, NULL},
        [DEC8] = EIGHT(dec8),
        [EUCJPMS] = {"eucjpms", "EUC-JP-MS", 1, 3, NULL, NULL},
        [EUCKR] = {"euckr", "UHC", 1, 2, NULL, euckr_runs},
        [GB18030] = {"gb18030", "GB18030", 1, 4, NULL, NULL},
        [GB2312] = {"gb2312", "EUC-CN", 1, 2, NULL, NULL},
        [GBK] = {"gbk", "GBK", 1, 2, NULL, NULL},
        [GEOSTD8] = EIGHT(geostd8),
        [GREEK] = EIGHT(greek),
        [HEBREW] = EIGHT(hebrew),
        [HP8] = EIGHT(hp8),
        [KEYBCS2] = EIGHT(keybcs2),
        [KOI8R] = EIGHT(koi8r),
        [KOI8U] = EIGHT(koi8u),
        [LATIN1] = EIGHT(latin1),
        [LATIN2] = EIGHT(latin2),
        [LATIN5] = EIGHT(latin5),
        [LATIN7] = EIGHT(latin7),
        [MACCE] = EIGHT(macce),
        [MACROMAN] = EIGHT(macroman),
        [SJIS] = {"sjis", "SJIS", 1, 2, NULL, sjis_runs},
        [TIS620] = EIGHT(tis620),
        [UCS2] = {"ucs2", "UCS-2BE", 2, 2, NULL, NULL},
        [UJIS] = {"ujis", "EUC-JP", 1, 3, NULL, ujis_runs},
        [UTF16] = {"utf16", "UTF-16BE", 2, 4, NULL, NULL},
        [UTF16LE] = {"utf16le", "UTF-16LE", 2, 4, NULL, NULL},
        [UTF32] = {"utf32", "UTF-32BE", 4, 4, NULL, NULL},
        [UTF8MB3] = {.name = "utf8mb3", .min_bytes = 1, .max_bytes = 3},
        [UTF8MB4] = {.name = "utf8mb4", .min_bytes = 1, .max_bytes = 4},
};

#define SETS_N (sizeof sets / sizeof *sets)

const struct charset *charset_by_name(const char *name)
{
        if (!strcmp(name, "utf8"))
                return &sets[UTF8MB3];
        for (size_t i = 0; i < SETS_N; i++)
                if (sets[i].name && !strcmp(sets[i].name, name))
                        return &sets[i];
        return NULL;
}

/* The collations from before there were families of them. */
static const uint8_t first_hundred[] = {[1] = BIG5,
        LATIN2,
        DEC8,
        CP850,
        LATIN1,
        HP8,
        KOI8R,
        LATIN1,
        LATIN2,
        NONE,
        ASCII,
        UJIS,
        SJIS,
        CP1251,
        LATIN1,
        HEBREW,
        NONE,
        TIS620,
        EUCKR,
        LATIN7,
        LATIN2,
        KOI8U,
        CP1251,
        GB2312,
        GREEK,
        CP1250,
        LATIN2,
        GBK,
        CP1257,
        LATIN5,
        LATIN1,
        ARMSCII8,
        UTF8MB3,
        CP1250,
        UCS2,
        CP866,
        KEYBCS2,
        MACCE,
        MACROMAN,
        CP852,
        LATIN7,
        LATIN7,
        MACCE,
        CP1250,
        UTF8MB4,
        UTF8MB4,
        LATIN1,
        LATIN1,
        LATIN1,
        CP1251,
        CP1251,
        CP1251,
        MACROMAN,
        UTF16,
        UTF16,
        UTF16LE,
        CP1256,
        CP1257,
        CP1257,
        UTF32,
        UTF32,
        UTF16LE,
        BINARY,
        ARMSCII8,
        ASCII,
        CP1250,
        CP1256,
        CP866,
        DEC8,
        GREEK,
        HEBREW,
        HP8,
        KEYBCS2,
        KOI8R,
        KOI8U,
        UTF8MB3,
        LATIN2,
        LATIN5,
        LATIN7,
        CP850,
        CP852,
        NONE,
        UTF8MB3,
        BIG5,
        EUCKR,
        GB2312,
        GBK,
        SJIS,
        TIS620,
        UCS2,
        UJIS,
        GEOSTD8,
        GEOSTD8,
        LATIN1,
        CP932,
        CP932,
        EUCJPMS,
        EUCJPMS,
        CP1250};

/* Families: MySQL's from 101 on, with its 0900 ones at 255; MariaDB's own at 576. */
static const struct {
        uint16_t first, last;
        uint8_t set;
} families[] = {
        {101, 124, UTF16},
        {128, 151, UCS2},
        {159, 159, UCS2},
        {160, 183, UTF32},
        {192, 215, UTF8MB3},
        {223, 223, UTF8MB3},
        {224, 247, UTF8MB4},
        {248, 250, GB18030},
        {255, 323, UTF8MB4},
        {576, 578, UTF8MB3},
        {608, 610, UTF8MB4},
        {640, 642, UCS2},
        {672, 674, UTF16},
        {736, 738, UTF32},
};

static enum id set_of(unsigned id)
{
        if (id < sizeof first_hundred)
                return first_hundred[id];
        for (size_t i = 0; i < sizeof families / sizeof *families; i++)
                if (id >= families[i].first && id <= families[i].last)
                        return families[i].set;
        return NONE;
}

/* MariaDB: NO PAD twins are 1024 further on; each set has 256 numbers of uca1400 from 2048 on. */
#define NO_PAD 1024
#define UCA1400 2048

const struct charset *charset_by_collation(unsigned id)
{
        static const enum id uca1400[] = {UTF8MB3, UTF8MB4, UCS2, UTF16, UTF32};
        enum id set = NONE;

        if (id < UCA1400)
                set = set_of(id % NO_PAD);
        else if ((id - UCA1400) / 256 < sizeof uca1400 / sizeof *uca1400)
                set = uca1400[(id - UCA1400) / 256];
        return set == NONE ? NULL : &sets[set];
}
