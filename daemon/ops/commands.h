#pragma once
/*
 * Commands: what culvertctl can ask of a running daemon. Connects the control socket to the
 * migration. Loop thread only.
 */
#include "model/config.h"

struct commands;
struct control_call;
struct loop;
struct migration;

/* `reload` loads the file again and returns the new configuration's outcome as JSON (owned by the
 * caller) or NULL with an error; `stop` begins an orderly end. Both belong to main. */
struct commands_host {
        const struct config *(*config)(void *context);
        struct cJSON *(*reload)(void *context, struct error *e);
        void (*stop)(void *context);
        void *context;
};

struct commands *commands_new(
        struct loop *l, struct migration *m, const struct commands_host *host);
struct commands *commands_free(struct commands *c);
void commands_handle(void *commands, struct control_call *call);
