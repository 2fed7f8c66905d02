/*
 * Encodings (integers little-endian):
 *   a set          number of sources 8, then per source: UUID 16 | number of ranges 8 | per range:
 *                  first 8, behind the last 8
 *   with tags      (servers since 8.3) the number is shifted by 8, and its lowest and highest byte
 *                  are 1; a source is a pair of UUID and tag, and behind the UUID comes the length
 *                  of the tag, doubled, 1 | tag. Used only where there is a tag.
 *   event 33       flags 1 | UUID 16 | number 8 | more
 *   event 42       version | size | last field that must be known | fields: id, value. All integers
 *                  are of variable length: the ones at the low end of the first byte, up to a zero,
 *                  count the bytes that follow; the rest of the bits are the number, the lowest
 *                  first. Field 0: flags; 1: UUID, each byte such an integer; 2: number, doubled,
 *                  since it has a sign; 3: tag, its length in front.
 */
#include "decoders/binlog_gtid.h"
#include "base/memory.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_MAX ((uint64_t)INT64_MAX - 1)

struct range {
        struct gtid first;
        uint64_t last;
};

struct gtids {
        enum engine engine;
        struct range *ranges; /* in order, apart from each other */
        unsigned n, room;
};

/* ---- ranges ---- */

static int compare(const struct gtid *a, const struct gtid *b)
{
        int uuid = memcmp(a->uuid, b->uuid, sizeof a->uuid);

        if (uuid)
                return uuid;
        if (a->domain != b->domain)
                return a->domain > b->domain ? 1 : -1;
        return strcmp(a->tag, b->tag);
}

