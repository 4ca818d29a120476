/*
 * lookout.c - the thread that asks the servers for arrivals
 */
#include <pthread.h>
#include <signal.h>

#include "base/cond.h"
#include "libusb/lookout.h"
#include "libusb/world.h"

#define ASK_EVERY_MS 1000u

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t released; /* made anew for each thread, the only one to wait for it */
static unsigned holds;
static int running;

/* Sleeps outside of the loop, where it would lead, and others would have to follow. */
static void
pause_locked(void)
{
    struct uw_usec until = uw_usec_add(uw_now(), uw_msec(ASK_EVERY_MS));

    while (holds && !uw_cond_wait(&released, &lock, until))
        ;
}

static void *
look_out(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&lock);
    for (;;) {
        pause_locked();
        if (!holds)
            break;
        pthread_mutex_unlock(&lock);
        (void)world_refresh();
        pthread_mutex_lock(&lock);
    }
    running = 0;
    pthread_mutex_unlock(&lock);
    return NULL;
}

/* It ends by itself: whoever releases the last hold may be in a callback, and cannot wait. */
static int
start_thread(void)
{
    pthread_attr_t attr;
    sigset_t all, before;
    pthread_t thread;
    int r;

    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = pthread_create(&thread, &attr, look_out, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return r;
}

static int
run_locked(void)
{
    if (running || !holds)
        return LIBUSB_SUCCESS;
    uw_cond_init(&released);
    if (start_thread() != 0)
        return LIBUSB_ERROR_NO_MEM;
    running = 1;
    return LIBUSB_SUCCESS;
}

int
lookout_hold(void)
{
    int r;

    pthread_mutex_lock(&lock);
    holds++;
    r = run_locked();
    if (r < 0)
        holds--;
    pthread_mutex_unlock(&lock);
    return r;
}

void
lookout_release(void)
{
    pthread_mutex_lock(&lock);
    if (--holds == 0 && running)
        pthread_cond_signal(&released);
    pthread_mutex_unlock(&lock);
}

void
lookout_forked(void)
{
    pthread_mutex_init(&lock, NULL);
    running = 0;
}

void
lookout_resume(void)
{
    pthread_mutex_lock(&lock);
    (void)run_locked();
    pthread_mutex_unlock(&lock);
}
