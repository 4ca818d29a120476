/*
 * cond.h - conditions that are waited for until an instant
 */
#ifndef UW_BASE_COND_H
#define UW_BASE_COND_H

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include <usbwire/usec.h>

/* One whose time is that of uw_now. */
static inline void
uw_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

/* 1 when the time was over before it was signalled. */
static inline int
uw_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, struct uw_usec until)
{
    struct timespec ts = {(time_t)(until.us / 1000000u), (long)(until.us % 1000000u) * 1000};

    if (uw_is_never(until)) {
        pthread_cond_wait(cond, mutex);
        return 0;
    }
    return pthread_cond_timedwait(cond, mutex, &ts) == ETIMEDOUT;
}

#endif
