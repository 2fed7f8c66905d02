#include "model/my_uri.h"
#include "base/memory.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DEFAULT_PORT 3306
#define USER_MAX 128     /* MariaDB; MySQL has 32 characters */
#define DATABASE_MAX 256 /* 64 characters */
#define HOST_MAX 255
#define SOCKET_MAX 107 /* sun_path */
#define PATH_MAX_LEN 4000

static int hex_of(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        c |= 0x20;
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A percent-decoded copy; NULL when a % is not followed by two hex digits, or stands for NUL. */
static char *decode(const char *s, size_t len)
{
        char *text = memory_new(len + 1), *to = text;

        for (const char *end = s + len; s < end; s++) {
                if (*s != '%') {
                        *to++ = *s;
                        continue;
                }
                if (end - s < 3 || hex_of(s[1]) < 0 || hex_of(s[2]) < 0 ||
                        (s[1] == '0' && s[2] == '0')) {
                        free(text);
                        return NULL;
                }
                *to++ = (char)(hex_of(s[1]) * 16 + hex_of(s[2]));
                s += 2;
        }
        return text;
}

static const char *take(char **field, const char *s, size_t len, size_t max)
{
        *field = decode(s, len);
        if (!*field)
                return "a % in the URI is not followed by two hexadecimal digits";
        return strlen(*field) > max ? "a part of the URI is too long" : NULL;
}

/* The client library gives meaning to other characters in a host: lists, URLs, options. */
static bool is_host(const char *s)
{
        return *s && !s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789.-_:%")];
}

static const char *parse_port(const char *s, size_t len, unsigned *port)
{
        unsigned number = 0;

        for (size_t i = 0; i < len; i++) {
                if (s[i] < '0' || s[i] > '9' ||
                        (number = number * 10 + (unsigned)(s[i] - '0')) > 65535)
                        return "the port is not a number from 1 to 65535";
        }
        *port = number;
        return number ? NULL : "the port is not a number from 1 to 65535";
}

/* host, host:port, [address]:port, or nothing */
static const char *parse_host(struct my_uri *u, const char *s, size_t len)
{
        const char *end = s + len, *host_end = s, *problem;

        if (len > 0 && *s == '[') {
                host_end = memchr(s, ']', len);
                if (!host_end || (host_end + 1 < end && host_end[1] != ':'))
                        return "the address in brackets is not ended";
                problem = take(&u->host, s + 1, (size_t)(host_end - s - 1), HOST_MAX);
                host_end++;
        } else {
                while (host_end < end && *host_end != ':')
                        host_end++;
                if (host_end == s)
                        return len ? "a port needs a host" : NULL;
                problem = take(&u->host, s, (size_t)(host_end - s), HOST_MAX);
                if (!problem && strchr(u->host, ':'))
                        return "an IPv6 address needs brackets";
        }
        if (problem)
                return problem;
        if (!is_host(u->host))
                return "the host is neither a name nor an address";
        if (host_end == end)
                return NULL;
        return parse_port(host_end + 1, (size_t)(end - host_end - 1), &u->port);
}

static const char *parse_authority(struct my_uri *u, const char *s, size_t len)
{
        const char *at = memchr(s, '@', len), *problem;

        if (!at || at == s)
                return "the user is missing: mysql://user@host/database";
        if (memchr(s, ':', (size_t)(at - s)))
                return "a password in a URI is not allowed; use password_file";
        if (memchr(at + 1, '@', len - (size_t)(at + 1 - s)))
                return "more than one @; in a name it is written %40";
        problem = take(&u->user, s, (size_t)(at - s), USER_MAX);
        return problem ? problem : parse_host(u, at + 1, len - (size_t)(at + 1 - s));
}

static const char *parse_mode(struct my_uri *u, const char *text)
{
        static const char *const names[] = {
                "DISABLED", "PREFERRED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY"};

        for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
                if (!strcasecmp(text, names[i])) {
                        u->ssl_mode = (enum my_ssl_mode)i;
                        return NULL;
                }
        return "ssl-mode is none of DISABLED, PREFERRED, REQUIRED, VERIFY_CA, VERIFY_IDENTITY";
}

struct parameters {
        char *socket, *mode, *ca, *cert, *key;
};

static const char *parse_parameter(struct parameters *p, const char *s, size_t len)
{
        static const char *const names[] = {"socket", "ssl-mode", "ssl-ca", "ssl-cert", "ssl-key"};
        char **fields[] = {&p->socket, &p->mode, &p->ca, &p->cert, &p->key};
        const char *equals = memchr(s, '=', len), *problem;

        if (!equals)
                return "a parameter in the URI has no value";
        for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
                if (strlen(names[i]) != (size_t)(equals - s) ||
                        memcmp(s, names[i], (size_t)(equals - s)) != 0)
                        continue;
                if (*fields[i])
                        return "a parameter in the URI is given twice";
                problem = take(fields[i], equals + 1, len - (size_t)(equals + 1 - s), PATH_MAX_LEN);
                return !problem && !**fields[i] ? "a parameter in the URI has no value" : problem;
        }
        return "unknown parameter in the URI; known are socket, ssl-mode, ssl-ca, ssl-cert, "
               "ssl-key";
}

