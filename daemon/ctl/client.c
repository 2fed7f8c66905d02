#include "ctl/client.h"
#include "ops/control.h"

#include "base/memory.h"
#include "control.pb-c.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SEND_SECONDS 10

static double now(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int fail(int code, struct error *e, const char *format, const char *what)
{
        error_set(e, ERROR_RETRY, "%s%s", format, what);
        return code;
}

int client_connect(struct client *c, const char *path, struct error *e)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        struct timeval limit = {.tv_sec = SEND_SECONDS};

        if (strlen(path) >= sizeof address.sun_path)
                return fail(CONTROL_USAGE, e, "the path is too long for a socket: ", path);
        memcpy(address.sun_path, path, strlen(path));
        c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (c->fd < 0)
                return fail(CONTROL_FAILED, e, "socket: ", strerror(errno));
        setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
        if (connect(c->fd, (const struct sockaddr *)&address, sizeof address) == 0)
                return 0;
        error_set(e, ERROR_RETRY, "no daemon answers on %s: %s%s", path, strerror(errno),
                errno == EACCES ? " (are you in the group culvert?)" : "");
        return CONTROL_NO_DAEMON;
}

int client_send(struct client *c, const char *command, const struct control_argument *arguments,
        size_t n, struct error *e)
{
        AUTO_BUF out = BUF_INIT;

        if (control_write_request(&out, CONTROL_VERSION, command, arguments, n, e) < 0)
                return CONTROL_USAGE;
        for (size_t sent = 0; sent < out.len;) {
                ssize_t k = send(c->fd, out.data + sent, out.len - sent, MSG_NOSIGNAL);

                if (k < 0 && errno != EINTR)
                        return fail(CONTROL_NO_DAEMON, e,
                                "the daemon does not take the command: ", strerror(errno));
                if (k > 0)
                        sent += (size_t)k;
        }
        return 0;
}

/* 1: bytes came; 0: the other side closed; else a result of client_receive. */
static int read_more(struct client *c, double until, struct error *e)
{
        struct pollfd p = {.fd = c->fd, .events = POLLIN};
        double left = until < 0 ? -1 : until - now();
        char chunk[16384];
        ssize_t n;
        int rc = poll(&p, 1, left < 0 && until < 0 ? -1 : left < 0 ? 0 : (int)(left * 1000) + 1);

        if (rc < 0 && errno == EINTR)
                return CLIENT_INTERRUPTED;
        if (rc == 0)
                return fail(CONTROL_NO_DAEMON, e, "the daemon does not answer", "");
        n = recv(c->fd, chunk, sizeof chunk, 0);
        if (n < 0 && errno == EINTR)
                return CLIENT_INTERRUPTED;
        if (n <= 0)
                return 0;
        buf_add(&c->in, chunk, (size_t)n);
        return 1;
}

static int take_answer(struct client *c, uint32_t len, struct answer *a, struct error *e)
{
        control_reply *r = control_parse_reply(c->in.data + CONTROL_HEADER, len, e);

        if (!r)
                return CONTROL_FAILED;
        memmove(c->in.data, c->in.data + CONTROL_HEADER + len, c->in.len - CONTROL_HEADER - len);
        c->in.len -= CONTROL_HEADER + len;
        *a = (struct answer){.code = r->code <= CONTROL_TIMEOUT ? (int)r->code : CONTROL_FAILED,
                .more = r->more,
                .error = memory_string(r->error),
                .text = memory_string(r->body)};
        control_reply_free(r);
        if (a->text && !(a->body = cJSON_Parse(a->text))) {
                answer_done(a);
                return fail(CONTROL_FAILED, e, "the daemon's answer is not JSON", "");
        }
        return 0;
}

int client_receive(struct client *c, struct answer *a, double seconds, struct error *e)
{
        double until = seconds < 0 ? -1 : now() + seconds;

        *a = (struct answer){0};
        for (;;) {
                uint32_t len;
                int rc = control_frame(c->in.data, c->in.len, CONTROL_REPLY_MAX, &len, e);

                if (rc < 0)
                        return CONTROL_FAILED;
                if (rc > 0)
                        return take_answer(c, len, a, e);
                rc = read_more(c, until, e);
                if (rc == 0)
                        return fail(CONTROL_NO_DAEMON, e, "the daemon went away", "");
                if (rc != 1)
                        return rc;
        }
}

int client_wait_closed(struct client *c, double seconds)
{
        double until = now() + seconds;
        struct error e = ERROR_INIT;
        int rc;

        while ((rc = read_more(c, until, &e)) == 1 || rc == CLIENT_INTERRUPTED)
                buf_clear(&c->in);
        return rc == 0 ? 0 : CONTROL_TIMEOUT;
}

void client_done(struct client *c)
{
        if (c->fd >= 0)
                close(c->fd);
        buf_done(&c->in);
        *c = (struct client)CLIENT_NULL;
}

void answer_done(struct answer *a)
{
        free(a->error);
        free(a->text);
        cJSON_Delete(a->body);
        *a = (struct answer){0};
}
