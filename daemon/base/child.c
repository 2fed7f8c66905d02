#include "base/child.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TICK_MS 50
#define PATIENCE_TICKS 100 /* from SIGTERM to SIGKILL: 5 s */
#define STDERR_HEAD 8192
#define STDERR_TAIL 8192

struct running {
        const struct child *child;
        pid_t pid;
        int out, err; /* our ends of the pipes, -1: closed */
        unsigned ticks_stopping;
        bool stopping, too_much;
};

extern char **environ;

/* Our environment with the child's names in front; the strings are borrowed. */
static char **make_environment(const struct child *c)
{
        size_t given = 0, own = 0, n;
        char **all;

        while (environ[own])
                own++;
        while (c->environment && c->environment[given])
                given++;
        all = memory_new((own + given + 1) * sizeof *all);
        for (n = 0; n < given; n++)
                all[n] = (char *)(uintptr_t)c->environment[n];
        for (size_t i = 0; i < own; i++) {
                size_t name = strcspn(environ[i], "=") + 1;
                bool set = false;

                for (size_t j = 0; j < given && !set; j++)
                        set = !strncmp(environ[i], c->environment[j], name);
                if (!set)
                        all[n++] = environ[i];
        }
        return all;
}

/* Between fork and exec: nothing that takes a lock. */
static void become(const struct child *c, char **environment, pid_t parent, int out, int err)
{
        sigset_t none;
        int nothing = open("/dev/null", O_RDWR);

        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        signal(SIGPIPE, SIG_DFL);
        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
                _exit(127);
        if (nothing < 0 || dup2(nothing, 0) < 0 || dup2(out < 0 ? nothing : out, 1) < 0 ||
                dup2(err, 2) < 0)
                _exit(127);
        close_range(3, ~0u, 0);
        execvpe(c->argv[0], (char *const *)(uintptr_t)c->argv, environment);
        _exit(errno == ENOENT ? 127 : 126);
}

static void close_fd(int *fd)
{
        if (*fd >= 0)
                close(*fd);
        *fd = -1;
}

static int start(struct running *r, bool want_out, struct error *e)
{
        int out[2] = {-1, -1}, err[2] = {-1, -1};
        char **environment = make_environment(r->child);
        pid_t parent = getpid();

        if ((want_out && pipe2(out, O_CLOEXEC) < 0) || pipe2(err, O_CLOEXEC) < 0 ||
                (r->pid = fork()) < 0) {
                error_set(e, ERROR_RETRY, "%s: %s", r->child->argv[0], strerror(errno));
                close_fd(&out[0]);
                close_fd(&out[1]);
                close_fd(&err[0]);
                close_fd(&err[1]);
                free(environment);
                return -1;
        }
        if (r->pid == 0)
                become(r->child, environment, parent, out[1], err[1]);
        setpgid(r->pid, r->pid); /* whoever comes first: a signal must find the group */
        free(environment);
        close_fd(&out[1]);
        close_fd(&err[1]);
        r->out = out[0];
        r->err = err[0];
        return 0;
}

/* Asks politely first; the programs' own children are in the same group. */
static void check_stop(struct running *r)
{
        const atomic_bool *stop = r->child->stop;

        if (!r->stopping && !r->too_much && !(stop && atomic_load(stop)))
                return;
        if (!r->stopping)
                kill(-r->pid, SIGTERM);
        else if (++r->ticks_stopping == PATIENCE_TICKS)
                kill(-r->pid, SIGKILL);
        r->stopping = true;
}

/* Keeps the head and the tail, which is where programs say what went wrong. */
static void keep_stderr(struct buf *err, const char *data, size_t n)
{
        buf_add(err, data, n);
        if (err->len <= STDERR_HEAD + 2 * STDERR_TAIL)
                return;
        memmove(err->data + STDERR_HEAD, err->data + err->len - STDERR_TAIL, STDERR_TAIL + 1);
        err->len = STDERR_HEAD + STDERR_TAIL;
}

static void read_pipe(struct running *r, int *fd, struct buf *to)
{
        char data[65536];
        ssize_t n = read(*fd, data, sizeof data);

        if (n < 0 && (errno == EINTR || errno == EAGAIN))
                return;
        if (n <= 0)
                close_fd(fd);
        else if (fd == &r->err)
                keep_stderr(to, data, (size_t)n);
        else if (to->len + (size_t)n > r->child->output_limit)
                r->too_much = true;
        else
                buf_add(to, data, (size_t)n);
}

static void drain(struct running *r, struct buf *out, struct buf *err)
{
        while (r->out >= 0 || r->err >= 0) {
                struct pollfd p[2] = {
                        {.fd = r->out, .events = POLLIN}, {.fd = r->err, .events = POLLIN}};
                int ready = poll(p, 2, TICK_MS);

                check_stop(r);
                if (ready <= 0)
                        continue;
                if (p[0].revents && out)
                        read_pipe(r, &r->out, out);
                if (p[1].revents)
                        read_pipe(r, &r->err, err);
        }
}

static int reap(struct running *r)
{
        struct timespec tick = {.tv_nsec = 5 * 1000 * 1000};
        int status;
        pid_t got;

        while ((got = waitpid(r->pid, &status, WNOHANG)) <= 0) {
                if (got < 0 && errno != EINTR)
                        return -1;
                check_stop(r);
                nanosleep(&tick, NULL);
        }
        return status;
}

int child_run(const struct child *c, struct buf *out, struct buf *err, struct error *e)
{
        struct running r = {.child = c, .out = -1, .err = -1};
        const char *name = c->argv[0];
        int status;

        if (start(&r, out != NULL, e) < 0)
                return -1;
        drain(&r, out, err);
        status = reap(&r);
        if (r.too_much)
                return error_set(
                        e, ERROR_DATA, "%s: more output than %zu bytes", name, c->output_limit);
        if (r.stopping)
                return error_set(e, ERROR_RETRY, "%s: stopped", name);
        if (status < 0)
                return error_set(e, ERROR_BUG, "%s: its exit status is lost", name);
        if (WIFSIGNALED(status))
                return error_set(e, ERROR_RETRY, "%s: ended by signal %d", name, WTERMSIG(status));
        if (WEXITSTATUS(status) == 127 && err->len == 0)
                return error_set(e, ERROR_CONFIG, "%s: no such program", name);
        if (WEXITSTATUS(status) == 126 && err->len == 0)
                return error_set(e, ERROR_CONFIG, "%s: cannot be run", name);
        return WEXITSTATUS(status);
}
