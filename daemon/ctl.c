/*
 * culvertctl: asks a culvertd through its control socket and prints the answer, as JSON or for
 * people.
 */
#include "base/memory.h"
#include "ctl/cat.h"
#include "ctl/client.h"
#include "ctl/find.h"
#include "ctl/live.h"
#include "ctl/options.h"
#include "ctl/render.h"
#include "ctl/text.h"
#include "ctl/walk.h"
#include "ops/control.h"
#include "ops/plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE 15      /* seconds for an answer that is made at once */
#define STOP_PATIENCE 55 /* for the daemon's end; below the daemon's limit for idle connections */

static int complain(int code, const char *message)
{
        AUTO_BUF safe = BUF_INIT;

        text_safe(&safe, message, false);
        fprintf(stderr, "culvertctl: %s\n", buf_text(&safe));
        return code;
}

static void print(const struct options *o, const struct answer *a)
{
        AUTO_BUF out = BUF_INIT;

        if (!a->body)
                return;
        if (o->json) {
                text_safe(&out, a->text, false);
                buf_char(&out, '\n');
        } else if (o->command->render) {
                o->command->render(&out, a->body);
        }
        fputs(buf_text(&out), stdout);
}

static int print_check(const struct options *o, const struct answer *a)
{
        AUTO_BUF line = BUF_INIT;
        int level = render_check(&line, a->body);

        if (o->json)
                print(o, a);
        else
                fputs(line.data, stdout);
        return level;
}

/* How long the daemon may be silent; `wait` and `drain` say nothing until they end. */
static double patience(const struct options *o)
{
        const char *timeout = options_argument(o, "timeout");

        if (!strncmp(o->command->name, "quarantine ", 11) || !strcmp(o->command->name, "repair") ||
                !strcmp(o->command->name, "complete"))
                return -1;
        if (strcmp(o->command->name, "wait") != 0 && strcmp(o->command->name, "drain") != 0)
                return PATIENCE;
        return timeout ? strtod(timeout, NULL) + PATIENCE : -1;
}

static int receive(const struct options *o, struct client *c, struct error *e)
{
        struct answer a;
        int rc = client_receive(c, &a, patience(o), e);

        if (rc != 0)
                return rc == CLIENT_INTERRUPTED ? complain(CONTROL_FAILED, "interrupted") : rc;
        rc = a.code;
        if (a.error)
                error_set(e, ERROR_RETRY, "%s", a.error);
        else if (options_argument(o, "check"))
                rc = print_check(o, &a);
        else
                print(o, &a);
        answer_done(&a);
        return rc;
}

static int stop(const struct options *o, struct client *c, struct error *e)
{
        int rc = receive(o, c, e);

        if (rc != 0)
                return rc;
        if (client_wait_closed(c, STOP_PATIENCE) == 0)
                return 0;
        error_set(e, ERROR_RETRY, "the daemon is still stopping");
        return CONTROL_TIMEOUT;
}

/* "1,2,3" */
static void join_words(const struct options *o, struct buf *out)
{
        for (size_t i = 0; i < o->files_n; i++)
                buf_printf(out, "%s%s", i ? "," : "", o->files[i]);
}

/* These are for this side of the socket only. */
static bool is_ours(const char *name)
{
        return !strcmp(name, "check") || !strcmp(name, "count") || !strcmp(name, "yes");
}

static size_t for_daemon(const struct options *o, struct control_argument *arguments)
{
        size_t n = 0;

        for (size_t i = 0; i < o->n; i++)
                if (!is_ours(o->arguments[i].name))
                        arguments[n++] = o->arguments[i];
        return n;
}

static int count_of(const struct options *o, unsigned long *count, struct error *e)
{
        const char *text = options_argument(o, "count");
        char *end;

        *count = 0;
        if (!text)
                return 0;
        errno = 0;
        *count = strtoul(text, &end, 10);
        if (errno || strspn(text, "0123456789") != strlen(text) || *count == 0)
                return error_set(
                        e, ERROR_CONFIG, "--count takes a number from 1 on, not '%s'", text);
        return 0;
}

