/* The gates of a turn: what has to be true before the other side may lead. */
#include "base/child.h"
#include "base/log.h"
#include "base/memory.h"
#include "ops/counters.h"
#include "ops/turn_private.h"
#include "ops/verify_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOOK_OUTPUT 65536

/* In the order in which they are asked. `proof`: it only asks for proof, and a forced rollback goes
 * without. */
static const struct {
        const char *name;
        bool proof;
} known[] = {
        {"stream", false},
        {"lag", false},
        {"copy", false},
        {"quarantine", true},
        {"verification", true},
        {"hook", true},
        {"fence", false},
        {"counters", false},
        {"reverse", false},
        {"checks", true},
};

enum { KNOWN = sizeof known / sizeof *known };

static bool is_set(const char *program)
{
        return program && *program;
}

static bool names(const char *list, const char *name)
{
        size_t len = strlen(name);

        for (const char *at = list; at && *at; at += strcspn(at, ","), at += *at == ',')
                if (strcspn(at, ",") == len && !strncmp(at, name, len))
                        return true;
        return false;
}

bool turn_override_is_known(const char *list, char *unknown, size_t size)
{
        for (const char *at = list; at && *at; at += strcspn(at, ","), at += *at == ',') {
                size_t len = strcspn(at, ",");
                bool found = false;

                for (unsigned i = 0; i < KNOWN; i++)
                        found |= strlen(known[i].name) == len && !strncmp(known[i].name, at, len);
                if (!found) {
                        snprintf(unknown, size, "%.*s", (int)len, at);
                        return false;
                }
        }
        return true;
}

static bool only_asks_for_proof(const char *name)
{
        for (unsigned i = 0; i < KNOWN; i++)
                if (!strcmp(known[i].name, name))
                        return known[i].proof;
        return false;
}

/* Of a gate that does not say go. */
static enum gate_verdict verdict_of_no(const struct turn *t, const char *name)
{
        if (names(t->override, name))
                return GATE_OVERRIDDEN;
        return t->force && only_asks_for_proof(name) ? GATE_ADVICE : GATE_NO_GO;
}

struct gate *turn_gate(struct turn *t, const char *name, bool go, const char *format, ...)
{
        struct gate *g = &t->gates[t->gates_n < GATES_MAX ? t->gates_n++ : GATES_MAX - 1];
        va_list args;

        g->name = name;
        g->verdict = go ? GATE_GO : verdict_of_no(t, name);
        va_start(args, format);
        vsnprintf(g->figure, sizeof g->figure, format, args);
        va_end(args);
        turn_changed(t);
        return g;
}

bool turn_overrides(const struct turn *t, const char *gate)
{
        return verdict_of_no(t, gate) != GATE_NO_GO;
}

bool turn_gates_pass(const struct turn *t)
{
        for (unsigned i = 0; i < t->gates_n; i++)
                if (t->gates[i].verdict == GATE_NO_GO)
                        return false;
        return true;
}

/* ---- those that the loop can tell ---- */

static void gate_stream(struct turn *t, const struct status *s)
{
        bool runs = s->state == STATE_STREAMING || s->state == STATE_REVERSED;
        bool connected = s->source.connected && s->target.connected;

        if (!runs)
                turn_gate(t, "stream", false, "the pipeline is %s", state_name(s->state));
        else if (s->error)
                turn_gate(t, "stream", false, "%.400s", s->error->message);
        else
                turn_gate(t, "stream", connected, "%s",
                        connected ? "both sides are connected" : "a side is not connected");
}

static void gate_lag(struct turn *t, const struct status *s)
{
        double limit = (double)t->from->cutover.max_lag / SECOND;

        if (s->lag.seconds < 0)
                turn_gate(t, "lag", false, "not known (at most %g s)", limit);
        else
                turn_gate(t, "lag", s->lag.seconds <= limit, "%.1f s (at most %g s)",
                        s->lag.seconds, limit);
}

static void gate_copy(struct turn *t, const struct status *s)
{
        const struct migration *m = t->migration;

        if (s->fresh)
                turn_gate(t, "copy", false,
                        "%u tables are new and not migrated: reload, or exclude them", s->fresh);
        else
                turn_gate(t, "copy", !m->joining && s->snapshot.tables_total > 0,
                        "%" PRIu64 " of %" PRIu64 " tables%s",
                        m->joining ? s->snapshot.tables_done : s->snapshot.tables_total,
                        s->snapshot.tables_total, m->joining ? ", and some are being added" : "");
}

static void gate_quarantine(struct turn *t, const struct status *s)
{
        if (s->quarantined < 0)
                turn_gate(t, "quarantine", false, "not known yet");
        else
                turn_gate(t, "quarantine", s->quarantined == 0, "%" PRId64 " changes wait",
                        s->quarantined);
}

