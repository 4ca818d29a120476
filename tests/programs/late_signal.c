/*
 * late_signal - preloaded: a signal comes at the worst moment
 *
 * Once there is the file $LATE_SIGNAL, the next poll of the main thread that is to wait begins by
 * removing it and sending SIGTERM to its process: after the program has looked whether one came,
 * and before it waits.
 */
#include <dlfcn.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void
strike(int waits)
{
    const char *file = getenv("LATE_SIGNAL");

    if (waits && file && gettid() == getpid() && unlink(file) == 0)
        kill(getpid(), SIGTERM);
}

int
poll(struct pollfd *fds, nfds_t count, int timeout)
{
    int (*real)(struct pollfd *, nfds_t, int);

    *(void **)&real = dlsym(RTLD_NEXT, "poll");
    strike(timeout != 0);
    return real(fds, count, timeout);
}

int
ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *signals)
{
    int (*real)(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);

    *(void **)&real = dlsym(RTLD_NEXT, "ppoll");
    strike(!timeout || timeout->tv_sec || timeout->tv_nsec);
    return real(fds, count, timeout, signals);
}
