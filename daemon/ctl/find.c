#include "ctl/find.h"
#include "ctl/client.h"
#include "ops/control.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>

static const char *folder(void)
{
        const char *set = getenv("CULVERT_RUN_DIR");

        return set && *set ? set : FIND_FOLDER;
}

/* A file that a killed daemon left does not count. */
static bool answers(const char *path)
{
        struct client c = CLIENT_NULL;
        struct error e = ERROR_INIT;
        int rc = client_connect(&c, path, &e);

        client_done(&c);
        return rc == 0;
}

static int find_only(struct buf *path, struct error *e)
{
        AUTO_BUF pattern = BUF_INIT, names = BUF_INIT;
        unsigned n = 0;
        glob_t found;

        buf_printf(&pattern, "%s/*.sock", folder());
        if (glob(pattern.data, 0, NULL, &found) != 0)
                found.gl_pathc = 0;
        for (size_t i = 0; i < found.gl_pathc; i++) {
                if (!answers(found.gl_pathv[i]))
                        continue;
                if (n++ == 0)
                        buf_str(path, found.gl_pathv[i]);
                const char *name = strrchr(found.gl_pathv[i], '/') + 1;

                buf_printf(&names, " %.*s", (int)(strlen(name) - strlen(".sock")), name);
        }
        if (found.gl_pathc)
                globfree(&found);
        if (n == 1)
                return 0;
        if (n == 0) {
                error_set(e, ERROR_RETRY, "no daemon answers in %s", folder());
                return CONTROL_NO_DAEMON;
        }
        error_set(e, ERROR_CONFIG, "say which pipeline:%s", names.data);
        return CONTROL_USAGE;
}

int find_socket(const char *socket, const char *name, struct buf *path, struct error *e)
{
        buf_clear(path);
        if (socket)
                buf_str(path, socket);
        else if (name)
                buf_printf(path, "%s/%s.sock", folder(), name);
        else
                return find_only(path, e);
        return 0;
}