static void gate_verification(struct turn *t)
{
        struct migration *m = t->migration;
        AUTO_BUF open = BUF_INIT;
        struct verify_sums v;
        unsigned sample;
        double age;

        migration_verify_sums(m, &v);
        pthread_mutex_lock(&m->verify.report->lock);
        sample = m->verify.report->sample;
        pthread_mutex_unlock(&m->verify.report->lock);
        age = (double)(loop_wall(t->loop) - v.finished) / SECOND;
        if (v.continuous)
                buf_printf(&open, "; %" PRIu64 " changed since are compared behind the fence",
                        v.changed);
        if (v.state != VERIFY_DONE)
                turn_gate(t, "verification", false, "%s: verify start",
                        v.state == VERIFY_RUNNING ? "it is under way"
                        : v.state == VERIFY_IDLE  ? "nothing was compared"
                                                  : "the last one failed");
        else
                turn_gate(t, "verification",
                        v.differences == 0 && v.undecided == 0 && sample == 100,
                        "%" PRIu64 " rows compared (%u %%), %" PRIu64 " differences, %" PRIu64
                        " undecided, %.0f s ago%s",
                        v.rows, sample, v.differences, v.undecided, age > 0 ? age : 0,
                        buf_text(&open));
}

void turn_gates_at_once(struct turn *t)
{
        struct status s = {0};

        migration_status(t->migration, &s);
        gate_stream(t, &s);
        gate_lag(t, &s);
        gate_copy(t, &s);
        gate_quarantine(t, &s);
        gate_verification(t);
}

/* ---- those that others tell ---- */

static int run_hook(
        struct turn *t, const char *program, const char *step, struct halt *h, struct error *e)
{
        AUTO_STRING pipeline =
                memory_printf("CULVERT_PIPELINE=%s", journal_base(t->from)->pipeline.name);
        AUTO_STRING direction =
                memory_printf("CULVERT_DIRECTION=%s", t->back ? "rollback" : "cutover");
        const char *const environment[] = {pipeline, direction, NULL};
        const char *const argv[] = {program, step, NULL};
        struct child c = {.argv = argv,
                .environment = environment,
                .output_limit = HOOK_OUTPUT,
                .stop = halt_flag(h)};
        AUTO_BUF err = BUF_INIT;
        int status = child_run(&c, NULL, &err, e);

        if (status == 0)
                return 0;
        if (status < 0)
                return error_context(e, "%s", program);
        return error_set(e, ERROR_CONFIG, "%s %s: exit status %d%s%.300s", program, step, status,
                err.len ? ": " : "", buf_text(&err));
}

int turn_hook(
        struct turn *t, const char *program, const char *step, struct halt *h, struct error *e)
{
        return is_set(program) ? run_hook(t, program, step, h, e) : 0;
}

static int work_hook(void *context, struct halt *h, struct error *e)
{
        struct turn *t = context;

        return turn_hook(t, t->from->cutover.hook_gate, "gate", h, e);
}

static int work_fence(void *context, struct halt *h, struct error *e)
{
        struct turn *t = context;
        struct fence_request q;

        turn_fence_request(t, h, &q);
        return fence_check(&q, &t->checks, e);
}

/* The first that stands in the way, and how many; all of them to the log. */
static void judge(struct turn *t, const char *gate, const struct error *failed)
{
        const struct check *first = NULL;

        for (unsigned i = 0; i < t->checks.n; i++) {
                const struct check *c = &t->checks.items[i];

                if (c->level == CHECK_ERROR && !first)
                        first = c;
                if (c->level == CHECK_ERROR || c->level == CHECK_WARNING)
                        log_warning("gate %s: %s%s%s", gate, c->text,
                                *c->mend ? "; mended by: " : "", c->mend);
        }
        if (failed)
                turn_gate(t, gate, false, "%.500s", failed->message);
        else if (first)
                turn_gate(t, gate, false, "%u: %.300s%s%.150s", t->checks.errors, first->text,
                        *first->mend ? "; mended by: " : "", first->mend);
        else
                turn_gate(t, gate, true, "of %u tables", t->tables_n);
        checks_done(&t->checks);
}

static void on_counters_checked(struct turn *t, const struct error *failed)
{
        judge(t, "counters", failed);
        t->gates_then(t);
}

static int work_counters(void *context, struct halt *h, struct error *e)
{
        struct turn *t = context;

        return counters_check(t->from, h, t->tables, t->tables_n, &t->checks, e);
}

static void ask_counters(struct turn *t)
{
        turn_job(t, work_counters, on_counters_checked);
}

static void on_fence_checked(struct turn *t, const struct error *failed)
{
        judge(t, "fence", failed);
        ask_counters(t);
}

static void ask_fence(struct turn *t)
{
        switch (t->from->cutover.fence) {
        case FENCE_READ_ONLY:
                turn_job(t, work_fence, on_fence_checked);
                return;
        case FENCE_HOOK:
                turn_gate(t, "fence", is_set(t->from->cutover.hook_before), "%s",
                        is_set(t->from->cutover.hook_before) ? "hook.before stops the writers"
                                                             : "fence = hook needs hook.before");
                break;
        case FENCE_MANUAL:
                turn_gate(t, "fence", t->stopped || t->rehearse, "%s",
                        t->stopped ? "manual: the operator says that nobody writes"
                                   : "manual: it has to be confirmed that nobody writes");
                break;
        }
        ask_counters(t);
}

static void on_hook(struct turn *t, const struct error *failed)
{
        turn_gate(t, "hook", !failed, "%.500s", failed ? failed->message : "exit status 0");
        ask_fence(t);
}

void turn_gates_asked(struct turn *t, void (*then)(struct turn *t))
{
        t->gates_then = then;
        if (is_set(t->from->cutover.hook_gate))
                turn_job(t, work_hook, on_hook);
        else
                ask_fence(t);
}
