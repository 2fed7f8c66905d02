#include "model/config_private.h"
#include "base/memory.h"
#include "model/my_uri.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define PASSWORD_MAX 4096

/* URIs. Nothing of a URI is repeated in a message: what is wrong with it may be its password. */

static const struct {
        const char *prefix;
        enum config_kind kind;
} schemes[] = {
        {"postgresql://", KIND_POSTGRESQL},
        {"postgres://", KIND_POSTGRESQL},
        {"mysql://", KIND_MYSQL},
        {"mariadb://", KIND_MARIADB},
        {CONFIG_SEGMENTS, KIND_SEGMENTS},
};

static int scheme_of(const char *uri)
{
        for (int i = 0; i < (int)(sizeof schemes / sizeof *schemes); i++)
                if (!strncmp(uri, schemes[i].prefix, strlen(schemes[i].prefix)))
                        return i;
        return -1;
}

enum config_kind config_uri_kind(const char *uri)
{
        int scheme = scheme_of(uri);

        return scheme < 0 ? KIND_POSTGRESQL : schemes[scheme].kind;
}

static int hex_of(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        c |= 0x20;
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The next character of percent-encoded text. */
static char decoded(const char **s)
{
        char c = *(*s)++;

        if (c != '%' || hex_of((*s)[0]) < 0 || hex_of((*s)[1]) < 0)
                return c;
        c = (char)(hex_of((*s)[0]) * 16 + hex_of((*s)[1]));
        *s += 2;
        return c;
}

static bool parameter_is(const char *s, const char *name)
{
        const char *end = s + strcspn(s, "=&");

        while (*name && s < end)
                if (decoded(&s) != *name++)
                        return false;
        return !*name && s >= end;
}

static bool is_secret_parameter(const char *s)
{
        static const char *const secret[] = {"password", "sslpassword", "oauth_client_secret",
                "scram_client_key", "scram_server_key"};

        for (size_t i = 0; i < sizeof secret / sizeof *secret; i++)
                if (parameter_is(s, secret[i]))
                        return true;
        return false;
}

/* user:password@, found the way libpq looks for it. A password with an unencoded / in it ends the
 * part before the @ early; then what follows the colon is no port. */
static bool has_userinfo_password(const char *s)
{
        size_t end = strcspn(s, "@/");
        const char *colon;
        bool bracket = false;

        if (s[end] == '@')
                return memchr(s, ':', end) != NULL;
        for (colon = s; colon < s + end; colon++) {
                bracket = *colon == '[' || (bracket && *colon != ']');
                if (*colon == ':' && !bracket &&
                        !strchr(",/?", colon[1 + strspn(colon + 1, "0123456789")]))
                        return true;
        }
        return false;
}

static const char *my_family_problem(const char *uri)
{
        AUTO_MY_URI u;

        return my_uri_parse(uri, &u);
}

const char *config_uri_problem(const char *uri)
{
        int scheme = scheme_of(uri);
        const char *rest;

        if (scheme < 0)
                return "not a URI that begins with postgresql://, mysql://, mariadb:// or "
                       "segments:/";
        rest = uri + strlen(schemes[scheme].prefix);
        if (schemes[scheme].kind == KIND_SEGMENTS)
                return config_folder_problem(rest);
        if (has_userinfo_password(rest))
                return "a password in a URI is not allowed; use password_file";
        for (const char *p = rest; *p; p++)
                if ((*p == '?' || *p == '&') && is_secret_parameter(p + 1))
                        return "a password in a URI is not allowed; use password_file";
        if (schemes[scheme].kind == KIND_MYSQL || schemes[scheme].kind == KIND_MARIADB)
                return my_family_problem(uri);
        return NULL;
}

/* Password files */

/* NULL when the text is a password: one line, which is cut at its end. */
static const char *password_problem(char *text, size_t len)
{
        if (len > PASSWORD_MAX)
                return "longer than 4096 bytes";
        if (len > 0 && text[len - 1] == '\n')
                len--;
        if (len > 0 && text[len - 1] == '\r')
                len--;
        text[len] = '\0';
        if (len == 0)
                return "empty";
        if (strlen(text) != len)
                return "holds a NUL byte";
        return strpbrk(text, "\r\n") ? "holds more than one line" : NULL;
}

static const char *read_password(int fd, char **password)
{
        char text[PASSWORD_MAX + 2];
        const char *problem;
        struct stat st;
        ssize_t n;

        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
                return "not a file";
        if (st.st_mode & S_IRWXO)
                return "others may use it: chmod o= is needed";
        n = read(fd, text, sizeof text - 1);
        if (n < 0)
                return strerror(errno);
        problem = password_problem(text, (size_t)n);
        if (!problem)
                *password = memory_string(text);
        explicit_bzero(text, sizeof text);
        return problem;
}

static void read_end(struct config *c, const char *side, struct config_end *end)
{
        const char *folder = getenv("CREDENTIALS_DIRECTORY");
        int line = config_line(c, side, "password_file");
        AUTO_STRING path = memory_string(end->password_file);
        const char *problem;
        int fd;

        if (end->kind == KIND_SEGMENTS)
                return;
        if (!path && line == 0 && folder && *folder)
                path = memory_printf("%s/%s-password", folder, side);
        if (!path)
                return;
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0 && errno == ENOENT && line == 0)
                return;
        problem = fd < 0 ? strerror(errno) : read_password(fd, &end->password);
        if (fd >= 0)
                close(fd);
        if (problem)
                config_complain(c, line, "[%s] password file %.500s: %s", side, path, problem);
}

void config_read_passwords(struct config *c)
{
        read_end(c, "source", &c->source);
        read_end(c, "target", &c->target);
}
