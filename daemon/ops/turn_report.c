/* What happened in a turn, for people and scripts. */
#include "ops/json.h"
#include "ops/turn_private.h"

static const char *const verdicts[] = {
        [GATE_GO] = "go",
        [GATE_NO_GO] = "no-go",
        [GATE_ADVICE] = "advice",
        [GATE_OVERRIDDEN] = "overridden",
};

static const char *const ends[] = {
        [TURN_DONE] = "done",
        [TURN_REFUSED] = "refused",
        [TURN_FAILED] = "undone",
        [TURN_LATE] = "timed-out",
};

static void add_gates(cJSON *o, const struct turn *t)
{
        cJSON *list = cJSON_AddArrayToObject(o, "gates");

        for (unsigned i = 0; i < t->gates_n; i++) {
                cJSON *g = cJSON_CreateObject();

                json_text(g, "gate", t->gates[i].name);
                json_text(g, "verdict", verdicts[t->gates[i].verdict]);
                json_text(g, "figure", t->gates[i].figure);
                cJSON_AddItemToArray(list, g);
        }
}

/* From the fence to the release; of a rehearsal what it would be, as far as it was done. */
static double add_steps(cJSON *o, const struct turn *t)
{
        cJSON *list = cJSON_AddArrayToObject(o, "steps");
        double pause = 0;

        for (unsigned i = 0; i < t->steps_n; i++) {
                const struct turn_step *s = &t->steps[i];
                int64_t took = s->took >= 0 ? s->took : loop_now(t->loop) - s->began;
                cJSON *g = cJSON_CreateObject();

                json_text(g, "step", s->name);
                cJSON_AddNumberToObject(g, "seconds", (double)took / SECOND);
                json_bool(g, "pauses_writes", s->pauses);
                json_bool(g, "done", s->took >= 0);
                cJSON_AddItemToArray(list, g);
                pause += s->pauses ? (double)took / SECOND : 0;
        }
        return pause;
}

cJSON *turn_body(const struct turn *t)
{
        cJSON *o = json_object();

        json_text(o, "pipeline", journal_base(t->from)->pipeline.name);
        json_text(o, "command", t->back ? "rollback" : "cutover");
        json_bool(o, "rehearsal", t->rehearse);
        json_text(o, "result", t->over ? ends[t->end] : NULL);
        json_text(o, "error", *t->why ? t->why : NULL);
        json_time(o, "started_at", t->began);
        json_time(o, "finished_at", t->ended);
        json_text(o, "position", *t->position ? t->position : NULL);
        add_gates(o, t);
        cJSON_AddNumberToObject(o, "pause_seconds", add_steps(o, t));
        return o;
}
