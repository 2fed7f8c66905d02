#include "ctl/options.h"
#include "ctl/render.h"

#include <string.h>

#define UNBUILT(n, s)                                                                              \
        {                                                                                          \
                .name = n, .kind = COMMAND_UNBUILT, .summary = s                                   \
        }

static const struct command commands[] = {
        {"status", COMMAND_ASK, "what is true of the pipeline now",
                {{"check", NULL,
                        "one line for monitoring; exit status 0 fine, 1 warning, "
                        "2 critical"}},
                "Critical: stopped-on-error; source or target not connected for 300 s; less than\n"
                "2 hours until the source drops changes that were not read, or it has done so.\n"
                "Warning: paused; an error that is being retried; source or target not connected;\n"
                "changes in quarantine; lag above 300 s; the target has not answered for 60 s;\n"
                "less than 24 hours until the source drops changes, or half of what it keeps at\n"
                "most is used.\n"
                "With --check, exit status 3 still means that no daemon answers.\n",
                render_status},
        {"watch", COMMAND_WATCH, "live view; plain lines when not on a terminal",
                {{"count", "N", "leave after N messages"}},
                "Ctrl-C leaves. Ends with exit status 3 when the daemon goes away.\n", NULL},
        {"wait", COMMAND_ASK, "wait for a state or for the lag",
                {{"state", "STATE", "until the pipeline is in this state"},
                        {"lag", "SECONDS",
                                "until the lag is at most this; 0: until all that the "
                                "source has now is on the target"},
                        {"timeout", "SECONDS", "give up then, with exit status 5"}},
                "At least one of --state and --lag; of both, both must hold. A pipeline that is\n"
                "stopped-on-error ends it at once with exit status 1.\n"
                "States: starting copying streaming paused stopped-on-error cutting-over reversed\n"
                "rolling-back complete\n",
                render_wait},
        {"pause", COMMAND_ASK, "stop applying; the source stays connected", {{0}}, NULL,
                render_state},
        {"resume", COMMAND_ASK, "go on after pause or stopped-on-error", {{0}}, NULL, render_state},
        {"tables", COMMAND_ASK, "the tables, with their copy and counters", {{0}}, NULL,
                render_tables},
        {"quarantine list", COMMAND_ASK, "changes that the target has refused",
                {{"table", "TABLE", "of this source table alone, schema.table"}},
                "Each with its key and why; the rows are in culvert.quarantine on the target.\n",
                render_quarantine},
        {"quarantine retry", COMMAND_ASK_IDS, "apply them, in their order",
                {{"table", "TABLE", "of this source table alone, schema.table"}},
                "A change is applied when none before it of the same row stays; it leaves the\n"
                "quarantine in the same transaction. Without ID and --table: all. Meanwhile the\n"
                "stream stands. Exit status 1: some were refused again, or wait behind others.\n",
                render_quarantine_done},
        {"quarantine discard", COMMAND_ASK_IDS, "give them up",
                {{"table", "TABLE", "of this source table alone, schema.table"}},
                "The rows on the target may differ from the source's then, and later changes of\n"
                "them are applied as they come. Without ID and --table: all.\n",
                render_quarantine_done},
        {"verify start", COMMAND_ASK, "compare every row of both sides",
                {{"table", "TABLE", "of this source table alone, schema.table"},
                        {"sample", "PERCENT", "of the rows, by chunks of them: a quick look"},
                        {"continuous", NULL, "and what changes afterwards, until it is stopped"}},
                "Returns at once; verify status says how far it is and what it found. It reads "
                "both\n"
                "sides while writes go on, and goes on after a restart of the daemon. A new start\n"
                "begins from nothing. With --continuous, rows that change afterwards are compared\n"
                "again, until verify stop or another start; it begins anew after a restart, since\n"
                "nobody knows then what has changed.\n",
                render_verify},
        {"verify status", COMMAND_ASK, "how far it is, and what it found",
                {{"show-values", NULL, "and what both sides have there now"}},
                "A row is missing on the target, extra on the target, or differs in some columns.\n"
                "Undecided are rows that never stood still while they were compared.\n"
                "Values are shown with --show-values only, read when it is asked for: the source's "
                "as\n"
                "the target takes them, long ones cut.\n",
                render_verify},
        {"verify rest", COMMAND_ASK, "compare at once what has changed since", {{0}},
                "Of a continuous verification that has compared all: returns when what the stream\n"
                "had brought by now is compared, and prints the status. Exit status 1: there are\n"
                "differences, or rows that are undecided.\n",
                render_verify},
        {"verify stop", COMMAND_ASK, "end it; what it found so far stays", {{0}}, NULL,
                render_verify},
        {"repair", COMMAND_ASK, "mend on the target what verify has found",
                {{"table", "TABLE", "of this source table alone, schema.table"},
                        {"dry-run", NULL, "say what would be done, and write nothing"}},
                "Each row is read again on the source, written on the target, and compared once\n"
                "more; what is equal then is no difference any more. The stream stands for a "
                "moment\n"
                "at each 1,000 rows. Exit status 1: some were refused by the target, or changed "
                "all\n"
                "the time.\n",
                render_repair},
        {"reload", COMMAND_ASK, "read the configuration file again", {{0}},
                "Says key by key what was applied, needs a restart, or was refused; when a key is\n"
                "refused, nothing is applied and the exit status is 4.\n",
                render_reload},
        {"show config", COMMAND_ASK, "every option with its value in force", {{0}}, NULL,
                render_text},
        {"metrics", COMMAND_ASK, "OpenMetrics text", {{0}}, NULL, render_text},
        {"drain", COMMAND_STOP, "apply all that is queued, then end the daemon",
                {{"timeout", "SECONDS", "give up after that (exit status 5); none by default"}},
                "For a move to another host: afterwards nothing is on this disk alone, and the\n"
                "state directory may be left behind. What the source sends meanwhile is not "
                "taken;\n"
                "when it does not come to an end (timeout, Ctrl-C), the stream goes on as "
                "before.\n",
                NULL},
        {"stop", COMMAND_STOP, "end the daemon; the position is stored first", {{0}},
                "Returns when the daemon has closed its socket.\n", NULL},
        {"plan", COMMAND_PLAN, "what a start would do; needs no daemon",
                {{"config", "FILE", "configuration file; -c FILE is the same"}}, NULL, NULL},
        {"assess", COMMAND_PLAN, "start checks, and what becomes of each column; needs no daemon",
                {{"config", "FILE", "configuration file; -c FILE is the same"}}, NULL, NULL},
        {"schema", COMMAND_PLAN, "the statements that make the target's tables; needs no daemon",
                {{"config", "FILE", "configuration file; -c FILE is the same"},
                        {"apply", NULL, "run them"}},
                "Tables that the target has already are left alone.\n", NULL},
        {"cat", COMMAND_CAT, "segment files as JSON lines; needs no daemon", {{0}},
                "culvertctl cat FILE...\n"
                "A line is a change: position, begin and end (of its transaction), table, op, "
                "old,\n"
                "new. Columns that the log does not have are left out. A position without a\n"
                "transaction has the op passed. What is whole of a damaged file is printed, then\n"
                "the error; the exit status is 1.\n",
                NULL},
        {"cutover", COMMAND_WALK, "move over to the target, when all gates say go",
                {{"rehearse", NULL,
                         "all but the fence: every gate, and how long writes would wait"},
                        {"timeout", "SECONDS",
                                "from the fence to the end (60 by default); what is not over then "
                                "is undone (exit status 5)"},
                        {"override", "GATE", "go on whatever these say (several: with commas)"},
                        {"stopped", NULL, "with fence = manual: nobody writes to the source now"},
                        {"attach", NULL, "show the cutover or rollback that is under way"},
                        {"yes", NULL, "do not ask"}},
                "Gates, then: the source is closed for writing, the last changes are applied, and "
                "the\n"
                "target leads; from then on the stream keeps the source current. Until the target\n"
                "leads everything is undone when a step fails, or at Ctrl-C. Exit status 4: a "
                "gate\n"
                "said no, and nothing was changed. Gates: stream lag copy quarantine verification\n"
                "hook fence counters reverse checks.\n",
                NULL},
        {"rollback", COMMAND_WALK, "move back to the source, without losing a write",
                {{"force", NULL, "without the gates that only ask for proof"},
                        {"timeout", "SECONDS", "as of cutover"},
                        {"override", "GATE", "as of cutover"},
                        {"stopped", NULL, "with fence = manual: nobody writes to the target now"},
                        {"yes", NULL, "do not ask"}},
                "The same walk backwards, with the same gates. --force makes advice of "
                "quarantine,\n"
                "verification and hook.\n",
                NULL},
        {"complete", COMMAND_COMPLETE, "end the migration: remove what culvert made",
                {{"purge", NULL, "culvert.state as well, which applications may read"},
                        {"yes", NULL, "do not ask"}},
                "Behind a cutover, when there will be no way back any more. Lists what goes, asks, "
                "and\n"
                "ends the daemon with exit status 0. The source's fence goes, too.\n",
                render_text},
        UNBUILT("throttle", "limit the copy"),
        UNBUILT("report", "report on the migration"),
};

