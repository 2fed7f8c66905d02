#include "ops/pg_programs.h"
#include "base/child.h"
#include "base/memory.h"
#include "db/pg.h"

#include <stdlib.h>
#include <string.h>

#define LIST_LIMIT ((size_t)64 << 20)

struct argv {
        const char **items;
        unsigned n;
};

static void arg(struct argv *a, const char *s)
{
        a->items = memory_grow(a->items, (a->n + 2) * sizeof *a->items);
        a->items[a->n++] = s;
        a->items[a->n] = NULL;
}

/* libpq, 34.1.1.1: quotes and backslashes are escaped inside single quotes. */
static void add_keyword(struct buf *b, const char *keyword, const char *value)
{
        buf_printf(b, "%s%s='", b->len ? " " : "", keyword);
        for (; *value; value++) {
                if (*value == '\'' || *value == '\\')
                        buf_char(b, '\\');
                buf_char(b, *value);
        }
        buf_char(b, '\'');
}

/* argv can be read by everybody on the host: no secret may be in it. */
static int connection_string(
        const struct config_end *end, const char *what, struct buf *out, struct error *e)
{
        struct pg_params *p = pg_params_new(end, what, "culvert schema", false, e);
        int rc = 0;

        if (!p)
                return -1;
        for (unsigned i = 0; i < p->n; i++) {
                if (!strcmp(p->keywords[i], "sslpassword"))
                        rc = error_set(e, ERROR_CONFIG,
                                "%s.uri: sslpassword cannot be handed to pg_dump and pg_restore "
                                "safely; use a key without one, or create the tables first and set "
                                "tables.create = no",
                                what);
                else if (strcmp(p->keywords[i], "password") != 0)
                        add_keyword(out, p->keywords[i], p->values[i]);
        }
        pg_params_free(p);
        return rc;
}

/* What stands after "ERROR:  " up to the line's end, without the value that some messages quote. */
static void add_reason(struct buf *b, const char *text)
{
        const char *at = strstr(text, "ERROR:  "), *cut;
        size_t len;

        if (at)
                text = at + strlen("ERROR:  ");
        else if ((at = strstr(text, "error: ")))
                text = at + strlen("error: ");
        len = strcspn(text, "\n");
        cut = memmem(text, len, ": \"", 3);
        if (cut && at && strstr(text, "invalid "))
                len = (size_t)(cut - text);
        buf_add(b, text, len);
}

/* "from TOC entry 3333; 2606 17031 CONSTRAINT app a a_def postgres" */
static void add_entry(struct buf *b, const char *text)
{
        const char *at = NULL, *next = text;

        while ((next = strstr(next, "from TOC entry "))) {
                at = next;
                next++;
        }
        if (!at || !(at = strchr(at, ';')))
                return;
        at += strspn(at, "; 0123456789");
        buf_printf(b, "%.*s: ", (int)strcspn(at, "\n"), at);
}

/* The programs print no SQLSTATE: what goes away by itself is known by its words. */
static enum error_class class_of(const char *text)
{
        static const char *const retry[] = {"connection to server", "server closed the connection",
                "terminating connection", "could not connect", "already exists",
                "deadlock detected", "lock timeout", "could not obtain lock", "No space left",
                "could not write", "database system is", "too many clients",
                "remaining connection slots", "out of shared memory",
                "could not import the requested snapshot"};

        if (strstr(text, "password authentication failed") ||
                strstr(text, "no pg_hba.conf entry") || strstr(text, "permission denied"))
                return ERROR_CONFIG;
        for (unsigned i = 0; i < sizeof retry / sizeof *retry; i++)
                if (strstr(text, retry[i]))
                        return ERROR_RETRY;
        return ERROR_CONFIG;
}

static int failed(const char *program, int status, const struct buf *err, struct error *e)
{
        AUTO_BUF reason = BUF_INIT;
        const char *text = buf_text(err);

        add_entry(&reason, text);
        add_reason(&reason, text);
        return error_set(e, class_of(buf_text(&reason)), "%s: %s (exit status %d)", program,
                buf_text(&reason), status);
}

static int run(const struct pg_programs *p, struct argv *a, const struct config_end *end,
        struct buf *out, struct error *e)
{
        AUTO_STRING password =
                end && end->password ? memory_printf("PGPASSWORD=%s", end->password) : NULL;
        const char *const environment[] = {"LC_ALL=C", password, NULL};
        const struct child c = {.argv = a->items,
                .environment = environment,
                .output_limit = LIST_LIMIT,
                .stop = p->stop};
        AUTO_BUF err = BUF_INIT;
        int status = child_run(&c, out, &err, e);

