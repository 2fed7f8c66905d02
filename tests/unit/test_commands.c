/* Commands over a fake migration and a fake control socket, on a simulated clock. */
#include "base/loop.h"
#include "base/memory.h"
#include "ops/verify_report.h"
#include "ops/json.h"
#include "ops/commands.h"
#include "ops/control.h"
#include "ops/migration.h"
#include "ops/repair.h"
#include "ops/turn.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The migration: what its status is, and what was asked of it. */
struct migration {
        struct status status;
        struct migration_listener *listeners;
        bool refuses, disk_is_full;
        void (*mark_done)(void *context, struct position p, const struct error *e);
        void *mark_context;
        unsigned marks, cancels;
        bool draining, drained;
        struct position mark_now; /* not none: answered before migration_mark returns */
        void (*job_done)(void *context, struct quarantine_result *r);
        void *job_context;
        struct quarantine_request job;
        migration_repaired *repaired;
        void *repair_context;
        char repair[64];   /* what `repair` was asked for */
        char verified[64]; /* what `verify start` was asked for */
        void (*stopped)(void *context);
        void *stopped_context;
        struct turn_events turn;
        void *turn_context;
        bool turning;
        char turned[128]; /* what `cutover` or `rollback` was asked for */
        migration_completed *completed;
        void *complete_context;
        migration_verified *rested;
        migration_values *shown;
        uint64_t differences;
};

static struct migration m;
static const struct status_table tables[] = {
        {"public.a", "public.a", "streaming", 10, 10, {1, 2, 3}, {0, 0, 0}},
        {"public.b", "shop.b", "waiting", 0, -1, {0, 0, 0}, {0, 0, 0}},
};

void migration_status(struct migration *fake, struct status *s)
{
        *s = fake->status;
}

void migration_tables(struct migration *fake,
        void (*each)(void *context, const struct status_table *t), void *context)
{
        (void)fake;
        for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
                char source[] = "public.?", target[32]; /* like the real ones gone after each() */
                struct status_table t = tables[i];

                source[7] = tables[i].source[7];
                snprintf(target, sizeof target, "%s", tables[i].target);
                t.source = source;
                t.target = target;
                each(context, &t);
                memset(source, '!', sizeof source - 1);
                memset(target, '!', sizeof target - 1);
        }
}

static int set_state(struct migration *fake, enum state s, struct error *e)
{
        if (fake->refuses)
                return error_set(e, ERROR_CONFIG, "not in this state");
        if (fake->disk_is_full)
                return error_set(e, ERROR_RETRY, "no space");
        fake->status.state = s;
        return 0;
}

int migration_pause(struct migration *fake, struct error *e)
{
        return set_state(fake, STATE_PAUSED, e);
}

int migration_resume(struct migration *fake, struct error *e)
{
        return set_state(fake, STATE_STREAMING, e);
}

int migration_drain(struct migration *fake, bool draining, struct error *e)
{
        if (draining && fake->refuses)
                return error_set(e, ERROR_CONFIG, "not in this state");
        fake->draining = draining;
        return 0;
}

bool migration_is_draining(const struct migration *fake)
{
        return fake->draining;
}

bool migration_is_drained(const struct migration *fake)
{
        return fake->draining && fake->drained;
}

struct migration_mark *migration_mark(struct migration *fake,
        void (*done)(void *context, struct position p, const struct error *e), void *context)
{
        fake->marks++;
        if (!position_is_none(fake->mark_now)) {
                done(context, fake->mark_now, NULL);
                return NULL;
        }
        fake->mark_done = done;
        fake->mark_context = context;
        return (struct migration_mark *)fake;
}

void migration_mark_cancel(struct migration_mark *mark)
{
        assert_ptr_equal(mark, &m);
        m.mark_done = NULL;
        m.cancels++;
}

int migration_verify_start(struct migration *fake, const char *schema, const char *table,
        unsigned sample, bool continuous, struct error *e)
{
        if (fake->refuses)
                return error_set(e, ERROR_CONFIG, "not in this state");
        snprintf(fake->verified, sizeof fake->verified, "%s %s %u%s", schema ? schema : "-",
                table ? table : "-", sample, continuous ? " on" : "");
        return 0;
}

int migration_verify_stop(
        struct migration *fake, void (*done)(void *context), void *context, struct error *e)
{
        if (fake->refuses)
                return error_set(e, ERROR_CONFIG, "not in this state");
        fake->stopped = done;
        fake->stopped_context = context;
        return 0;
}

int migration_verify_rest(
        struct migration *fake, migration_verified *done, void *context, struct error *e)
{
        if (fake->refuses)
                return error_set(e, ERROR_CONFIG, "not in this state");
        fake->rested = done;
        fake->stopped_context = context;
        return 0;
}

int migration_verify_values(
        struct migration *fake, migration_values *done, void *context, struct error *e)
{
        if (fake->refuses)
                return error_set(e, ERROR_CONFIG, "not in this state");
        fake->shown = done;
        fake->stopped_context = context;
        return 0;
}

