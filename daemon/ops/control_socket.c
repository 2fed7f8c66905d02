#include "ops/control_socket.h"
#include "base/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 64

static int fail(struct error *e, const char *path, const char *what)
{
        return error_set(e, ERROR_CONFIG, "control socket %s: %s: %s", path, what, strerror(errno));
}

static int address_of(struct sockaddr_un *address, const char *path, struct error *e)
{
        *address = (struct sockaddr_un){.sun_family = AF_UNIX};
        if (strlen(path) >= sizeof address->sun_path)
                return error_set(e, ERROR_CONFIG,
                        "control socket %s: the path has %zu bytes, a socket's can have %zu", path,
                        strlen(path), sizeof address->sun_path - 1);
        memcpy(address->sun_path, path, strlen(path));
        return 0;
}

/* 1: somebody listens there; 0: nobody. */
static int is_alive(const struct sockaddr_un *address)
{
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        int alive;

        if (fd < 0)
                return 1;
        alive = connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 ||
                (errno != ECONNREFUSED && errno != ENOENT);
        close(fd);
        return alive;
}

/* A daemon that was killed leaves its file behind. */
static int remove_stale(const struct sockaddr_un *address, struct error *e)
{
        struct stat st;

        if (lstat(address->sun_path, &st) < 0)
                return errno == ENOENT ? 0 : fail(e, address->sun_path, "cannot be looked at");
        if (!S_ISSOCK(st.st_mode))
                return error_set(e, ERROR_CONFIG, "control socket %s: there is another file",
                        address->sun_path);
        if (is_alive(address))
                return error_set(e, ERROR_CONFIG, "control socket %s: another daemon answers there",
                        address->sun_path);
        if (unlink(address->sun_path) < 0 && errno != ENOENT)
                return fail(e, address->sun_path, "the stale file cannot be removed");
        return 0;
}

/* The mode of the descriptor bounds that of the file from its first moment; chmod then undoes what
 * the umask took. */
static int listen_there(
        struct control_socket *s, const struct sockaddr_un *address, struct error *e)
{
        struct stat st;

        s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (s->fd < 0 || fchmod(s->fd, 0660) < 0)
                return fail(e, s->path, "cannot be made");
        if (bind(s->fd, (const struct sockaddr *)address, sizeof *address) < 0)
                return fail(e, s->path, "cannot be bound");
        if (lstat(s->path, &st) < 0)
                return fail(e, s->path, "cannot be looked at");
        s->device = st.st_dev;
        s->inode = st.st_ino;
        if (chmod(s->path, 0660) < 0 || listen(s->fd, BACKLOG) < 0)
                return fail(e, s->path, "cannot listen");
        return 0;
}

int control_socket_open(struct control_socket *s, const char *path, struct error *e)
{
        struct sockaddr_un address;

        *s = (struct control_socket)CONTROL_SOCKET_NULL;
        s->path = memory_string(path);
        if (address_of(&address, path, e) < 0 || remove_stale(&address, e) < 0)
                return -1;
        return listen_there(s, &address, e);
}

int control_socket_take(struct control_socket *s)
{
        int fd = s->fd;

        s->fd = -1;
        return fd;
}

void control_socket_done(struct control_socket *s)
{
        struct stat st;

        if (s->inode && lstat(s->path, &st) == 0 && st.st_dev == s->device && st.st_ino == s->inode)
                unlink(s->path);
        if (s->fd >= 0)
                close(s->fd);
        free(s->path);
        *s = (struct control_socket)CONTROL_SOCKET_NULL;
}
