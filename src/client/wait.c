/*
 * wait.c - the one way to wait
 *
 * Of the threads that wait one leads: it polls without the lock and then, with it, does what came
 * for all of them. The others sleep, each on a condition of its own, and are woken when what they
 * wait for has come or when the lead is theirs. The lead is given up before every return, before
 * callbacks (which run outside of here) and on cancellation.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/cond.h"
#include "client/import.h"
#include "client/loop.h"

struct waiter {
    struct uw_list link;
    pthread_cond_t cond;
    int fd;    /* an eventfd to sleep on in place of the condition; -1: none yet */
    int woken; /* by it, and it has not been cleared */
    struct uw_loop *loop;
    int (*done)(void *arg);
    void *arg;
    void (*cancelled)(void *arg);
    int interruptible;
    int leads;
};

/* ---- leading ---- */

static void
give_up_lead(void *arg)
{
    struct uw_loop *loop = ((struct waiter *)arg)->loop;

    uw_loop_lock(loop);
    loop->polling = loop->asleep = 0;
    uw_loop_empty_graves(loop);
}

/* Polls and does what came. The lock is released only around the wait itself. */
static int
step(struct uw_loop *loop, struct waiter *me, struct uw_usec until)
{
    struct uw_ready ready[UW_READY_MAX];
    struct uw_usec now;
    int n;

    if (uw_loop_take_at_hand(loop)) {
        uw_loop_unlock(loop); /* as around a wait: others want it, too */
        uw_loop_lock(loop);
        return 0;
    }
    now = uw_now();
    n = loop->ops->prepare(loop->poller);
    if (n < 0)
        return n;
    loop->wakes_at = uw_usec_min(until, uw_heap_at(&loop->timers));
    loop->polling = loop->asleep = 1;
    pthread_cleanup_push(give_up_lead, me);
    uw_loop_unlock(loop);
    n = loop->ops->wait(loop->poller, ready, UW_READY_MAX, uw_usec_sub(loop->wakes_at, now));
    uw_loop_lock(loop);
    loop->asleep = 0;
    pthread_cleanup_pop(0);
    uw_loop_handle(loop, ready, n);
    loop->polling = 0;
    uw_loop_empty_graves(loop);
    return n < 0 ? n : 0;
}

/* ---- following ---- */

static void
wake(struct waiter *w)
{
    if (w->fd >= 0) {
        uw_eventfd_set(w->fd);
        w->woken = 1;
    } else {
        pthread_cond_signal(&w->cond);
    }
}

static void
clear(struct waiter *w)
{
    if (w->woken)
        uw_eventfd_clear(w->fd);
    w->woken = 0;
}

/* An eventfd that was used before, or a new one. */
static int
take_spare(struct uw_loop *loop)
{
    return loop->num_spares ? loop->spares[--loop->num_spares] : uw_eventfd_new();
}

static void
give_spare(struct uw_loop *loop, int fd)
{
    if (loop->num_spares < UW_SPARES_MAX)
        loop->spares[loop->num_spares++] = fd;
    else
        close(fd);
}

void
uw_loop_close_spares(struct uw_loop *loop)
{
    while (loop->num_spares)
        close(loop->spares[--loop->num_spares]);
}

void
uw_loop_wake_waiters(struct uw_loop *loop)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &loop->waiters)
    {
        struct waiter *w = UW_CONTAINER(pos, struct waiter, link);

        if (!w->done(w->arg) && !(w->interruptible && loop->interrupted))
            continue;
        if (!w->leads)
            wake(w);
        else if (loop->asleep)
            loop->ops->wake(loop->poller);
    }
}

/* Nobody leads: the longest waiter shall. */
static void
pass_lead(struct uw_loop *loop)
{
    struct waiter *w = uw_list_first(&loop->waiters, struct waiter, link);

    loop->leading = 0;
    if (w)
        wake(w);
}

static void
leave(struct waiter *w)
{
    struct uw_loop *loop = w->loop;

    uw_list_remove(&w->link);
    if (w->leads || !loop->leading)
        pass_lead(loop);
    w->leads = 0;
    if (w->fd >= 0) {
        clear(w);
        give_spare(loop, w->fd);
    }
    pthread_cond_destroy(&w->cond);
}

/* The thread was cancelled; the lock is held, whether it led or followed. */
static void
leave_cancelled(void *arg)
{
    struct waiter *w = (struct waiter *)arg;

    w->loop->cancel_state = PTHREAD_CANCEL_DISABLE; /* what follows waits to the end */
    leave(w);
    if (w->cancelled)
        w->cancelled(w->arg);
    uw_loop_unlock(w->loop);
}

/* The condition gives the lock away and takes it again, past uw_loop_unlock and uw_loop_lock. */
static void
follow(struct waiter *w, struct uw_usec until)
{
    int state = w->loop->cancel_state, disabled;

    pthread_setcancelstate(state, &disabled);
    (void)uw_cond_wait(&w->cond, &w->loop->lock, until);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &disabled);
    w->loop->cancel_state = state;
}

static void
lock_again(void *arg)
{
    uw_loop_lock((struct uw_loop *)arg);
}

/* A condition does not tell of signals, poll does. INTERRUPTED, or 0. */
static int
follow_interruptibly(struct waiter *w, struct uw_usec until)
{
    struct uw_usec left = uw_usec_sub(until, uw_now());
    struct timespec ts = {(time_t)(left.us / 1000000u), (long)(left.us % 1000000u) * 1000};
    struct pollfd p = {.events = POLLIN};
    int n;

    if (w->fd < 0)
        w->fd = take_spare(w->loop);
    if (w->fd < 0) { /* no descriptor is left: then without */
        follow(w, until);
        return 0;
    }
    p.fd = w->fd;
    pthread_cleanup_push(lock_again, w->loop);
    uw_loop_unlock(w->loop);
    n = ppoll(&p, 1, uw_is_never(until) ? NULL : &ts, NULL);
    pthread_cleanup_pop(1);
    clear(w);
    return n < 0 && errno == EINTR ? UW_ERROR_INTERRUPTED : 0;
}

int
uw_loop_until(struct uw_loop *loop, int (*done)(void *arg), void *arg, struct uw_usec until,
              int interruptible, void (*cancelled)(void *arg))
{
    struct waiter w = {.loop = loop,
                       .done = done,
                       .arg = arg,
                       .cancelled = cancelled,
                       .interruptible = interruptible,
                       .fd = -1};
    volatile int r = 0;

    uw_imports_send(loop, uw_now());
    uw_cond_init(&w.cond);
    uw_list_insert(&loop->waiters, &w.link);
    pthread_cleanup_push(leave_cancelled, &w);
    for (;;) {
        if (done(arg)) {
            r = 1;
            break;
        }
        if (interruptible && atomic_exchange(&loop->interrupted, 0)) {
            r = UW_ERROR_INTERRUPTED;
            break;
        }
        if (!uw_is_never(until) && uw_now().us >= until.us)
            break;
        if (!w.leads && loop->leading) {
            if (interruptible)
                r = follow_interruptibly(&w, until);
            else
                follow(&w, until);
            if (r < 0)
                break;
            continue;
        }
        w.leads = loop->leading = 1;
        r = step(loop, &w, until);
        uw_loop_wake_waiters(loop);
        if (r < 0 && (r != UW_ERROR_INTERRUPTED || interruptible))
            break;
        r = 0;
    }
    pthread_cleanup_pop(0);
    leave(&w);
    return r;
}
