/*
 * Frames of the control socket. The first byte chooses the side that reads: the daemon's requests
 * or the client's replies. What parses is written again and must parse to the same.
 */
#include "base/memory.h"
#include "ops/control_wire.h"

#include "control.pb-c.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
        if (!ok)
                abort();
}

static void same(const char *a, const char *b)
{
        must((a == NULL) == (b == NULL) && (!a || !strcmp(a, b)));
}

static void again_request(const control_request *r)
{
        struct control_argument arguments[CONTROL_ARGUMENTS_MAX];
        struct error e = ERROR_INIT;
        AUTO_BUF out = BUF_INIT;
        control_request *b;

        for (size_t i = 0; i < r->n_arguments; i++)
                arguments[i] =
                        (struct control_argument){r->arguments[i]->name, r->arguments[i]->value};
        if (control_write_request(&out, r->version, r->command, arguments, r->n_arguments, &e) < 0)
                return;
        b = control_parse_request(out.data + CONTROL_HEADER, out.len - CONTROL_HEADER, &e);
        must(b && b->version == r->version && b->n_arguments == r->n_arguments);
        same(b->command, r->command);
        for (size_t i = 0; i < b->n_arguments; i++)
                same(b->arguments[i]->value, r->arguments[i]->value);
        control_request_free(b);
}

static void again_reply(const control_reply *r)
{
        struct error e = ERROR_INIT;
        AUTO_BUF out = BUF_INIT;
        control_reply *b;

        must(control_write_reply(&out, r->code, r->error, r->body, r->more, &e) == 0);
        b = control_parse_reply(out.data + CONTROL_HEADER, out.len - CONTROL_HEADER, &e);
        must(b && b->more == r->more && b->code == (r->more ? 0 : r->code)); /* not both */
        same(b->error, r->error);
        same(b->body, r->body);
        control_reply_free(b);
}

/* One frame after the other, as the daemon and the client take them. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        bool replies = size > 0 && *data & 1;
        uint32_t max = replies ? CONTROL_REPLY_MAX : CONTROL_REQUEST_MAX, len;
        struct error e = ERROR_INIT;

        if (size == 0)
                return 0;
        data++;
        size--;
        while (control_frame(data, size, max, &len, &e) == 1) {
                const uint8_t *message = data + CONTROL_HEADER;

                must(len <= max && len + CONTROL_HEADER <= size);
                if (replies) {
                        control_reply *r = control_parse_reply(message, len, &e);

                        if (r)
                                again_reply(r);
                        control_reply_free(r);
                } else {
                        control_request *r = control_parse_request(message, len, &e);

                        if (r)
                                again_request(r);
                        control_request_free(r);
                }
                data += CONTROL_HEADER + len;
                size -= CONTROL_HEADER + len;
        }
        return 0;
}