void migration_verify_sums(struct migration *fake, struct verify_sums *s)
{
        *s = (struct verify_sums){.differences = fake->differences};
}

cJSON *migration_verify_status(struct migration *fake)
{
        cJSON *o = json_object();

        json_text(o, "state", fake->stopped ? "idle" : "running");
        return o;
}

int migration_repair(struct migration *fake, const struct migration_repair_request *q,
        migration_repaired *done, void *context, struct error *e)
{
        if (fake->refuses)
                return error_set(e, ERROR_CONFIG, "not in this state");
        fake->repaired = done;
        fake->repair_context = context;
        snprintf(fake->repair, sizeof fake->repair, "%s %s%s", q->schema ? q->schema : "-",
                q->table ? q->table : "-", q->dry_run ? " dry" : "");
        return 0;
}

int migration_turn(struct migration *fake, const struct turn_request *q,
        const struct turn_events *events, void *context, struct error *e)
{
        if (fake->refuses)
                return error_set(e, ERROR_CONFIG, "not in this state");
        fake->turn = *events;
        fake->turn_context = context;
        fake->turning = true;
        snprintf(fake->turned, sizeof fake->turned, "%s%s%s%s %" PRId64 " %s",
                q->back ? "rollback" : "cutover", q->rehearse ? " rehearse" : "",
                q->force ? " force" : "", q->stopped ? " stopped" : "", q->timeout / SECOND,
                q->override ? q->override : "-");
        return 0;
}

bool migration_is_turning(const struct migration *fake)
{
        return fake->turning;
}

void migration_turn_attach(struct migration *fake, const struct turn_events *events, void *context)
{
        fake->turn = *events;
        fake->turn_context = context;
}

void migration_turn_abort(struct migration *fake, const char *why)
{
        snprintf(fake->turned, sizeof fake->turned, "%s", why);
}

cJSON *migration_turn_body(struct migration *fake)
{
        cJSON *o = json_object();

        json_text(o, "result", fake->turning ? NULL : "done");
        return o;
}

int migration_complete(struct migration *fake, const struct migration_complete_request *q,
        migration_completed *done, void *context, struct error *e)
{
        if (fake->refuses)
                return error_set(e, ERROR_CONFIG, "not in this state");
        fake->completed = done;
        fake->complete_context = context;
        snprintf(fake->turned, sizeof fake->turned, "%s%s", q->list ? "list" : "run",
                q->purge ? " purge" : "");
        return 0;
}

int migration_quarantine(struct migration *fake, struct quarantine_request *q,
        void (*done)(void *context, struct quarantine_result *r), void *context, struct error *e)
{
        if (fake->refuses)
                return error_set(e, ERROR_CONFIG, "not in this state");
        quarantine_request_done(&fake->job);
        fake->job = *q;
        *q = (struct quarantine_request){0};
        fake->job_done = done;
        fake->job_context = context;
        return 0;
}

void migration_listen(struct migration *fake, struct migration_listener *listener)
{
        listener->next = fake->listeners;
        fake->listeners = listener;
}

void migration_unlisten(struct migration *fake, struct migration_listener *listener)
{
        struct migration_listener **at = &fake->listeners;

        while (*at != listener)
                at = &(*at)->next;
        *at = listener->next;
}

static void changed(void)
{
        for (struct migration_listener *l = m.listeners; l; l = l->next)
                l->changed(l->context);
}

static void mark_answer(uint64_t lsn)
{
        void (*done)(void *context, struct position p, const struct error *e) = m.mark_done;
        struct error e = ERROR_INIT;

        assert_non_null(done);
        m.mark_done = NULL;
        if (lsn == 0)
                error_set(&e, ERROR_RETRY, "no connection");
        done(m.mark_context, (struct position){.lsn = lsn}, lsn ? NULL : &e);
}

/* The call: one at a time, its outcome as text. */
struct control_call {
        const char *command;
        const char *names[4], *values[4];
        bool ended;
        int code, progress;
        char *text; /* body, error or the last progress */
        void (*gone)(void *context);
        void *gone_context;
};

const char *control_call_command(const struct control_call *c)
{
        return c->command;
}

const char *control_call_argument(const struct control_call *c, const char *name)
{
        for (int i = 0; i < 4 && c->names[i]; i++)
                if (!strcmp(c->names[i], name))
                        return c->values[i];
        return NULL;
}

const char *control_call_unknown(const struct control_call *c, const char *known)
{
        for (int i = 0; i < 4 && c->names[i]; i++)
                if (!strstr(known, c->names[i]))
                        return c->names[i];
        return NULL;
}

static void set_text(struct control_call *c, cJSON *body)
{
        assert_false(c->ended);
        free(c->text);
        c->text = cJSON_PrintUnformatted(body);
        cJSON_Delete(body);
}

void control_call_answer(struct control_call *c, enum control_code code, cJSON *body)
{
        set_text(c, body);
        c->ended = true;
        c->code = code;
}