        if (password)
                explicit_bzero(password, strlen(password));
        if (status > 0)
                status = failed(a->items[0], status, &err, e);
        free(a->items);
        return status;
}

/* "pg_dump (PostgreSQL) 15.20 (Debian ...)" */
static int major_of(
        const struct pg_programs *p, const char *program, const char *option, struct error *e)
{
        struct argv a = {0};
        AUTO_BUF out = BUF_INIT;
        const char *at;
        int major;

        arg(&a, program);
        arg(&a, "--version");
        if (run(p, &a, NULL, &out, e) < 0) {
                if (e->class == ERROR_CONFIG)
                        error_context(e, "tables.%s", option);
                return -1;
        }
        at = strstr(buf_text(&out), "(PostgreSQL) ");
        major = at ? atoi(at + strlen("(PostgreSQL) ")) : 0;
        if (major < 10)
                return error_set(e, ERROR_CONFIG,
                        "tables.%s: %s does not say which version of PostgreSQL it is", option,
                        program);
        return major;
}

int pg_programs_check(const struct pg_programs *p, int source_major, struct error *e)
{
        int dump = major_of(p, p->config->tables.pg_dump, "pg_dump", e), restore;

        if (dump < 0)
                return -1;
        if (dump < source_major)
                return error_set(e, ERROR_CONFIG,
                        "%s is of version %d and cannot read a source of version %d; install the "
                        "client programs of PostgreSQL %d or newer and name them in tables.pg_dump "
                        "and tables.pg_restore",
                        p->config->tables.pg_dump, dump, source_major, source_major);
        restore = major_of(p, p->config->tables.pg_restore, "pg_restore", e);
        if (restore < 0)
                return -1;
        if (restore < dump)
                return error_set(e, ERROR_CONFIG,
                        "tables.pg_restore: %s is of version %d, older than %s (%d)",
                        p->config->tables.pg_restore, restore, p->config->tables.pg_dump, dump);
        return 0;
}

int pg_programs_dump(const struct pg_programs *p, const struct pg_dump_options *o, struct error *e)
{
        static const char *const fixed[] = {"--format=custom", "--compress=0", "--schema-only",
                "--no-owner", "--no-privileges", "--no-publications", "--no-subscriptions",
                "--no-security-labels", "--no-tablespaces", "--quote-all-identifiers",
                "--lock-wait-timeout=30s", "--no-password"};
        AUTO_STRING snapshot = o->snapshot ? memory_printf("--snapshot=%s", o->snapshot) : NULL;
        AUTO_BUF where = BUF_INIT;
        struct argv a = {0};

        if (connection_string(&p->config->source, "source", &where, e) < 0)
                return -1;
        arg(&a, p->config->tables.pg_dump);
        for (unsigned i = 0; i < sizeof fixed / sizeof *fixed; i++)
                arg(&a, fixed[i]);
        if (snapshot)
                arg(&a, snapshot);
        for (unsigned i = 0; i < o->exclude_n; i++) {
                arg(&a, "--exclude-table");
                arg(&a, o->exclude[i]);
        }
        arg(&a, "--file");
        arg(&a, o->file);
        arg(&a, "--dbname");
        arg(&a, buf_text(&where));
        return run(p, &a, &p->config->source, NULL, e);
}

int pg_programs_list(
        const struct pg_programs *p, const char *file, struct buf *out, struct error *e)
{
        struct argv a = {0};

        arg(&a, p->config->tables.pg_restore);
        arg(&a, "--list");
        arg(&a, "--verbose");
        arg(&a, file);
        return run(p, &a, NULL, out, e);
}

int pg_programs_restore(const struct pg_programs *p, const char *file, const char *list,
        unsigned jobs, struct error *e)
{
        AUTO_STRING parallel = memory_printf("--jobs=%u", jobs);
        AUTO_BUF where = BUF_INIT;
        struct argv a = {0};

        if (connection_string(&p->config->target, "target", &where, e) < 0)
                return -1;
        arg(&a, p->config->tables.pg_restore);
        arg(&a, jobs ? parallel : "--single-transaction");
        arg(&a, "--exit-on-error");
        arg(&a, "--no-owner");
        arg(&a, "--no-privileges");
        arg(&a, "--no-tablespaces");
        arg(&a, "--no-password");
        arg(&a, "--use-list");
        arg(&a, list);
        arg(&a, "--dbname");
        arg(&a, buf_text(&where));
        arg(&a, file);
        return run(p, &a, &p->config->target, NULL, e);
}
