#include "model/row_json.h"
#include "model/utf8.h"

#include <cjson/cJSON.h>
#include <string.h>

/* Can it be a JSON text that every server and reader gives back as it was? */
static bool is_text(const char *data, size_t len)
{
        return !memchr(data, '\0', len) && utf8_count(data, len) >= 0;
}

static void add_text(struct buf *out, const char *data, size_t len)
{
        buf_char(out, '"');
        for (size_t i = 0; i < len; i++) {
                unsigned char c = (unsigned char)data[i];

                if (c < ' ' || c == 127) {
                        buf_printf(out, "\\u%04x", c);
                        continue;
                }
                if (c == '"' || c == '\\')
                        buf_char(out, '\\');
                buf_char(out, (char)c);
        }
        buf_char(out, '"');
}

static void add_hex(struct buf *out, const char *data, size_t len)
{
        static const char digits[] = "0123456789abcdef";
        char *to;

        buf_str(out, "{\"hex\":\"");
        to = buf_room(out, 2 * len);
        for (size_t i = 0; i < len; i++) {
                *to++ = digits[(unsigned char)data[i] >> 4];
                *to++ = digits[(unsigned char)data[i] & 15];
        }
        out->len += 2 * len;
        buf_str(out, "\"}");
}

void row_to_json(
        struct buf *out, const struct relation *r, const struct value *row, const bool *only)
{
        const char *before = "{";

        for (uint16_t i = 0; i < r->columns_n; i++) {
                const struct value *v = &row[i];

                if ((only && !only[i]) || v->kind == VALUE_UNCHANGED)
                        continue;
                buf_str(out, before);
                before = ",";
                add_text(out, r->columns[i].name, strlen(r->columns[i].name));
                buf_char(out, ':');
                if (v->kind == VALUE_NULL)
                        buf_str(out, "null");
                else if (is_text(v->data, v->len))
                        add_text(out, v->data, v->len);
                else
                        add_hex(out, v->data, v->len);
        }
        buf_str(out, *before == '{' ? "{}" : "}");
}

static int digit(char c)
{
        return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int take_hex(struct arena *a, const char *hex, struct value *v)
{
        size_t n = hex ? strlen(hex) : 1;
        char *data;

        if (n % 2)
                return -1;
        data = arena_alloc(a, n / 2 + 1);
        for (size_t i = 0; i < n / 2; i++) {
                int high = digit(hex[2 * i]), low = digit(hex[2 * i + 1]);

                if (high < 0 || low < 0)
                        return -1;
                data[i] = (char)(high << 4 | low);
        }
        data[n / 2] = '\0';
        *v = (struct value){VALUE_TEXT, (uint32_t)(n / 2), data};
        return 0;
}

static int take_value(struct arena *a, const cJSON *item, struct value *v)
{
        const char *text = cJSON_GetStringValue(item);

        if (cJSON_IsNull(item)) {
                v->kind = VALUE_NULL;
                return 0;
        }
        if (!text)
                return take_hex(
                        a, cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "hex")), v);
        v->len = (uint32_t)strlen(text);
        v->data = arena_text(a, text, v->len);
        v->kind = VALUE_TEXT;
        return 0;
}

static int take_row(struct arena *a, const struct relation *r, const cJSON *o, struct value *row,
        struct error *e)
{
        const cJSON *item;

        cJSON_ArrayForEach(item, o)
        {
                int at = relation_column(r, item->string);

                if (at < 0 || take_value(a, item, &row[at]) < 0)
                        return error_set(e, ERROR_DATA, "a row in JSON: column '%.64s' of %s.%s",
                                item->string, r->schema, r->name);
        }
        return 0;
}

struct value *row_from_json(
        struct arena *a, const struct relation *r, const char *text, struct error *e)
{
        cJSON *o = cJSON_Parse(text);
        struct value *row = arena_zero(a, (r->columns_n + 1u) * sizeof *row);
        int result;

        for (uint16_t i = 0; i < r->columns_n; i++)
                row[i].kind = VALUE_UNCHANGED;
        if (cJSON_IsObject(o))
                result = take_row(a, r, o, row, e);
        else
                result = error_set(
                        e, ERROR_DATA, "a row of %s.%s is no JSON object", r->schema, r->name);
        cJSON_Delete(o);
        return result < 0 ? NULL : row;
}
