/* [cutover] check.NAME, check.NAME.source, check.NAME.target: queries of the operator's. */
#include "model/config_private.h"
#include "base/memory.h"
#include "model/query_text.h"

#include <stdlib.h>
#include <string.h>

#define CHECKS_MAX 100u
#define NAME_MAX_BYTES 40u
#define NAME_SIGNS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

const char *config_check_query(const struct config_check *check, bool target)
{
        const char *own = target ? check->target : check->source;

        return own ? own : check->query;
}

static struct config_check *check_of(struct config *c, const char *name, size_t len, int line)
{
        for (unsigned i = 0; i < c->checks_n; i++)
                if (strlen(c->checks[i].name) == len && !memcmp(c->checks[i].name, name, len))
                        return &c->checks[i];
        if (c->checks_n >= CHECKS_MAX)
                return NULL;
        c->checks = memory_grow(c->checks, (c->checks_n + 1) * sizeof *c->checks);
        c->checks[c->checks_n] =
                (struct config_check){.name = memory_printf("%.*s", (int)len, name), .line = line};
        return &c->checks[c->checks_n++];
}

void config_read_check(struct config *c, int line, const char *key, const char *text)
{
        const char *name = key + strlen("check."), *side = strchr(name, '.');
        size_t len = side ? (size_t)(side - name) : strlen(name);
        struct config_check *check;

        if (len == 0 || len > NAME_MAX_BYTES || strspn(name, NAME_SIGNS) < len ||
                (side && strcmp(side, ".source") != 0 && strcmp(side, ".target") != 0)) {
                config_complain(c, line,
                        "[cutover] check: the name has to be of letters, digits, _ and -, at most "
                        "%u, with nothing or .source or .target behind it",
                        NAME_MAX_BYTES);
                return;
        }
        if (!(check = check_of(c, name, len, line)))
                config_complain(c, line, "[cutover] check: more than %u of them", CHECKS_MAX);
        else if (!side)
                check->query = memory_string(text);
        else if (!strcmp(side, ".source"))
                check->source = memory_string(text);
        else
                check->target = memory_string(text);
}

static void look_at(struct config *c, const struct config_check *check, bool target)
{
        const struct config_end *end = target ? &c->target : &c->source;
        const char *query = config_check_query(check, target), *problem;

        if (!query)
                problem = "a query is wanted";
        else
                problem = query_problem(query, config_is_mysql(end->kind));
        if (problem)
                config_complain(c, check->line, "[cutover] check.%s, on the %s: %s", check->name,
                        target ? "target" : "source", problem);
}

void config_check_queries(struct config *c)
{
        for (unsigned i = 0; i < c->checks_n && c->source.uri && c->target.uri; i++) {
                if (c->source.kind == KIND_SEGMENTS || c->target.kind == KIND_SEGMENTS) {
                        config_complain(c, c->checks[i].line,
                                "[cutover] check.%s: an archive cannot be asked",
                                c->checks[i].name);
                        continue;
                }
                look_at(c, &c->checks[i], false);
                look_at(c, &c->checks[i], true);
        }
}

void config_free_checks(struct config *c)
{
        for (unsigned i = 0; i < c->checks_n; i++) {
                memory_free_string(&c->checks[i].name);
                memory_free_string(&c->checks[i].query);
                memory_free_string(&c->checks[i].source);
                memory_free_string(&c->checks[i].target);
        }
        free(c->checks);
}
