#include "ops/verify_fresh.h"
#include "base/loop.h"
#include "base/memory.h"
#include "model/cascade.h"

#include <stdlib.h>
#include <string.h>

struct fresh_table {
        char *schema, *name; /* on the target */
        char **key;          /* its columns there; none: all or nothing */
        unsigned key_n;
        struct verify_set keys, taken; /* by a digest of what the stream wrote */
        bool all, all_taken;
        int64_t begun, due; /* monotonic: the last comparison as a whole, and the next at soonest */
};

struct verify_fresh {
        struct loop *loop;
        pthread_mutex_t lock;
        struct fresh_table *tables; /* as the run's tasks */
        unsigned n, *sorted;        /* by name */
        bool bound;
        struct value *key; /* room for one */
        unsigned key_max;

        struct position seen, taken, verified; /* ends of transactions */
        int64_t looked;                        /* monotonic */
        uint64_t asked, asked_taken, served;   /* by verify_fresh_rest */
        void (*done)(void *context);
        void *context;
};

struct verify_fresh *verify_fresh_new(struct loop *l)
{
        struct verify_fresh *f = memory_new_of(struct verify_fresh);

        f->loop = l;
        pthread_mutex_init(&f->lock, NULL);
        return f;
}

static void forget_names(struct fresh_table *t)
{
        for (unsigned k = 0; k < t->key_n; k++)
                free(t->key[k]);
        free(t->key);
        free(t->schema);
        free(t->name);
}

static void forget_tables(struct verify_fresh *f)
{
        for (unsigned i = 0; i < f->n; i++) {
                forget_names(&f->tables[i]);
                verify_set_done(&f->tables[i].keys);
                verify_set_done(&f->tables[i].taken);
        }
        free(f->tables);
        free(f->sorted);
        free(f->key);
}

struct verify_fresh *verify_fresh_free(struct verify_fresh *f)
{
        if (!f)
                return NULL;
        loop_unpost(f->loop, f);
        forget_tables(f);
        pthread_mutex_destroy(&f->lock);
        free(f);
        return NULL;
}

/* ---- tables ---- */

static void make_table(struct verify_fresh *f, struct fresh_table *t, const struct verify_table *v)
{
        t->schema = memory_string(v->to.schema);
        t->name = memory_string(v->to.name);
        t->key_n = v->way == VERIFY_BAG ? 0 : v->to.key_n;
        t->key = memory_new((t->key_n + 1) * sizeof(*t->key));
        for (unsigned i = 0; i < t->key_n; i++)
                t->key[i] = memory_string(v->to.shape->columns[v->to.key[i]].name);
        t->due = verify_now() + FRESH_WHOLE;
        if (t->key_n > f->key_max)
                f->key_max = t->key_n;
}

static int compare_names(const char *schema, const char *name, const struct fresh_table *t)
{
        int c = strcmp(name, t->name);

        return c ? c : strcmp(schema, t->schema);
}

static int by_name(const void *x, const void *y, void *context)
{
        const struct verify_fresh *f = context;
        const struct fresh_table *t = &f->tables[*(const unsigned *)x];

        return compare_names(t->schema, t->name, &f->tables[*(const unsigned *)y]);
}

static bool is_like(const struct fresh_table *t, const struct verify_table *v)
{
        bool same = t->key_n == (v->way == VERIFY_BAG ? 0 : v->to.key_n);

        for (unsigned i = 0; same && i < t->key_n; i++)
                same = !strcmp(t->key[i], v->to.shape->columns[v->to.key[i]].name);
        return same;
}

/* A run has the same tables at each attempt. Keys of another kind than before are of no use. */
static void look_again(struct verify_fresh *f, const struct verify_task *tasks, unsigned n)
{
        for (unsigned i = 0; i < n && i < f->n; i++) {
                struct fresh_table *t = &f->tables[i];

                if (is_like(t, &tasks[i].table))
                        continue;
                forget_names(t);
                verify_set_done(&t->keys);
                *t = (struct fresh_table){.all = true};
                make_table(f, t, &tasks[i].table);
        }
}

void verify_fresh_bind(struct verify_fresh *f, const struct verify_task *tasks, unsigned n)
{
        pthread_mutex_lock(&f->lock);
        if (f->bound) {
                look_again(f, tasks, n);
        } else {
                f->tables = memory_new((n + 1) * sizeof *f->tables);
                f->sorted = memory_new((n + 1) * sizeof *f->sorted);
                f->n = n;
                for (unsigned i = 0; i < n; i++) {
                        make_table(f, &f->tables[i], &tasks[i].table);
                        f->sorted[i] = i;
                }
                if (n)
                        qsort_r(f->sorted, n, sizeof *f->sorted, by_name, f);
        }
        free(f->key);
        f->key = memory_new((f->key_max + 1) * sizeof *f->key);
        f->bound = true;
        pthread_mutex_unlock(&f->lock);
}