#define COMMANDS_N (sizeof commands / sizeof *commands)

/* The command that begins at argv[0]; `*words` says how many it has. */
static const struct command *command_at(int argc, char **argv, int *words)
{
        char two[64];

        for (size_t i = 0; i < COMMANDS_N; i++) {
                *words = 1;
                if (!strcmp(commands[i].name, argv[0]))
                        return &commands[i];
                *words = 2;
                snprintf(two, sizeof two, "%.30s %.30s", argv[0], argc > 1 ? argv[1] : "");
                if (!strcmp(commands[i].name, two))
                        return &commands[i];
        }
        return NULL;
}

static const struct command_option *option_of(const struct command *c, const char *name, size_t n)
{
        for (size_t i = 0; c && i < COMMAND_OPTIONS_MAX && c->options[i].name; i++)
                if (strlen(c->options[i].name) == n && !strncmp(c->options[i].name, name, n))
                        return &c->options[i];
        return NULL;
}

const char *options_argument(const struct options *o, const char *name)
{
        for (size_t i = 0; i < o->n; i++)
                if (!strcmp(o->arguments[i].name, name))
                        return o->arguments[i].value ? o->arguments[i].value : "";
        return NULL;
}

/* The option's own "=value", else the next word. NULL: there is none. */
static const char *value_of(int argc, char **argv, int *i)
{
        const char *equals = argv[*i][1] == '-' ? strchr(argv[*i], '=') : NULL;

        if (equals)
                return equals + 1;
        return *i + 1 < argc ? argv[++*i] : NULL;
}

