/*
 * Opening a connection by libmariadb's non-blocking calls, so that it ends in time and when asked
 * to. What is so with libmariadb 3.3:
 *
 * - Host "localhost" means the socket whatever the port, and hosts with , ; = or :// in them mean
 *   lists, options and URLs. So the protocol is always told, and model/my_uri lets no such host in.
 * - MYSQL_OPT_SSL_ENFORCE asks for TLS only where the server offers it: alone it is PREFERRED. The
 *   library insists on TLS, before it sends a byte of the login, when it has a fingerprint to
 *   compare; an empty one is compared with nothing. That is REQUIRED.
 * - Once told to use TLS, it believes that it does: to a server without, caching_sha2_password then
 *   gives the password away as it is. So PREFERRED is REQUIRED, and when the server's greeting says
 *   that it has no TLS, a second connection without.
 * - With MYSQL_OPT_SSL_CA the chain is verified; the host's name only with
 *   MYSQL_OPT_SSL_VERIFY_SERVER_CERT. Without either nothing is.
 * - While connecting the socket is put back into blocking mode, and the TLS handshake waits on it,
 *   not returning to us. With a short SO_RCVTIMEO it comes by the library's wait callback instead,
 *   which is ours, every 100 ms.
 * - A NULL password means the environment's MYSQL_PWD. Option files are read only when asked for.
 */
#include "db/my.h"
#include "base/memory.h"

#include <errmsg.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#define CONNECT_TIMEOUT_MS 15000
#define STOP_CHECK_MS 100
#define SETTLE_MAX 1000
#define PACKET_MAX (1024UL * 1024 * 1024) /* the protocol's limit */
/* How one may log in without TLS: no plugin that sends the password as it is. */
#define PLAIN_PLUGINS                                                                              \
        "mysql_native_password,caching_sha2_password,sha256_password,client_ed25519,parsec,"       \
        "auth_gssapi_client"
#define STACK_SIZE (256UL * 1024) /* of libmariadb's coroutine; OpenSSL runs on it */

/* The library's callback has no context: what this thread's connecting or closing waits for. */
struct patience {
        const atomic_bool *stop;
        int64_t deadline;
};
static _Thread_local const struct patience *patience;

