#include "model/convert_private.h"

#include <stdio.h>
#include <string.h>

/*
 * Dates and times: [-]YYYY-MM-DD, [-]HH:MM:SS[.ffffff], both with a blank between them, then what
 * PostgreSQL appends: +00 (the session is in UTC) and BC.
 */

struct moment {
        unsigned year, month, day;
        const char *time; /* [-]HH:MM:SS, or NULL */
        size_t time_n;    /* without the fraction */
        const char *part; /* digits of the fraction that are not zeros at its end */
        size_t part_n;
        bool negative, bc, zone;
        unsigned hours, minutes, seconds;
};

struct cursor {
        const char *at, *end;
};

static unsigned number(struct cursor *in, size_t *n)
{
        unsigned v = 0;

        for (*n = 0; in->at < in->end && *in->at >= '0' && *in->at <= '9'; in->at++, (*n)++)
                if (v < 100000000)
                        v = v * 10 + (unsigned)(*in->at - '0');
        return v;
}

static bool sign(struct cursor *in, char c)
{
        if (in->at == in->end || *in->at != c)
                return false;
        in->at++;
        return true;
}

static bool pair(struct cursor *in, unsigned *v)
{
        size_t n;

        *v = number(in, &n);
        return n == 2;
}

static bool take_date(struct cursor *in, struct moment *m)
{
        size_t n;

        m->year = number(in, &n);
        return n >= 4 && n <= 7 && sign(in, '-') && pair(in, &m->month) && sign(in, '-') &&
               pair(in, &m->day);
}

static bool take_time(struct cursor *in, struct moment *m)
{
        size_t n;

        m->time = in->at;
        m->negative = sign(in, '-');
        m->hours = number(in, &n);
        if (n < 2 || n > 10 || !sign(in, ':') || !pair(in, &m->minutes) || !sign(in, ':') ||
                !pair(in, &m->seconds) || m->minutes > 59 || m->seconds > 59)
                return false;
        m->time_n = (size_t)(in->at - m->time);
        m->part = in->at;
        if (!sign(in, '.'))
                return true;
        m->part = in->at;
        number(in, &m->part_n);
        while (m->part_n > 0 && m->part[m->part_n - 1] == '0')
                m->part_n--;
        return true;
}

/* "+00" and " BC". */
static bool take_rest(struct cursor *in, struct moment *m)
{
        if (in->end - in->at >= 3 && !memcmp(in->at, "+00", 3)) {
                m->zone = true;
                in->at += 3;
        }
        if (in->end - in->at == 3 && !memcmp(in->at, " BC", 3)) {
                m->bc = true;
                in->at += 3;
        }
        return in->at == in->end;
}

static bool take_moment(const struct value *v, struct moment *m)
{
        struct cursor in = {v->data, v->data + v->len};

        *m = (struct moment){0};
        if (!take_date(&in, m))
                return false;
        if (sign(&in, ' ') && !take_time(&in, m)) {
                in.at--; /* the blank in front of BC */
                m->time = NULL;
                return take_rest(&in, m);
        }
        return !m->negative && m->hours < 24 && take_rest(&in, m);
}

static bool day_exists(const struct moment *m)
{
        static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
        bool leap = m->year % 4 == 0 && (m->year % 100 != 0 || m->year % 400 == 0);

        return m->month >= 1 && m->month <= 12 && m->day >= 1 &&
               m->day <= days[m->month - 1] + (unsigned)(leap && m->month == 2);
}

/* 0000-00-00, 2020-00-00, 2020-05-00: MySQL has them, the calendar has not. */
static bool incomplete(const struct moment *m)
{
        return m->year == 0 || m->month == 0 || m->day == 0;
}

static int by_policy(const struct convert *c, struct arena *a, struct value *v, struct error *e)
{
        char text[32];
        int n;

        if (c->policy.zero_date == ZERO_DATE_NULL) {
                *v = (struct value){.kind = VALUE_NULL};
                return 0;
        }
        if (c->policy.zero_date != ZERO_DATE_VALUE)
                return convert_refuse(c, "a date with zeros (option zero_date)", e);
        n = snprintf(text, sizeof text, "%s%s%s", c->policy.date,
                c->to->class == TYPE_DATE ? "" : " 00:00:00",
                c->to->class == TYPE_TIMESTAMPTZ ? "+00" : "");
        convert_set(a, v, text, (size_t)n);
        return 0;
}

/* Writes the moment in the target's form, unless it is written so already. */
static void put(const struct convert *c, struct arena *a, struct value *v, const struct moment *m)
{
        bool zone = convert_is_pg(c->to) && c->to->class == TYPE_TIMESTAMPTZ;
        char text[64];
        int n = snprintf(text, sizeof text, "%04u-%02u-%02u%s", m->year, m->month, m->day,
                m->bc && c->to->class == TYPE_DATE ? " BC" : "");

        if (c->to->class != TYPE_DATE)
                n += snprintf(text + n, sizeof text - (size_t)n, " %02u:%02u:%02u%s%.*s%s%s",
                        m->hours, m->minutes, m->seconds, m->part_n ? "." : "", (int)m->part_n,
                        m->part_n ? m->part : "", zone ? "+00" : "", m->bc ? " BC" : "");
        if (v->len != (uint32_t)n || memcmp(v->data, text, v->len) != 0)
                convert_set(a, v, text, (size_t)n);
}

