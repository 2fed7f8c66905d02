#pragma once
/*
 * Halt: stops threads that block in libpq or libmariadb. Every blocking connection of a job is
 * opened through it; halt_ask breaks them all at once (their threads get an error) and cancels what
 * PostgreSQL is doing for them, from a thread of its own, since PQcancel blocks. A MySQL-family
 * server notices the broken connection when it next sends to it.
 *
 * Any thread. A connection belongs to the thread that opened it, and is closed by it.
 */
#include "db/my.h"
#include "db/pg.h"

#include <stdatomic.h>

struct halt;

struct halt *halt_new(void);
struct halt *halt_free(struct halt *h); /* after all its connections are closed */

/* Sets the flag and breaks the connections; returns at once. */
void halt_ask(struct halt *h);
bool halt_asked(const struct halt *h);
const atomic_bool *halt_flag(const struct halt *h);
/* 0, or -1 and a RETRY error when asked to stop. */
int halt_check(const struct halt *h, struct error *e);
/* Waits until the servers have been told, at most `milliseconds`. */
void halt_wait(struct halt *h, int milliseconds);

PGconn *halt_connect(struct halt *h, const struct pg_params *p, struct error *e);
/* Closes and sets to NULL; takes NULL. */
void halt_close(struct halt *h, PGconn **c);
MYSQL *halt_my_connect(struct halt *h, const struct my_params *p, struct error *e);
void halt_my_close(struct halt *h, MYSQL **c);
