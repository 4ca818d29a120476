/*
 * events.c - the events lock, the waiters, and handling events in every style
 *
 * Whoever holds the events lock may run callbacks, and waits in the library, where it leads or
 * follows as all do. Who cannot get the lock waits on the context's condition, which is signalled
 * whenever callbacks have run and whenever the lock becomes free.
 */
#include <sys/time.h>

#include "base/cond.h"
#include "libusb/context.h"
#include "libusb/events.h"
#include "libusb/hotplug.h"
#include "libusb/sync.h"
#include "libusb/transfer.h"
#include "libusb/world.h"

#define HANDLE_EVENTS_SECONDS 60

/* The contexts whose callbacks a thread runs, one within the other. */
struct inside {
    const struct libusb_context *ctx;
    struct inside *outer;
};

static _Thread_local struct inside *innermost;

int
events_inside(const struct libusb_context *ctx)
{
    for (const struct inside *i = innermost; i; i = i->outer)
        if (i->ctx == ctx)
            return 1;
    return 0;
}

static void
wake_waiters(struct libusb_context *ctx)
{
    pthread_mutex_lock(&ctx->waiters_lock);
    pthread_cond_broadcast(&ctx->waiters);
    pthread_mutex_unlock(&ctx->waiters_lock);
}

void
events_dispatch(struct libusb_context *ctx)
{
    struct inside me = {ctx, innermost};
    unsigned done;

    innermost = &me;
    transfer_collect(ctx);
    done = transfer_finish_all(ctx);
    done += hotplug_process(ctx);
    innermost = me.outer;
    if (done)
        wake_waiters(ctx);
}

void
events_interrupt(struct libusb_context *ctx)
{
    uw_queue_wake(ctx->queue);
}

void
events_seize(struct libusb_context *ctx)
{
    if (events_inside(ctx))
        return;
    atomic_fetch_add(&ctx->closing, 1);
    if (pthread_mutex_trylock(&ctx->events_lock) != 0) {
        events_interrupt(ctx);
        pthread_mutex_lock(&ctx->events_lock);
    }
    atomic_store(&ctx->handler_active, 1);
}

void
events_yield(struct libusb_context *ctx)
{
    if (events_inside(ctx))
        return;
    atomic_fetch_sub(&ctx->closing, 1);
    libusb_unlock_events(ctx);
}

/* ---- the locks, as programs have them ---- */

int LIBUSB_CALL
libusb_try_lock_events(libusb_context *ctx)
{
    ctx = context_get(ctx);
    if (!ctx || atomic_load(&ctx->closing) || pthread_mutex_trylock(&ctx->events_lock))
        return 1;
    atomic_store(&ctx->handler_active, 1);
    return 0;
}

void LIBUSB_CALL
libusb_lock_events(libusb_context *ctx)
{
    ctx = context_get(ctx);
    if (!ctx)
        return;
    pthread_mutex_lock(&ctx->events_lock);
    atomic_store(&ctx->handler_active, 1);
}

void LIBUSB_CALL
libusb_unlock_events(libusb_context *ctx)
{
    ctx = context_get(ctx);
    if (!ctx)
        return;
    atomic_store(&ctx->handler_active, 0);
    pthread_mutex_unlock(&ctx->events_lock);
    wake_waiters(ctx);
    sync_handler_left(ctx);
}

int LIBUSB_CALL
libusb_event_handling_ok(libusb_context *ctx)
{
    ctx = context_get(ctx);
    return ctx && !atomic_load(&ctx->closing);
}

int LIBUSB_CALL
libusb_event_handler_active(libusb_context *ctx)
{
    ctx = context_get(ctx);
    return ctx && (atomic_load(&ctx->closing) || atomic_load(&ctx->handler_active));
}

void LIBUSB_CALL
libusb_interrupt_event_handler(libusb_context *ctx)
{
    ctx = context_get(ctx);
    if (ctx)
        events_interrupt(ctx);
}

void LIBUSB_CALL
libusb_lock_event_waiters(libusb_context *ctx)
{
    ctx = context_get(ctx);
    if (ctx)
        pthread_mutex_lock(&ctx->waiters_lock);
}

void LIBUSB_CALL
libusb_unlock_event_waiters(libusb_context *ctx)
{
    ctx = context_get(ctx);
    if (ctx)
        pthread_mutex_unlock(&ctx->waiters_lock);
}

