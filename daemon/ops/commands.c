#include "ops/commands.h"
#include "base/loop.h"
#include "base/memory.h"
#include "ops/complete_command.h"
#include "ops/control.h"
#include "ops/health.h"
#include "ops/json.h"
#include "ops/metrics.h"
#include "ops/migration.h"
#include "ops/quarantine_command.h"
#include "ops/repair_command.h"
#include "ops/status_json.h"
#include "ops/turn_command.h"
#include "ops/verify_command.h"
#include "ops/wait.h"
#include "ops/watch.h"

#include <stdlib.h>
#include <string.h>

struct commands {
        struct loop *loop;
        struct migration *migration;
        struct commands_host host;
        struct migration_listener listener;
        struct health_ends ends;
        struct watch_host watch_host;
        struct wait *waits;
        struct watcher *watchers;
        struct quarantine_command quarantine;
        struct verify_command verify, rest, values;
        struct repair_command repair;
        struct turn_command turn;
        struct complete_command complete;
};

/* Each ends the call, now or later. */
typedef void run_fn(struct commands *c, struct control_call *call);

static cJSON *make_status(void *context)
{
        struct commands *c = context;
        struct status s = {0};
        struct health h;

        migration_status(c->migration, &s);
        health_observe(&c->ends, &s, loop_now(c->loop));
        h = health_of(&s, &c->ends, loop_now(c->loop));
        return status_json(&s, &h);
}

/* Sees the ends come and go, so that `status` can say for how long they are away. */
static void on_change(void *context)
{
        struct commands *c = context;
        struct status s = {0};

        migration_status(c->migration, &s);
        health_observe(&c->ends, &s, loop_now(c->loop));
}

static void run_status(struct commands *c, struct control_call *call)
{
        control_call_answer(call, CONTROL_DONE, make_status(c));
}

static void run_watch(struct commands *c, struct control_call *call)
{
        watch_start(&c->watch_host, call, &c->watchers);
}

static void run_wait(struct commands *c, struct control_call *call)
{
        wait_start(c->loop, c->migration, call, &c->waits);
}

/* The state does not allow it; or the disk does not. */
static void refuse_change(struct control_call *call, const struct error *e)
{
        control_call_refuse(
                call, e->class == ERROR_RETRY ? CONTROL_FAILED : CONTROL_REFUSED, "%s", e->message);
}

/* Answered when the target stands still, so that a script may rely on it. */
static void run_pause(struct commands *c, struct control_call *call)
{
        struct error e = ERROR_INIT;

        if (migration_pause(c->migration, &e) < 0)
                refuse_change(call, &e);
        else
                wait_settled(c->loop, c->migration, call, &c->waits);
}

static void run_resume(struct commands *c, struct control_call *call)
{
        struct error e = ERROR_INIT;
        struct status s = {0};
        cJSON *o;

        if (migration_resume(c->migration, &e) < 0) {
                refuse_change(call, &e);
                return;
        }
        migration_status(c->migration, &s);
        o = json_object();
        json_text(o, "pipeline", s.pipeline);
        json_text(o, "state", state_name(s.state));
        json_text(o, "phase", state_name(s.phase));
        control_call_answer(call, CONTROL_DONE, o);
}

static void add_table(void *context, const struct status_table *t)
{
        cJSON_AddItemToArray(context, status_table_json(t));
}

static void run_tables(struct commands *c, struct control_call *call)
{
        cJSON *o = json_object();

        migration_tables(c->migration, add_table, cJSON_AddArrayToObject(o, "tables"));
        control_call_answer(call, CONTROL_DONE, o);
}

static void run_quarantine(
        struct commands *c, struct control_call *call, enum quarantine_action action)
{
        if (c->quarantine.call)
                control_call_refuse(
                        call, CONTROL_REFUSED, "another command on the quarantine is under way");
        else
                quarantine_command_start(&c->quarantine, c->migration, call, action);
}