void control_call_refuse(struct control_call *c, enum control_code code, const char *format, ...)
{
        char text[512];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        assert_false(c->ended);
        free(c->text);
        c->text = memory_string(text);
        c->ended = true;
        c->code = code;
}

void control_call_progress(struct control_call *c, cJSON *body)
{
        set_text(c, body);
        c->progress++;
}

void control_call_on_gone(struct control_call *c, void (*gone)(void *context), void *context)
{
        c->gone = gone;
        c->gone_context = context;
}

/* The host. */
static struct config config;
static cJSON *reload_answer;
static unsigned stops;

static const struct config *host_config(void *context)
{
        (void)context;
        return &config;
}

static cJSON *host_reload(void *context, struct error *e)
{
        (void)context;
        if (!reload_answer)
                error_set(e, ERROR_CONFIG, "shop.conf cannot be read");
        return reload_answer;
}

static void host_stop(void *context)
{
        (void)context;
        stops++;
}

static struct loop *loop;
static struct commands *commands;
static struct control_call call;

static int setup(void **state)
{
        static const struct commands_host host = {host_config, host_reload, host_stop, NULL};

        (void)state;
        memset(&m, 0, sizeof m);
        memset(&call, 0, sizeof call);
        reload_answer = NULL;
        stops = 0;
        m.status = (struct status){.pipeline = "shop",
                .state = STATE_STREAMING,
                .phase = STATE_STREAMING,
                .source = {.kind = "postgresql", .connected = true},
                .target = {.kind = "postgresql", .connected = true, .position = {100}},
                .applied = {.position = {100}},
                .lag = {0, 0, 0},
                .queue = {.acknowledge = "auto"},
                .snapshot = {.mode = "bulk"},
                .retention = {-1, -1}};
        loop = loop_new_simulated();
        commands = commands_new(loop, &m, &host);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        commands = commands_free(commands);
        assert_null(m.listeners);
        quarantine_request_done(&m.job);
        loop = loop_free(loop);
        free(call.text);
        return 0;
}

static void set_flag(void *context)
{
        *(bool *)context = true;
}

static void advance(int64_t microseconds)
{
        struct timer timer;
        bool over = false;

        timer_init(&timer, loop, set_flag, &over);
        timer_set(&timer, microseconds);
        while (!over)
                assert_true(loop_run_once(loop));
}

static void begin(const char *command)
{
        free(call.text);
        call = (struct control_call){.command = command};
}

static void argument(const char *name, const char *value)
{
        int i = 0;

        while (call.names[i])
                i++;
        call.names[i] = name;
        call.values[i] = value;
}

static void run(void)
{
        commands_handle(commands, &call);
}

static void expect_end(int code, const char *part)
{
        assert_true(call.ended);
        if (!strstr(call.text, part))
                fail_msg("no '%s' in: %s", part, call.text);
        assert_int_equal(call.code, code);
}

static void test_status(void **state)
{
        (void)state;
        begin("status");
        run();
        expect_end(CONTROL_DONE, "\"check\":{\"level\":\"ok\",\"reason\":null}");
        m.status.target.connected = false;
        changed();
        advance(400 * SECOND);
        begin("status");
        run();
        expect_end(CONTROL_DONE, "\"reason\":\"target not connected for 400 s\"");
}

static void test_pause_resume(void **state)
{
        (void)state;
        m.status.settling = true;
        begin("pause");
        run();
        advance(SECOND);
        assert_false(call.ended); /* the target still commits */
        m.status.settling = false;
        changed();
        advance(0);
        expect_end(CONTROL_DONE, "\"state\":\"paused\",\"phase\":\"streaming\"");
        begin("resume");
        run();
        expect_end(CONTROL_DONE, "\"state\":\"streaming\"");
        m.disk_is_full = true;
        begin("pause");
        run();
        expect_end(CONTROL_FAILED, "no space");
        begin("resume");
        run();
        expect_end(CONTROL_FAILED, "no space");
        m.refuses = true;
        begin("pause");
        run();
        expect_end(CONTROL_REFUSED, "not in this state");
}

static void test_tables(void **state)
{
        (void)state;
        begin("tables");
        run();
        expect_end(CONTROL_DONE, "{\"format\":1,\"tables\":[{\"source\":\"public.a\"");
        expect_end(CONTROL_DONE, "{\"source\":\"public.b\",\"target\":\"shop.b\","
                                 "\"state\":\"waiting\",\"rows_copied\":0,\"rows_estimated\":null");
}

static void test_metrics(void **state)
{
        (void)state;
        begin("metrics");
        run();
        expect_end(CONTROL_DONE, "culvert_lag_seconds{pipeline=\\\"shop\\\"} 0\\n");
        expect_end(CONTROL_DONE, "table=\\\"public.b\\\"");
        expect_end(CONTROL_DONE, "# EOF\\n\"}");
}

