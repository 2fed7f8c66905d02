#pragma once
/*
 * One connection to the control socket; private to control.c and control_connection.c. A
 * connection does one thing at a time: it waits for a whole request, or has one in flight, or sends
 * an answer. What a client sends meanwhile stays in a buffer that holds one request at most. Loop
 * thread only.
 */
#include "base/loop.h"
#include "ops/control.h"
#include "ops/control_limits.h"
#include "ops/control_socket.h"
#include "ops/control_wire.h"

#include <sys/socket.h>

struct control {
        struct loop *loop;
        struct control_socket socket;
        struct control_limits limits;
        struct evconnlistener *listener;
        struct timer accept_again;
        void (*handle)(void *context, struct control_call *call);
        void *context;
        struct connection *connections; /* oldest first */
        unsigned n;
};

struct control_call {
        struct connection *connection;
        control_request *request;
        void (*gone)(void *context);
        void *gone_context;
};

struct connection {
        struct control *control;
        struct connection *next, **back;
        struct bufferevent *socket;
        struct ucred peer;
        struct task work;
        struct timer patience; /* for the next request */
        struct timer stuck;
        size_t stuck_at; /* unsent bytes when `stuck` was set */
        struct control_call *call;
        bool ended;   /* the client sends no more */
        bool closing; /* goes when its output is sent */
        bool dead;    /* goes now */
};

struct connection *connection_new(struct control *c, int fd); /* owns fd; not reading yet */
void connection_free(struct connection *k);
size_t connection_unsent(const struct connection *k);
void connection_wake(struct connection *k);
void connection_drop(struct connection *k, const char *why); /* soon, by its own task */
/* What does not fit is replaced by an error, so that the client gets an answer. */
void connection_reply(
        struct connection *k, uint32_t code, const char *error, const char *body, bool more);
/* An answer to what is not a request: nothing after it can be understood. */
void connection_refuse(struct connection *k, const char *why);
