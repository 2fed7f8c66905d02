#include "decoders/binlog.h"
#include "base/memory.h"
#include "decoders/binlog_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define FLAG_IN_USE 0x01
#define FLAG_ARTIFICIAL 0x20
#define FLAG_IGNORABLE 0x80

#define CHECKSUM_BYTES 4

/* What cannot be read is not known. */
static struct gtids *read_gtids(const struct binlog_setup *setup, const char *text)
{
        struct error ignored = ERROR_INIT;

        return text && *text ? gtids_parse(setup->engine, text, &ignored) : NULL;
}

struct binlog *binlog_new(
        const struct binlog_setup *setup, const struct binlog_events *events, void *context)
{
        struct binlog *b = memory_new_of(struct binlog);

        b->setup = *setup;
        b->events = *events;
        b->context = context;
        b->at = setup->from;
        b->id_bytes = 6;
        b->catching_up = !position_is_none(setup->delivered);
        b->seen = b->catching_up ? read_gtids(setup, setup->gtids) : NULL;
        b->gtids = read_gtids(setup, b->catching_up ? setup->delivered_gtids : setup->gtids);
        if (b->catching_up && gtids_by_state(setup->delivered_gtids))
                b->delivered = read_gtids(setup, setup->delivered_gtids);
        b->setup.gtids = b->setup.delivered_gtids = NULL;
        return b;
}

struct binlog *binlog_free(struct binlog *b)
{
        if (!b)
                return NULL;
        binlog_forget_maps(b);
        binlog_forget_savepoints(b);
        binlog_forget_prepared(b);
        txn_free(b->open);
        gtids_free(b->gtids);
        gtids_free(b->delivered);
        gtids_free(b->seen);
        free(b->sent);
        free(b);
        return NULL;
}

bool binlog_idle(const struct binlog *b)
{
        return b->group == GROUP_NONE;
}

struct position binlog_position(const struct binlog *b)
{
        return b->at;
}

int64_t binlog_file_number(const char *name, size_t *base)
{
        const char *dot = strrchr(name, '.');
        size_t digits = dot ? strlen(dot + 1) : 0;
        uint64_t n;

        if (!digits || digits > 10 || dot == name || strspn(dot + 1, "0123456789") != digits)
                return -1;
        n = strtoull(dot + 1, NULL, 10);
        if (n == 0 || n > UINT32_MAX)
                return -1;
        if (base)
                *base = (size_t)(dot - name);
        return (int64_t)n;
}

int binlog_malformed(const struct binlog *b, struct error *e)
{
        return error_set(e, ERROR_DATA, "binlog: malformed or truncated event of type %u", b->type);
}

/* ---- events that tell about the file ---- */

/* Since MySQL 5.6.1, and in all of MariaDB's that have GTIDs. */
static bool knows_checksums(const char *version)
{
        unsigned major = 0, minor = 0;

        if (strstr(version, "MariaDB"))
                return true;
        return sscanf(version, "%u.%u", &major, &minor) == 2 &&
               (major > 5 || (major == 5 && minor >= 6));
}

/* Version of the format 2, of the server 50, time 4, length of headers 1, lengths of post-headers
 * by type; then where the server knows them, algorithm of checksums 1 and this event's CRC-32,
 * which is there whatever the algorithm. */
static int on_format(struct binlog *b, struct error *e)
{
        struct reader *in = &b->in;
        unsigned format = reader_le16(in), header;
        char version[51] = "";
        const void *text = reader_bytes(in, 50);
        const uint8_t *lengths;
        size_t n;

        reader_le32(in);
        header = reader_u8(in);
        if (!reader_ok(in))
                return binlog_malformed(b, e);
        memcpy(version, text, 50);
        n = reader_left(in);
        lengths = reader_bytes(in, n);
        if (format != 4 || header != BINLOG_HEADER)
                return error_set(e, ERROR_DATA,
                        "binlog: format %u with headers of %u bytes is not supported", format,
                        header);
        if (n < EVENT_DELETE_V1 + (knows_checksums(version) ? 1u : 0u))
                return binlog_malformed(b, e);
        if (knows_checksums(version) && lengths[n - 1] > 1)
                return error_set(
                        e, ERROR_DATA, "binlog: unknown checksum algorithm %u", lengths[n - 1]);
        b->checksum = knows_checksums(version) && lengths[n - 1] == 1;
        b->id_bytes = lengths[EVENT_TABLE_MAP - 1] == 6 ? 4 : 6;
        b->described = true;
        binlog_forget_maps(b);
        return binlog_abandon(b, e);
}

/* Position 8, name of the file. The server makes one up for the beginning of each file that it
 * sends; the one in the file comes first and says the same. */
