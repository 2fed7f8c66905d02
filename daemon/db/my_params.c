#include "db/my.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

struct my_params *my_params_new(const struct config_end *end, const char *what, struct error *e)
{
        AUTO_MY_URI u;
        const char *problem = my_uri_parse(end->uri, &u);
        struct my_params *p;

        if (problem) {
                error_set(e, ERROR_CONFIG, "%s.uri: %s", what, problem);
                return NULL;
        }
        p = memory_new_of(struct my_params);
        *p = (struct my_params){.host = u.host,
                .user = u.user,
                .password = memory_string(end->password),
                .database = u.database,
                .socket = u.socket,
                .port = u.port,
                .ssl_mode = u.ssl_mode,
                .ssl_ca = u.ssl_ca,
                .ssl_cert = u.ssl_cert,
                .ssl_key = u.ssl_key,
                .what = memory_string(what)};
        u = (struct my_uri){0};
        return p;
}

struct my_params *my_params_copy(const struct my_params *p)
{
        struct my_params *q = memory_copy(p, sizeof *p);

        q->host = memory_string(p->host);
        q->user = memory_string(p->user);
        q->password = memory_string(p->password);
        q->database = memory_string(p->database);
        q->socket = memory_string(p->socket);
        q->ssl_ca = memory_string(p->ssl_ca);
        q->ssl_cert = memory_string(p->ssl_cert);
        q->ssl_key = memory_string(p->ssl_key);
        q->what = memory_string(p->what);
        return q;
}

struct my_params *my_params_free(struct my_params *p)
{
        if (!p)
                return NULL;
        if (p->password)
                explicit_bzero(p->password, strlen(p->password));
        free(p->host);
        free(p->user);
        free(p->password);
        free(p->database);
        free(p->socket);
        free(p->ssl_ca);
        free(p->ssl_cert);
        free(p->ssl_key);
        free(p->what);
        free(p);
        return NULL;
}
