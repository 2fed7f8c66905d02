/*
 * libevent's callbacks only queue the connection's task, which does the work and frees it.
 */
#include "ops/control_connection.h"
#include "base/log.h"
#include "base/memory.h"

#include "control.pb-c.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX (CONTROL_HEADER + CONTROL_REQUEST_MAX)

size_t connection_unsent(const struct connection *k)
{
        return evbuffer_get_length(bufferevent_get_output(k->socket));
}

static size_t unread(const struct connection *k)
{
        return evbuffer_get_length(bufferevent_get_input(k->socket));
}

void connection_wake(struct connection *k)
{
        loop_defer(k->control->loop, &k->work);
}

void connection_drop(struct connection *k, const char *why)
{
        if (k->dead)
                return;
        k->dead = true;
        log_event(LOG_LEVEL_DEBUG, LOG_COMMAND, NULL, "control: connection of pid %d dropped: %s",
                (int)k->peer.pid, why);
        connection_wake(k);
}

/* Tells the owner of a call that was not answered. */
static struct control_call *call_abandon(struct control_call *call)
{
        if (!call)
                return NULL;
        if (call->gone)
                call->gone(call->gone_context);
        control_request_free(call->request);
        free(call);
        return NULL;
}

void connection_free(struct connection *k)
{
        k->call = call_abandon(k->call);
        *k->back = k->next;
        if (k->next)
                k->next->back = k->back;
        k->control->n--;
        task_cancel(k->control->loop, &k->work);
        timer_cancel(&k->patience);
        timer_cancel(&k->stuck);
        bufferevent_free(k->socket);
        free(k);
}

void connection_reply(
        struct connection *k, uint32_t code, const char *error, const char *body, bool more)
{
        AUTO_BUF out = BUF_INIT;
        struct error e = ERROR_INIT;

        if (control_write_reply(&out, code, error, body, more, &e) < 0)
                control_write_reply(&out, CONTROL_FAILED, e.message, NULL, false, &e);
        bufferevent_write(k->socket, out.data, out.len);
        if (!timer_pending(&k->stuck)) {
                k->stuck_at = SIZE_MAX;
                timer_set(&k->stuck, k->control->limits.stuck);
        }
}

void connection_refuse(struct connection *k, const char *why)
{
        log_event(LOG_LEVEL_INFO, LOG_COMMAND, NULL, "control: uid %d pid %d: %s", (int)k->peer.uid,
                (int)k->peer.pid, why);
        connection_reply(k, CONTROL_FAILED, why, NULL, false);
        bufferevent_disable(k->socket, EV_READ);
        k->closing = true;
}

/* `status` and its like come every few seconds from monitoring. */
static enum log_level level_of(const char *command)
{
        static const char *const quiet[] = {
                "status", "watch", "wait", "metrics", "tables", "verify status"};

        for (size_t i = 0; i < sizeof quiet / sizeof *quiet; i++)
                if (!strcmp(quiet[i], command))
                        return LOG_LEVEL_DEBUG;
        return LOG_LEVEL_INFO;
}

static void log_command(const struct connection *k, const char *command)
{
        char safe[33];

        snprintf(safe, sizeof safe, "%s", command);
        for (char *p = safe; *p; p++)
                if ((*p < 'a' || *p > 'z') && *p != ' ' && *p != '-')
                        *p = '?';
        log_event(level_of(command), LOG_COMMAND, NULL, "command '%s' by uid %d, gid %d, pid %d",
                safe, (int)k->peer.uid, (int)k->peer.gid, (int)k->peer.pid);
}

static bool is_understood(const control_request *request, char *why, size_t size)
{
        if (request->version != CONTROL_VERSION)
                snprintf(why, size,
                        "this culvertd speaks version %d of the control protocol, the client "
                        "version %u",
                        CONTROL_VERSION, request->version);
        else if (!request->command)
                snprintf(why, size, "the request has no command");
        else
                return true;
        return false;
}

static void begin_call(struct connection *k, control_request *request)
{
        struct control_call *call;
        char why[128];

        if (!is_understood(request, why, sizeof why)) {
                control_request_free(request);
                connection_refuse(k, why);
                return;
        }
        call = memory_new_of(struct control_call);
        *call = (struct control_call){.connection = k, .request = request};
        k->call = call;
        log_command(k, request->command);
        k->control->handle(k->control->context, call);
}

