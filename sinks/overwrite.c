#include "sinks/overwrite.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

void overwrite_begin(struct overwrite *o)
{
        o->stage = OVERWRITE_NONE;
        error_clear(&o->why);
}

void overwrite_done(struct overwrite *o)
{
        free(o->row);
        *o = (struct overwrite){0};
}

bool overwrite_is_begun(const struct overwrite *o)
{
        return o->stage != OVERWRITE_NONE;
}

/* The row after the change, as far as the log has it; false: not all of it. */
static bool take_row(struct overwrite *o, const struct change *c)
{
        uint16_t n = c->relation->columns_n;
        bool whole = true;

        if (o->room < n) {
                o->row = memory_grow(o->row, (n + 1u) * sizeof *o->row);
                o->room = n;
        }
        for (uint16_t i = 0; i < n; i++) {
                o->row[i] = c->new[i].kind == VALUE_UNCHANGED && c->old ? c->old[i] : c->new[i];
                whole &= o->row[i].kind != VALUE_UNCHANGED;
        }
        return whole;
}

static enum overwrite_result try_step(
        struct overwrite *o, const struct change *c, enum overwrite_stage stage, enum change_op op)
{
        o->stage = stage;
        o->step = (struct change){.op = op, .relation = c->relation};
        if (op == CHANGE_DELETE)
                o->step.old = o->row;
        else
                o->step.new = o->row;
        return OVERWRITE_TRY;
}

static bool same_value(const struct value *a, const struct value *b)
{
        return b->kind == VALUE_UNCHANGED ||
               (a->kind == b->kind && a->len == b->len &&
                       (a->kind != VALUE_TEXT || !memcmp(a->data, b->data, a->len)));
}

static bool moves_key(const bool *key, const struct change *c)
{
        for (uint16_t i = 0; c->old && i < c->relation->columns_n; i++)
                if (key[i] && !same_value(&c->old[i], &c->new[i]))
                        return true;
        return false;
}

static enum overwrite_result stop_for(struct error *why, const char *reason)
{
        error_context(why, "on_conflict = overwrite: %s", reason);
        return OVERWRITE_STOP;
}

static enum overwrite_result of_update(
        struct overwrite *o, const bool *key, const struct change *c, struct error *why)
{
        if (why->row == ROW_MISSING)
                return take_row(o, c) ? try_step(o, c, OVERWRITE_INSERT, CHANGE_INSERT)
                                      : stop_for(why, "the log has not the whole row (replica "
                                                      "identity full, or full row images)");
        if (why->row != ROW_IN_THE_WAY)
                return OVERWRITE_STOP;
        if (!moves_key(key, c))
                return stop_for(why, "the row in the way has another key, and stays");
        take_row(o, c);
        return try_step(o, c, OVERWRITE_CLEAR, CHANGE_DELETE);
}

static enum overwrite_result of_change(
        struct overwrite *o, const bool *key, const struct change *c, struct error *why)
{
        if (c->op == CHANGE_UPDATE)
                return of_update(o, key, c, why);
        if (c->op == CHANGE_DELETE && why->row == ROW_MISSING)
                return OVERWRITE_DONE;
        if (c->op != CHANGE_INSERT || why->row != ROW_IN_THE_WAY)
                return OVERWRITE_STOP;
        take_row(o, c);
        return try_step(o, c, OVERWRITE_UPDATE, CHANGE_UPDATE);
}

enum overwrite_result overwrite_refused(
        struct overwrite *o, const bool *key, const struct change *c, struct error *why)
{
        if (!why->of_row)
                return OVERWRITE_STOP;
        if (o->stage == OVERWRITE_NONE) {
                o->why = *why;
                return of_change(o, key, c, why);
        }
        if (o->stage == OVERWRITE_INSERT && why->row == ROW_IN_THE_WAY)
                return try_step(o, c, OVERWRITE_UPDATE, CHANGE_UPDATE);
        if (why->row == ROW_OTHER)
                return OVERWRITE_STOP;
        return stop_for(why, "the row in the way has another key, and stays");
}

/* The way is free: the update itself, with what of its row is not in the log. */
enum overwrite_result overwrite_answered(struct overwrite *o, const struct change *c)
{
        if (o->stage != OVERWRITE_CLEAR)
                return OVERWRITE_DONE;
        o->stage = OVERWRITE_AGAIN;
        o->step = *c;
        o->step.next = NULL;
        return OVERWRITE_TRY;
}
