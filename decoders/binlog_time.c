#include "decoders/binlog_time.h"

#include <time.h>

#define HOURS_MAX 838

static unsigned fraction_bytes(unsigned fsp)
{
        return (fsp + 1) / 2;
}

/* The bytes of a fraction hold its digits rounded up to an even number. */
static bool put_fraction(uint64_t stored, unsigned fsp, struct buf *out)
{
        static const uint32_t limits[] = {1, 100, 10000, 1000000};

        if (fsp > 6 || stored >= limits[fraction_bytes(fsp)])
                return false;
        if (fsp)
                buf_printf(out, ".%0*u", (int)fsp, (unsigned)(fsp % 2 ? stored / 10 : stored));
        return true;
}

static bool put_date(unsigned year, unsigned month, unsigned day, struct buf *out)
{
        if (year > 9999 || month > 12 || day > 31)
                return false;
        buf_printf(out, "%04u-%02u-%02u", year, month, day);
        return true;
}

static bool put_clock(unsigned hour, unsigned minute, unsigned second, struct buf *out)
{
        if (minute > 59 || second > 59)
                return false;
        buf_printf(out, "%02u:%02u:%02u", hour, minute, second);
        return true;
}

/* 3 bytes: 15 bits of year, 4 of month, 5 of day. */
bool binlog_date(struct reader *in, struct buf *out)
{
        uint32_t v = reader_le24(in);

        return reader_ok(in) && put_date(v >> 9, v >> 5 & 15, v & 31, out);
}

bool binlog_year(struct reader *in, struct buf *out)
{
        unsigned v = reader_u8(in);

        buf_printf(out, "%04u", v ? 1900 + v : 0);
        return reader_ok(in);
}

/* 3 bytes: the decimal number HHMMSS, signed. */
bool binlog_time(struct reader *in, struct buf *out)
{
        uint32_t raw = reader_le24(in);
        int32_t v = raw & 0x800000 ? (int32_t)raw - 0x1000000 : (int32_t)raw;
        uint32_t n = (uint32_t)(v < 0 ? -v : v);

        if (v < 0)
                buf_char(out, '-');
        return reader_ok(in) && n / 10000 <= HOURS_MAX &&
               put_clock(n / 10000, n / 100 % 100, n % 100, out);
}

/* 8 bytes: the decimal number YYYYMMDDHHMMSS. */
bool binlog_datetime(struct reader *in, struct buf *out)
{
        uint64_t v = reader_le64(in);
        unsigned date = (unsigned)(v / 1000000 % 100000000), clock = (unsigned)(v % 1000000);

        if (!reader_ok(in) || v / 1000000 > 99991231 || clock / 10000 > 23 ||
                !put_date(date / 10000, date / 100 % 100, date % 100, out))
                return false;
        buf_char(out, ' ');
        return put_clock(clock / 10000, clock / 100 % 100, clock % 100, out);
}

/* Seconds since 1970; 0 is the zero date. */
static void put_timestamp(uint32_t seconds, struct buf *out)
{
        time_t when = seconds;
        struct tm tm;

        if (!seconds) {
                buf_str(out, "0000-00-00 00:00:00");
                return;
        }
        gmtime_r(&when, &tm);
        buf_printf(out, "%04d-%02d-%02d %02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1,
                tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

bool binlog_timestamp(struct reader *in, struct buf *out)
{
        put_timestamp(reader_le32(in), out);
        return reader_ok(in);
}

/* 4 bytes of seconds, then the fraction. */
bool binlog_timestamp2(struct reader *in, unsigned fsp, struct buf *out)
{
        put_timestamp(reader_u32(in), out);
        return put_fraction(fsp ? reader_be(in, fraction_bytes(fsp)) : 0, fsp, out) &&
               reader_ok(in);
}

/* 17 bits of year * 13 + month, 5 of day, 5 of hour, 6 of minute, 6 of second. */
static bool put_datetime(uint64_t v, bool clock, struct buf *out)
{
        unsigned months = (unsigned)(v >> 22 & 0x1ffff);

        if (!put_date(months / 13, months % 13, v >> 17 & 31, out))
                return false;
        if (!clock)
                return true;
        buf_char(out, ' ');
        return (v >> 12 & 31) < 24 && put_clock(v >> 12 & 31, v >> 6 & 63, v & 63, out);
}

/* 5 bytes, the first bit set for "not negative", then the fraction. */
bool binlog_datetime2(struct reader *in, unsigned fsp, struct buf *out)
{
        uint64_t v = reader_be(in, 5);

        if (!reader_ok(in) || !(v & UINT64_C(0x8000000000)) ||
                !put_datetime(v & UINT64_C(0x7fffffffff), true, out))
                return false;
        return put_fraction(fsp ? reader_be(in, fraction_bytes(fsp)) : 0, fsp, out) &&
               reader_ok(in);
}

/* 10 bits of hour, 6 of minute, 6 of second. */
static bool put_hours(uint64_t v, struct buf *out)
{
        return v >> 12 <= HOURS_MAX && put_clock((unsigned)(v >> 12), v >> 6 & 63, v & 63, out);
}

/* 3 bytes and the fraction, together one number that 0x800000 was added to at the whole seconds;
 * so a negative time with a fraction borrows from them. */
bool binlog_time2(struct reader *in, unsigned fsp, struct buf *out)
{
        unsigned bits = fraction_bytes(fsp) * 8;
        int64_t v;
        uint64_t n;

        if (fsp > 6)
                return false;
        v = (int64_t)reader_be(in, 3 + bits / 8) - (INT64_C(0x800000) << bits);
        if (!reader_ok(in))
                return false;
        n = (uint64_t)(v < 0 ? -v : v);
        if (v < 0)
                buf_char(out, '-');
        return put_hours(n >> bits, out) && put_fraction(n & ((UINT64_C(1) << bits) - 1), fsp, out);
}

bool binlog_packed_date(int64_t packed, struct buf *out)
{
        return packed >= 0 && put_datetime((uint64_t)packed >> 24, false, out);
}

bool binlog_packed_datetime(int64_t packed, struct buf *out)
{
        return packed >= 0 && put_datetime((uint64_t)packed >> 24, true, out) &&
               put_fraction((uint64_t)packed & 0xffffff, 6, out);
}

bool binlog_packed_time(int64_t packed, struct buf *out)
{
        uint64_t n = packed < 0 ? -(uint64_t)packed : (uint64_t)packed;

        if (packed < 0)
                buf_char(out, '-');
        return put_hours(n >> 24, out) && put_fraction(n & 0xffffff, 6, out);
}
