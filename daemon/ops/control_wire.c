#include "ops/control_wire.h"
#include "base/memory.h"

#include "control.pb-c.h"

#include <stdlib.h>

int control_frame(const void *data, size_t have, uint32_t max, uint32_t *len, struct error *e)
{
        struct reader r = reader_of(data, have);
        uint32_t n = reader_u32(&r);

        *len = 0;
        if (!reader_ok(&r))
                return 0;
        if (n > max)
                return error_set(
                        e, ERROR_DATA, "message of %u bytes; at most %u are taken", n, max);
        *len = n;
        return have - CONTROL_HEADER >= n;
}

control_request *control_parse_request(const void *message, size_t len, struct error *e)
{
        control_request *r = culvert__request__unpack(NULL, len, message);

        if (!r) {
                error_set(e, ERROR_DATA, "not a message of culvert's control protocol");
                return NULL;
        }
        if (r->n_arguments > CONTROL_ARGUMENTS_MAX) {
                error_set(e, ERROR_DATA, "%zu arguments; at most %d are taken", r->n_arguments,
                        CONTROL_ARGUMENTS_MAX);
                return control_request_free(r);
        }
        return r;
}

control_reply *control_parse_reply(const void *message, size_t len, struct error *e)
{
        control_reply *r = culvert__reply__unpack(NULL, len, message);

        if (!r)
                error_set(e, ERROR_DATA, "the answer is not of culvert's control protocol");
        return r;
}

control_request *control_request_free(control_request *r)
{
        if (r)
                culvert__request__free_unpacked(r, NULL);
        return NULL;
}

control_reply *control_reply_free(control_reply *r)
{
        if (r)
                culvert__reply__free_unpacked(r, NULL);
        return NULL;
}

static int add_frame(struct buf *out, const ProtobufCMessage *m, uint32_t max, struct error *e)
{
        size_t len = protobuf_c_message_get_packed_size(m);
        uint8_t *bytes;

        if (len > max)
                return error_set(
                        e, ERROR_DATA, "message of %zu bytes; at most %u can be sent", len, max);
        bytes = memory_new(len);
        protobuf_c_message_pack(m, bytes);
        buf_u32(out, (uint32_t)len);
        buf_add(out, bytes, len);
        free(bytes);
        return 0;
}

int control_write_request(struct buf *out, uint32_t version, const char *command,
        const struct control_argument *arguments, size_t n, struct error *e)
{
        Culvert__Request request = CULVERT__REQUEST__INIT;
        Culvert__Argument argument[CONTROL_ARGUMENTS_MAX];
        Culvert__Argument *pointer[CONTROL_ARGUMENTS_MAX];

        if (n > CONTROL_ARGUMENTS_MAX)
                return error_set(e, ERROR_BUG, "%zu arguments", n);
        for (size_t i = 0; i < n; i++) {
                culvert__argument__init(&argument[i]);
                argument[i].name = memory_unconst(arguments[i].name);
                argument[i].value = memory_unconst(arguments[i].value);
                pointer[i] = &argument[i];
        }
        request.version = version;
        request.command = memory_unconst(command);
        request.n_arguments = n;
        request.arguments = pointer;
        return add_frame(out, &request.base, CONTROL_REQUEST_MAX, e);
}

int control_write_reply(struct buf *out, uint32_t code, const char *error, const char *body,
        bool more, struct error *e)
{
        Culvert__Reply reply = CULVERT__REPLY__INIT;

        reply.version = CONTROL_VERSION;
        reply.has_code = !more;
        reply.code = code;
        reply.error = memory_unconst(error);
        reply.body = memory_unconst(body);
        reply.has_more = more;
        reply.more = more;
        return add_frame(out, &reply.base, CONTROL_REPLY_MAX, e);
}