static int parse_command_option(
        struct options *o, const char *name, int argc, char **argv, int *i, struct error *e)
{
        const struct command_option *known = option_of(o->command, name, strcspn(name, "="));
        const char *value = NULL;

        if (!known)
                return error_set(e, ERROR_CONFIG, "%s has no option '%s'",
                        o->command ? o->command->name : "culvertctl", argv[*i]);
        if (options_argument(o, known->name))
                return error_set(e, ERROR_CONFIG, "--%s is given twice", known->name);
        if (known->value && !(value = value_of(argc, argv, i)))
                return error_set(e, ERROR_CONFIG, "--%s takes %s", known->name, known->value);
        if (!known->value && strchr(name, '='))
                return error_set(e, ERROR_CONFIG, "--%s takes no value", known->name);
        o->arguments[o->n++] = (struct control_argument){known->name, value};
        return 0;
}

static int parse_option(struct options *o, int argc, char **argv, int *i, struct error *e)
{
        const char *a = argv[*i];

        if (!strcmp(a, "--json"))
                o->json = true;
        else if (!strcmp(a, "--help") || !strcmp(a, "-h"))
                o->help = true;
        else if (!strcmp(a, "--version") || !strcmp(a, "-V"))
                o->version = true;
        else if (!strcmp(a, "-s") || !strcmp(a, "--socket") || !strncmp(a, "--socket=", 9))
                o->socket = value_of(argc, argv, i);
        else if (!strcmp(a, "-c"))
                return parse_command_option(o, "config", argc, argv, i, e);
        else
                return parse_command_option(o, a[1] == '-' ? a + 2 : a, argc, argv, i, e);
        if ((a[1] == 's' || !strncmp(a, "--socket", 8)) && (!o->socket || !*o->socket))
                return error_set(e, ERROR_CONFIG, "%s takes the path of a socket", a);
        return 0;
}

static bool is_pipeline_name(const char *s)
{
        return strlen(s) <= 40 && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(s);
}

static bool takes_words(const struct command *c)
{
        return c->kind == COMMAND_CAT || c->kind == COMMAND_ASK_IDS;
}