static void test_unknown(void **state)
{
        (void)state;
        begin("frobnicate");
        run();
        expect_end(CONTROL_USAGE, "no command 'frobnicate'");
        begin("pause");
        argument("force", "");
        run();
        expect_end(CONTROL_USAGE, "pause has no option --force");
        assert_int_equal(m.status.state, STATE_STREAMING);
}

static void test_stop(void **state)
{
        (void)state;
        begin("stop");
        run();
        expect_end(CONTROL_DONE, "stopping");
        assert_int_equal(stops, 1);
}

static void test_reload(void **state)
{
        (void)state;
        begin("reload");
        run();
        expect_end(CONTROL_FAILED, "shop.conf cannot be read");
        reload_answer = cJSON_Parse("{\"keys\":[{\"key\":\"a\",\"result\":\"applied\"},"
                                    "{\"key\":\"b\",\"result\":\"needs restart\"}]}");
        begin("reload");
        run();
        expect_end(CONTROL_DONE, "needs restart");
        reload_answer = cJSON_Parse("{\"keys\":[{\"key\":\"a\",\"result\":\"refused\"}]}");
        begin("reload");
        run();
        expect_end(CONTROL_REFUSED, "refused");
}

static void wait_for(const char *state, const char *lag, const char *timeout)
{
        begin("wait");
        if (state)
                argument("state", state);
        if (lag)
                argument("lag", lag);
        if (timeout)
                argument("timeout", timeout);
        run();
}

static void test_wait_usage(void **state)
{
        static const char *const bad[] = {"", "x", "-1", "1x", "nan", "inf", "1e300"};

        (void)state;
        wait_for(NULL, NULL, "1");
        expect_end(CONTROL_USAGE, "--state or --lag");
        wait_for("sleeping", NULL, NULL);
        expect_end(CONTROL_USAGE, "there is no state 'sleeping'");
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
                wait_for(NULL, bad[i], NULL);
                expect_end(CONTROL_USAGE, "--lag takes seconds");
                wait_for(NULL, "1", bad[i]);
                expect_end(CONTROL_USAGE, "--timeout takes seconds");
        }
}

static void test_wait_state(void **state)
{
        (void)state;
        m.status.state = STATE_COPYING;
        wait_for("streaming", NULL, NULL);
        advance(3600 * SECOND);
        assert_false(call.ended);
        m.status.state = STATE_STREAMING;
        changed();
        advance(1); /* at once, not with the next tick */
        expect_end(CONTROL_DONE, "\"state\":\"streaming\"");
        wait_for("streaming", NULL, "0");
        advance(1);
        expect_end(CONTROL_DONE, "streaming"); /* is so already */
}

static void test_wait_timeout(void **state)
{
        (void)state;
        wait_for("complete", NULL, "2.5");
        advance(2400 * MILLISECOND);
        assert_false(call.ended);
        advance(200 * MILLISECOND);
        expect_end(CONTROL_TIMEOUT, "not reached within 2.5 s: the pipeline is streaming");
}

static void test_wait_stopped(void **state)
{
        static struct error e = {.class = ERROR_DATA, .message = "row not found"};

        (void)state;
        wait_for(NULL, "0", NULL);
        advance(SECOND);
        m.status.state = STATE_STOPPED;
        m.status.error = &e;
        changed();
        advance(1);
        expect_end(CONTROL_FAILED, "stopped-on-error: row not found");
        assert_int_equal(m.cancels, 1); /* the mark that was on its way */
        wait_for("stopped-on-error", NULL, NULL);
        advance(1);
        expect_end(CONTROL_DONE, "stopped-on-error");
}

static void test_wait_lag_zero(void **state)
{
        (void)state;
        wait_for(NULL, "0", NULL);
        advance(1);
        assert_int_equal(m.marks, 1);
        mark_answer(200);
        advance(10 * SECOND);
        assert_false(call.ended); /* though lag.seconds is 0 */
        m.status.applied.position.lsn = 199;
        changed();
        advance(1);
        assert_false(call.ended);
        m.status.applied.position.lsn = 200;
        changed();
        advance(1);
        expect_end(CONTROL_DONE, "\"waited_for\":\"0/C8\"");
        assert_int_equal(m.marks, 1); /* the position of the start, so a busy source ends too */
}

static void test_wait_lag_zero_at_once(void **state)
{
        (void)state;
        m.mark_now.lsn = 50;
        wait_for(NULL, "0", NULL);
        advance(1);
        expect_end(CONTROL_DONE, "\"waited_for\":\"0/32\"");
        assert_int_equal(m.cancels, 0);
}

