#pragma once
/*
 * Watches a link to a MySQL-family target for silence (sinks/silence.h): asks the list of processes
 * over a second connection, and ends the link when it is lost. Owned by the link's owner, which
 * frees it before the link. Loop thread only.
 */
#include "db/my_link.h"
#include "sinks/silence.h"

struct my_silence;

/* `k` is up. Borrows it, and the parameters. */
struct my_silence *my_silence_new(struct loop *l, const struct my_params *p, struct my_link *k,
        int64_t limit, const struct silence_events *events, void *context);
struct my_silence *my_silence_free(struct my_silence *s); /* takes NULL */
/* These take NULL. */
void my_silence_heard(struct my_silence *s);
void my_silence_limit(struct my_silence *s, int64_t limit);
