#include "model/config_private.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

/* show config */

/* [cutover] check.NAME. */
static void show_checks(const struct config *c, const char *section, struct buf *out)
{
        for (unsigned i = 0; i < c->values_n; i++) {
                const struct config_value *v = &c->values[i];

                if (!v->text || strcmp(v->section, "cutover") != 0)
                        continue;
                if (strcmp(section, v->section) != 0)
                        buf_printf(out, "\n[%s]\n", v->section);
                section = v->section;
                buf_printf(out, "%s = %s\n", v->key, v->text);
        }
}

/* [schemas] and [table] as the file has them. */
static void show_named(const struct config *c, const char *front, struct buf *out)
{
        for (unsigned i = 0; i < c->values_n; i++) {
                const struct config_value *v = &c->values[i];

                if (strncmp(v->section, front, strlen(front)) != 0)
                        continue;
                if (!*v->key)
                        buf_printf(out, "\n[%s]\n", v->section);
                else
                        buf_printf(out, "%s = %s\n", v->key, v->text);
        }
}

static void show_option(const struct config *c, const struct option *o, struct buf *out)
{
        AUTO_BUF value = BUF_INIT;

        if (!option_print(o, c, &value))
                return;
        buf_printf(out, "%s =%s%s%s\n", o->key, value.len ? " " : "", buf_text(&value),
                config_value_of(c, o->section, o->key) ? "" : " ; default");
}

void config_show(const struct config *c, struct buf *out)
{
        const char *section = "";

        if (c->problems_n > 0)
                return;
        buf_printf(out, "; %s\n", c->path);
        for (const struct option *o = config_options; o->section; o++) {
                if (!strcmp(o->section, "schemas") || !strcmp(o->key, "to")) {
                        show_named(c, !strcmp(o->key, "to") ? "table " : "schemas", out);
                        section = "";
                }
                if (!strcmp(o->key, "check.NAME"))
                        show_checks(c, section, out);
                if (o->offset == OPTION_NOWHERE)
                        continue;
                if (strcmp(section, o->section) != 0)
                        buf_printf(out, "\n[%s]\n", o->section);
                section = o->section;
                show_option(c, o, out);
        }
}

/* The reference */

static void reference_facts(const struct option *o, struct buf *out)
{
        buf_str(out, "; ");
        option_range(o, out);
        if (o->reload == RELOADABLE)
                buf_str(out, "; takes effect on reload");
        if (!o->built)
                buf_str(out, "\n");
        else if (o->type != OPTION_CHOICE)
                buf_str(out, "; not built yet\n");
        else {
                buf_str(out, "; built today: ");
                option_words(o->built, out);
                buf_char(out, '\n');
        }
}

/* A sentence in lines of at most 78 columns. */
static void reference_sentence(const char *s, struct buf *out)
{
        size_t column = 0;

        while (*s) {
                size_t n = strcspn(s, " ");

                if (column > 0 && column + 1 + n > 78) {
                        buf_str(out, "\n");
                        column = 0;
                }
                buf_str(out, column ? " " : "; ");
                buf_add(out, s, n);
                column += n + (column ? 1 : 2);
                s += n + (s[n] == ' ');
        }
        buf_str(out, "\n");
}

void config_reference(struct buf *out)
{
        const char *section = "";

        buf_str(out,
                "; Every option of culvertd's configuration, as `culvertd --reference` prints it.\n"
                "; Behind a key stands its default. What is not marked otherwise takes effect at\n"
                "; the next start. Sizes: 4096, 10kB, 8MiB. Durations: 150ms, 10s, 5m, 2h, 1d.\n"
                "; NAME is the pipeline's name.\n");
        for (const struct option *o = config_options; o->section; o++) {
                if (strcmp(section, o->section) != 0)
                        buf_printf(
                                out, "\n%s[%s]\n", strchr(o->section, ' ') ? ";" : "", o->section);
                section = o->section;
                buf_str(out, "\n");
                reference_sentence(o->sentence, out);
                reference_facts(o, out);
                buf_printf(out, ";%s =%s%s\n", o->key, o->standard && *o->standard ? " " : "",
                        o->standard ? o->standard : "");
        }
}

/* Differences */

struct diff {
        const struct config *old, *new;
        void (*each)(void *context, const char *key, bool reloadable);
        void *context;
};

static void differs(struct diff *d, const char *section, const char *key, bool reloadable)
{
        AUTO_STRING name = *key ? memory_printf("%s.%s", section, key) : memory_string(section);

        d->each(d->context, name, reloadable);
}

static void diff_options(struct diff *d)
{
        for (const struct option *o = config_options; o->section; o++) {
                AUTO_BUF a = BUF_INIT;
                AUTO_BUF b = BUF_INIT;
                bool in_a, in_b;

                if (o->offset == OPTION_NOWHERE)
                        continue;
                in_a = option_print(o, d->old, &a);
                in_b = option_print(o, d->new, &b);
                if (in_a != in_b || strcmp(buf_text(&a), buf_text(&b)) != 0)
                        differs(d, o->section, o->key, o->reload == RELOADABLE);
        }
}

static bool is_named(const struct config_value *v)
{
        return !strncmp(v->section, "table ", 6) || v->text;
}

/* What the user named in `a` and not the same in `b`; `both`: also what b changed. */
static void diff_named(struct diff *d, const struct config *a, const struct config *b, bool both)
{
        for (unsigned i = 0; i < a->values_n; i++) {
                const struct config_value *v = &a->values[i], *other;

                if (!is_named(v))
                        continue;
                other = config_value_of(b, v->section, v->key);
                if (!other || (both && v->text && strcmp(v->text, other->text) != 0))
                        differs(d, v->section, v->key, false);
        }
}

static void diff_password(
        struct diff *d, const char *side, const struct config_end *a, const struct config_end *b)
{
        const char *x = a->password ? a->password : "", *y = b->password ? b->password : "";

        if (strcmp(x, y) != 0)
                differs(d, side, "password", false);
}

void config_diff(const struct config *old, const struct config *new,
        void (*each)(void *context, const char *key, bool reloadable), void *context)
{
        struct diff d = {old, new, each, context};

        diff_options(&d);
        diff_named(&d, old, new, true);
        diff_named(&d, new, old, false);
        diff_password(&d, "source", &old->source, &new->source);
        diff_password(&d, "target", &old->target, &new->target);
}

void config_reload(struct config *running, const struct config *loaded)
{
        for (const struct option *o = config_options; o->section; o++) {
                struct option_value v = {0};
                struct error e = ERROR_INIT;
                AUTO_BUF text = BUF_INIT;

                if (o->reload != RELOADABLE || o->offset == OPTION_NOWHERE ||
                        !option_print(o, loaded, &text))
                        continue;
                if (option_parse(o, buf_text(&text), &v, &e) == 0) {
                        option_store(o, running, &v);
                        config_value_adopt(running, o->section, o->key, loaded);
                }
                option_done(&v);
        }
}
