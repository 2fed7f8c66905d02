#pragma once
/*
 * MySQL-family connection on the loop: connects, sets the session, runs batches of statements one
 * after another. Never blocks: it connects in a thread of its own (libmariadb waits for the
 * resolver and for the TLS handshake), and from then on goes by libmariadb's non-blocking calls.
 *
 * A batch is one text of one or more statements separated by ';', sent in one packet; its answers
 * come in order. So many row changes travel in one round trip.
 *
 * Owned by whoever made it. `up`, `down` and the callbacks of batches come from the loop, never
 * from inside a call; `down` comes at most once, and the link may be freed in it, but not in the
 * others.
 */
#include "base/loop.h"
#include "db/my.h"

struct my_link;

struct my_link_events {
        void (*up)(void *context);
        void (*down)(void *context, const struct error *e);
};

/* The answer of one statement of a batch, counted from 0: rows found (affected), or a stored result
 * and how many rows it has. The result belongs to the link and goes after the call. */
typedef void my_link_answer(void *context, unsigned statement, uint64_t found, MYSQL_RES *rows);
/* The end of a batch: `answered` statements had an answer; `e` NULL, or why the next one failed.
 * The link is still up then, unless the connection was lost (`down` follows). What stood behind a
 * failed statement was not run. */
typedef void my_link_done(void *context, unsigned answered, const struct error *e);

/* Copies the parameters. */
struct my_link *my_link_new(struct loop *l, const struct my_params *p,
        const struct my_link_events *events, void *context);
struct my_link *my_link_free(struct my_link *k); /* callbacks of queued batches never come */

/* Queues a batch; takes the text out of `sql`, which is empty afterwards. Batches are run one at a
 * time, from when the link is up. `answer` and `done` may be NULL; without `done` a batch that
 * fails ends the link. */
void my_link_batch(struct my_link *k, struct buf *sql, my_link_answer *answer, my_link_done *done,
        void *context);
bool my_link_idle(const struct my_link *k); /* up, and nothing queued or under way */
/* Of the connection, once up, for what needs no network (my_engine, my_version); else NULL. */
MYSQL *my_link_conn(struct my_link *k);
/* Ends the link with this error: `down` follows from the loop, and no callback of a batch does. */
void my_link_fail(struct my_link *k, const struct error *e);