static void run_quarantine_list(struct commands *c, struct control_call *call)
{
        run_quarantine(c, call, QUARANTINE_LIST);
}

static void run_quarantine_retry(struct commands *c, struct control_call *call)
{
        run_quarantine(c, call, QUARANTINE_RETRY);
}

static void run_quarantine_discard(struct commands *c, struct control_call *call)
{
        run_quarantine(c, call, QUARANTINE_DISCARD);
}

static void run_verify_start(struct commands *c, struct control_call *call)
{
        verify_command_start(c->migration, call);
}

static void run_verify_status(struct commands *c, struct control_call *call)
{
        verify_command_status(&c->values, c->migration, call);
}

static void run_verify_rest(struct commands *c, struct control_call *call)
{
        verify_command_rest(&c->rest, c->migration, call);
}

static void run_verify_stop(struct commands *c, struct control_call *call)
{
        verify_command_stop(&c->verify, c->migration, call);
}

static void run_repair(struct commands *c, struct control_call *call)
{
        if (c->repair.call)
                control_call_refuse(call, CONTROL_REFUSED, "a repair is under way");
        else
                repair_command_start(&c->repair, c->migration, call);
}

static void run_cutover(struct commands *c, struct control_call *call)
{
        turn_command_start(&c->turn, c->migration, call, false);
}

static void run_rollback(struct commands *c, struct control_call *call)
{
        turn_command_start(&c->turn, c->migration, call, true);
}

static void run_cutover_abort(struct commands *c, struct control_call *call)
{
        turn_command_abort(c->migration, call);
}

static void run_complete(struct commands *c, struct control_call *call)
{
        complete_command_start(&c->complete, c->migration, call);
}

/* A key that was refused keeps its old value, as do all others then. */
static bool anything_refused(const cJSON *body)
{
        const cJSON *item;

        cJSON_ArrayForEach(item, cJSON_GetObjectItem(body, "keys"))
        {
                const char *result = cJSON_GetStringValue(cJSON_GetObjectItem(item, "result"));

                if (result && !strcmp(result, "refused"))
                        return true;
        }
        return false;
}

static void run_reload(struct commands *c, struct control_call *call)
{
        struct error e = ERROR_INIT;
        cJSON *body = c->host.reload(c->host.context, &e);

        if (!body)
                control_call_refuse(call, CONTROL_FAILED, "%s", e.message);
        else
                control_call_answer(
                        call, anything_refused(body) ? CONTROL_REFUSED : CONTROL_DONE, body);
}

static void answer_text(struct control_call *call, const struct buf *text)
{
        cJSON *o = json_object();

        json_text(o, "text", buf_text(text));
        control_call_answer(call, CONTROL_DONE, o);
}

static void run_show_config(struct commands *c, struct control_call *call)
{
        AUTO_BUF text = BUF_INIT;

        config_show(c->host.config(c->host.context), &text);
        answer_text(call, &text);
}

/* The names are its own: those of migration_tables last no longer than the call. */
struct table_list {
        struct status_table *items;
        char **names;
        size_t n, cap;
};

static void collect_table(void *context, const struct status_table *t)
{
        struct table_list *list = context;

        if (list->n == list->cap) {
                list->cap = list->cap ? list->cap * 2 : 64;
                list->items = memory_grow(list->items, list->cap * sizeof *list->items);
                list->names = memory_grow(list->names, list->cap * sizeof *list->names);
        }
        list->names[list->n] = memory_string(t->source);
        list->items[list->n] = *t;
        list->items[list->n].source = list->names[list->n];
        list->items[list->n].target = NULL;
        list->n++;
}

static void table_list_done(struct table_list *list)
{
        for (size_t i = 0; i < list->n; i++)
                free(list->names[i]);
        free(list->names);
        free(list->items);
}

