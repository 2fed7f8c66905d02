#pragma once
/*
 * The client's end of the control socket: blocking, one request at a time, every wait bounded.
 */
#include "ops/control_wire.h"

#include <cjson/cJSON.h>
#include <stdbool.h>

struct client {
        int fd;
        struct buf in;
};

#define CLIENT_NULL                                                                                \
        {                                                                                          \
                .fd = -1                                                                           \
        }

/* One answer. `code` and `error` are the daemon's, or the client's own when it did not answer. */
struct answer {
        int code;
        char *error; /* NULL: none */
        char *text;  /* JSON as it came; NULL: none */
        cJSON *body; /* the same, parsed */
        bool more;
};

/* Results are exit statuses of culvertctl: 0, or what `e` explains. */
int client_connect(struct client *c, const char *path, struct error *e);
int client_send(struct client *c, const char *command, const struct control_argument *arguments,
        size_t n, struct error *e);
/* Waits at most so many seconds, < 0: as long as it takes. CLIENT_INTERRUPTED: a signal came. */
int client_receive(struct client *c, struct answer *a, double seconds, struct error *e);
/* Waits until the daemon has closed the connection. 0, or CONTROL_TIMEOUT. */
int client_wait_closed(struct client *c, double seconds);
void client_done(struct client *c);
void answer_done(struct answer *a);

#define CLIENT_INTERRUPTED (-1)
