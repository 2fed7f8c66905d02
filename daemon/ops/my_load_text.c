#include "ops/my_load_text.h"
#include "db/my.h"
#include "sinks/my_value.h"

/* Bytes travel as hexadecimal digits, since all of the text is UTF-8, and bits as a number. */
static bool is_made(const struct coltype *t)
{
        return t->class == TYPE_BIT || coltype_is_bytes(t);
}

static void write_made(struct buf *out, const struct relation *target, struct coltype *const *types)
{
        const char *comma = " set ";

        for (uint16_t i = 0; i < target->columns_n; i++) {
                if (!is_made(types[i]))
                        continue;
                buf_str(out, comma);
                my_ident(out, target->columns[i].name);
                if (types[i]->class == TYPE_BIT)
                        buf_printf(out, " = cast(@v%u as unsigned)", i);
                else
                        buf_printf(out, " = unhex(@v%u)", i);
                comma = ", ";
        }
}

void my_load_sql(struct buf *out, const struct relation *target, struct coltype *const *types)
{
        buf_str(out, "load data local infile 'rows' into table ");
        my_table(out, target->schema, target->name);
        buf_str(out, " character set utf8mb4 fields terminated by '\\t' enclosed by '' "
                     "escaped by '\\\\' lines starting by '' terminated by '\\n'");
        for (uint16_t i = 0; i < target->columns_n; i++) {
                buf_str(out, i ? ", " : " (");
                if (is_made(types[i]))
                        buf_printf(out, "@v%u", i);
                else
                        my_ident(out, target->columns[i].name);
        }
        buf_char(out, ')');
        write_made(out, target, types);
}

static void put_text(struct buf *out, const char *text, size_t len)
{
        static const char special[256] = {['\\'] = '\\', ['\n'] = 'n', ['\t'] = 't', ['\r'] = 'r'};

        for (size_t from = 0; from < len;) {
                size_t to = from;

                while (to < len && text[to] && !special[(unsigned char)text[to]])
                        to++;
                buf_add(out, text + from, to - from);
                if (to < len) {
                        buf_char(out, '\\');
                        buf_char(out, text[to] ? special[(unsigned char)text[to]] : '0');
                        to++;
                }
                from = to;
        }
}

static void put_hex(struct buf *out, const struct value *v)
{
        static const char digits[] = "0123456789abcdef";

        for (uint32_t i = 0; i < v->len; i++) {
                buf_char(out, digits[(uint8_t)v->data[i] >> 4]);
                buf_char(out, digits[(uint8_t)v->data[i] & 15]);
        }
}

int my_load_value(struct buf *out, const struct coltype *t, const struct value *v, struct error *e)
{
        if (v->kind != VALUE_TEXT) {
                buf_str(out, "\\N");
                return 0;
        }
        if (t->class == TYPE_BOOL || t->class == TYPE_BIT ||
                (coltype_is_number(t) && t->class != TYPE_YEAR))
                return my_value(out, t, v, e);
        if (coltype_is_bytes(t))
                put_hex(out, v);
        else
                put_text(out, v->data, v->len);
        return 0;
}
