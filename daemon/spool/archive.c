#include "spool/archive.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FORMAT 1
#define SIZE_LIMIT ((size_t)64 * 1024 * 1024)
#define TABLE_FIELDS 9

/* In the order of the file. */
static char **field_of(struct archive *a, unsigned i)
{
        char **const fields[] = {&a->pipeline, &a->engine, &a->version, &a->source, &a->stage,
                &a->mode, &a->snapshot, &a->start, &a->published};

        return i < sizeof fields / sizeof *fields ? fields[i] : NULL;
}

static char **table_field_of(struct archive_table *t, unsigned i)
{
        char **const fields[TABLE_FIELDS] = {&t->schema, &t->name, &t->state, &t->start, &t->first,
                &t->shape, &t->next, &t->mark, &t->keys};

        return fields[i];
}

void archive_set(char **field, const char *text)
{
        char *copy = memory_string(text);

        free(*field);
        *field = copy;
}

void archive_clear_tables(struct archive *a)
{
        for (unsigned i = 0; i < a->n; i++)
                for (unsigned k = 0; k < TABLE_FIELDS; k++)
                        free(*table_field_of(&a->tables[i], k));
        free(a->tables);
        a->tables = NULL;
        a->n = 0;
}

void archive_done(struct archive *a)
{
        char **field;

        archive_clear_tables(a);
        for (unsigned i = 0; (field = field_of(a, i)); i++)
                free(*field);
        *a = (struct archive){0};
}

struct archive_table *archive_table(const struct archive *a, const char *schema, const char *name)
{
        for (unsigned i = 0; i < a->n; i++)
                if (!strcmp(a->tables[i].name, name) && !strcmp(a->tables[i].schema, schema))
                        return &a->tables[i];
        return NULL;
}

static struct archive_table *append(struct archive *a)
{
        a->tables = memory_grow(a->tables, (a->n + 1) * sizeof *a->tables);
        a->tables[a->n] = (struct archive_table){0};
        return &a->tables[a->n++];
}

struct archive_table *archive_add(struct archive *a, const char *schema, const char *name)
{
        struct archive_table *t = archive_table(a, schema, name);

        if (t)
                return t;
        t = append(a);
        t->schema = memory_string(schema);
        t->name = memory_string(name);
        return t;
}

/* ---- the file ---- */

static void put(struct buf *out, const char *text)
{
        buf_name(out, text ? text : "");
        buf_char(out, '\n');
}

int archive_write(const struct archive *a, const char *folder, struct error *e)
{
        AUTO_STRING path = memory_printf("%s/archive", folder);
        struct archive fields = *a; /* the tables of fields have plain pointers */
        AUTO_BUF text = BUF_INIT;
        char **field;

        buf_printf(&text, "culvert-archive %d\n", FORMAT);
        for (unsigned i = 0; (field = field_of(&fields, i)); i++)
                put(&text, *field);
        for (unsigned i = 0; i < a->n; i++) {
                buf_str(&text, "table\n");
                for (unsigned k = 0; k < TABLE_FIELDS; k++)
                        put(&text, *table_field_of(&fields.tables[i], k));
        }
        buf_str(&text, "end\n");
        return file_replace(path, buf_text(&text), e);
}

/* "" is none. */
static bool get(const char **at, char **field)
{
        *field = buf_take_name(at);
        if (!*field || **at != '\n')
                return false;
        ++*at;
        if (!**field)
                memory_free_string(field);
        return true;
}

static bool skip(const char **at, const char *word)
{
        size_t len = strlen(word);

        if (strncmp(*at, word, len) != 0)
                return false;
        *at += len;
        return true;
}

static bool parse(struct archive *a, const char *at)
{
        char **field;

        for (unsigned i = 0; (field = field_of(a, i)); i++)
                if (!get(&at, field))
                        return false;
        while (skip(&at, "table\n")) {
                struct archive_table *t = append(a);

                for (unsigned k = 0; k < TABLE_FIELDS; k++)
                        if (!get(&at, table_field_of(t, k)))
                                return false;
                if (!t->schema || !t->name || !t->state || !t->first || !t->shape)
                        return false;
        }
        return !strcmp(at, "end\n") && a->pipeline && a->engine && a->stage;
}

int archive_read(struct archive *a, const char *folder, struct error *e)
{
        AUTO_STRING path = memory_printf("%s/archive", folder);
        AUTO_STRING text = NULL;
        int format = 0, used = 0;

        *a = (struct archive){0};
        if (access(path, F_OK) < 0 && errno == ENOENT)
                return 0;
        if (!(text = file_read(path, SIZE_LIMIT, e)))
                return -1;
        if (sscanf(text, "culvert-archive %d%n", &format, &used) == 1 && format > FORMAT)
                return error_set(e, ERROR_CONFIG, "%s has format %d, this culvert %s knows %d",
                        path, format, CULVERT_VERSION, FORMAT);
        if (format == FORMAT && text[used] == '\n' && parse(a, text + used + 1))
                return 1;
        archive_done(a);
        return error_set(e, ERROR_CONFIG, "%s is damaged: culvert did not write this", path);
}

/* ---- the folder ---- */

int archive_folder(const char *folder, enum archive_use use, struct error *e)
{
        struct stat st;

        if (use == ARCHIVE_MAKE && file_make_dir(folder, e) < 0)
                return -1;
        if (stat(folder, &st) < 0)
                return error_set(e, ERROR_CONFIG, "%s: %s", folder, strerror(errno));
        if (!S_ISDIR(st.st_mode))
                return error_set(e, ERROR_CONFIG, "%s: not a folder", folder);
        if (use != ARCHIVE_READ && st.st_uid != geteuid())
                return error_set(e, ERROR_CONFIG,
                        "%s: belongs to user %u, and culvertd runs as user %u", folder,
                        (unsigned)st.st_uid, (unsigned)geteuid());
        return 0;
}

int archive_lock(const char *folder, struct error *e)
{
        AUTO_STRING path = memory_printf("%s/lock", folder);
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
                return fd;
        if (fd >= 0 && errno == EWOULDBLOCK)
                error_set(e, ERROR_RETRY, "%s: another culvertd writes to this archive", folder);
        else
                error_set(e, ERROR_CONFIG, "%s: cannot be locked: %s", path, strerror(errno));
        if (fd >= 0)
                close(fd);
        return -1;
}

bool archive_is_locked(const char *folder)
{
        AUTO_STRING path = memory_printf("%s/lock", folder);
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        bool locked = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;

        if (fd >= 0)
                close(fd);
        return locked;
}
