#include "ops/control.h"
#include "base/log.h"
#include "base/memory.h"
#include "ops/control_connection.h"
#include "ops/json.h"

#include "control.pb-c.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Somebody who waits for nothing must not keep others out: the oldest such connection goes. */
static bool make_room(struct control *c)
{
        for (struct connection *k = c->connections; k && c->n >= c->limits.connections; k = k->next)
                if (!k->call && !k->dead && connection_unsent(k) == 0) {
                        connection_drop(k, "idle, and another needs its place");
                        connection_free(k);
                        return true;
                }
        return c->n < c->limits.connections;
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
        int len, void *context)
{
        struct control *c = context;
        bool room = make_room(c);
        struct connection *k = connection_new(c, fd);

        (void)listener;
        (void)address;
        (void)len;
        timer_set(&k->patience, c->limits.idle);
        bufferevent_enable(k->socket, room ? EV_READ | EV_WRITE : EV_WRITE);
        if (!room)
                connection_refuse(k, "too many connections to the control socket");
        /* Those that are told so are few and leave within `stuck`; beyond that, not even that. */
        if (!room && c->n > 2 * c->limits.connections)
                connection_drop(k, "too many connections");
}

/* No descriptors left, say: the backlog keeps the clients until there are. */
static void on_accept_error(struct evconnlistener *listener, void *context)
{
        struct control *c = context;

        evconnlistener_disable(listener);
        log_event(LOG_LEVEL_WARNING, LOG_COMMAND, NULL, "control: cannot accept: %s",
                evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
        timer_set(&c->accept_again, SECOND);
}

static void on_accept_again(void *context)
{
        struct control *c = context;

        evconnlistener_enable(c->listener);
}

struct control *control_new(struct loop *l, const char *path,
        void (*handle)(void *context, struct control_call *call), void *context, struct error *e)
{
        struct control *c = memory_new_of(struct control);

        *c = (struct control){.loop = l,
                .handle = handle,
                .context = context,
                .socket = CONTROL_SOCKET_NULL,
                .limits = CONTROL_LIMITS_DEFAULT};
        timer_init(&c->accept_again, l, on_accept_again, c);
        signal(SIGPIPE, SIG_IGN); /* a client may leave before its answer */
        if (control_socket_open(&c->socket, path, e) < 0)
                return control_free(c);
        c->listener = evconnlistener_new(loop_base(l), on_accept, c,
                LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, -1, c->socket.fd);
        if (!c->listener) {
                error_set(e, ERROR_BUG, "control socket %s: cannot be watched", path);
                return control_free(c);
        }
        control_socket_take(&c->socket);
        evconnlistener_set_error_cb(c->listener, on_accept_error);
        return c;
}

/* The answer to `stop` is often still here when the daemon ends. */
static void send_rest(struct connection *k)
{
        struct evbuffer *out = bufferevent_get_output(k->socket);

        evbuffer_unfreeze(out, 1);
        evbuffer_write(out, bufferevent_getfd(k->socket));
}

struct control *control_free(struct control *c)
{
        if (!c)
                return NULL;
        while (c->connections) {
                send_rest(c->connections);
                connection_free(c->connections);
        }
        timer_cancel(&c->accept_again);
        if (c->listener)
                evconnlistener_free(c->listener);
        control_socket_done(&c->socket);
        free(c);
        return NULL;
}

void control_set_limits(struct control *c, const struct control_limits *limits)
{
        c->limits = *limits;
}

unsigned control_connections(const struct control *c)
{
        return c->n;
}

const char *control_call_command(const struct control_call *call)
{
        return call->request->command;
}

const char *control_call_argument(const struct control_call *call, const char *name)
{
        for (size_t i = 0; i < call->request->n_arguments; i++) {
                const Culvert__Argument *a = call->request->arguments[i];

                if (!strcmp(a->name, name))
                        return a->value ? a->value : "";
        }
        return NULL;
}

static bool in_list(const char *name, const char *list)
{
        size_t len = strlen(name);

        for (const char *at = list; len && (at = strstr(at, name)); at += len)
                if ((at == list || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
                        return true;
        return false;
}

const char *control_call_unknown(const struct control_call *call, const char *known)
{
        for (size_t i = 0; i < call->request->n_arguments; i++)
                if (!in_list(call->request->arguments[i]->name, known))
                        return call->request->arguments[i]->name;
        return NULL;
}

static void end_call(
        struct control_call *call, enum control_code code, const char *error, const char *body)
{
        struct connection *k = call->connection;

        k->call = NULL;
        control_request_free(call->request);
        free(call);
        if (k->dead)
                return;
        connection_reply(k, code, error, body, false);
        connection_wake(k);
}

void control_call_answer(struct control_call *call, enum control_code code, cJSON *body)
{
        AUTO_STRING text = body ? cJSON_PrintUnformatted(body) : NULL;

        cJSON_Delete(body);
        end_call(call, code, NULL, text);
}

void control_call_refuse(struct control_call *call, enum control_code code, const char *format, ...)
{
        char text[1280], clean[1280];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        end_call(call, code, json_utf8(clean, sizeof clean, text), NULL);
}

void control_call_progress(struct control_call *call, cJSON *body)
{
        struct connection *k = call->connection;

        if (!k->dead && connection_unsent(k) == 0) {
                AUTO_STRING text = cJSON_PrintUnformatted(body);

                connection_reply(k, CONTROL_DONE, NULL, text, true);
        }
        cJSON_Delete(body);
}

void control_call_on_gone(struct control_call *call, void (*gone)(void *context), void *context)
{
        call->gone = gone;
        call->gone_context = context;
}