bool verify_fresh_is_bound(struct verify_fresh *f)
{
        bool bound;

        pthread_mutex_lock(&f->lock);
        bound = f->bound;
        pthread_mutex_unlock(&f->lock);
        return bound;
}

static struct fresh_table *find(struct verify_fresh *f, const struct relation *r)
{
        unsigned low = 0, high = f->n;

        while (low < high) {
                unsigned middle = (low + high) / 2;
                struct fresh_table *t = &f->tables[f->sorted[middle]];
                int c = compare_names(r->schema, r->name, t);

                if (c == 0)
                        return t;
                if (c < 0)
                        high = middle;
                else
                        low = middle + 1;
        }
        return NULL;
}

/* ---- what the stream brings ---- */

static size_t bytes_of(const struct verify_set *s)
{
        return s->keys.len + s->n * sizeof *s->rows + s->slots_n * sizeof *s->slots;
}

static void mark_all(struct fresh_table *t)
{
        t->all = true;
        verify_set_done(&t->keys);
}

/* The keys of the table that has most of them give way. */
static void keep_within(struct verify_fresh *f)
{
        struct fresh_table *largest = NULL;
        size_t bytes = 0, most = 0;

        for (unsigned i = 0; i < f->n; i++) {
                size_t b = bytes_of(&f->tables[i].keys);

                bytes += b + bytes_of(&f->tables[i].taken);
                if (b <= most)
                        continue;
                most = b;
                largest = &f->tables[i];
        }
        if (bytes > FRESH_BYTES_MAX && largest)
                mark_all(largest);
}

/* False: its key is not known. A value that the log leaves out is the old row's. */
static bool take_key(struct verify_fresh *f, const struct fresh_table *t, const struct relation *r,
        const struct value *row, const struct value *old)
{
        for (unsigned i = 0; i < t->key_n; i++) {
                int at = relation_column(r, t->key[i]);

                if (at < 0)
                        return false;
                f->key[i] = row[at].kind == VALUE_UNCHANGED && old ? old[at] : row[at];
                if (f->key[i].kind != VALUE_TEXT)
                        return false;
        }
        return t->key_n > 0;
}

static void touch(struct verify_fresh *f, struct fresh_table *t, const struct relation *r,
        const struct value *row, const struct value *old)
{
        struct digest d = DIGEST_INIT;
        struct verify_row *known;
        bool is_known;

        if (t->all)
                return;
        if (!take_key(f, t, r, row, old)) {
                mark_all(t);
                return;
        }
        for (unsigned i = 0; i < t->key_n; i++)
                digest_add(&d, f->key[i].data, f->key[i].len);
        known = verify_set_add(&t->keys, &d, &is_known);
        if (is_known)
                return;
        known->to = verify_keep(&t->keys.keys, f->key, t->key_n);
        if (t->keys.n % 1024 == 0)
                keep_within(f);
}

/* Rows of other tables that the log does not tell. */
static void see_cascades(struct verify_fresh *f, const struct change *c)
{
        if (!c->cascades || !c->relation->cascades || !cascades_fire(c))
                return;
        for (unsigned i = 0; i < f->n; i++)
                if (!f->tables[i].all && cascades_touch(c->relation->cascades, f->tables[i].schema,
                                                 f->tables[i].name))
                        mark_all(&f->tables[i]);
}

static void see_truncate(struct verify_fresh *f, const struct change *c)
{
        struct fresh_table *t;

        for (uint32_t i = 0; i < c->truncated_n; i++)
                if ((t = find(f, c->truncated[i])))
                        mark_all(t);
        for (unsigned i = 0; c->cascade && i < f->n; i++)
                mark_all(&f->tables[i]);
}

static void see_change(struct verify_fresh *f, const struct change *c)
{
        struct fresh_table *t;

        if (c->op == CHANGE_TRUNCATE) {
                see_truncate(f, c);
                return;
        }
        see_cascades(f, c);
        if (!(t = find(f, c->relation)))
                return;
        if (c->old)
                touch(f, t, c->relation, c->old, NULL);
        if (c->new)
                touch(f, t, c->relation, c->new, c->old);
}

void verify_fresh_see(struct verify_fresh *f, const struct txn *piece)
{
        pthread_mutex_lock(&f->lock);
        for (const struct change *c = piece->changes; f->bound && c; c = c->next)
                see_change(f, c);
        if (piece->last)
                f->seen = position_max(f->seen, piece->end);
        pthread_mutex_unlock(&f->lock);
}

/* ---- what the job takes ---- */

static bool has_keys(const struct verify_fresh *f)
{
        for (unsigned i = 0; i < f->n; i++)
                if (f->tables[i].keys.n > 0)
                        return true;
        return false;
}