static int
is_time(const struct timeval *tv)
{
    return tv->tv_sec >= 0 && tv->tv_usec >= 0 && tv->tv_usec < 1000000;
}

static struct uw_usec
duration(const struct timeval *tv)
{
    return uw_usec((uint64_t)tv->tv_sec * 1000000u + (uint64_t)tv->tv_usec);
}

int LIBUSB_CALL
libusb_wait_for_event(libusb_context *ctx, struct timeval *tv)
{
    ctx = context_get(ctx);
    if (!ctx || (tv && !is_time(tv)))
        return LIBUSB_ERROR_INVALID_PARAM;
    return uw_cond_wait(&ctx->waiters, &ctx->waiters_lock,
                        tv ? uw_usec_add(uw_now(), duration(tv)) : uw_never());
}

/* ---- handling events ---- */

static int
is_anything_ready(struct libusb_context *ctx)
{
    int r;

    pthread_mutex_lock(&ctx->lock);
    r = !uw_list_empty(&ctx->ready);
    pthread_mutex_unlock(&ctx->lock);
    return r;
}

/* Waits once, then runs what came. With the events lock held. */
static int
handle_events(struct libusb_context *ctx, struct uw_usec timeout)
{
    struct uw_usec now = uw_now(), own = uw_usec_sub(world_tidy(now), now);
    int r = 0;

    if (events_inside(ctx))
        return LIBUSB_ERROR_BUSY;
    if (!is_anything_ready(ctx))
        r = uw_queue_wait(ctx->queue, uw_usec_min(timeout, own));
    events_dispatch(ctx);
    return r < 0 ? uw_error_libusb(r) : LIBUSB_SUCCESS;
}

static int
is_completed(const int *completed)
{
    return completed && __atomic_load_n(completed, __ATOMIC_ACQUIRE);
}

/* Somebody else handles events. 0: done waiting; 1: nobody does any more. */
static int
follow(struct libusb_context *ctx, struct uw_usec until, const int *completed)
{
    int again = 0;

    pthread_mutex_lock(&ctx->waiters_lock);
    if (!is_completed(completed)) {
        if (libusb_event_handler_active(ctx))
            (void)uw_cond_wait(&ctx->waiters, &ctx->waiters_lock, until);
        else
            again = 1;
    }
    pthread_mutex_unlock(&ctx->waiters_lock);
    return again;
}

int LIBUSB_CALL
libusb_handle_events_timeout_completed(libusb_context *ctx, struct timeval *tv, int *completed)
{
    struct uw_usec until;
    int r;

    ctx = context_get(ctx);
    if (!ctx || !tv || !is_time(tv))
        return LIBUSB_ERROR_INVALID_PARAM;
    until = uw_usec_add(uw_now(), duration(tv));
    if (events_inside(ctx))
        return LIBUSB_ERROR_BUSY;
    while (libusb_try_lock_events(ctx))
        if (!follow(ctx, until, completed))
            return LIBUSB_SUCCESS;
    r = is_completed(completed) ? LIBUSB_SUCCESS : handle_events(ctx, uw_usec_sub(until, uw_now()));
    libusb_unlock_events(ctx);
    return r;
}

int LIBUSB_CALL
libusb_handle_events_timeout(libusb_context *ctx, struct timeval *tv)
{
    return libusb_handle_events_timeout_completed(ctx, tv, NULL);
}

int LIBUSB_CALL
libusb_handle_events_completed(libusb_context *ctx, int *completed)
{
    struct timeval tv = {HANDLE_EVENTS_SECONDS, 0};

    return libusb_handle_events_timeout_completed(ctx, &tv, completed);
}

int LIBUSB_CALL
libusb_handle_events(libusb_context *ctx)
{
    return libusb_handle_events_completed(ctx, NULL);
}

int LIBUSB_CALL
libusb_handle_events_locked(libusb_context *ctx, struct timeval *tv)
{
    ctx = context_get(ctx);
    if (!ctx || !tv || !is_time(tv))
        return LIBUSB_ERROR_INVALID_PARAM;
    return handle_events(ctx, duration(tv));
}

/* Timers are on the descriptor. */
int LIBUSB_CALL
libusb_pollfds_handle_timeouts(libusb_context *ctx)
{
    (void)ctx;
    return 1;
}

int LIBUSB_CALL
libusb_get_next_timeout(libusb_context *ctx, struct timeval *tv)
{
    (void)ctx;
    (void)tv;
    return 0;
}
