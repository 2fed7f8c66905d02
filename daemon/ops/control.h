#pragma once
/*
 * Control socket: listens on a Unix socket, speaks proto/control.proto, and hands each command to
 * a handler. Peer credentials are taken and logged. A client that sends garbage, an oversize
 * length, half a message or nothing, or that never reads, harms only itself. Loop thread only.
 */
#include "base/error.h"

#include <cjson/cJSON.h>
#include <sys/types.h>

struct loop;
struct control;
struct control_call;

/* Exit statuses of culvertctl, INTERFACE. */
enum control_code {
        CONTROL_DONE = 0,
        CONTROL_FAILED = 1,
        CONTROL_USAGE = 2,
        CONTROL_NO_DAEMON = 3,
        CONTROL_REFUSED = 4,
        CONTROL_TIMEOUT = 5
};

/* Starts listening: socket mode 0660. A stale socket file is replaced; a living daemon's is an
 * error. */
struct control *control_new(struct loop *l, const char *path,
        void (*handle)(void *context, struct control_call *call), void *context, struct error *e);
struct control *control_free(struct control *c);

const char *control_call_command(const struct control_call *call);
/* Value of an argument, or NULL; flags have the value "". */
const char *control_call_argument(const struct control_call *call, const char *name);
/* Name of an argument that is not in the list "one two three", or NULL. */
const char *control_call_unknown(const struct control_call *call, const char *known);

/* Each call is ended by exactly one of these two; the call is gone afterwards. Takes `body`. */
void control_call_answer(struct control_call *call, enum control_code code, cJSON *body);
void control_call_refuse(struct control_call *call, enum control_code code, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
/* One message of several (`watch`); the call goes on. Takes `body`. Dropped while the client is
 * behind. */
void control_call_progress(struct control_call *call, cJSON *body);
/* `gone(context)` when the client leaves before the answer; the call is gone afterwards. */
void control_call_on_gone(struct control_call *call, void (*gone)(void *context), void *context);