static int64_t now_ms(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool is_stopped(const struct patience *w)
{
        return w->stop && atomic_load(w->stop);
}

/* 1: ready, 0: time is up or asked to stop, -1: error */
static int wait_for(const struct patience *w, int fd, short events, short *ready)
{
        struct pollfd p = {.fd = fd, .events = events};

        for (;;) {
                int64_t left = w->deadline - now_ms();
                int rc;

                if (is_stopped(w))
                        left = 0;
                if (left < 0)
                        left = 0;
                rc = poll(&p, 1, left < STOP_CHECK_MS ? (int)left : STOP_CHECK_MS);
                if (rc < 0 && errno != EINTR)
                        return -1;
                if (rc > 0) {
                        *ready = p.revents;
                        return 1;
                }
                if (left == 0) {
                        errno = ETIMEDOUT;
                        return 0;
                }
        }
}

/* libmariadb waits through this on a socket that is not ready. */
static int library_waits(my_socket fd, my_bool is_read, int timeout)
{
        struct pollfd p = {.fd = fd, .events = is_read ? POLLIN : POLLOUT};
        short ready;
        int rc;

        if (patience)
                return wait_for(patience, fd, p.events, &ready);
        while ((rc = poll(&p, 1, timeout > 0 ? timeout : -1)) < 0 && errno == EINTR)
                ;
        if (rc == 0)
                errno = ETIMEDOUT;
        return rc;
}

static void set_bool(MYSQL *c, enum mysql_option option, bool on)
{
        my_bool value = on;

        mysql_optionsv(c, option, &value);
}

/* Without TLS nobody is asked for the password as it is. */
static void set_tls(MYSQL *c, const struct my_params *p, enum my_ssl_mode mode)
{
        if (mode == MY_SSL_DISABLED)
                mysql_optionsv(c, MARIADB_OPT_RESTRICTED_AUTH, PLAIN_PLUGINS);
        set_bool(c, MYSQL_OPT_SSL_ENFORCE, mode != MY_SSL_DISABLED);
        set_bool(c, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, mode == MY_SSL_VERIFY_IDENTITY);
        if (mode >= MY_SSL_REQUIRED)
                mysql_optionsv(c, MARIADB_OPT_TLS_PEER_FP, "");
        if (mode >= MY_SSL_VERIFY_CA)
                mysql_optionsv(c, MYSQL_OPT_SSL_CA, p->ssl_ca);
        if (p->ssl_cert && mode != MY_SSL_DISABLED) {
                mysql_optionsv(c, MYSQL_OPT_SSL_CERT, p->ssl_cert);
                mysql_optionsv(c, MYSQL_OPT_SSL_KEY, p->ssl_key);
        }
}

/* 2: the library serves a file only in answer to a LOAD of ours. */
static void set_options(MYSQL *c, const struct my_params *p, enum my_ssl_mode mode)
{
        unsigned protocol = p->socket ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
        unsigned infile = p->local_infile ? 2 : 0;
        unsigned long packet = PACKET_MAX;
        size_t stack = STACK_SIZE;

        mysql_optionsv(c, MYSQL_OPT_NONBLOCK, &stack);
        mysql_optionsv(c, MYSQL_OPT_PROTOCOL, &protocol);
        mysql_optionsv(c, MYSQL_OPT_LOCAL_INFILE, &infile);
        mysql_optionsv(c, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet);
        mysql_optionsv(c, MYSQL_SET_CHARSET_NAME, "utf8mb4");
        mysql_optionsv(c, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "culvert");
        mysql_optionsv(c, MARIADB_OPT_IO_WAIT, library_waits);
        set_tls(c, p, mode);
}

static void set_number(int fd, int level, int name, int value)
{
        setsockopt(fd, level, name, &value, sizeof value);
}

static void set_receive_timeout(int fd, int ms)
{
        struct timeval t = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
}

/* A peer that is gone without a word is noticed in about a minute. */
static void set_socket(int fd)
{
        set_number(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
        set_number(fd, IPPROTO_TCP, TCP_KEEPIDLE, 20);
        set_number(fd, IPPROTO_TCP, TCP_KEEPINTVL, 10);
        set_number(fd, IPPROTO_TCP, TCP_KEEPCNT, 4);
        set_number(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 60000);
}

static int refuse(const struct my_params *p, const struct patience *w, struct error *e)
{
        if (is_stopped(w))
                return error_set(e, ERROR_RETRY, "%s: asked to stop", p->what);
        if (now_ms() >= w->deadline)
                return error_set(e, ERROR_RETRY, "%s: no connection within %d s", p->what,
                        CONNECT_TIMEOUT_MS / 1000);
        return 0;
}

/* Brings a call that is given up to its end, so that what it holds is freed: on a socket that is
 * shut nothing is left to wait for. */
static void settle(MYSQL *c, int status)
{
        MYSQL *done;

        for (unsigned n = 0; status && n < SETTLE_MAX; n++) {
                shutdown(my_fd(c), SHUT_RDWR);
                status = mysql_real_connect_cont(&done, c, status & ~MYSQL_WAIT_TIMEOUT);
        }
}

static int log_in(MYSQL *c, const struct my_params *p, enum my_ssl_mode mode,
        const struct patience *w, struct error *e)
{
        MYSQL *done = NULL;
        int status = mysql_real_connect_start(&done, c, p->socket ? NULL : p->host, p->user,
                p->password ? p->password : "", p->database, p->port, p->socket,
                CLIENT_FOUND_ROWS | CLIENT_MULTI_STATEMENTS);

        while (status) {
                short events = (short)((status & MYSQL_WAIT_READ ? POLLIN : 0) |
                                       (status & MYSQL_WAIT_WRITE ? POLLOUT : 0));
                int fd = my_fd(c), rc;
                short ready = 0;

                fcntl(fd, F_SETFD, FD_CLOEXEC);
                set_receive_timeout(fd, STOP_CHECK_MS);
                rc = wait_for(w, fd, events, &ready);
                if (rc <= 0) {
                        rc = rc < 0 ? error_set(e, ERROR_RETRY, "%s: poll: %s", p->what,
                                              strerror(errno))
                                    : refuse(p, w, e);
                        settle(c, status);
                        return rc;
                }
                status = mysql_real_connect_cont(&done, c, status & ~MYSQL_WAIT_TIMEOUT);
        }
        if (!done)
                return refuse(p, w, e) < 0 ? -1 : my_error(e, c, p->what);
        if (mode >= MY_SSL_REQUIRED && !mysql_get_ssl_cipher(c))
                return error_set(e, ERROR_CONFIG, "%s: TLS is required, but was not used", p->what);
        return 0;
}

/* The session's first statements, within the deadline too: a server can be stuck. */
static int begin(MYSQL *c, const struct my_params *p, const struct patience *w, struct error *e)
{
        int fd = my_fd(c);

        set_socket(fd);
        if (my_run(c, e, my_session_sql(my_engine(c))) < 0)
                return refuse(p, w, e) < 0 ? -1 : error_context(e, "%s", p->what);
        set_receive_timeout(fd, 0);
        return 0;
}

/* *plain: the server has no TLS, which is why it failed. */
static MYSQL *attempt(const struct my_params *p, enum my_ssl_mode mode, const struct patience *w,
        bool *plain, struct error *e)
{
        MYSQL *c = mysql_init(NULL);

        if (!c) {
                my_error(e, NULL, p->what);
                return NULL;
        }
        set_options(c, p, mode);
        if (log_in(c, p, mode, w, e) == 0 && begin(c, p, w, e) == 0)
                return c;
        *plain = mysql_errno(c) == CR_SSL_CONNECTION_ERROR && c->server_capabilities &&
                 !(c->server_capabilities & CLIENT_SSL);
        return my_close(c);
}

MYSQL *my_connect(const struct my_params *p, const atomic_bool *stop, struct error *e)
{
        const struct patience w = {.stop = stop, .deadline = now_ms() + CONNECT_TIMEOUT_MS};
        enum my_ssl_mode mode = p->ssl_mode == MY_SSL_PREFERRED ? MY_SSL_REQUIRED : p->ssl_mode;
        bool plain = false;
        MYSQL *c;

        patience = &w;
        c = attempt(p, mode, &w, &plain, e);
        if (!c && plain && p->ssl_mode == MY_SSL_PREFERRED) {
                error_clear(e);
                patience = &w;
                c = attempt(p, MY_SSL_DISABLED, &w, &plain, e);
        }
        patience = NULL;
        return c;
}

int my_fd(MYSQL *c)
{
        return c ? (int)mysql_get_socket(c) : -1;
}

/* The farewell goes out if there is room for it at once. Where an answer is still under way, or a
 * statement half sent, the socket is shut first. */
MYSQL *my_close(MYSQL *c)
{
        const struct patience none = {0};
        int fd = my_fd(c);

        if (!c)
                return NULL;
        if (fd >= 0) {
                if (c->status != MYSQL_STATUS_READY)
                        shutdown(fd, SHUT_RDWR);
                fcntl(fd, F_SETFL, O_NONBLOCK);
        }
        if (c->passwd)
                explicit_bzero(c->passwd, strlen(c->passwd));
        patience = &none;
        mysql_close(c);
        patience = NULL;
        return NULL;
}
