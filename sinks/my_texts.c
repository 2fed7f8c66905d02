#include "sinks/my_texts.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_MAX (1024 * 1024) /* bytes of a text, unless one statement has more */
#define TEXTS_MAX 4            /* on their way */

struct my_texts {
        struct my_link *link;
        size_t text_max;
        struct my_texts_events events;
        void *context;
        bool failed;
        struct buf text; /* gathers */
        const char *end; /* of its newest statement, not in it yet; or NULL */
        size_t *lengths; /* of each text on its way, in order of sending */
        size_t on_way, on_way_bytes, lengths_room;
        uint64_t unanswered; /* answers of the open transaction that are still to come */
        struct my_op *ops;   /* ring, in order of sending */
        size_t ops_at, ops_n, ops_room;
};

/* ---- answers that are awaited ---- */

static struct my_op *op_at(const struct my_texts *t, size_t i)
{
        return &t->ops[(t->ops_at + i) % t->ops_room];
}

struct my_op *my_texts_newest(const struct my_texts *t)
{
        return t->ops_n ? op_at(t, t->ops_n - 1) : NULL;
}

static void grow_ops(struct my_texts *t)
{
        size_t room = t->ops_room ? t->ops_room * 2 : 256;
        struct my_op *ops = memory_new(room * sizeof *ops);

        for (size_t i = 0; i < t->ops_n; i++)
                ops[i] = *op_at(t, i);
        free(t->ops);
        t->ops = ops;
        t->ops_at = 0;
        t->ops_room = room;
}

/* Is it of the open transaction, so that the commit waits for it? */
static bool counts(enum my_op_kind kind)
{
        return kind != MY_OP_COMMIT && kind != MY_OP_ALIVE;
}

static struct my_op *push_op(struct my_texts *t, enum my_op_kind kind)
{
        struct my_op *o;

        if (t->ops_n == t->ops_room)
                grow_ops(t);
        o = op_at(t, t->ops_n++);
        *o = (struct my_op){.kind = kind};
        t->unanswered += counts(kind);
        return o;
}

static void release(struct my_texts *t, struct txn *piece)
{
        while (piece) {
                struct txn *next = piece->next;
                size_t bytes = txn_bytes(piece);

                txn_free(piece);
                t->events.released(t->context, bytes);
                piece = next;
        }
}

/* Answers come in order, so a piece is done with when the newest one under way has come. */
void my_texts_keep(struct my_texts *t, struct txn *piece)
{
        struct my_op *newest = my_texts_newest(t);

        piece->next = newest ? newest->done : NULL;
        if (newest)
                newest->done = piece;
        else
                release(t, piece); /* it had nothing to write */
}

/* ---- answers ---- */

void my_texts_fail(struct my_texts *t, const struct error *e)
{
        t->failed = true;
        my_link_fail(t->link, e);
}

static void refuse(struct my_texts *t, const struct error *why)
{
        struct error e = *why;

        if (t->ops_n)
                t->events.refused(t->context, op_at(t, 0), &e);
        my_texts_fail(t, &e);
}

/* The oldest has had its answer. */
static void pop_op(struct my_texts *t)
{
        struct my_op o = *op_at(t, 0);

        t->ops_at = (t->ops_at + 1) % t->ops_room;
        t->ops_n--;
        t->unanswered -= counts(o.kind);
        release(t, o.done);
        if (o.kind == MY_OP_COMMIT)
                t->events.committed(t->context);
}

/* Answered, or refused for `e`. */
static bool leaves_guard(struct my_texts *t, const struct error *e)
{
        struct my_op o = *op_at(t, 0);

        if (!o.guarded || !t->events.guard_left(t->context, &o, e))
                return false;
        pop_op(t);
        return true;
}

static void on_answer(void *context, unsigned statement, uint64_t found, MYSQL_RES *rows)
{
        struct my_texts *t = context;
        struct error e = ERROR_INIT;
        bool refused;

        (void)statement;
        if (t->failed || t->ops_n == 0)
                return;
        refused = t->events.answer(t->context, op_at(t, 0), found, rows, &e) < 0;
        if (leaves_guard(t, refused ? &e : NULL))
                return;
        if (refused)
                refuse(t, &e);
        else
                pop_op(t);
}

static void on_done(void *context, unsigned answered, const struct error *e)
{
        struct my_texts *t = context;

        (void)answered;
        if (t->failed)
                return;
        if (e && !(t->ops_n && leaves_guard(t, e))) {
                refuse(t, e);
                return;
        }
        t->on_way_bytes -= t->lengths[0];
        memmove(t->lengths, t->lengths + 1, --t->on_way * sizeof *t->lengths);
        t->events.moved(t->context);
}

/* ---- texts ---- */

static void end_statement(struct my_texts *t)
{
        if (t->end)
                buf_str(&t->text, t->end);
        t->end = NULL;
}

static void send_text(struct my_texts *t)
{
        end_statement(t);
        if (t->failed || t->text.len == 0)
                return;
        if (t->on_way == t->lengths_room) {
                t->lengths_room += 2 * TEXTS_MAX;
                t->lengths = memory_grow(t->lengths, t->lengths_room * sizeof *t->lengths);
        }
        t->lengths[t->on_way++] = t->text.len;
        t->on_way_bytes += t->text.len;
        my_link_batch(t->link, &t->text, on_answer, on_done, t);
}

void my_texts_send(struct my_texts *t)
{
        send_text(t);
}

void my_texts_flush(struct my_texts *t)
{
        if (t->on_way == 0)
                send_text(t);
}

struct my_op *my_texts_add(struct my_texts *t, enum my_op_kind kind, struct buf *statement)
{
        end_statement(t);
        if (t->text.len && t->text.len + 1 + statement->len > t->text_max)
                send_text(t);
        if (t->text.len)
                buf_char(&t->text, ';');
        buf_add(&t->text, statement->data, statement->len);
        buf_clear(statement);
        return push_op(t, kind);
}

bool my_texts_extend(struct my_texts *t, const char *joint, const struct buf *row)
{
        size_t len = strlen(joint) + row->len + (t->end ? strlen(t->end) : 0);

        if (t->text.len == 0 || t->text.len + len > t->text_max)
                return false;
        buf_str(&t->text, joint);
        buf_add(&t->text, row->data, row->len);
        return true;
}

void my_texts_end(struct my_texts *t, const char *end)
{
        t->end = end;
}

/* ---- what the owner asks ---- */

bool my_texts_ok(const struct my_texts *t)
{
        return !t->failed;
}

bool my_texts_idle(const struct my_texts *t)
{
        return t->ops_n == 0;
}

bool my_texts_answered(const struct my_texts *t)
{
        return t->unanswered == 0;
}

bool my_texts_full(const struct my_texts *t)
{
        return t->on_way >= TEXTS_MAX || t->on_way_bytes >= (size_t)TEXTS_MAX * TEXT_MAX;
}

struct my_texts *my_texts_new(
        struct my_link *k, size_t packet, const struct my_texts_events *events, void *context)
{
        struct my_texts *t = memory_new_of(struct my_texts);

        t->link = k;
        t->text_max = packet < TEXT_MAX ? packet : TEXT_MAX;
        t->events = *events;
        t->context = context;
        return t;
}

struct my_texts *my_texts_free(struct my_texts *t)
{
        if (!t)
                return NULL;
        for (size_t i = 0; i < t->ops_n; i++)
                release(t, op_at(t, i)->done);
        buf_done(&t->text);
        free(t->lengths);
        free(t->ops);
        free(t);
        return NULL;
}
