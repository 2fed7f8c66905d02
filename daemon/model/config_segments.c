/*
 * What a folder of segments can be and not: it has the stream alone, under the source's names, and
 * asks for no password.
 */
#include "model/config_private.h"

#include <string.h>

const char *config_folder(const struct config_end *end)
{
        return end->uri + strlen(CONFIG_SEGMENTS);
}

const char *config_folder_problem(const char *path)
{
        if (*path != '/')
                return "the folder of segments: is an absolute path: segments:/path";
        if (strlen(path) > CONFIG_FOLDER_MAX)
                return "the folder's path is longer than 4000 bytes";
        return strlen(path) == strspn(path, "/") ? "the folder is missing: segments:/path" : NULL;
}

static void check_mode(struct config *c, const char *side, const char *why)
{
        int line = config_line(c, "snapshot", "mode");

        if (c->snapshot.mode != SNAPSHOT_NONE)
                config_complain(c, line ? line : config_line(c, side, "uri"),
                        "[snapshot] mode = none is needed where [%s] uri is segments: %s", side,
                        why);
}

static void check_password(struct config *c, const char *side, const struct config_end *end)
{
        int line = config_line(c, side, "password_file");

        if (end->kind == KIND_SEGMENTS && line)
                config_complain(c, line, "[%s] password_file: segments: has no password", side);
}

#define RENAMED "%s: an archive keeps the source's names; rename where it is replayed"

static void check_table(struct config *c, const struct config_table *t)
{
        if (t->to_name)
                config_complain(c, t->line, RENAMED, "[table] to");
        if (t->on_conflict != CONFLICT_STOP)
                config_complain(c, t->line,
                        "[table] on_conflict: no change conflicts with an archive; say it where "
                        "that is replayed");
        for (unsigned i = 0; i < t->renames_n; i++)
                config_complain(c, t->renames[i].line, RENAMED, "[table] column.*.to");
}

static void check_names(struct config *c)
{
        for (unsigned i = 0; i < c->schemas_n; i++)
                config_complain(c, c->schemas[i].line, RENAMED, "[schemas]");
        for (unsigned i = 0; i < c->table_n; i++)
                check_table(c, &c->table[i]);
}

void config_check_segments(struct config *c)
{
        bool from = c->source.uri && c->source.kind == KIND_SEGMENTS;
        bool to = c->target.uri && c->target.kind == KIND_SEGMENTS;

        check_password(c, "source", &c->source);
        check_password(c, "target", &c->target);
        if (from && to)
                config_complain(c, config_line(c, "target", "uri"),
                        "[target] uri: one of the two sides has to be a database; segment files "
                        "are copied as they are");
        else if (to)
                check_mode(c, "target", "an archive has the changes, not the rows from before");
        else if (from)
                check_mode(c, "source", "an archive has no rows to copy, only changes");
        if (to)
                check_names(c);
}
