/*
 * On a terminal the alternate screen is used: each message is drawn from its top left corner, so a
 * resize between two messages cannot leave rubbish, and the user's screen comes back at the end.
 */
#include "ctl/live.h"
#include "ctl/render.h"
#include "ctl/text.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE 15 /* seconds; the daemon sends one message a second */

static volatile sig_atomic_t leave;

static void on_signal(int signo)
{
        if (signo != SIGWINCH)
                leave = 1;
}

static void catch_signals(void)
{
        static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGWINCH};
        struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART: poll must end */

        for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++)
                sigaction(signals[i], &action, NULL);
}

static struct winsize screen_size(void)
{
        struct winsize size = {0};

        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0 || size.ws_row == 0)
                return (struct winsize){.ws_col = 80, .ws_row = 24};
        return size;
}

/* As much as the screen takes, each line cut at its edge and cleared to it. */
static void draw(const char *text)
{
        struct winsize size = screen_size();

        fputs("\033[H", stdout);
        for (unsigned row = 1; *text && row < size.ws_row; row++) {
                size_t line = strcspn(text, "\n");

                fwrite(text, 1, text_fit(text, size.ws_col), stdout);
                fputs("\033[K\r\n", stdout);
                text += line + (text[line] == '\n');
        }
        fputs("\033[J", stdout);
        fflush(stdout);
}

static void print_line(const struct answer *a, bool json)
{
        AUTO_BUF out = BUF_INIT;
        char when[32];
        time_t now = time(NULL);
        struct tm tm;

        if (json) {
                text_safe(&out, a->text, false);
                buf_char(&out, '\n');
        } else {
                strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ ", gmtime_r(&now, &tm));
                buf_str(&out, when);
                render_watch_line(&out, a->body);
        }
        fputs(out.data, stdout);
        fflush(stdout);
}

struct view {
        bool json, screen;
        struct buf last; /* what is on the screen */
};

/* One message; false: it was the last. */
static bool show(struct view *v, const struct answer *a, int *code, struct error *e)
{
        if (a->error) {
                error_set(e, ERROR_RETRY, "%s", a->error);
                *code = a->code;
                return false;
        }
        if (v->screen) {
                buf_clear(&v->last);
                render_status(&v->last, a->body);
                draw(v->last.data);
        } else if (a->text) {
                print_line(a, v->json);
        }
        return a->more;
}

static int follow(struct client *c, struct view *v, unsigned long count, struct error *e)
{
        for (unsigned long n = 0; !leave && (count == 0 || n < count);) {
                struct answer a;
                int rc = client_receive(c, &a, PATIENCE, e);
                bool more;

                if (rc == CLIENT_INTERRUPTED) {
                        if (v->screen)
                                draw(buf_text(&v->last));
                        continue;
                }
                if (rc != 0)
                        return rc;
                more = show(v, &a, &rc, e);
                answer_done(&a);
                if (!more)
                        return rc;
                n++;
        }
        return 0;
}

int live_run(struct client *c, bool json, unsigned long count, struct error *e)
{
        struct view v = {.json = json, .screen = !json && isatty(STDOUT_FILENO)};
        int rc;

        catch_signals();
        if (v.screen)
                fputs("\033[?1049h\033[?25l", stdout);
        rc = follow(c, &v, count, e);
        if (v.screen) {
                fputs("\033[?25h\033[?1049l", stdout);
                fputs(buf_text(&v.last), stdout);
        }
        buf_done(&v.last);
        return rc;
}
