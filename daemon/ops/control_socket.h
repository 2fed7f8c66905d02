#pragma once
/*
 * The Unix socket's file: made with mode 0660, never taken from a living daemon, removed only when
 * it is still ours. Startup and end only; it may block for moments.
 */
#include "base/error.h"

#include <sys/stat.h>

struct control_socket {
        char *path;
        int fd; /* listening, nonblocking, close-on-exec */
        dev_t device;
        ino_t inode;
};

#define CONTROL_SOCKET_NULL                                                                        \
        {                                                                                          \
                .fd = -1                                                                           \
        }

int control_socket_open(struct control_socket *s, const char *path, struct error *e);
/* Gives the descriptor away: its new owner closes it. */
int control_socket_take(struct control_socket *s);
/* Removes the file and closes what was not taken. Works on a half-made one. */
void control_socket_done(struct control_socket *s);
