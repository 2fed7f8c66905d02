/*
 * culvertd: one pipeline in the foreground. Arguments, configuration, and the order in which the
 * parts start and, in reverse, end.
 *
 * Exit status: 0 after `stop`, SIGTERM or `complete`; 1 failure; 2 usage or configuration.
 */
#include "base/file.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/memory.h"
#include "db/pg.h"
#include "model/config.h"
#include "model/typemap.h"
#include "ops/commands.h"
#include "ops/control.h"
#include "ops/migration.h"
#include "ops/reload.h"
#include "ops/service.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define STOP_GRACE (10 * SECOND)

enum { EXIT_CONFIG = 2 };

struct arguments {
        const char *config;
        int level; /* -1: as the file says */
        bool check, reference, types;
};

struct daemon {
        struct loop *loop;
        struct config *config;
        const struct arguments *arguments;
        struct control *control;
        struct commands *commands;
        struct migration *migration;
        struct service *service;
        bool stopping;
};

static void usage(FILE *out)
{
        fputs("usage: culvertd -c FILE [-n] [--log-level error|warning|info|debug]\n"
              "       culvertd --reference | --types | --version | --help\n"
              "\n"
              "Runs one pipeline in the foreground: copies a live database and follows it.\n"
              "\n"
              "  -c, --config FILE    the pipeline's configuration\n"
              "  -n, --check          check the file, print every error with its line, touch no "
              "server\n"
              "      --log-level L    error, warning, info (default) or debug\n"
              "      --reference      print every option with its default\n"
              "      --types          print what the types of one engine become in the other\n"
              "      --version        print the version\n"
              "\n"
              "Exit status: 0 after stop or SIGTERM, 1 failure, 2 usage or configuration.\n",
                out);
}

/* -1: go on; else the exit status. */
static int parse_arguments(int argc, char **argv, struct arguments *a)
{
        enum { LEVEL = 256, VERSION, REFERENCE, TYPES };
        static const struct option options[] = {
                {"config", required_argument, NULL, 'c'},
                {"check", no_argument, NULL, 'n'},
                {"log-level", required_argument, NULL, LEVEL},
                {"reference", no_argument, NULL, REFERENCE},
                {"types", no_argument, NULL, TYPES},
                {"version", no_argument, NULL, VERSION},
                {"help", no_argument, NULL, 'h'},
                {0},
        };
        int option;

        while ((option = getopt_long(argc, argv, "c:nh", options, NULL)) != -1) {
                switch (option) {
                case 'c':
                        a->config = optarg;
                        break;
                case 'n':
                        a->check = true;
                        break;
                case LEVEL:
                        if ((a->level = log_level_of(optarg)) < 0) {
                                fprintf(stderr, "culvertd: '%s' is not a log level\n", optarg);
                                return EXIT_CONFIG;
                        }
                        break;
                case REFERENCE:
                        a->reference = true;
                        break;
                case TYPES:
                        a->types = true;
                        break;
                case VERSION:
                        puts("culvertd " CULVERT_VERSION);
                        return 0;
                case 'h':
                        usage(stdout);
                        return 0;
                default:
                        usage(stderr);
                        return EXIT_CONFIG;
                }
        }
        if (optind < argc || (!a->config && !a->reference && !a->types)) {
                usage(stderr);
                return EXIT_CONFIG;
        }
        return -1;
}

static void check_uri(struct config *c, const char *section, const struct config_end *end)
{
        struct error e = ERROR_INIT;

        if (end->uri && end->kind == KIND_POSTGRESQL && pg_uri_check(end->uri, &e) < 0)
                config_complain(
                        c, config_line(c, section, "uri"), "[%s] uri: %s", section, e.message);
}

static struct config *load(const char *path)
{
        struct config *c = config_load(path);

        check_uri(c, "source", &c->source);
        check_uri(c, "target", &c->target);
        return c;
}

static int print_page(void (*page)(struct buf *out))
{
        AUTO_BUF out = BUF_INIT;

        page(&out);
        fputs(buf_text(&out), stdout);
        return 0;
}

static int report_problems(const struct config *c)
{
        AUTO_BUF out = BUF_INIT;

        config_print_problems(c, &out);
        fputs(buf_text(&out), stderr);
        return EXIT_CONFIG;
}

