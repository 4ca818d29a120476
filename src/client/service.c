/*
 * service.c - one thread that waits in the loop for those who cannot
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "client/import.h"
#include "client/loop.h"
#include "client/service.h"

/* A new one each time, so that an ending thread and a starting one have nothing in common. */
struct uw_service {
    pthread_t thread;
    struct uw_loop *loop;
    unsigned holds;
    int stop;
};

static int
is_stopped(void *arg)
{
    return ((struct uw_service *)arg)->stop;
}

static void *
serve(void *arg)
{
    struct uw_service *s = (struct uw_service *)arg;

    uw_loop_lock(s->loop);
    while (!s->stop)
        (void)uw_loop_until(s->loop, is_stopped, s, uw_never(), 0, NULL);
    uw_loop_unlock(s->loop);
    return NULL;
}

static int
start(struct uw_service *s)
{
    sigset_t all, before;
    int r;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = pthread_create(&s->thread, NULL, serve, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r ? UW_ERROR_NO_MEMORY : 0;
}

int
uw_service_hold(struct uw_loop *loop)
{
    int r = 0;

    uw_loop_lock(loop);
    if (!loop->service) {
        struct uw_service *s = calloc(1, sizeof(*s));

        r = UW_ERROR_NO_MEMORY;
        if (s) {
            s->loop = loop;
            r = start(s);
        }
        if (r < 0)
            free(s);
        else
            loop->service = s;
    }
    if (r == 0)
        loop->service->holds++;
    uw_loop_unlock(loop);
    return r;
}

void
uw_service_release(struct uw_loop *loop)
{
    struct uw_service *s;

    uw_loop_lock(loop);
    s = loop->service;
    if (s && --s->holds > 0)
        s = NULL;
    if (s) {
        loop->service = NULL;
        s->stop = 1;
        uw_loop_wake_waiters(loop);
    }
    uw_loop_unlock(loop);
    if (!s)
        return;
    pthread_join(s->thread, NULL);
    free(s);
}

void
uw_service_forget_locked(struct uw_loop *loop)
{
    free(loop->service);
    loop->service = NULL;
}