static void run_metrics(struct commands *c, struct control_call *call)
{
        AUTO_BUF text = BUF_INIT;
        struct table_list list = {0};
        struct status s = {0};

        migration_status(c->migration, &s);
        migration_tables(c->migration, collect_table, &list);
        metrics_write(&text, &s, list.items, list.n);
        table_list_done(&list);
        answer_text(call, &text);
}

static void run_stop(struct commands *c, struct control_call *call)
{
        cJSON *o = json_object();

        json_text(o, "result", "stopping");
        control_call_answer(call, CONTROL_DONE, o);
        c->host.stop(c->host.context);
}

/* The daemon ends when what it has is on the target, and what the source was allowed to forget. */
static void run_drain(struct commands *c, struct control_call *call)
{
        wait_drained(c->loop, c->migration, call, &c->waits, c->host.stop, c->host.context);
}

struct command {
        const char *name;
        run_fn *run;
        const char *arguments; /* those that it takes */
};

static const struct command table[] = {
        {"status", run_status, ""},
        {"watch", run_watch, ""},
        {"wait", run_wait, "state lag timeout"},
        {"pause", run_pause, ""},
        {"resume", run_resume, ""},
        {"tables", run_tables, ""},
        {"quarantine list", run_quarantine_list, "table"},
        {"quarantine retry", run_quarantine_retry, "table ids"},
        {"quarantine discard", run_quarantine_discard, "table ids"},
        {"verify start", run_verify_start, "table sample continuous"},
        {"verify status", run_verify_status, "show-values"},
        {"verify rest", run_verify_rest, ""},
        {"verify stop", run_verify_stop, ""},
        {"repair", run_repair, "table dry-run"},
        {"cutover", run_cutover, "rehearse timeout override attach stopped"},
        {"cutover abort", run_cutover_abort, ""},
        {"rollback", run_rollback, "timeout override force stopped"},
        {"complete", run_complete, "list purge"},
        {"reload", run_reload, ""},
        {"show config", run_show_config, ""},
        {"metrics", run_metrics, ""},
        {"drain", run_drain, "timeout"},
        {"stop", run_stop, ""},
};

static const struct command *command_of(const char *name)
{
        for (size_t i = 0; i < sizeof table / sizeof *table; i++)
                if (!strcmp(table[i].name, name))
                        return &table[i];
        return NULL;
}

void commands_handle(void *commands, struct control_call *call)
{
        const struct command *command = command_of(control_call_command(call));
        const char *unknown = command ? control_call_unknown(call, command->arguments) : NULL;

        if (!command)
                control_call_refuse(call, CONTROL_USAGE, "this culvertd has no command '%.64s'",
                        control_call_command(call));
        else if (unknown)
                control_call_refuse(
                        call, CONTROL_USAGE, "%s has no option --%.64s", command->name, unknown);
        else
                command->run(commands, call);
}

struct commands *commands_new(struct loop *l, struct migration *m, const struct commands_host *host)
{
        struct commands *c = memory_new_of(struct commands);

        *c = (struct commands){.loop = l,
                .migration = m,
                .host = *host,
                .complete = {.stop = host->stop, .context = host->context},
                .listener = {.changed = on_change, .context = c},
                .watch_host = {.loop = l, .migration = m, .status = make_status, .context = c}};
        migration_listen(m, &c->listener);
        on_change(c);
        return c;
}

struct commands *commands_free(struct commands *c)
{
        if (!c)
                return NULL;
        while (c->waits)
                wait_cancel(c->waits);
        while (c->watchers)
                watch_cancel(c->watchers);
        quarantine_command_cancel(&c->quarantine);
        verify_command_cancel(&c->verify);
        verify_command_cancel(&c->rest);
        verify_command_cancel(&c->values);
        repair_command_cancel(&c->repair);
        turn_command_cancel(&c->turn);
        complete_command_cancel(&c->complete);
        migration_unlisten(c->migration, &c->listener);
        free(c);
        return NULL;
}