static int on_rotate(struct binlog *b, struct error *e)
{
        struct position to = {.lsn = reader_le64(&b->in)};
        size_t len = reader_left(&b->in);
        AUTO_STRING name = NULL;
        int64_t file;
        char text[POSITION_TEXT];

        if (!reader_ok(&b->in) || len == 0 || len > 512)
                return binlog_malformed(b, e);
        name = memory_printf("%.*s", (int)len, (const char *)b->in.at);
        file = binlog_file_number(name, NULL);
        if (file < 0)
                return error_set(
                        e, ERROR_DATA, "binlog: a file whose name does not end in a number");
        to.file = (uint32_t)file;
        if (b->placed && position_compare(to, b->at) < 0)
                return error_set(e, ERROR_DATA,
                        "resync required: the binlog goes back to %s: it was reset",
                        position_format(to, text));
        b->placed = true;
        b->at = b->end = to;
        binlog_forget_maps(b);
        return binlog_abandon(b, e);
}

static int on_incident(struct binlog *b, struct error *e)
{
        unsigned number = reader_le16(&b->in);

        return error_set(e, ERROR_DATA,
                "resync required: the source reports an incident (%u): changes are missing in its "
                "binlog",
                number);
}

/* The server sends what it decrypted, and this event only to be ignored. */
static int on_encryption(struct binlog *b, struct error *e)
{
        return b->ignorable ? 0 : error_set(e, ERROR_DATA, "binlog: the file is encrypted");
}

static int ignore(struct binlog *b, struct error *e)
{
        (void)b;
        (void)e;
        return 0;
}

/* ---- dispatch ---- */

static const struct {
        uint8_t type;
        int (*decode)(struct binlog *b, struct error *e);
} decoders[] = {
        {EVENT_TABLE_MAP, binlog_on_table_map},
        {EVENT_WRITE_V1, binlog_on_rows},
        {EVENT_UPDATE_V1, binlog_on_rows},
        {EVENT_DELETE_V1, binlog_on_rows},
        {EVENT_WRITE, binlog_on_rows},
        {EVENT_UPDATE, binlog_on_rows},
        {EVENT_DELETE, binlog_on_rows},
        {EVENT_PARTIAL_UPDATE, binlog_on_rows},
        {EVENT_WRITE_COMPRESSED_V1, binlog_on_rows},
        {EVENT_UPDATE_COMPRESSED_V1, binlog_on_rows},
        {EVENT_DELETE_COMPRESSED_V1, binlog_on_rows},
        {EVENT_WRITE_COMPRESSED, binlog_on_rows},
        {EVENT_UPDATE_COMPRESSED, binlog_on_rows},
        {EVENT_DELETE_COMPRESSED, binlog_on_rows},
        {EVENT_XID, binlog_on_xid},
        {EVENT_QUERY, binlog_on_query},
        {EVENT_QUERY_COMPRESSED, binlog_on_query_compressed},
        {EVENT_EXECUTE_LOAD, binlog_on_execute_load},
        {EVENT_GTID, binlog_on_gtid},
        {EVENT_ANONYMOUS_GTID, binlog_on_anonymous},
        {EVENT_GTID_TAGGED, binlog_on_gtid_tagged},
        {EVENT_MARIADB_GTID, binlog_on_mariadb_gtid},
        {EVENT_TRANSACTION_PAYLOAD, binlog_on_payload},
        {EVENT_XA_PREPARE, binlog_on_xa_prepare},
        {EVENT_FORMAT, on_format},
        {EVENT_ROTATE, on_rotate},
        {EVENT_INCIDENT, on_incident},
        {EVENT_START_ENCRYPTION, on_encryption},
        {EVENT_STOP, ignore},
        {EVENT_HEARTBEAT, ignore},
        {EVENT_HEARTBEAT_V2, ignore},
        {EVENT_IGNORABLE, ignore},
        {EVENT_ROWS_QUERY, ignore},
        {EVENT_ANNOTATE_ROWS, ignore},
        {EVENT_PREVIOUS_GTIDS, ignore},
        {EVENT_TRANSACTION_CONTEXT, ignore},
        {EVENT_VIEW_CHANGE, ignore},
        {EVENT_BINLOG_CHECKPOINT, ignore},
        {EVENT_GTID_LIST, ignore},
        /* What a statement needs that follows and is looked at. */
        {EVENT_INTVAR, ignore},
        {EVENT_RAND, ignore},
        {EVENT_USER_VAR, ignore},
        {EVENT_BEGIN_LOAD, ignore},
};

int binlog_dispatch(struct binlog *b, struct error *e)
{
        for (size_t i = 0; i < sizeof decoders / sizeof *decoders; i++)
                if (b->type == decoders[i].type)
                        return decoders[i].decode(b, e);
        if (b->ignorable)
                return 0;
        return error_set(e, ERROR_DATA, "binlog: an event of unknown type %u", b->type);
}

