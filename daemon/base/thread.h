#pragma once
/*
 * Threads beside the main one. Signals are left to that: every thread begins with all of them
 * blocked. Any thread may start one.
 */
#include <pthread.h>
#include <stdbool.h>

/* False: no thread could be started. */
bool thread_start(pthread_t *thread, void *(*run)(void *context), void *context);
