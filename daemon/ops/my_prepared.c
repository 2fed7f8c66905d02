#include "ops/my_prepared.h"
#include "base/log.h"
#include "base/memory.h"

#include <mysqld_error.h>
#include <stdlib.h>
#include <string.h>

#define STEP_SECONDS "0.2"
#define STEPS 300
#define SHOWN 64 /* bytes of an xid in a message */

/* As the server gives them: format, length of the global part, of the branch, bytes. */
struct xids {
        char **items; /* "FORMAT:HEX" */
        unsigned n;
};

static void xids_done(struct xids *x)
{
        for (unsigned i = 0; i < x->n; i++)
                free(x->items[i]);
        free(x->items);
        *x = (struct xids){0};
}

static char *format_xid(MYSQL_ROW row, size_t len)
{
        struct buf out = BUF_INIT;

        buf_printf(&out, "%s:", row[0] ? row[0] : "");
        for (size_t i = 0; i < len; i++)
                buf_printf(&out, "%02x", (unsigned char)row[3][i]);
        return buf_take(&out);
}

static int read_xids(MYSQL *c, struct xids *x, struct error *e)
{
        AUTO_MY_RESULT r = my_query(c, e, "xa recover");

        *x = (struct xids){0};
        if (!r)
                return -1;
        if (mysql_num_fields(r) < 4)
                return error_set(e, ERROR_DATA, "XA RECOVER has %u columns", mysql_num_fields(r));
        for (MYSQL_ROW row; (row = mysql_fetch_row(r));) {
                x->items = memory_grow(x->items, (x->n + 1) * sizeof *x->items);
                x->items[x->n++] = format_xid(row, row[3] ? mysql_fetch_lengths(r)[3] : 0);
        }
        return 0;
}

static const char *find_common(const struct xids *a, const struct xids *b)
{
        for (unsigned i = 0; i < a->n; i++)
                for (unsigned k = 0; k < b->n; k++)
                        if (!strcmp(a->items[i], b->items[k]))
                                return a->items[i];
        return NULL;
}

/* One of `then` that is there still; NULL: none. */
static int look(MYSQL *c, const struct xids *then, const char **still, struct error *e)
{
        struct xids now;
        int rc = read_xids(c, &now, e);

        *still = rc < 0 ? NULL : find_common(then, &now);
        xids_done(&now);
        return rc;
}

static int wait_for(MYSQL *c, const struct halt *h, const struct xids *then, struct error *e)
{
        const char *still = NULL;

        for (unsigned i = 0; i < STEPS; i++) {
                if (halt_check(h, e) < 0 || look(c, then, &still, e) < 0)
                        return -1;
                if (!still)
                        return 0;
                if (my_run(c, e, "do sleep(" STEP_SECONDS ")") < 0)
                        return -1;
        }
        return error_set(e, ERROR_DATA,
                "an XA transaction that was prepared before the copy is still neither committed "
                "nor "
                "rolled back (format and xid %.*s): its rows would be lost. XA RECOVER shows such "
                "transactions; end them by XA COMMIT or XA ROLLBACK, then resume",
                SHOWN, still);
}

int my_prepared_wait(MYSQL *c, const struct halt *h, struct error *e)
{
        struct xids then;
        int rc = read_xids(c, &then, e);

        if (rc < 0 && mysql_errno(c) == ER_XAER_RMERR) {
                error_clear(e);
                log_warning("source: which XA transactions are prepared cannot be seen (it takes "
                            "XA_RECOVER_ADMIN); should one of now be committed later, the stream "
                            "stops there");
                rc = 0;
        } else if (rc == 0) {
                rc = wait_for(c, h, &then, e);
        }
        xids_done(&then);
        return rc;
}