/* While copying there is nobody to ask; a mark that fails is asked for again. */
static void test_wait_lag_zero_from_copy(void **state)
{
        (void)state;
        m.status.state = m.status.phase = STATE_COPYING;
        m.status.lag.seconds = -1;
        wait_for(NULL, "0", NULL);
        advance(100 * SECOND);
        assert_int_equal(m.marks, 0);
        m.status.state = m.status.phase = STATE_STREAMING;
        changed();
        advance(1);
        assert_int_equal(m.marks, 1);
        mark_answer(0);
        advance(500 * MILLISECOND);
        assert_int_equal(m.marks, 1);
        advance(2 * SECOND);
        assert_int_equal(m.marks, 2);
        mark_answer(0);
        changed();
        advance(1);
        assert_int_equal(m.marks, 3); /* a change is worth a try at once */
        mark_answer(100);
        advance(1);
        expect_end(CONTROL_DONE, "0/64");
}

static void test_wait_lag_some(void **state)
{
        (void)state;
        m.status.lag.seconds = 5.1;
        wait_for(NULL, "5", NULL);
        advance(10 * SECOND);
        assert_false(call.ended);
        m.status.lag.seconds = 0;
        m.status.source.connected = false; /* nobody knows the lag then */
        advance(10 * SECOND);
        assert_false(call.ended);
        m.status.source.connected = true;
        m.status.lag.seconds = 5;
        advance(2 * SECOND); /* without a change being told */
        expect_end(CONTROL_DONE, "\"lag_seconds\":5.000");
        assert_int_equal(m.marks, 0);
}

static void test_wait_both(void **state)
{
        (void)state;
        m.mark_now.lsn = 50;
        m.status.state = STATE_PAUSED;
        wait_for("streaming", "0", "100");
        advance(10 * SECOND);
        assert_false(call.ended);
        m.status.state = STATE_STREAMING;
        m.status.applied.position.lsn = 49;
        changed();
        advance(1);
        assert_false(call.ended);
        m.status.applied.position.lsn = 51;
        changed();
        advance(1);
        expect_end(CONTROL_DONE, "streaming");
}

static void test_wait_gone(void **state)
{
        (void)state;
        wait_for(NULL, "0", "5");
        advance(1);
        call.gone(call.gone_context);
        assert_int_equal(m.cancels, 1);
        changed();
        advance(10 * SECOND);
        assert_false(call.ended);
}

static void drain(const char *timeout)
{
        begin("drain");
        if (timeout)
                argument("timeout", timeout);
        run();
}

/* Ends the daemon once all is on the target, and only then. */
static void test_drain(void **state)
{
        (void)state;
        drain(NULL);
        advance(10 * SECOND);
        assert_true(m.draining);
        assert_false(call.ended);
        m.draining = false; /* the stream began again */
        changed();
        advance(1);
        assert_true(m.draining);
        m.drained = true;
        changed();
        advance(1);
        expect_end(CONTROL_DONE, "streaming");
        assert_int_equal(stops, 1);
        assert_true(m.draining);
}

static void test_drain_given_up(void **state)
{
        (void)state;
        drain("2");
        advance(1900 * MILLISECOND);
        assert_true(m.draining && !call.ended);
        advance(200 * MILLISECOND);
        expect_end(CONTROL_TIMEOUT, "not reached within 2 s");
        assert_false(m.draining);
        drain(NULL);
        advance(1);
        assert_true(m.draining);
        call.gone(call.gone_context);
        assert_false(m.draining);
        assert_int_equal(stops, 0);
}

static void test_drain_refused(void **state)
{
        static struct error e = {.class = ERROR_DATA, .message = "row not found"};

        (void)state;
        m.refuses = true;
        drain(NULL);
        expect_end(CONTROL_REFUSED, "not in this state");
        m.refuses = false;
        drain("x");
        expect_end(CONTROL_USAGE, "--timeout takes seconds");
        m.draining = true;
        drain(NULL);
        expect_end(CONTROL_REFUSED, "it is being drained already");
        m.draining = false;
        drain(NULL);
        m.status.state = STATE_STOPPED;
        m.status.error = &e;
        changed();
        advance(1);
        expect_end(CONTROL_FAILED, "stopped-on-error: row not found");
        assert_int_equal(stops, 0);
}

static void test_end_of_daemon(void **state)
{
        (void)state;
        wait_for("complete", NULL, NULL);
        advance(1);
        commands = commands_free(commands);
        expect_end(CONTROL_NO_DAEMON, "the daemon ends");
        assert_null(m.listeners);
}

static void test_watch(void **state)
{
        (void)state;
        begin("watch");
        run();
        advance(1);
        assert_int_equal(call.progress, 1);
        assert_non_null(strstr(call.text, "\"state\":\"streaming\""));
        advance(3 * SECOND);
        assert_int_equal(call.progress, 4);
        m.status.state = STATE_PAUSED;
        for (int i = 0; i < 100; i++) /* one message for them all */
                changed();
        advance(150 * MILLISECOND);
        assert_int_equal(call.progress, 5);
        assert_non_null(strstr(call.text, "\"state\":\"paused\""));
        call.gone(call.gone_context);
        advance(5 * SECOND);
        assert_int_equal(call.progress, 5);
}