/* TIMESTAMP of the MySQL family: from one second after 1970 to 2038, or to 2106 where it is wider,
 * which the server knows. */
static bool in_epoch(const struct moment *m)
{
        if (m->year == 1970 && m->month == 1 && m->day == 1 && m->hours == 0 && m->minutes == 0 &&
                m->seconds == 0)
                return false;
        return m->year >= 1970 && m->year <= 2106;
}

static int check_moment(const struct convert *c, const struct moment *m, struct error *e)
{
        bool pg = convert_is_pg(c->to);

        if (!pg && (m->bc || m->year > 9999))
                return convert_refuse(c, "its year is not one of 1 to 9999", e);
        if (!day_exists(m) && (pg || !incomplete(m)))
                return convert_refuse(c, "it is not a day of the calendar", e);
        if (c->to->class == TYPE_DATE && (m->hours || m->minutes || m->seconds || m->part_n))
                return convert_refuse(c, "it has a time of day", e);
        if (c->to->class != TYPE_DATE && m->part_n > c->to->fsp)
                return convert_refuse(c, "it has more fractional digits", e);
        if (!pg && c->to->class == TYPE_TIMESTAMPTZ && !incomplete(m) && !in_epoch(m))
                return convert_refuse(c, "it is out of range", e);
        return 0;
}

static bool infinite(const struct value *v)
{
        return (v->len == 8 && !memcmp(v->data, "infinity", 8)) ||
               (v->len == 9 && !memcmp(v->data, "-infinity", 9));
}

static int to_moment(const struct convert *c, struct arena *a, struct value *v, struct error *e)
{
        struct moment m;

        if (convert_is_pg(c->from) && infinite(v))
                return convert_is_pg(c->to) ? 0 : convert_refuse(c, "it is infinite", e);
        if (!take_moment(v, &m))
                return convert_refuse(c, "it is not a date and time of UTC in ISO form", e);
        if (m.zone && c->from->class != TYPE_TIMESTAMPTZ)
                return convert_refuse(c, "it has a time zone", e);
        if (convert_is_pg(c->to) && incomplete(&m))
                return by_policy(c, a, v, e);
        if (check_moment(c, &m, e) < 0)
                return -1;
        put(c, a, v, &m);
        return 0;
}

convert_run *convert_to_date(
        const struct coltype *from, const struct coltype *to, const struct convert_policy *policy)
{
        (void)to;
        (void)policy;
        return from->class == TYPE_DATE || from->class == TYPE_DATETIME || convert_is_text(from)
                       ? to_moment
                       : NULL;
}

convert_run *convert_to_datetime(
        const struct coltype *from, const struct coltype *to, const struct convert_policy *policy)
{
        (void)to;
        (void)policy;
        return from->class == TYPE_DATE || from->class == TYPE_DATETIME ||
                               from->class == TYPE_TIMESTAMPTZ || convert_is_text(from)
                       ? to_moment
                       : NULL;
}

convert_run *convert_to_timestamptz(
        const struct coltype *from, const struct coltype *to, const struct convert_policy *policy)
{
        (void)to;
        if (from->class == TYPE_DATETIME && policy->datetime_utc)
                return to_moment;
        return from->class == TYPE_TIMESTAMPTZ ? to_moment : NULL;
}

static bool take_time_only(const struct value *v, struct moment *m)
{
        struct cursor in = {v->data, v->data + v->len};

        *m = (struct moment){0};
        return take_time(&in, m) && in.at == in.end;
}

/* PostgreSQL's day ends at 24:00:00; MySQL's TIME is 838:59:59 both ways. */
static bool time_in_range(const struct coltype *to, const struct moment *m)
{
        bool zero = !m->hours && !m->minutes && !m->seconds && !m->part_n;

        if (!convert_is_pg(to))
                return m->hours <= 838;
        if (to->class == TYPE_INTERVAL)
                return true;
        if (m->hours >= 24)
                return m->hours == 24 && !m->negative && !m->minutes && !m->seconds && !m->part_n;
        return !m->negative || zero;
}

static int to_time(const struct convert *c, struct arena *a, struct value *v, struct error *e)
{
        struct moment m;
        char text[40];
        int n;

        if (!take_time_only(v, &m))
                return convert_refuse(c, "it is not a time of hours, minutes and seconds", e);
        if (!time_in_range(c->to, &m))
                return convert_refuse(c, "it is out of range", e);
        if (m.part_n > c->to->fsp)
                return convert_refuse(c, "it has more fractional digits", e);
        n = snprintf(text, sizeof text, "%.*s%s%.*s", (int)m.time_n, m.time, m.part_n ? "." : "",
                (int)m.part_n, m.part);
        if (v->len != (uint32_t)n)
                convert_set(a, v, text, (size_t)n);
        return 0;
}

convert_run *convert_to_time(
        const struct coltype *from, const struct coltype *to, const struct convert_policy *policy)
{
        (void)policy;
        if (from->class == TYPE_INTERVAL)
                return convert_is_pg(to) ? NULL : to_time;
        return from->class == TYPE_TIME || convert_is_text(from) ? to_time : NULL;
}

/* "interval day to second" keeps less than it is given. */
convert_run *convert_to_interval(
        const struct coltype *from, const struct coltype *to, const struct convert_policy *policy)
{
        if (from->class == TYPE_TIME)
                return strchr(to->native, ' ') ? NULL : to_time;
        return convert_to_known_text(from, to, policy);
}