static int ask(const struct options *o, struct client *c, struct error *e)
{
        struct control_argument arguments[COMMAND_OPTIONS_MAX + 1];
        AUTO_BUF path = BUF_INIT;
        AUTO_BUF words = BUF_INIT;
        size_t n = for_daemon(o, arguments);
        unsigned long count;
        int rc;

        if (count_of(o, &count, e) < 0)
                return CONTROL_USAGE;
        join_words(o, &words);
        if (o->command->kind == COMMAND_ASK_IDS && o->files_n) /* an empty one is none, not all */
                arguments[n++] = (struct control_argument){"ids", buf_text(&words)};
        rc = find_socket(o->socket, o->name, &path, e);
        if (rc == 0 && o->command->kind == COMMAND_WALK)
                rc = walk_confirm(o, path.data, e);
        if (rc == 0 && o->command->kind == COMMAND_COMPLETE)
                rc = walk_confirm_complete(o, path.data, e);
        if (rc == 0)
                rc = client_connect(c, path.data, e);
        if (rc == 0)
                rc = client_send(c, o->command->name, arguments, n, e);
        if (rc != 0)
                return rc;
        if (o->command->kind == COMMAND_WATCH)
                return live_run(c, o->json, count, e);
        if (o->command->kind == COMMAND_WALK)
                return walk_run(o, path.data, c, e);
        if (o->command->kind == COMMAND_STOP || o->command->kind == COMMAND_COMPLETE)
                return stop(o, c, e);
        return receive(o, c, e);
}

static int ask_daemon(const struct options *o)
{
        struct client c = CLIENT_NULL;
        struct error e = ERROR_INIT;
        int rc = ask(o, &c, &e);

        client_done(&c);
        return e.class != ERROR_NONE && rc != 0 ? complain(rc, e.message) : rc;
}

static int unbuilt(const struct command *c)
{
        AUTO_STRING text = memory_printf("%s: not built yet", c->name);

        return complain(CONTROL_USAGE, text);
}

/* Names in it come from a server: made safe for the terminal before they are shown. */
static void show_safe(const char *text, FILE *out)
{
        AUTO_BUF safe = BUF_INIT;

        text_safe(&safe, text, true);
        fputs(buf_text(&safe), out);
}

static enum plan_kind plan_kind(const struct options *o)
{
        if (!strcmp(o->command->name, "assess"))
                return PLAN_ASSESS;
        if (!strcmp(o->command->name, "schema"))
                return options_argument(o, "apply") ? PLAN_APPLY : PLAN_SCHEMA;
        return PLAN_PLAN;
}

static int plan(const struct options *o)
{
        char *text = NULL, *errors = NULL;
        size_t text_len, errors_len;
        FILE *out = open_memstream(&text, &text_len), *err = open_memstream(&errors, &errors_len);
        int status = EXIT_FAILURE;

        if (out && err)
                status = plan_run(plan_kind(o), options_argument(o, "config"), o->json, out, err);
        if (out)
                fclose(out);
        if (err)
                fclose(err);
        show_safe(text ? text : "", stdout);
        show_safe(errors ? errors : "", stderr);
        free(text);
        free(errors);
        return status;
}

static int cat(const struct options *o)
{
        int rc = 0;

        for (size_t i = 0; i < o->files_n; i++) {
                struct error e = ERROR_INIT;

                if (cat_file(o->files[i], stdout, &e) == 0)
                        continue;
                fflush(stdout);
                rc = complain(CONTROL_FAILED, e.message);
        }
        return rc;
}

static int run(const struct options *o)
{
        if (o->help) {
                options_help(o->command, stdout);
                return 0;
        }
        if (o->version) {
                puts("culvertctl " CULVERT_VERSION);
                return 0;
        }
        switch (o->command->kind) {
        case COMMAND_UNBUILT:
                return unbuilt(o->command);
        case COMMAND_PLAN:
                return plan(o);
        case COMMAND_CAT:
                return cat(o);
        default:
                return ask_daemon(o);
        }
}

int main(int argc, char **argv)
{
        struct error e = ERROR_INIT;
        struct options o;
        int rc;

        if (options_parse(&o, argc, argv, &e) < 0) {
                complain(CONTROL_USAGE, e.message);
                fputs("Try 'culvertctl --help'.\n", stderr);
                return CONTROL_USAGE;
        }
        rc = run(&o);
        if (fflush(stdout) != 0 || ferror(stdout))
                return complain(rc ? rc : CONTROL_FAILED, "cannot write the output");
        return rc;
}