/* A stream that changes without end must not push the message away for ever. */
static void test_watch_busy(void **state)
{
        (void)state;
        begin("watch");
        run();
        for (int i = 0; i < 1000; i++) {
                advance(5 * MILLISECOND);
                changed();
        }
        assert_in_range(call.progress, 40, 52);
        call.gone(call.gone_context);
}

static void expect_usage(const char *name, const char *value, const char *why)
{
        begin("quarantine retry");
        argument(name, value);
        run();
        assert_true(call.ended);
        assert_int_equal(call.code, CONTROL_USAGE);
        assert_non_null(strstr(call.text, why));
}

static void test_quarantine_usage(void **state)
{
        (void)state;
        expect_usage("ids", "1,x", "not 'x'");
        expect_usage("ids", "", "not ''");
        expect_usage("ids", "0", "not '0'");
        expect_usage("ids", "-1", "not '-1'");
        expect_usage("ids", "1,,2", "not ',2'");
        expect_usage("ids", "99999999999999999999", "not '9");
        expect_usage("table", "t", "schema.table");
        expect_usage("table", "a.b.c", "--table");
        m.refuses = true;
        begin("quarantine retry");
        run();
        assert_int_equal(call.code, CONTROL_REFUSED);
}

/* How the command ends that has this result. */
static void expect_quarantine(
        const char *command, struct quarantine_result r, int code, const char *text)
{
        begin(command);
        run();
        assert_false(call.ended);
        m.job_done(m.job_context, &r);
        assert_true(call.ended);
        assert_int_equal(call.code, code);
        assert_non_null(strstr(call.text, text));
}

static void test_quarantine_results(void **state)
{
        struct quarantine_result r = {.changes = 7};
        struct control_call other = {.command = "quarantine list"};

        (void)state;
        begin("quarantine discard");
        argument("ids", "30,7");
        argument("table", "public.\"A b\"");
        run();
        assert_int_equal(m.job.action, QUARANTINE_DISCARD);
        assert_int_equal(m.job.ids_n, 2);
        assert_int_equal(m.job.ids[0], 7);
        assert_string_equal(m.job.table, "A b");
        commands_handle(commands, &other); /* one at a time */
        assert_int_equal(other.code, CONTROL_REFUSED);
        free(other.text);
        r.done = 2;
        m.job_done(m.job_context, &r);
        assert_string_equal(call.text, "{\"format\":1,\"discarded\":2,\"changes\":7}");
        expect_quarantine("quarantine retry", r, CONTROL_DONE, "\"applied\":2");
        r.body = json_object();
        expect_quarantine("quarantine list", r, CONTROL_DONE, "{\"format\":1}");
        r.body = NULL;
        r.left = 1;
        expect_quarantine("quarantine retry", r, CONTROL_FAILED, "1 wait behind");
        r.refused = 3;
        error_set(&r.error, ERROR_DATA, "no such value");
        expect_quarantine("quarantine retry", r, CONTROL_FAILED, "3 refused again");
        assert_non_null(strstr(call.text, "no such value"));
        r.missing = 9;
        expect_quarantine("quarantine retry", r, CONTROL_REFUSED, "change 9 is not there");
        r.failed = true;
        expect_quarantine("quarantine retry", r, CONTROL_FAILED, "what came before it is done");
}

/* The job goes on without its client, and the daemon's end ends the call. */
static void test_quarantine_ends(void **state)
{
        struct quarantine_result r = {.changes = 0};

        (void)state;
        begin("quarantine retry");
        run();
        call.gone(call.gone_context);
        m.job_done(m.job_context, &r);
        assert_false(call.ended);
        begin("quarantine retry");
        run();
        commands = commands_free(commands);
        assert_int_equal(call.code, CONTROL_NO_DAEMON);
}

static void expect_verify(const char *name, const char *value, int code, const char *text)
{
        begin("verify start");
        if (name)
                argument(name, value);
        run();
        assert_true(call.ended);
        assert_int_equal(call.code, code);
        assert_non_null(strstr(call.text, text));
}

static void test_verify(void **state)
{
        (void)state;
        expect_verify(NULL, NULL, CONTROL_DONE, "\"state\":\"running\"");
        assert_string_equal(m.verified, "- - 0");
        expect_verify("table", "public.\"A b\"", CONTROL_DONE, "running");
        assert_string_equal(m.verified, "public A b 0");
        expect_verify("sample", "5", CONTROL_DONE, "running");
        assert_string_equal(m.verified, "- - 5");
        expect_verify("sample", "0", CONTROL_USAGE, "not '0'");
        expect_verify("sample", "101", CONTROL_USAGE, "not '101'");
        expect_verify("sample", "5x", CONTROL_USAGE, "not '5x'");
        expect_verify("sample", "", CONTROL_USAGE, "not ''");
        expect_verify("table", "t", CONTROL_USAGE, "schema.table");
        expect_verify("table", "a.b.c", CONTROL_USAGE, "--table");
        m.refuses = true;
        expect_verify(NULL, NULL, CONTROL_REFUSED, "not in this state");
}

