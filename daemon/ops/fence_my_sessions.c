/*
 * Ending the sessions of applications (ops/fence.h). The accounts are locked by now, so none comes
 * after them. A transaction that has changed rows is given time to be committed; a session whose
 * transaction is another one when it is looked at next had that time.
 */
#include "ops/fence_private.h"
#include "base/memory.h"

#include <inttypes.h>
#include <mysqld_error.h>
#include <stdlib.h>
#include <string.h>

#define SETTLE_MS 10 /* for those that were ended to be on their way */
#define LOOK_MS 110  /* InnoDB gives the same answer again within a tenth of a second */

/* ---- who is connected ---- */

static bool is_own(const struct fence_my *m, const char *user, const char *host)
{
        size_t len = strlen(m->host);

        return !strcmp(user, m->user) && !strncmp(host, m->host, len) &&
               (host[len] == '\0' || host[len] == ':');
}

/* Columns of SHOW PROCESSLIST: Id, User, Host, db, Command. */
static void add(struct fence_my *m, struct fence_sessions *s, MYSQL_ROW row)
{
        const char *user = row[1] ? row[1] : "", *host = row[2] ? row[2] : "";
        const char *command = row[4] ? row[4] : "";

        if (!strcmp(user, "system user"))
                s->replicates |= strcmp(command, "Daemon") != 0;
        if (!strcmp(user, "system user") || !strcmp(command, "Daemon") ||
                !strncmp(command, "Binlog Dump", 11) || !strcmp(user, "event_scheduler") ||
                is_own(m, user, host))
                return;
        s->items[s->n++] = (struct fence_session){.id = strtoull(row[0], NULL, 10),
                .user = memory_string(user),
                .host = memory_string(host),
                .killed = !strcmp(command, "Killed"),
                .connects = !strcmp(user, "unauthenticated user"),
                .stays = !strcmp(user, "root")};
}

int fence_sessions_read(struct fence_my *m, struct fence_sessions *s, struct error *e)
{
        AUTO_MY_RESULT r = my_query(m->conn, e, "show processlist");

        *s = (struct fence_sessions){0};
        if (!r)
                return -1;
        s->items = memory_new(((size_t)mysql_num_rows(r) + 1) * sizeof *s->items);
        for (MYSQL_ROW row; (row = mysql_fetch_row(r));)
                add(m, s, row);
        return 0;
}

void fence_sessions_done(struct fence_sessions *s)
{
        for (unsigned i = 0; i < s->n; i++) {
                free(s->items[i].user);
                free(s->items[i].host);
        }
        free(s->items);
        *s = (struct fence_sessions){0};
}

/* ---- who has changed rows ---- */

struct writers {
        struct {
                uint64_t session;
                char *transaction;
        } * items;
        unsigned n;
};

static void writers_done(struct writers *w)
{
        for (unsigned i = 0; i < w->n; i++)
                free(w->items[i].transaction);
        free(w->items);
        *w = (struct writers){0};
}

static int read_writers(struct fence_my *m, struct writers *w, struct error *e)
{
        AUTO_MY_RESULT r = my_query(m->conn, e,
                "select trx_mysql_thread_id, trx_id from information_schema.innodb_trx "
                "where trx_rows_modified > 0");

        *w = (struct writers){0};
        if (!r)
                return -1;
        w->items = memory_new(((size_t)mysql_num_rows(r) + 1) * sizeof *w->items);
        for (MYSQL_ROW row; (row = mysql_fetch_row(r)); w->n++) {
                w->items[w->n].session = strtoull(row[0], NULL, 10);
                w->items[w->n].transaction = memory_string(row[1]);
        }
        return 0;
}

static const char *transaction_of(const struct writers *w, uint64_t session)
{
        for (unsigned i = 0; i < w->n; i++)
                if (w->items[i].session == session)
                        return w->items[i].transaction;
        return NULL;
}

/* ---- ending them ---- */

/* Somebody who is gone by himself is gone. */
static int end_one(struct fence_my *m, const struct fence_session *s, struct error *e)
{
        if (my_runf(m->conn, e, "kill %" PRIu64, s->id) == 0)
                return 1;
        if (mysql_errno(m->conn) != ER_NO_SUCH_THREAD)
                return error_context(
                        e, "ending session %" PRIu64 " of %s@%s", s->id, s->user, s->host);
        error_clear(e);
        return 0;
}

/*
 * A pass over all; how many are still within the transaction that they had at first, or about to be
 * let in. Root's are not ended, since root can come again, nor those that are logging in, which are
 * refused: MySQL 9.7 was seen to hang as a whole while both were, for a reason that is not known.
 */
static int pass(struct fence_my *m, const struct writers *first, unsigned *ended,
        struct fence_session *waits, struct error *e)
{
        struct fence_sessions s;
        struct writers now;
        int left = 0, rc = read_writers(m, &now, e);

        if (rc < 0)
                return -1;
        rc = fence_sessions_read(m, &s, e);
        for (unsigned i = 0; rc >= 0 && i < s.n; i++) {
                const char *before = transaction_of(first, s.items[i].id);
                const char *transaction = transaction_of(&now, s.items[i].id);

                if (s.items[i].killed)
                        continue;
                if ((before && transaction && !strcmp(before, transaction)) ||
                        s.items[i].connects) {
                        left++;
                        waits->id = s.items[i].id;
                        free(waits->user);
                        waits->user = memory_string(s.items[i].user);
                        continue;
                }
                if (!s.items[i].stays && (rc = end_one(m, &s.items[i], e)) == 1)
                        ++*ended;
        }
        fence_sessions_done(&s);
        writers_done(&now);
        return rc < 0 ? -1 : left;
}

/* Until a pass finds nothing to do but those that are on their way out. */
static int until_ended(struct fence_my *m, const struct writers *first, int64_t deadline,
        unsigned *ended, struct fence_session *waits, struct error *e)
{
        for (;;) {
                unsigned before = *ended;
                int left = pass(m, first, ended, waits, e);

                if (left < 0)
                        return -1;
                if (left == 0 && *ended == before)
                        return 0;
                if (left == 0 && fence_pause(m->q, SETTLE_MS, e) < 0)
                        return -1;
                if (left > 0 && fence_now() >= deadline)
                        return error_set(e, ERROR_RETRY,
                                "the source was not fenced within %" PRId64
                                " s, for a transaction with changes is still open: session %" PRIu64
                                " of user %s",
                                (m->q->timeout + 999999) / 1000000, waits->id, waits->user);
                if (left > 0 && fence_pause(m->q, LOOK_MS, e) < 0)
                        return -1;
        }
}

int fence_sessions_end(struct fence_my *m, int64_t deadline, unsigned *ended, struct error *e)
{
        struct fence_session waits = {0};
        struct writers first;
        int rc = read_writers(m, &first, e);

        if (rc == 0)
                rc = until_ended(m, &first, deadline, ended, &waits, e);
        writers_done(&first);
        free(waits.user);
        return rc;
}
