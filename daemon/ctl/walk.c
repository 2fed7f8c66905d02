#include "ctl/walk.h"
#include "ctl/render.h"
#include "ctl/render_private.h"
#include "ctl/text.h"
#include "ops/control.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE 15 /* seconds, for an answer that is made at once */

static volatile sig_atomic_t interrupted;

static void on_signal(int signo)
{
        (void)signo;
        interrupted = 1;
}

static void catch_interrupt(void)
{
        struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART: poll must end */

        sigaction(SIGINT, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
}

/* One request on a connection of its own. */
static int ask_with(const char *socket, const char *command,
        const struct control_argument *arguments, size_t n, struct answer *a, struct error *e)
{
        struct client c = CLIENT_NULL;
        int rc = client_connect(&c, socket, e);

        if (rc == 0)
                rc = client_send(&c, command, arguments, n, e);
        if (rc == 0)
                rc = client_receive(&c, a, PATIENCE, e);
        client_done(&c);
        return rc;
}

static int ask_once(const char *socket, const char *command, struct answer *a, struct error *e)
{
        return ask_with(socket, command, NULL, 0, a, e);
}

static int need_terminal(const struct options *o, struct error *e)
{
        if (isatty(STDIN_FILENO))
                return 0;
        error_set(e, ERROR_CONFIG,
                "%s asks before it begins: give --yes where there is no terminal",
                o->command->name);
        return CONTROL_USAGE;
}

static int take_consent(struct error *e)
{
        char line[16] = "";

        fputs("Go on? [y/N] ", stdout);
        fflush(stdout);
        if (fgets(line, sizeof line, stdin) && (line[0] == 'y' || line[0] == 'Y'))
                return 0;
        error_set(e, ERROR_CONFIG, "nothing was begun");
        return CONTROL_REFUSED;
}

static int show_ends(const struct options *o, const char *socket, struct error *e)
{
        AUTO_BUF out = BUF_INIT;
        struct answer a;
        bool back = !strcmp(o->command->name, "rollback");
        int rc = ask_once(socket, "status", &a, e);

        if (rc != 0)
                return rc == CLIENT_INTERRUPTED ? CONTROL_FAILED : rc;
        render_first_line(&out, a.body);
        buf_str(&out, back ? "Writes go back to the source: " : "Writes move over to the target: ");
        render_string(&out, a.body, back ? "target.kind" : "source.kind");
        buf_char(&out, ' ');
        render_string(&out, a.body, back ? "target.server_version" : "source.server_version");
        buf_str(&out, " is closed for writing, ");
        render_string(&out, a.body, back ? "source.kind" : "target.kind");
        buf_char(&out, ' ');
        render_string(&out, a.body, back ? "source.server_version" : "target.server_version");
        buf_str(&out, " takes the lead.\n");
        fputs(buf_text(&out), stdout);
        answer_done(&a);
        return 0;
}

int walk_confirm(const struct options *o, const char *socket, struct error *e)
{
        int rc;

        if (options_argument(o, "yes") || options_argument(o, "rehearse") ||
                options_argument(o, "attach"))
                return 0;
        if ((rc = need_terminal(o, e)) != 0 || (rc = show_ends(o, socket, e)) != 0)
                return rc;
        return take_consent(e);
}

static int show_list(const struct options *o, const char *socket, struct error *e)
{
        struct control_argument arguments[] = {{"list", NULL}, {"purge", NULL}};
        size_t n = options_argument(o, "purge") ? 2 : 1;
        AUTO_BUF out = BUF_INIT;
        struct answer a;
        int rc = ask_with(socket, "complete", arguments, n, &a, e);

        if (rc != 0)
                return rc == CLIENT_INTERRUPTED ? CONTROL_FAILED : rc;
        rc = a.code;
        if (a.error)
                error_set(e, ERROR_CONFIG, "%s", a.error);
        else
                render_text(&out, a.body);
        fputs(buf_text(&out), stdout);
        answer_done(&a);
        return rc;
}

int walk_confirm_complete(const struct options *o, const char *socket, struct error *e)
{
        int rc;

        if (options_argument(o, "yes"))
                return 0;
        if ((rc = need_terminal(o, e)) != 0)
                return rc;
        fputs("The migration ends, there is no way back any more, and these go:\n", stdout);
        rc = show_list(o, socket, e);
        return rc != 0 ? rc : take_consent(e);
}

/* ---- what comes ---- */

struct told {
        int gates, steps; /* printed already */
};

static const cJSON *member(const cJSON *o, const char *name)
{
        return cJSON_GetObjectItemCaseSensitive(o, name);
}

static void print_gates(struct buf *out, const cJSON *body, struct told *told)
{
        const cJSON *list = member(body, "gates");

        for (; told->gates < cJSON_GetArraySize(list); told->gates++) {
                const cJSON *g = cJSON_GetArrayItem(list, told->gates);

                render_cell(out, g, "verdict", 10);
                render_cell(out, g, "gate", 13);
                render_string(out, g, "figure");
                buf_char(out, '\n');
        }
}

static void print_steps(struct buf *out, const cJSON *body, struct told *told)
{
        const cJSON *list = member(body, "steps");

        for (; told->steps < cJSON_GetArraySize(list); told->steps++) {
                const cJSON *s = cJSON_GetArrayItem(list, told->steps);

                if (!cJSON_IsTrue(member(s, "done")))
                        return;
                if (told->steps == 0) /* the gates are their own lines */
                        continue;
                buf_str(out, "done       ");
                render_cell(out, s, "step", 13);
                buf_printf(out, "%.3f s\n", render_number(s, "seconds"));
        }
}

static void print_end(struct buf *out, const cJSON *body)
{
        const cJSON *error = member(body, "error");

        render_string(out, body, "command");
        if (cJSON_IsTrue(member(body, "rehearsal")))
                buf_str(out, " rehearsal");
        buf_str(out, ": ");
        render_string(out, body, "result");
        buf_printf(out, ", writes refused for %.3f s%s\n", render_number(body, "pause_seconds"),
                cJSON_IsTrue(member(body, "rehearsal")) ? " (expected, and what open transactions "
                                                          "take to end)"
                                                        : "");
        if (cJSON_IsString(error)) {
                text_safe(out, error->valuestring, false);
                buf_char(out, '\n');
        }
}

static void print(const struct options *o, const struct answer *a, struct told *told)
{
        AUTO_BUF out = BUF_INIT;

        if (!a->body || (o->json && a->more))
                return;
        if (o->json) {
                text_safe(&out, a->text, false);
                buf_char(&out, '\n');
        } else {
                print_gates(&out, a->body, told);
                print_steps(&out, a->body, told);
                if (!a->more)
                        print_end(&out, a->body);
        }
        fputs(buf_text(&out), stdout);
        fflush(stdout);
}

static void undo(const char *socket)
{
        struct error e = ERROR_INIT;
        struct answer a;
        int rc = ask_once(socket, "cutover abort", &a, &e);

        fprintf(stderr, "culvertctl: interrupted: %s\n",
                rc == 0 && !a.error ? "undoing it"
                : rc == 0           ? a.error
                                    : e.message);
        if (rc == 0)
                answer_done(&a);
}

int walk_run(const struct options *o, const char *socket, struct client *c, struct error *e)
{
        struct told told = {0};
        bool undone = false;

        catch_interrupt();
        for (;;) {
                struct answer a;
                int rc = client_receive(c, &a, -1, e);
                bool more;

                if (rc == CLIENT_INTERRUPTED || (interrupted && !undone)) {
                        if (interrupted && !undone) {
                                undone = true;
                                undo(socket);
                        }
                        if (rc == CLIENT_INTERRUPTED)
                                continue;
                }
                if (rc != 0)
                        return rc;
                if (a.error)
                        error_set(e, ERROR_RETRY, "%s", a.error);
                else
                        print(o, &a, &told);
                rc = a.code;
                more = a.more;
                answer_done(&a);
                if (!more)
                        return rc;
        }
}