static void expect_rest(uint64_t differences, const struct error *why, int code, const char *text)
{
        begin("verify rest");
        run();
        assert_false(call.ended);
        m.differences = differences;
        m.rested(m.stopped_context, why);
        assert_true(call.ended);
        assert_int_equal(call.code, code);
        assert_non_null(strstr(call.text, text));
}

static void test_verify_rest(void **state)
{
        struct error why = ERROR_INIT;

        (void)state;
        error_set(&why, ERROR_CONFIG, "the verification has ended");
        expect_rest(0, NULL, CONTROL_DONE, "running");
        expect_rest(3, NULL, CONTROL_FAILED, "running");
        expect_rest(0, &why, CONTROL_FAILED, "has ended");
        m.refuses = true;
        begin("verify rest");
        run();
        assert_int_equal(call.code, CONTROL_REFUSED);
}

static void begin_values(void)
{
        begin("verify status");
        argument("show-values", "");
        run();
}

static void test_verify_values(void **state)
{
        struct error why = ERROR_INIT;
        cJSON *status = json_object();

        (void)state;
        begin_values();
        assert_false(call.ended);
        json_text(status, "state", "shown");
        m.shown(m.stopped_context, status, NULL);
        assert_int_equal(call.code, CONTROL_DONE);
        assert_non_null(strstr(call.text, "shown"));
        begin_values();
        error_set(&why, ERROR_RETRY, "the server is away");
        m.shown(m.stopped_context, NULL, &why);
        assert_int_equal(call.code, CONTROL_FAILED);
        assert_non_null(strstr(call.text, "away"));
        m.refuses = true;
        begin_values();
        assert_int_equal(call.code, CONTROL_REFUSED);
}

static void test_verify_continuous(void **state)
{
        (void)state;
        expect_verify("continuous", "", CONTROL_DONE, "running");
        assert_string_equal(m.verified, "- - 0 on");
        begin("verify start");
        argument("continuous", "");
        argument("sample", "5");
        run();
        assert_int_equal(call.code, CONTROL_USAGE);
        assert_non_null(strstr(call.text, "not with --sample"));
}

static void test_verify_stop(void **state)
{
        (void)state;
        begin("verify stop");
        run();
        assert_false(call.ended);
        m.stopped(m.stopped_context);
        assert_int_equal(call.code, CONTROL_DONE);
        assert_non_null(strstr(call.text, "idle"));
        begin("verify stop");
        run();
        call.gone(call.gone_context);
        m.stopped(m.stopped_context);
        assert_false(call.ended);
        begin("verify stop");
        run();
        commands = commands_free(commands);
        assert_int_equal(call.code, CONTROL_NO_DAEMON);
}

static void never(void *context)
{
        (void)context;
        fail();
}

/* How it ends, of a repair in which nothing happened. */
static void expect_repair(const struct error *e, int code, const char *text)
{
        static const struct repair_events events = {never, never};
        struct repair *r = repair_new(loop, false, &events, NULL);

        begin("repair");
        run();
        assert_false(call.ended);
        m.repaired(m.repair_context, r, e);
        assert_true(call.ended);
        assert_int_equal(call.code, code);
        assert_non_null(strstr(call.text, text));
        repair_free(r);
}

static void test_repair(void **state)
{
        struct control_call other = {.command = "repair"};
        struct error e = ERROR_INIT;

        (void)state;
        begin("repair");
        argument("table", "public.\"A b\"");
        argument("dry-run", "");
        run();
        assert_string_equal(m.repair, "public A b dry");
        commands_handle(commands, &other); /* one at a time */
        assert_int_equal(other.code, CONTROL_REFUSED);
        free(other.text);
        call.gone(call.gone_context);
        m.repaired(m.repair_context, NULL, &e);
        assert_false(call.ended);
        expect_repair(NULL, CONTROL_DONE, "\"dry_run\":false,\"repaired\":0");
        assert_string_equal(m.repair, "- -");
        error_set(&e, ERROR_BUG, "fenced");
        expect_repair(&e, CONTROL_FAILED, "fenced (what came before it is done)");
        begin("repair");
        argument("table", "t");
        run();
        assert_int_equal(call.code, CONTROL_USAGE);
        m.refuses = true;
        begin("repair");
        run();
        assert_int_equal(call.code, CONTROL_REFUSED);
        m.refuses = false;
        begin("repair");
        run();
        commands = commands_free(commands);
        assert_int_equal(call.code, CONTROL_NO_DAEMON);
}

static void end_turn(enum turn_end how)
{
        m.turning = false;
        m.turn.ended(m.turn_context, how);
}

static void expect_turn(const char *name, const char *value, const char *asked)
{
        begin("cutover");
        argument(name, value);
        run();
        assert_string_equal(m.turned, asked);
        end_turn(TURN_DONE);
        assert_int_equal(call.code, CONTROL_DONE);
}

