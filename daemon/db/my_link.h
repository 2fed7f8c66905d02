#pragma once
/*
 * MySQL-family connection on the loop, by libmariadb's non-blocking calls: connects, sets the
 * session, runs batches of statements one after another. Never blocks, but for name resolution when
 * it begins to connect.
 *
 * A batch is one text of one or more statements separated by ';', sent in one packet; its answers
 * come in order. So many row changes travel in one round trip.
 *
 * Owned by whoever made it. `up` and `down` come from the loop, never from inside a call; `down`
 * comes at most once, and the link may be freed in it.
 */
#include "base/loop.h"
#include "db/my.h"

struct my_link;

struct my_link_events {
        void (*up)(void *context);
        void (*down)(void *context, const struct error *e);
};

/* The answer of one statement of a batch: rows found (affected), or a stored result. The result
 * belongs to the link and goes after the call. */
typedef void my_link_answer(void *context, unsigned statement, uint64_t found, MYSQL_RES *rows);
/* The end of a batch: `answered` statements had an answer; `e` NULL, or why the next one failed. The
 * link is still up then, unless the connection was lost (`down` follows). */
typedef void my_link_done(void *context, unsigned answered, const struct error *e);

struct my_link *my_link_new(struct loop *l, const struct my_params *p,
        const struct my_link_events *events, void *context);
struct my_link *my_link_free(struct my_link *k); /* callbacks of queued batches never come */

/* Queues a batch; takes the text out of `sql`, which is empty afterwards. Batches are run one at a
 * time. `answer` may be NULL. */
void my_link_batch(struct my_link *k, struct buf *sql, my_link_answer *answer, my_link_done *done,
        void *context);
bool my_link_idle(const struct my_link *k); /* up, and nothing queued or under way */
/* Of the connection, once up. */
MYSQL *my_link_conn(struct my_link *k);
/* Ends the link with this error: `down` follows from the loop. */
void my_link_fail(struct my_link *k, const struct error *e);