/* ---- the commands' host ---- */

static const struct config *host_config(void *context)
{
        return ((struct daemon *)context)->config;
}

/* What may change takes effect now; what needs a restart is said, and stays as it was: the
 * running parts read only reloadable options from the new file. */
static cJSON *host_reload(void *context, struct error *e)
{
        struct daemon *d = context;
        struct config *loaded = load(d->config->path);
        cJSON *report;

        (void)e;
        service_reloading();
        report = reload_report(d->config, loaded);
        if (loaded->problems_n) {
                config_free(loaded);
        } else {
                config_reload(d->config, loaded);
                if (d->arguments->level < 0)
                        log_set_level(d->config->log_level);
                migration_reload(d->migration, d->config);
                config_free(loaded);
        }
        service_ready(d->service);
        return report;
}

static void on_shut(void *context)
{
        struct daemon *d = context;

        loop_stop(d->loop);
}

static void host_stop(void *context)
{
        struct daemon *d = context;

        if (d->stopping)
                return;
        d->stopping = true;
        log_info("stopping");
        service_stopping(STOP_GRACE / SECOND);
        migration_shutdown(d->migration, STOP_GRACE, on_shut, d);
}

static void on_terminate(void *context)
{
        host_stop(context);
}

static void on_hangup(void *context)
{
        struct error e = ERROR_INIT;
        cJSON *report = host_reload(context, &e);
        char *text = report ? cJSON_PrintUnformatted(report) : NULL;

        log_info("reload: %s", text ? text : e.message);
        cJSON_free(text);
        cJSON_Delete(report);
}

/* ---- start and end ---- */

static int start(struct daemon *d, struct error *e)
{
        const struct commands_host host = {host_config, host_reload, host_stop, d};

        if (file_make_dir(d->config->pipeline.state_dir, e) < 0)
                return -1;
        if (!(d->loop = loop_new(e)) || !(d->migration = migration_new(d->loop, d->config, e)))
                return -1;
        d->commands = commands_new(d->loop, d->migration, &host);
        d->control = control_new(
                d->loop, d->config->pipeline.control_socket, commands_handle, d->commands, e);
        if (!d->control)
                return -1;
        d->service = service_new(d->loop, d->migration);
        if (loop_signal(d->loop, SIGTERM, on_terminate, d, e) < 0 ||
                loop_signal(d->loop, SIGINT, on_terminate, d, e) < 0 ||
                loop_signal(d->loop, SIGHUP, on_hangup, d, e) < 0)
                return -1;
        migration_start(d->migration);
        service_ready(d->service);
        return 0;
}

static void finish(struct daemon *d)
{
        d->service = service_free(d->service);
        d->control = control_free(d->control);
        d->commands = commands_free(d->commands);
        d->migration = migration_free(d->migration);
        d->loop = loop_free(d->loop);
}

static int run(struct daemon *d)
{
        struct error e = ERROR_INIT;
        int status = EXIT_SUCCESS;

        if (start(d, &e) == 0) {
                log_info("culvertd %s, pipeline %s", CULVERT_VERSION, d->config->pipeline.name);
                loop_run(d->loop);
        } else {
                log_failure(LOG_LEVEL_ERROR, LOG_PLAIN, &e, "cannot start");
                status = e.class == ERROR_CONFIG ? EXIT_CONFIG : EXIT_FAILURE;
        }
        finish(d);
        return status;
}

int main(int argc, char **argv)
{
        struct arguments arguments = {.level = -1};
        struct daemon d = {.arguments = &arguments};
        int status = parse_arguments(argc, argv, &arguments);

        if (status >= 0)
                return status;
        if (arguments.reference)
                return print_page(config_reference);
        if (arguments.types)
                return print_page(typemap_page);
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}); /* passwords are in memory */
        signal(SIGPIPE, SIG_IGN);
        d.config = load(arguments.config);
        if (d.config->problems_n) {
                status = report_problems(d.config);
        } else if (!arguments.check) {
                log_open(d.config->pipeline.name, arguments.level >= 0
                                                          ? (enum log_level)arguments.level
                                                          : d.config->log_level);
                status = run(&d);
        } else {
                status = EXIT_SUCCESS;
        }
        config_free(d.config);
        return status;
}