static void test_cutover(void **state)
{
        (void)state;
        expect_turn("rehearse", "", "cutover rehearse 60 -");
        expect_turn("timeout", "7", "cutover 7 -");
        expect_turn("override", "lag,copy", "cutover 60 lag,copy");
        expect_turn("stopped", "", "cutover stopped 60 -");
        begin("rollback");
        argument("force", "");
        run();
        assert_string_equal(m.turned, "rollback force 60 -");
        m.turn.changed(m.turn_context);
        assert_int_equal(call.progress, 1);
        end_turn(TURN_REFUSED);
        assert_int_equal(call.code, CONTROL_REFUSED);
        assert_non_null(strstr(call.text, "done"));
        begin("cutover");
        run();
        end_turn(TURN_LATE);
        assert_int_equal(call.code, CONTROL_TIMEOUT);
        begin("cutover");
        run();
        end_turn(TURN_FAILED);
        assert_int_equal(call.code, CONTROL_FAILED);
        m.refuses = true;
        begin("cutover");
        run();
        assert_int_equal(call.code, CONTROL_REFUSED);
}

static void test_cutover_usage(void **state)
{
        static const char *const wrong[] = {"0", "-1", "x", "1x", "", "nan", "1e9"};

        (void)state;
        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
                begin("cutover");
                argument("timeout", wrong[i]);
                run();
                assert_int_equal(call.code, CONTROL_USAGE);
        }
        assert_string_equal(m.turned, "");
        begin("rollback"); /* nothing to rehearse */
        argument("rehearse", "");
        run();
        assert_int_equal(call.code, CONTROL_USAGE);
}

/* Who leaves changes nothing, who comes back is told. */
static void test_cutover_attach(void **state)
{
        struct control_call other = {.command = "cutover", .names = {"attach"}, .values = {""}};

        (void)state;
        begin("cutover");
        argument("attach", "");
        run();
        assert_int_equal(call.code, CONTROL_REFUSED);
        begin("cutover");
        run();
        call.gone(call.gone_context);
        m.turn.changed(m.turn_context);
        assert_int_equal(call.progress, 0);
        begin("cutover");
        argument("attach", "");
        run();
        assert_int_equal(call.progress, 1);
        commands_handle(commands, &other); /* the last one is told */
        assert_int_equal(call.code, CONTROL_FAILED);
        begin("cutover abort");
        run();
        assert_int_equal(call.code, CONTROL_DONE);
        assert_string_equal(m.turned, "interrupted by the operator");
        end_turn(TURN_FAILED);
        assert_int_equal(other.code, CONTROL_FAILED);
        free(other.text);
        begin("cutover abort");
        run();
        assert_int_equal(call.code, CONTROL_REFUSED);
        begin("cutover");
        run();
        commands = commands_free(commands);
        assert_int_equal(call.code, CONTROL_NO_DAEMON);
}

static void test_complete(void **state)
{
        struct error e = ERROR_INIT;

        (void)state;
        begin("complete");
        argument("list", "");
        run();
        assert_string_equal(m.turned, "list");
        m.completed(m.complete_context, "source: slot x\n", NULL);
        assert_non_null(strstr(call.text, "slot x"));
        assert_int_equal(stops, 0);
        begin("complete");
        argument("purge", "");
        run();
        assert_string_equal(m.turned, "run purge");
        error_set(&e, ERROR_RETRY, "no answer");
        m.completed(m.complete_context, "", &e);
        assert_int_equal(call.code, CONTROL_FAILED);
        assert_int_equal(stops, 0);
        begin("complete");
        run();
        call.gone(call.gone_context);
        m.completed(m.complete_context, "", NULL);
        assert_int_equal(stops, 1); /* whether or not somebody waits for it */
        m.refuses = true;
        begin("complete");
        run();
        assert_int_equal(call.code, CONTROL_REFUSED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_status),
                TEST(test_pause_resume),
                TEST(test_tables),
                TEST(test_metrics),
                TEST(test_unknown),
                TEST(test_stop),
                TEST(test_reload),
                TEST(test_wait_usage),
                TEST(test_wait_state),
                TEST(test_wait_timeout),
                TEST(test_wait_stopped),
                TEST(test_drain),
                TEST(test_drain_given_up),
                TEST(test_drain_refused),
                TEST(test_wait_lag_zero),
                TEST(test_wait_lag_zero_at_once),
                TEST(test_wait_lag_zero_from_copy),
                TEST(test_wait_lag_some),
                TEST(test_wait_both),
                TEST(test_wait_gone),
                TEST(test_end_of_daemon),
                TEST(test_watch),
                TEST(test_watch_busy),
                TEST(test_quarantine_usage),
                TEST(test_quarantine_results),
                TEST(test_quarantine_ends),
                TEST(test_verify),
                TEST(test_verify_continuous),
                TEST(test_verify_rest),
                TEST(test_verify_values),
                TEST(test_verify_stop),
                TEST(test_repair),
                TEST(test_cutover),
                TEST(test_cutover_usage),
                TEST(test_cutover_attach),
                TEST(test_complete),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
