#pragma once
/*
 * Set-up of an apply connection to a MySQL-family target, step by step on the loop: refuses targets
 * that cannot keep the promises, ends what is left of a former connection, takes the lock, sets the
 * session, raises the epoch and reads the position in one transaction (HAZARDS A6), reads which
 * rows are in quarantine.
 *
 * A target is refused unless a commit that it has answered is safe, so there is nothing left to
 * wait for after a commit.
 *
 * Owned by the sink; `done` comes once from the loop unless the session is freed before.
 */
#include "db/my_link.h"
#include "sinks/quarantine.h"
#include "sinks/sink.h"

struct my_session;

struct my_session_result {
        struct sink_start start;
        uint64_t connection; /* this one's number on the server */
        enum engine engine;
        char version[32];
        size_t packet; /* bytes that one text of statements may have */
};

/* The settings of a session that applies changes. */
extern const char my_session_apply_sql[];

typedef void my_session_done(
        void *context, const struct my_session_result *r, const struct error *e);

struct my_session_setup {
        const char *pipeline;
        uint64_t
                former; /* number of a connection of ours that may live on in the server; 0: none */
        struct quarantine *quarantine;
};

struct my_session *my_session_new(struct my_link *k, const struct my_session_setup *setup,
        my_session_done *done, void *context);
struct my_session *my_session_free(struct my_session *s);