static bool is_this_machine(const struct my_uri *u)
{
        unsigned dots = 0;

        if (u->socket || !strcasecmp(u->host, "localhost") || !strcmp(u->host, "::1"))
                return true;
        for (const char *s = u->host; *s; s++)
                dots += *s == '.';
        return !strncmp(u->host, "127.", 4) && dots == 3 &&
               !u->host[strspn(u->host, "0123456789.")];
}

/* A file that would have no effect hides that nobody is asked who he is. */
static const char *check_tls(const struct my_uri *u)
{
        bool verify = u->ssl_mode >= MY_SSL_VERIFY_CA;

        if (verify && !u->ssl_ca)
                return "VERIFY_CA and VERIFY_IDENTITY need ssl-ca";
        if (!verify && u->ssl_ca)
                return "ssl-ca has no effect without ssl-mode VERIFY_CA or VERIFY_IDENTITY";
        if (!u->ssl_cert != !u->ssl_key)
                return "ssl-cert and ssl-key go together";
        if (u->ssl_mode == MY_SSL_DISABLED && u->ssl_cert)
                return "ssl-cert has no effect with ssl-mode DISABLED";
        if (u->ssl_mode == MY_SSL_VERIFY_IDENTITY && u->socket)
                return "VERIFY_IDENTITY needs a host; a socket has none";
        return NULL;
}

static const char *check(struct my_uri *u, const char *mode)
{
        const char *paths[] = {u->socket, u->ssl_ca, u->ssl_cert, u->ssl_key}, *problem;

        for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++)
                if (paths[i] && *paths[i] != '/')
                        return "a file in the URI is not an absolute path";
        if (u->socket && strlen(u->socket) > SOCKET_MAX)
                return "the path of the socket is too long";
        if (!u->socket && !u->host)
                return "the host is missing: mysql://user@host/database";
        u->ssl_mode = is_this_machine(u) ? MY_SSL_PREFERRED : MY_SSL_REQUIRED;
        if (mode && (problem = parse_mode(u, mode)))
                return problem;
        return check_tls(u);
}

/* From behind the ?; NULL: none. */
static const char *parse_parameters(struct my_uri *u, const char *s)
{
        struct parameters p = {NULL, NULL, NULL, NULL, NULL};
        const char *problem = NULL;

        while (s && !problem) {
                size_t len = strcspn(s, "&");

                problem = parse_parameter(&p, s, len);
                s = s[len] ? s + len + 1 : NULL;
        }
        u->socket = p.socket;
        u->ssl_ca = p.ca;
        u->ssl_cert = p.cert;
        u->ssl_key = p.key;
        if (!problem)
                problem = check(u, p.mode);
        free(p.mode);
        return problem;
}

const char *my_uri_parse(const char *uri, struct my_uri *u)
{
        const char *s = strstr(uri, "://"), *slash, *problem;
        size_t len;

        *u = (struct my_uri){.port = DEFAULT_PORT};
        if (!s || (strncmp(uri, "mysql:", 6) != 0 && strncmp(uri, "mariadb:", 8) != 0))
                return "not a URI that begins with mysql:// or mariadb://";
        s += 3;
        len = strcspn(s, "/?#");
        slash = s + len;
        if ((problem = parse_authority(u, s, len)))
                return problem;
        len = *slash == '/' ? strcspn(slash + 1, "/?#") : 0;
        if (len == 0)
                return "the database is missing: mysql://user@host/database";
        if ((problem = take(&u->database, slash + 1, len, DATABASE_MAX)))
                return problem;
        s = slash + 1 + len;
        if (*s && *s != '?')
                return "something follows the database; in a name / is written %2F and # %23";
        return parse_parameters(u, *s ? s + 1 : NULL);
}

void my_uri_done(struct my_uri *u)
{
        free(u->user);
        free(u->host);
        free(u->database);
        free(u->socket);
        free(u->ssl_ca);
        free(u->ssl_cert);
        free(u->ssl_key);
        *u = (struct my_uri){0};
}
