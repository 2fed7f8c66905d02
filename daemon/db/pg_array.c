#include "db/pg_array.h"

void pg_array_text(struct buf *array, const char *text)
{
        buf_str(array, array->len ? ",\"" : "{\"");
        for (; *text; text++) {
                if (*text == '"' || *text == '\\')
                        buf_char(array, '\\');
                buf_char(array, *text);
        }
        buf_char(array, '"');
}

void pg_array_number(struct buf *array, uint32_t number)
{
        buf_printf(array, "%c%u", array->len ? ',' : '{', number);
}

const char *pg_array_close(struct buf *array)
{
        buf_str(array, array->len ? "}" : "{}");
        return buf_text(array);
}