/* The first range of the same source that ends at `number` or later, or the place for it. */
static unsigned find(const struct gtids *g, const struct gtid *key, uint64_t number)
{
        unsigned low = 0, high = g->n;

        while (low < high) {
                unsigned middle = low + (high - low) / 2;
                int order = compare(&g->ranges[middle].first, key);

                if (order < 0 || (order == 0 && g->ranges[middle].last < number))
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static bool replace(struct gtids *g, unsigned from, unsigned to, const struct range *r)
{
        if (to == from && g->n == GTID_RANGES)
                return false;
        if (to == from && g->n == g->room) {
                g->room = g->room ? g->room * 2 : 4;
                g->ranges = memory_grow(g->ranges, g->room * sizeof *g->ranges);
        }
        memmove(g->ranges + from + 1, g->ranges + to, (g->n - to) * sizeof *g->ranges);
        g->n = g->n - (to - from) + 1;
        g->ranges[from] = *r;
        return true;
}

/* Joins what overlaps or touches. */
static bool add_range(struct gtids *g, const struct gtid *first, uint64_t last)
{
        struct range r = {*first, last};
        unsigned from = find(g, first, first->number - 1), to = from;

        while (to < g->n && compare(&g->ranges[to].first, first) == 0 &&
                g->ranges[to].first.number <= last + 1) {
                if (g->ranges[to].first.number < r.first.number)
                        r.first.number = g->ranges[to].first.number;
                if (g->ranges[to].last > r.last)
                        r.last = g->ranges[to].last;
                to++;
        }
        return replace(g, from, to, &r);
}

static bool set_domain(struct gtids *g, const struct gtid *one)
{
        struct range r = {*one, one->number};
        unsigned at = find(g, one, 0);
        bool there = at < g->n && compare(&g->ranges[at].first, one) == 0;

        return replace(g, at, at + there, &r);
}

bool gtids_add(struct gtids *g, const struct gtid *one)
{
        if (one->number > NUMBER_MAX || (g->engine == ENGINE_MYSQL && one->number == 0))
                return false;
        return g->engine == ENGINE_MARIADB ? set_domain(g, one) : add_range(g, one, one->number);
}

bool gtids_contains(const struct gtids *g, const struct gtid *one)
{
        unsigned at = find(g, one, one->number);

        return at < g->n && compare(&g->ranges[at].first, one) == 0 &&
               (g->engine == ENGINE_MARIADB || g->ranges[at].first.number <= one->number);
}

bool gtids_domain(const struct gtids *g, unsigned i, struct gtid *one)
{
        if (i >= g->n)
                return false;
        *one = g->ranges[i].first;
        return true;
}

bool gtids_add_domains(struct gtids *g, const struct gtids *other)
{
        for (unsigned i = 0; i < other->n; i++) {
                const struct gtid *one = &other->ranges[i].first;
                unsigned at = find(g, one, 0);

                if (at < g->n && compare(&g->ranges[at].first, one) == 0)
                        continue;
                if (!set_domain(g, one))
                        return false;
        }
        return true;
}

struct gtids *gtids_free(struct gtids *g)
{
        if (!g)
                return NULL;
        free(g->ranges);
        free(g);
        return NULL;
}

/* ---- text ---- */

bool gtids_by_state(const char *text)
{
        return text && *text == GTID_BY_STATE;
}

const char *gtids_plain(const char *text)
{
        return gtids_by_state(text) ? text + 1 : text;
}

static void skip_blanks(const char **at)
{
        while (isspace((unsigned char)**at))
                (*at)++;
}

static bool read_number(const char **at, uint64_t max, uint64_t *number)
{
        *number = 0;
        if (!isdigit((unsigned char)**at))
                return false;
        for (; isdigit((unsigned char)**at); (*at)++) {
                uint64_t digit = (uint64_t)(**at - '0');

                if (*number > (max - digit) / 10)
                        return false;
                *number = *number * 10 + digit;
        }
        return true;
}

static bool skip(const char **at, char c)
{
        if (**at != c)
                return false;
        (*at)++;
        return true;
}

/* DOMAIN-SERVER-NUMBER */
static bool read_mariadb(struct gtids *g, const char **at)
{
        uint64_t domain, server, number;
        struct gtid one = {.number = 0};

        if (!read_number(at, UINT32_MAX, &domain) || !skip(at, '-') ||
                !read_number(at, UINT32_MAX, &server) || !skip(at, '-') ||
                !read_number(at, NUMBER_MAX, &number))
                return false;
        one.domain = (uint32_t)domain;
        one.server = (uint32_t)server;
        one.number = number;
        return gtids_add(g, &one);
}

static int hex(char c)
{
        const char *digits = "0123456789abcdef";
        const char *at = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

        return at ? (int)(at - digits) : -1;
}

static bool read_uuid(const char **at, uint8_t uuid[16])
{
        for (unsigned i = 0; i < 16; i++) {
                int high = hex(**at), low = high < 0 ? -1 : hex((*at)[1]);

                if (low < 0)
                        return false;
                uuid[i] = (uint8_t)(high << 4 | low);
                *at += 2;
                if ((i == 3 || i == 5 || i == 7 || i == 9) && !skip(at, '-'))
                        return false;
        }
        return true;
}

static bool is_tag(char c, bool first)
{
        return isalpha((unsigned char)c) || c == '_' || (!first && isdigit((unsigned char)c));
}

static bool read_tag(const char **at, char tag[GTID_TAG + 1])
{
        unsigned n = 0;

        for (; is_tag(**at, n == 0); (*at)++) {
                if (n == GTID_TAG)
                        return false;
                tag[n++] = (char)tolower((unsigned char)**at);
        }
        tag[n] = '\0';
        return n > 0;
}

static bool read_range(struct gtids *g, struct gtid *one, const char **at)
{
        uint64_t last;

        if (!read_number(at, NUMBER_MAX, &one->number) || one->number == 0)
                return false;
        last = one->number;
        if (skip(at, '-') && !read_number(at, NUMBER_MAX, &last))
                return false;
        return last >= one->number && add_range(g, one, last);
}

/* UUID[:TAG]:RANGE[:RANGE ...][:TAG:RANGE ...] */
static bool read_mysql(struct gtids *g, const char **at)
{
        struct gtid one = {.number = 0};
        bool ranges = false;

        if (!read_uuid(at, one.uuid))
                return false;
        for (skip_blanks(at); skip(at, ':'); skip_blanks(at)) {
                skip_blanks(at);
                ranges = !is_tag(**at, true);
                if (ranges ? !read_range(g, &one, at) : !read_tag(at, one.tag))
                        return false;
        }
        return ranges;
}

static bool read_all(struct gtids *g, const char *at)
{
        skip_blanks(&at);
        while (*at) {
                if (!(g->engine == ENGINE_MARIADB ? read_mariadb : read_mysql)(g, &at))
                        return false;
                skip_blanks(&at);
                if (*at && !skip(&at, ','))
                        return false;
                skip_blanks(&at);
        }
        return true;
}

struct gtids *gtids_parse(enum engine engine, const char *text, struct error *e)
{
        struct gtids *g = memory_new_of(struct gtids);

        g->engine = engine;
        if (read_all(g, gtids_plain(text)))
                return g;
        error_set(e, ERROR_DATA, "'%.128s' are no GTIDs of this kind of server, or too many", text);
        return gtids_free(g);
}

static void format_uuid(const uint8_t uuid[16], struct buf *out)
{
        for (unsigned i = 0; i < 16; i++)
                buf_printf(out, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", uuid[i]);
}

static void format_mysql(const struct gtids *g, struct buf *out)
{
        const struct gtid *before = NULL;

        for (unsigned i = 0; i < g->n; i++) {
                const struct range *r = &g->ranges[i];
                bool same = before && memcmp(before->uuid, r->first.uuid, 16) == 0;

                if (!same) {
                        buf_str(out, before ? "," : "");
                        format_uuid(r->first.uuid, out);
                }
                if (*r->first.tag && (!same || strcmp(before->tag, r->first.tag) != 0))
                        buf_printf(out, ":%s", r->first.tag);
                buf_printf(out, ":%" PRIu64, r->first.number);
                if (r->last > r->first.number)
                        buf_printf(out, "-%" PRIu64, r->last);
                before = &r->first;
        }
}

void gtids_format(const struct gtids *g, struct buf *out)
{
        if (g->engine == ENGINE_MYSQL) {
                format_mysql(g, out);
                return;
        }
        for (unsigned i = 0; i < g->n; i++) {
                const struct gtid *one = &g->ranges[i].first;

                buf_printf(out, "%s%" PRIu32 "-%" PRIu32 "-%" PRIu64, i ? "," : "", one->domain,
                        one->server, one->number);
        }
}

/* ---- bytes ---- */

static void add_le64(struct buf *out, uint64_t v)
{
        for (unsigned i = 0; i < 8; i++, v >>= 8)
                buf_char(out, (char)(v & 0xff));
}

/* Behind the last range of the same source. */
static unsigned source_end(const struct gtids *g, unsigned from)
{
        unsigned to = from + 1;

        while (to < g->n && compare(&g->ranges[from].first, &g->ranges[to].first) == 0)
                to++;
        return to;
}

static void encode_source(
        const struct gtids *g, unsigned from, unsigned to, bool tagged, struct buf *out)
{
        const struct gtid *key = &g->ranges[from].first;

        buf_add(out, key->uuid, sizeof key->uuid);
        if (tagged) {
                buf_char(out, (char)(strlen(key->tag) << 1));
                buf_str(out, key->tag);
        }
        add_le64(out, to - from);
        for (unsigned i = from; i < to; i++) {
                add_le64(out, g->ranges[i].first.number);
                add_le64(out, g->ranges[i].last + 1);
        }
}

void gtids_encode(const struct gtids *g, struct buf *out)
{
        uint64_t sources = 0;
        bool tagged = false;

        for (unsigned i = 0; i < g->n; i++)
                tagged |= *g->ranges[i].first.tag != '\0';
        for (unsigned i = 0; i < g->n; i = source_end(g, i))
                sources++;
        add_le64(out, tagged ? UINT64_C(1) << 56 | sources << 8 | 1 : sources);
        for (unsigned i = 0, end; i < g->n; i = end) {
                end = source_end(g, i);
                encode_source(g, i, end, tagged, out);
        }
}

struct gtid gtid_of_mysql(struct reader *in)
{
        struct gtid one = {.number = 0};
        const void *uuid;

        reader_u8(in);
        uuid = reader_bytes(in, sizeof one.uuid);
        if (uuid)
                memcpy(one.uuid, uuid, sizeof one.uuid);
        one.number = reader_le64(in);
        return one;
}

static uint64_t read_varying(struct reader *in)
{
        uint8_t first = reader_u8(in);
        unsigned more = 0;

        while (more < 8 && first >> more & 1)
                more++;
        if (more == 0)
                return first >> 1;
        if (more >= 8)
                return reader_le64(in);
        return (uint64_t)first >> (more + 1) | reader_le(in, more) << (7 - more);
}

static void read_field(struct reader *in, uint64_t id, struct gtid *one)
{
        uint64_t len;
        const void *tag;

        switch (id) {
        case 0:
                read_varying(in);
                break;
        case 1:
                for (unsigned i = 0; i < sizeof one->uuid; i++)
                        one->uuid[i] = (uint8_t)read_varying(in);
                break;
        case 2:
                one->number = read_varying(in) >> 1;
                break;
        case 3:
                len = read_varying(in);
                tag = len <= GTID_TAG ? reader_bytes(in, len) : NULL;
                if (tag)
                        memcpy(one->tag, tag, len);
                else
                        in->failed = true;
                break;
        }
}

struct gtid gtid_of_mysql_tagged(struct reader *in)
{
        struct gtid one = {.number = 0};

        for (unsigned i = 0; i < 3; i++)
                read_varying(in);
        for (uint64_t id = 0; id <= 3; id++) {
                if (read_varying(in) != id)
                        in->failed = true;
                read_field(in, id, &one);
        }
        return one;
}
