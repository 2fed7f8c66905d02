/* The start checks of db/pg_check on what is to be migrated. */
#include "base/log.h"
#include "base/memory.h"
#include "db/pg_check.h"
#include "ops/prepare_private.h"

#include <stdlib.h>
#include <string.h>

/* Room for a list in an error's message. */
#define ROOM 940

/* Every error in one message, as far as they fit; all of them, whole, in the log. */
static int refuse(const struct checks *k, struct error *e)
{
        AUTO_BUF list = BUF_INIT;
        unsigned said = 0;

        for (unsigned i = 0; i < k->n; i++) {
                const struct check *c = &k->items[i];
                size_t more = strlen(c->text) + strlen(c->mend) + 16;

                if (c->level != CHECK_ERROR)
                        continue;
                if (k->errors > 1)
                        log_error(
                                "check: %s%s%s", c->text, *c->mend ? "; mended by: " : "", c->mend);
                if (said && list.len + more > ROOM)
                        continue;
                buf_printf(&list, "%s%.*s%s%.*s", said ? "; " : "", ROOM / 2, c->text,
                        *c->mend ? " -- mended by: " : "", ROOM / 2, c->mend);
                said++;
        }
        if (said < k->errors)
                buf_printf(&list, "; and %u more, in the log", k->errors - said);
        return error_set(e, ERROR_CONFIG, "%s", buf_text(&list));
}

int prepare_judge(const struct checks *k, struct error *e)
{
        for (unsigned i = 0; i < k->n; i++) {
                const struct check *c = &k->items[i];

                if (c->level == CHECK_WARNING)
                        log_warning(
                                "check: %s%s%s", c->text, *c->mend ? "; mended by: " : "", c->mend);
                else if (c->level == CHECK_NOTE)
                        log_info("check: %s%s%.400s", c->text, *c->mend ? ": " : "", c->mend);
        }
        return k->errors ? refuse(k, e) : 0;
}

static int fill(const struct prepare *p, struct check_table *tables, struct error *e)
{
        for (unsigned i = 0; i < p->tables->n; i++) {
                const struct pg_table_info *t = &p->tables->items[i];
                const struct route_table *r = route_find(p->route, t->schema, t->name);

                tables[i] = (struct check_table){.source = t,
                        .schema = r->schema,
                        .name = r->name,
                        .shape = route_target_shape(r, t->shape, e)};
                if (!tables[i].shape)
                        return -1;
        }
        return 0;
}

static int check(const struct prepare *p, struct error *e)
{
        struct check_table *tables = memory_new((p->tables->n + 1) * sizeof *tables);
        struct check_input in = {.config = p->config, .tables = tables, .n = p->tables->n};
        struct checks found = {0};
        int rc = fill(p, tables, e);

        if (rc == 0)
                rc = pg_check_source(p->source, &in, &found, e);
        if (rc == 0)
                rc = pg_check_target(p->target, p->source, &in, NULL, &found, e);
        if (rc == 0)
                rc = prepare_judge(&found, e);
        checks_done(&found);
        for (unsigned i = 0; i < in.n; i++)
                relation_unref(tables[i].shape);
        free(tables);
        return rc;
}

int prepare_check(struct prepare *p, struct error *e)
{
        if (p->checked)
                return 0;
        p->checked = true;
        return check(p, e);
}
