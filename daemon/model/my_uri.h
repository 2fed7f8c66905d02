#pragma once
/*
 * The URIs of MySQL and MariaDB: mysql://user@host:port/database?parameters, every part
 * percent-encoded where it needs to be. The configuration checks them, db/my connects by them. A
 * mariadb:// URI means the same. Pure: no file, no network. Any thread.
 *
 * Parameters: socket, ssl-mode, ssl-ca, ssl-cert, ssl-key. User and database are required, and a
 * host unless there is a socket. `localhost` is a host like any other: the socket is used when the
 * URI names one.
 */
#include <stddef.h>

/*
 * PREFERRED  encrypts when the server can, without asking who it is; else goes on in plain
 * REQUIRED   encrypts or fails, without asking who it is
 * VERIFY_CA  the server's certificate is signed by an authority in ssl-ca
 * VERIFY_IDENTITY  and it is for the URI's host
 * Without ssl-mode: PREFERRED to this machine (a socket, localhost, 127.0.0.0/8, ::1), else
 * REQUIRED.
 */
enum my_ssl_mode {
        MY_SSL_DISABLED,
        MY_SSL_PREFERRED,
        MY_SSL_REQUIRED,
        MY_SSL_VERIFY_CA,
        MY_SSL_VERIFY_IDENTITY
};

struct my_uri {
        char *user, *host, *database; /* host NULL: socket only */
        char *socket;                 /* NULL: TCP */
        unsigned port;
        enum my_ssl_mode ssl_mode;
        char *ssl_ca, *ssl_cert, *ssl_key;
};

/* Fills `u`, which the caller frees with my_uri_done whatever comes out. NULL when the URI is good,
 * else what is wrong with it, without a part of it. */
const char *my_uri_parse(const char *uri, struct my_uri *u);
void my_uri_done(struct my_uri *u);
#define AUTO_MY_URI __attribute__((cleanup(my_uri_done))) struct my_uri
