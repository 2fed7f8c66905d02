#include "base/memory.h"
#include "model/coltype.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* format_type() writes NAME [(N[,N])] [NAME's rest] [[]], with quotes where a name is not plain.
 * Oids are those of pg_type.dat; they never change. */

enum modifier { MODIFIER_NONE, MODIFIER_LENGTH, MODIFIER_DIGITS, MODIFIER_FSP, MODIFIER_BITS };

#define FSP_MAX 6
#define VARHDRSZ 4 /* what the server adds to lengths in a modifier */

static const struct known {
        uint32_t oid, array;
        const char *name, *alias; /* alias: as people write it */
        enum type_class class;
        enum modifier modifier;
        uint8_t width;
        uint32_t length; /* when there is no modifier */
} known[] = {
        {16, 1000, "boolean", "bool", TYPE_BOOL, MODIFIER_NONE, 1, 0},
        {17, 1001, "bytea", NULL, TYPE_BLOB, MODIFIER_NONE, 0, 0},
        {18, 1002, "\"char\"", NULL, TYPE_OTHER, MODIFIER_NONE, 1, 0},
        {19, 1003, "name", NULL, TYPE_TEXT, MODIFIER_NONE, 0, 63},
        {20, 1016, "bigint", "int8", TYPE_INTEGER, MODIFIER_NONE, 8, 0},
        {21, 1005, "smallint", "int2", TYPE_INTEGER, MODIFIER_NONE, 2, 0},
        {23, 1007, "integer", "int4", TYPE_INTEGER, MODIFIER_NONE, 4, 0},
        {25, 1009, "text", NULL, TYPE_TEXT, MODIFIER_NONE, 0, 0},
        {114, 199, "json", NULL, TYPE_JSON, MODIFIER_NONE, 0, 0},
        {700, 1021, "real", "float4", TYPE_FLOAT, MODIFIER_NONE, 4, 0},
        {701, 1022, "double precision", "float8", TYPE_DOUBLE, MODIFIER_NONE, 8, 0},
        {1042, 1014, "character", "char", TYPE_CHAR, MODIFIER_LENGTH, 0, 0},
        {1042, 1014, "bpchar", NULL, TYPE_CHAR, MODIFIER_LENGTH, 0, 0},
        {1043, 1015, "character varying", "varchar", TYPE_VARCHAR, MODIFIER_LENGTH, 0, 0},
        {1082, 1182, "date", NULL, TYPE_DATE, MODIFIER_NONE, 0, 0},
        {1083, 1183, "time without time zone", "time", TYPE_TIME, MODIFIER_FSP, 0, 0},
        {1114, 1115, "timestamp without time zone", "timestamp", TYPE_DATETIME, MODIFIER_FSP, 0, 0},
        {1184, 1185, "timestamp with time zone", "timestamptz", TYPE_TIMESTAMPTZ, MODIFIER_FSP, 0,
                0},
        {1186, 1187, "interval", NULL, TYPE_INTERVAL, MODIFIER_FSP, 0, 0},
        {1266, 1270, "time with time zone", "timetz", TYPE_TIMETZ, MODIFIER_FSP, 0, 0},
        {1560, 1561, "bit", "\"bit\"", TYPE_BIT, MODIFIER_BITS, 0, 0},
        {1562, 1563, "bit varying", "varbit", TYPE_BIT, MODIFIER_BITS, 0, 0},
        {1700, 1231, "numeric", "decimal", TYPE_DECIMAL, MODIFIER_DIGITS, 0, 0},
        {2950, 2951, "uuid", NULL, TYPE_UUID, MODIFIER_NONE, 0, 0},
        {3802, 3807, "jsonb", NULL, TYPE_JSONB, MODIFIER_NONE, 0, 0},
        /* Known by their text. */
        {24, 1008, "regproc", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {26, 1028, "oid", NULL, TYPE_INTEGER, MODIFIER_NONE, 4, 0},
        {27, 1010, "tid", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {28, 1011, "xid", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {29, 1012, "cid", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {142, 143, "xml", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {600, 1017, "point", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {601, 1018, "lseg", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {602, 1019, "path", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {603, 1020, "box", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {604, 1027, "polygon", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {628, 629, "line", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {650, 651, "cidr", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {718, 719, "circle", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {774, 775, "macaddr8", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {790, 791, "money", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {829, 1040, "macaddr", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {869, 1041, "inet", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {1033, 1034, "aclitem", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {1790, 2201, "refcursor", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {2202, 2207, "regprocedure", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {2205, 2210, "regclass", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {2206, 2211, "regtype", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {2970, 2949, "txid_snapshot", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {3220, 3221, "pg_lsn", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {3614, 3643, "tsvector", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {3615, 3645, "tsquery", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {3734, 3735, "regconfig", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {3769, 3770, "regdictionary", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {3904, 3905, "int4range", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {3906, 3907, "numrange", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {3908, 3909, "tsrange", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {3910, 3911, "tstzrange", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {3912, 3913, "daterange", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {3926, 3927, "int8range", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {4072, 4073, "jsonpath", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {4089, 4090, "regnamespace", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {4096, 4097, "regrole", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {4451, 6150, "int4multirange", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {4532, 6151, "nummultirange", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {4533, 6152, "tsmultirange", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {4534, 6153, "tstzmultirange", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {4535, 6155, "datemultirange", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {4536, 6157, "int8multirange", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {5038, 5039, "pg_snapshot", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
        {5069, 271, "xid8", NULL, TYPE_OTHER, MODIFIER_NONE, 0, 0},
};

#define KNOWN_N (sizeof known / sizeof *known)

static const struct known *by_name(const char *name)
{
        for (size_t i = 0; i < KNOWN_N; i++)
                if (!strcmp(known[i].name, name) ||
                        (known[i].alias && !strcmp(known[i].alias, name)))
                        return &known[i];
        return NULL;
}

static const struct known *by_oid(uint32_t oid)
{
        for (size_t i = 0; i < KNOWN_N; i++)
                if (known[i].oid == oid)
                        return &known[i];
        return NULL;
}

static const struct known *by_array(uint32_t oid)
{
        for (size_t i = 0; i < KNOWN_N; i++)
                if (known[i].array == oid)
                        return &known[i];
        return NULL;
}

/* A name and what stood in its parentheses. */
struct parts {
        char name[64];
        unsigned arguments_n;
        long arguments[2];
};

/* "timestamp(3) with time zone" is "timestamp with time zone" and 3. False: not of this shape. */
static bool take_apart(const char *native, struct parts *p)
{
        const char *open = strchr(native, '('), *close = open ? strchr(open, ')') : NULL;
        size_t head = open ? (size_t)(open - native) : strlen(native);
        char *end;

        *p = (struct parts){.arguments_n = 0};
        if (head >= sizeof p->name || (open && !close))
                return false;
        memcpy(p->name, native, head);
        if (!open)
                return true;
        if (head + strlen(close + 1) >= sizeof p->name)
                return false;
        memcpy(p->name + head, close + 1, strlen(close + 1));
        p->arguments[0] = strtol(open + 1, &end, 10);
        p->arguments_n = 1;
        if (*end == ',') {
                p->arguments[1] = strtol(end + 1, &end, 10);
                p->arguments_n = 2;
        }
        return end == close;
}

/* numeric(3,-2) has five digits, numeric(2,5) five behind the point. */
static void set_digits(struct coltype *t, long precision, long scale)
{
        t->scale = scale > 0 ? (uint32_t)scale : 0;
        t->length = (uint32_t)(scale < 0 ? precision - scale : precision);
        if (t->length < t->scale)
                t->length = t->scale;
}

static void apply(struct coltype *t, const struct known *k, const struct parts *p)
{
        t->class = k->class;
        t->width = k->width;
        t->length = k->length;
        t->is_unsigned = k->oid == 26;
        t->varying = k->oid == 1562;
        t->fsp = k->modifier == MODIFIER_FSP ? FSP_MAX : 0;
        if (p->arguments_n == 0 || p->arguments[0] < 0)
                return;
        if (k->modifier == MODIFIER_DIGITS)
                set_digits(t, p->arguments[0], p->arguments[1]);
        else if (k->modifier == MODIFIER_FSP)
                t->fsp = (uint8_t)(p->arguments[0] < FSP_MAX ? p->arguments[0] : FSP_MAX);
        else if (k->modifier != MODIFIER_NONE)
                t->length = (uint32_t)p->arguments[0];
}

/* "interval day to second(3)": the fields say what is kept of a value, not how it is written. */
static void apply_interval(struct coltype *t, const struct parts *p)
{
        t->class = TYPE_INTERVAL;
        t->fsp = p->arguments_n && p->arguments[0] < FSP_MAX ? (uint8_t)p->arguments[0] : FSP_MAX;
}

static void from_name(struct coltype *t)
{
        size_t len = strlen(t->native);
        const struct known *k;
        struct parts p;

        if (len >= 2 && !strcmp(t->native + len - 2, "[]")) {
                t->class = TYPE_ARRAY;
                return;
        }
        if (!take_apart(t->native, &p))
                return;
        if ((k = by_name(p.name)))
                apply(t, k, &p);
        else if (!strncmp(p.name, "interval ", 9))
                apply_interval(t, &p);
}

/* A modifier as the server packs it: numeric(p,s) in two halves, eleven bits of scale with a sign;
 * interval's precision in the lower half. */
static void unpack(const struct known *k, int32_t modifier, struct parts *p)
{
        bool header = k->modifier == MODIFIER_DIGITS || k->modifier == MODIFIER_LENGTH;
        int32_t packed = header && modifier >= VARHDRSZ ? modifier - VARHDRSZ : modifier;

        *p = (struct parts){.arguments_n = 1};
        if (modifier < (header ? VARHDRSZ : 0) || k->modifier == MODIFIER_NONE) {
                p->arguments_n = 0;
        } else if (k->modifier == MODIFIER_DIGITS) {
                p->arguments_n = 2;
                p->arguments[0] = packed >> 16 & 0xffff;
                p->arguments[1] = ((packed & 0x7ff) ^ 1024) - 1024;
        } else {
                p->arguments[0] = k->class == TYPE_INTERVAL ? packed & 0xffff : packed;
        }
        if (k->class == TYPE_INTERVAL && p->arguments[0] > FSP_MAX)
                p->arguments_n = 0;
}

static char *write_name(const struct known *k, const struct parts *p)
{
        const char *rest = strchr(k->name, ' ');
        int head = (int)(rest && k->modifier == MODIFIER_FSP ? (size_t)(rest - k->name)
                                                             : strlen(k->name));

        if (p->arguments_n == 0)
                return memory_string(k->name);
        if (p->arguments_n == 2)
                return memory_printf("%s(%ld,%ld)", k->name, p->arguments[0], p->arguments[1]);
        return memory_printf("%.*s(%ld)%s", head, k->name, p->arguments[0], k->name + head);
}

static void from_oid(struct coltype *t, uint32_t oid, int32_t modifier)
{
        const struct known *k = by_oid(oid), *element = by_array(oid);
        struct parts p;

        if (k) {
                unpack(k, modifier, &p);
                apply(t, k, &p);
                t->native = write_name(k, &p);
        } else if (element) {
                unpack(element, modifier, &p);
                AUTO_STRING name = write_name(element, &p);

                t->class = TYPE_ARRAY;
                t->native = memory_printf("%s[]", name);
        } else {
                t->native = memory_printf("type with oid %" PRIu32, oid);
        }
}

struct coltype *coltype_pg(uint32_t oid, int32_t modifier, const char *native)
{
        struct coltype *t = memory_new_of(struct coltype);

        t->engine = ENGINE_POSTGRESQL;
        t->class = TYPE_OTHER;
        if (native) {
                t->native = memory_string(native);
                from_name(t);
        } else {
                from_oid(t, oid, modifier);
        }
        return t;
}