/* Is the whole table compared the next time? */
static bool is_whole_due(const struct verify_fresh *f, const struct fresh_table *t)
{
        return t->all && (f->asked > f->served || verify_now() >= t->due);
}

bool verify_fresh_is_due(struct verify_fresh *f)
{
        bool due;

        pthread_mutex_lock(&f->lock);
        due = f->asked > f->served;
        if (!due && verify_now() >= f->looked + FRESH_CYCLE)
                due = has_keys(f) || position_compare(f->verified, f->seen) < 0;
        for (unsigned i = 0; !due && i < f->n; i++)
                due = is_whole_due(f, &f->tables[i]);
        pthread_mutex_unlock(&f->lock);
        return due;
}

void verify_fresh_take(struct verify_fresh *f)
{
        pthread_mutex_lock(&f->lock);
        f->taken = f->seen;
        f->asked_taken = f->asked;
        for (unsigned i = 0; i < f->n; i++) {
                struct fresh_table *t = &f->tables[i];

                t->taken = t->keys;
                t->keys = (struct verify_set){0};
                t->all_taken = is_whole_due(f, t);
                t->begun = verify_now();
                if (t->all_taken)
                        t->all = false;
                else if (t->all)
                        f->taken = f->verified; /* it stays as old as it is */
        }
        pthread_mutex_unlock(&f->lock);
}

const struct verify_set *verify_fresh_taken(struct verify_fresh *f, unsigned task, bool *all)
{
        *all = f->tables[task].all_taken;
        return &f->tables[task].taken;
}

static void on_served(void *context)
{
        struct verify_fresh *f = context;
        void (*done)(void *context) = f->done;
        bool served;

        pthread_mutex_lock(&f->lock);
        served = f->served >= f->asked;
        pthread_mutex_unlock(&f->lock);
        if (!done || !served)
                return;
        f->done = NULL;
        done(f->context);
}

/* As long ago as it takes, several times. */
static int64_t next_whole(int64_t begun)
{
        int64_t now = verify_now(), pause = (now - begun) * FRESH_SHARE;

        return now + (pause > FRESH_WHOLE ? pause : FRESH_WHOLE);
}

void verify_fresh_done(struct verify_fresh *f)
{
        pthread_mutex_lock(&f->lock);
        for (unsigned i = 0; i < f->n; i++) {
                struct fresh_table *t = &f->tables[i];

                verify_set_done(&t->taken);
                if (t->all_taken)
                        t->due = next_whole(t->begun);
                t->all_taken = false;
        }
        f->verified = position_max(f->verified, f->taken);
        f->looked = verify_now();
        f->served = f->asked_taken;
        pthread_mutex_unlock(&f->lock);
        loop_post(f->loop, on_served, f);
}

void verify_fresh_back(struct verify_fresh *f)
{
        pthread_mutex_lock(&f->lock);
        for (unsigned i = 0; i < f->n; i++) {
                struct fresh_table *t = &f->tables[i];
                bool known;

                for (uint32_t k = 0; !t->all && !t->all_taken && k < t->taken.n; k++) {
                        struct verify_row *row =
                                verify_set_add(&t->keys, &t->taken.rows[k].key, &known);

                        if (known)
                                continue;
                        verify_kept(&t->taken.keys, t->taken.rows[k].to, f->key, t->key_n);
                        row->to = verify_keep(&t->keys.keys, f->key, t->key_n);
                }
                if (t->all_taken)
                        mark_all(t);
                t->all_taken = false;
                verify_set_done(&t->taken);
        }
        keep_within(f);
        pthread_mutex_unlock(&f->lock);
}

/* ---- the loop's questions ---- */

bool verify_fresh_rest(struct verify_fresh *f, void (*done)(void *context), void *context)
{
        if (f->done)
                return false;
        f->done = done;
        f->context = context;
        pthread_mutex_lock(&f->lock);
        f->asked++;
        pthread_mutex_unlock(&f->lock);
        return true;
}

void verify_fresh_forget_rest(struct verify_fresh *f)
{
        f->done = NULL;
}

bool verify_fresh_is_awaited(struct verify_fresh *f)
{
        return f->done != NULL;
}

void verify_fresh_show(struct verify_fresh *f, struct verify_report *r)
{
        pthread_mutex_lock(&f->lock);
        pthread_mutex_lock(&r->lock);
        r->changed = 0;
        r->verified = f->verified;
        for (unsigned i = 0; f->bound && i < f->n && i < r->lines_n; i++) {
                const struct fresh_table *t = &f->tables[i];

                r->lines[i].changed = t->keys.n + t->taken.n;
                r->lines[i].stale = t->all || t->all_taken;
                r->changed += r->lines[i].changed;
        }
        pthread_mutex_unlock(&r->lock);
        pthread_mutex_unlock(&f->lock);
}
