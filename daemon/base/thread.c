#include "base/thread.h"

#include <signal.h>

bool thread_start(pthread_t *thread, void *(*run)(void *context), void *context)
{
        sigset_t all, old;
        bool started;

        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &old);
        started = pthread_create(thread, NULL, run, context) == 0;
        pthread_sigmask(SIG_SETMASK, &old, NULL);
        return started;
}
