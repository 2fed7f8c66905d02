/*
 * libFuzzer: statements of the binlog. A byte of options (1 MariaDB, 2 ANSI_QUOTES, 4
 * NO_BACKSLASH_ESCAPES), then the text.
 */
#include "base/memory.h"
#include "decoders/binlog_statement.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
        if (!ok)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct binlog_statement s;
        uint8_t options = size ? *data : 0;
        struct binlog_dialect dialect = {options & 1 ? ENGINE_MARIADB : ENGINE_MYSQL,
                (options & 2) != 0, (options & 4) != 0};
        char *text = memory_copy(data + (size > 0), size - (size > 0));

        binlog_statement_read(text, size - (size > 0), "schema", dialect, &s);
        must(s.verb <= VERB_UNCLEAR);
        must(s.verb != VERB_TRUNCATE || s.tables_n == 1);
        must(s.verb != VERB_SAVEPOINT || s.argument);
        must(s.verb != VERB_ROLLBACK_TO || s.argument);
        must(s.verb != VERB_XA_COMMIT || s.argument);
        must(s.verb != VERB_DROP_DATABASE || s.argument);
        for (size_t i = 0; i < s.tables_n; i++)
                must(s.tables[i].schema && s.tables[i].name);
        binlog_statement_done(&s);
        free(text);
        return 0;
}