static int parse_word(struct options *o, int argc, char **argv, int *i, struct error *e)
{
        int words;

        if (o->command && takes_words(o->command)) {
                o->files[o->files_n++] = argv[*i]; /* to where an earlier word was */
                return 0;
        }
        if (o->command)
                return error_set(
                        e, ERROR_CONFIG, "%s does not take '%s'", o->command->name, argv[*i]);
        o->command = command_at(argc - *i, argv + *i, &words);
        if (o->command) {
                *i += words - 1;
                o->files = argv + *i + 1;
                return 0;
        }
        if (o->name || o->socket || !is_pipeline_name(argv[*i]))
                return error_set(e, ERROR_CONFIG, "there is no command '%s'", argv[*i]);
        o->name = argv[*i];
        return 0;
}

static int check(const struct options *o, struct error *e)
{
        if (o->help || o->version)
                return 0;
        if (!o->command && o->name)
                return error_set(e, ERROR_CONFIG,
                        "there is no command '%s', or none after that "
                        "name of a pipeline",
                        o->name);
        if (!o->command)
                return error_set(e, ERROR_CONFIG, "a command is missing");
        if (o->name && o->socket)
                return error_set(e, ERROR_CONFIG, "give a NAME or -s SOCKET, not both");
        if (o->command->kind == COMMAND_PLAN && !options_argument(o, "config"))
                return error_set(e, ERROR_CONFIG, "%s needs -c FILE", o->command->name);
        if (o->command->kind == COMMAND_CAT && !o->files_n)
                return error_set(e, ERROR_CONFIG, "cat needs a FILE");
        if (!strcmp(o->command->name, "wait") && !options_argument(o, "state") &&
                !options_argument(o, "lag"))
                return error_set(e, ERROR_CONFIG, "wait needs --state or --lag");
        return 0;
}

/* Nothing is known of the options of what is not built; only a wish for help counts. */
static void look_for_help(struct options *o, int argc, char **argv, int i)
{
        for (; i < argc; i++)
                if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
                        o->help = true;
}

int options_parse(struct options *o, int argc, char **argv, struct error *e)
{
        *o = (struct options){0};
        for (int i = 1; i < argc; i++) {
                int rc = argv[i][0] == '-' ? parse_option(o, argc, argv, &i, e)
                                           : parse_word(o, argc, argv, &i, e);

                if (rc < 0)
                        return -1;
                if (o->command && o->command->kind == COMMAND_UNBUILT) {
                        look_for_help(o, argc, argv, i + 1);
                        return 0;
                }
        }
        return check(o, e);
}

static void help_all(FILE *out)
{
        fputs("culvertctl [-s SOCKET | NAME] COMMAND [options]\n"
              "\n"
              "NAME is a pipeline: its socket is /run/culvert/NAME.sock. Without NAME and -s the\n"
              "only daemon that answers there is asked. A pipeline with the name of a command is\n"
              "reached with -s.\n"
              "\n",
                out);
        for (size_t i = 0; i < COMMANDS_N; i++)
                fprintf(out, "  %-18s %s%s\n", commands[i].name, commands[i].summary,
                        commands[i].kind == COMMAND_UNBUILT ? " (not built yet)" : "");
        fputs("\n"
              "  --json       print JSON\n"
              "  --help       help, also after a command\n"
              "  --version    version\n"
              "\n"
              "Exit status: 0 done; 1 failed; 2 usage; 3 no daemon answers; 4 refused, nothing\n"
              "changed; 5 timed out.\n",
                out);
}

void options_help(const struct command *c, FILE *out)
{
        if (!c) {
                help_all(out);
                return;
        }
        fprintf(out, "culvertctl %s%s [options]%s: %s%s\n",
                c->kind == COMMAND_PLAN || c->kind == COMMAND_CAT ? "" : "[-s SOCKET | NAME] ",
                c->name, c->kind == COMMAND_ASK_IDS ? " [ID...]" : "", c->summary,
                c->kind == COMMAND_UNBUILT ? " (not built yet)" : "");
        for (size_t i = 0; i < COMMAND_OPTIONS_MAX && c->options[i].name; i++) {
                char name[40];

                snprintf(name, sizeof name, "--%s %s", c->options[i].name,
                        c->options[i].value ? c->options[i].value : "");
                fprintf(out, "  %-18s %s\n", name, c->options[i].help);
        }
        fputs("  --json             print JSON\n", out);
        if (c->more)
                fprintf(out, "\n%s", c->more);
}
