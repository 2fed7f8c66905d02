#pragma once
/*
 * Allocation that cannot fail: when the system has no memory left, the process says so and aborts.
 * For culvertd this is safe (what was not committed is read again); sizes that come from outside
 * are bounded before they get here. Any thread.
 */
#include <stddef.h>

void *memory_new(size_t size);             /* zeroed */
void *memory_grow(void *old, size_t size); /* realloc */
void *memory_copy(const void *from, size_t size);
char *memory_string(const char *s); /* NULL stays NULL */
char *memory_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* For structures with plain pointers whose user only reads, as protobuf-c packs messages. */
char *memory_unconst(const char *s);
void memory_free_string(char **s); /* for __attribute__((cleanup)) */

#define memory_new_of(type) ((type *)memory_new(sizeof(type)))
#define AUTO_STRING __attribute__((cleanup(memory_free_string))) char *
