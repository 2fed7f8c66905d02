#pragma once
/*
 * Frames of the control socket, proto/control.proto: pure functions over bytes, shared by the
 * daemon, the client and the fuzz target. Any thread.
 */
#include "base/buf.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

#define CONTROL_VERSION 1
#define CONTROL_HEADER 4
#define CONTROL_REQUEST_MAX (64u * 1024)
#define CONTROL_REPLY_MAX (16u * 1024 * 1024)
#define CONTROL_ARGUMENTS_MAX 32

struct Culvert__Request;
struct Culvert__Reply;
typedef struct Culvert__Request control_request;
typedef struct Culvert__Reply control_reply;

/* One argument of a request; `value` NULL: a flag. */
struct control_argument {
        const char *name, *value;
};

/* Is a whole frame there? 1: yes, its message has `*len` bytes and starts at CONTROL_HEADER; 0:
 * more bytes are needed; -1: the length is above `max`. Needs no more than the first four bytes. */
int control_frame(const void *data, size_t have, uint32_t max, uint32_t *len, struct error *e);

/* The message of a frame; NULL: it is none. A request of another version is returned too, since
 * it is answered. Freed with the functions below, which take NULL. */
control_request *control_parse_request(const void *message, size_t len, struct error *e);
control_reply *control_parse_reply(const void *message, size_t len, struct error *e);
control_request *control_request_free(control_request *r);
control_reply *control_reply_free(control_reply *r);

/* Append a whole frame. -1: it would be larger than its limit; nothing was added. */
int control_write_request(struct buf *out, uint32_t version, const char *command,
        const struct control_argument *arguments, size_t n, struct error *e);
/* `error` and `body` may be NULL. */
int control_write_reply(struct buf *out, uint32_t code, const char *error, const char *body,
        bool more, struct error *e);