/* Takes one request out of the input. 1: taken; 0: not whole yet; -1: not a request. */
static int take_request(struct connection *k, control_request **request, struct error *e)
{
        struct evbuffer *in = bufferevent_get_input(k->socket);
        uint8_t head[CONTROL_HEADER];
        ev_ssize_t have = evbuffer_copyout(in, head, sizeof head);
        uint32_t len;

        if (control_frame(head, have < 0 ? 0 : (size_t)have, CONTROL_REQUEST_MAX, &len, e) < 0)
                return -1;
        if (have < (ev_ssize_t)sizeof head || evbuffer_get_length(in) - CONTROL_HEADER < len)
                return 0;
        *request = control_parse_request(
                evbuffer_pullup(in, CONTROL_HEADER + (ev_ssize_t)len) + CONTROL_HEADER, len, e);
        evbuffer_drain(in, CONTROL_HEADER + (size_t)len);
        if (unread(k) < INPUT_MAX && !k->ended)
                bufferevent_enable(k->socket, EV_READ);
        return *request ? 1 : -1;
}

static void wait_for_request(struct connection *k)
{
        const struct control_limits *limits = &k->control->limits;
        bool begun = unread(k) > 0;

        if (k->ended)
                connection_drop(k, "the client left");
        else if (begun && timer_pending(&k->patience) &&
                 k->patience.at - loop_now(k->control->loop) <= limits->half)
                return; /* more bytes of one message do not buy more time */
        else
                timer_set(&k->patience, begun ? limits->half : limits->idle);
}

static void work(void *context)
{
        struct connection *k = context;
        control_request *request = NULL;
        struct error e = ERROR_INIT;
        int rc;

        if (k->dead || (k->closing && connection_unsent(k) == 0)) {
                connection_free(k);
                return;
        }
        if (k->closing || k->call || connection_unsent(k) > 0)
                return;
        rc = take_request(k, &request, &e);
        if (rc == 0) {
                wait_for_request(k);
                return;
        }
        timer_cancel(&k->patience);
        if (rc < 0)
                connection_refuse(k, e.message);
        else
                begin_call(k, request);
}

/* libevent's own high watermark calls back for ever until the input is drained, so the end of
 * reading is done here. Without reading nobody sees the client leave; during a call that matters.
 */
static void on_read(struct bufferevent *socket, void *context)
{
        struct connection *k = context;

        if (unread(k) >= INPUT_MAX) {
                bufferevent_disable(socket, EV_READ);
                if (k->call)
                        connection_drop(k, "sends on without waiting for the answer");
        }
        connection_wake(k);
}

static void on_sent(struct bufferevent *socket, void *context)
{
        struct connection *k = context;

        (void)socket;
        timer_cancel(&k->stuck);
        connection_wake(k);
}

static void on_event(struct bufferevent *socket, short what, void *context)
{
        struct connection *k = context;

        (void)socket;
        k->ended = true;
        /* A client may close its sending side and still read the answer that is on its way. */
        if (!(what & BEV_EVENT_EOF) || k->call)
                connection_drop(k, "the client left");
        connection_wake(k);
}

static void on_no_patience(void *context)
{
        struct connection *k = context;

        if (unread(k) > 0)
                connection_refuse(k, "the message did not end in time");
        else
                connection_drop(k, "idle");
}

static void on_stuck(void *context)
{
        struct connection *k = context;
        size_t now = connection_unsent(k);

        if (now >= k->stuck_at) {
                connection_drop(k, "does not read");
                return;
        }
        k->stuck_at = now;
        timer_set(&k->stuck, k->control->limits.stuck);
}

struct connection *connection_new(struct control *c, int fd)
{
        struct connection *k = memory_new_of(struct connection);
        socklen_t len = sizeof k->peer;

        k->control = c;
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &k->peer, &len) < 0)
                k->peer = (struct ucred){.pid = -1, .uid = (uid_t)-1, .gid = (gid_t)-1};
        k->socket = bufferevent_socket_new(loop_base(c->loop), fd, BEV_OPT_CLOSE_ON_FREE);
        bufferevent_setcb(k->socket, on_read, on_sent, on_event, k);
        task_init(&k->work, work, k);
        timer_init(&k->patience, c->loop, on_no_patience, k);
        timer_init(&k->stuck, c->loop, on_stuck, k);
        for (k->back = &c->connections; *k->back; k->back = &(*k->back)->next)
                ;
        *k->back = k;
        c->n++;
        return k;
}
