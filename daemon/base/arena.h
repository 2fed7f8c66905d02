#pragma once
/*
 * Arena: memory that is handed out piece by piece and given back in one call. Each transaction
 * piece owns one; its rows and strings live there. Not shared between threads.
 */
#include <stddef.h>

struct arena;

struct arena *arena_new(void);
struct arena *arena_free(struct arena *a); /* takes NULL, returns NULL */

void *arena_alloc(struct arena *a, size_t size); /* 8-byte aligned, not zeroed */
void *arena_zero(struct arena *a, size_t size);
char *arena_text(struct arena *a, const void *from, size_t size); /* copy, NUL-terminated */
size_t arena_bytes(const struct arena *a); /* what it holds of the system's memory */