/* ---- headers ---- */

/* The server clears the flag after it wrote the checksum; it was computed without. */
static bool checksum_fits(const uint8_t *event, size_t len)
{
        uint8_t header[BINLOG_HEADER];
        struct reader tail = reader_of(event + len - CHECKSUM_BYTES, CHECKSUM_BYTES);
        uint32_t crc;

        memcpy(header, event, sizeof header);
        if (header[4] == EVENT_FORMAT)
                header[17] &= (uint8_t)~FLAG_IN_USE;
        crc = (uint32_t)crc32(0, header, sizeof header);
        crc = (uint32_t)crc32_z(crc, event + BINLOG_HEADER, len - BINLOG_HEADER - CHECKSUM_BYTES);
        return crc == reader_le32(&tail);
}

/* Before the first FORMAT_DESCRIPTION comes a made-up ROTATE, and nothing says whether it has a
 * checksum but the checksum. */
static bool has_checksum(const struct binlog *b, const uint8_t *event, size_t len)
{
        if (b->type == EVENT_FORMAT)
                return true;
        if (!b->described)
                return len >= BINLOG_HEADER + CHECKSUM_BYTES && checksum_fits(event, len);
        return b->checksum;
}

static int strip_checksum(struct binlog *b, const uint8_t *event, size_t *len, struct error *e)
{
        char text[POSITION_TEXT];

        if (!has_checksum(b, event, *len))
                return 0;
        if (*len < BINLOG_HEADER + CHECKSUM_BYTES)
                return binlog_malformed(b, e);
        if (b->type == EVENT_FORMAT) {
                struct reader version = reader_of(event + BINLOG_HEADER, *len - BINLOG_HEADER);
                char name[51] = "";
                const void *bytes;

                reader_le16(&version);
                bytes = reader_bytes(&version, 50);
                if (bytes)
                        memcpy(name, bytes, 50);
                if (!knows_checksums(name))
                        return 0;
                if (event[*len - CHECKSUM_BYTES - 1] != 1) {
                        *len -= CHECKSUM_BYTES;
                        return 0;
                }
        }
        if (!checksum_fits(event, *len))
                return error_set(e, ERROR_DATA,
                        "binlog: the checksum of the event of type %u behind %s is wrong", b->type,
                        position_format(b->at, text));
        *len -= CHECKSUM_BYTES;
        return 0;
}

/* The header has the lower 32 bits of an end; files may be larger. */
static int place(struct binlog *b, uint32_t end, uint16_t flags, size_t len, struct error *e)
{
        uint64_t wide = (b->at.lsn & ~UINT64_C(0xffffffff)) | end;
        char text[POSITION_TEXT];

        b->begin = b->end = b->at;
        if (end == 0 || flags & FLAG_ARTIFICIAL || b->type == EVENT_HEARTBEAT ||
                b->type == EVENT_HEARTBEAT_V2)
                return 0;
        if (wide < b->at.lsn && b->at.lsn - wide > UINT64_C(0x80000000))
                wide += UINT64_C(1) << 32;
        if (wide < b->at.lsn)
                return error_set(e, ERROR_DATA,
                        "binlog: an event of type %u ends before %s, where the one before it ended",
                        b->type, position_format(b->at, text));
        b->end.lsn = wide;
        if (wide - b->at.lsn > len)
                b->begin.lsn = wide - len;
        return 0;
}

/*
 * Header: time 4, type 1, server id 4, length 4 (with the header), end position 4, flags 2.
 */
int binlog_event(struct binlog *b, const void *event, size_t len, struct error *e)
{
        struct reader head = reader_of(event, len);
        uint32_t told, end;
        uint16_t flags;
        size_t body = len;

        b->when = reader_le32(&head);
        b->type = reader_u8(&head);
        b->server = reader_le32(&head);
        told = reader_le32(&head);
        end = reader_le32(&head);
        flags = reader_le16(&head);
        if (!reader_ok(&head) || told != len)
                return binlog_malformed(b, e);
        if (strip_checksum(b, event, &body, e) < 0 || place(b, end, flags, len, e) < 0)
                return -1;
        b->in = reader_of(head.at, body - BINLOG_HEADER);
        b->ignorable = flags & FLAG_IGNORABLE;
        if (!b->described && b->type != EVENT_FORMAT && b->type != EVENT_ROTATE &&
                !(flags & FLAG_ARTIFICIAL) && b->type != EVENT_HEARTBEAT)
                return error_set(e, ERROR_DATA, "binlog: events without their description");
        if (binlog_dispatch(b, e) < 0)
                return -1;
        b->at = b->end;
        return 0;
}
