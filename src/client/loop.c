/*
 * loop.c - the only lock and the one way to wait
 *
 * Of the threads that wait one leads: it polls without the lock and then, with it, does what came
 * for all of them. The others sleep, each on a condition of its own, and are woken when what they
 * wait for has come or when the lead is theirs. The lead is given up before every return, before
 * callbacks (which run outside of here) and on cancellation.
 *
 * Nearly every system call is a point where a thread may be cancelled. Under the lock that would
 * leave half a step behind, so whoever has the lock cannot be cancelled but in the two waits.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "client/import.h"
#include "client/loop.h"
#include "client/resolve.h"

#define READY_MAX 64

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

void
uw_loop_lock(struct uw_loop *loop)
{
    int state;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    pthread_mutex_lock(&loop->lock);
    loop->cancel_state = state;
}

void
uw_loop_unlock(struct uw_loop *loop)
{
    int state = loop->cancel_state;

    pthread_mutex_unlock(&loop->lock);
    pthread_setcancelstate(state, &state);
}

/* ---- making and freeing ---- */

static const struct uw_poller_ops *
find_backend(const char *name)
{
    static const struct uw_poller_ops *const all[] = {&uw_poller_epoll, &uw_poller_poll};

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (!name || strcmp(name, all[i]->name) == 0)
            return all[i];
    return NULL;
}

static uint32_t
random_start(void)
{
    uint32_t n;

    if (getrandom(&n, sizeof(n), GRND_NONBLOCK) == (ssize_t)sizeof(n))
        return n;
    return (uint32_t)(uw_now().us ^ (uint64_t)getpid() << 16);
}

int
uw_loop_new(const struct uw_loop_options *options, struct uw_loop **ret_loop)
{
    const struct uw_poller_ops *ops = find_backend(options ? options->backend : NULL);
    struct uw_loop *loop;
    int r;

    if (!ops || (options && options->size != sizeof(*options)))
        return UW_ERROR_INVALID;
    loop = calloc(1, sizeof(*loop));
    if (!loop)
        return UW_ERROR_NO_MEMORY;
    r = ops->create(&loop->poller);
    if (r < 0) {
        free(loop);
        return r;
    }
    loop->ops = ops;
    if (options) {
        loop->limits = options->limits;
        loop->log = options->log;
    }
    if (!loop->limits.max_devices)
        loop->limits.max_devices = 1024;
    pthread_mutex_init(&loop->lock, NULL);
    uw_list_init(&loop->sources);
    uw_list_init(&loop->graves);
    uw_list_init(&loop->waiters);
    uw_list_init(&loop->lookups);
    uw_list_init(&loop->imports);
    uw_list_init(&loop->asks);
    uw_list_init(&loop->queues);
    uw_list_init(&loop->taps);
    uw_seq_init(&loop->seq, random_start());
    loop->wakes_at = uw_never();
    uw_forks_watch(loop);
    *ret_loop = loop;
    return 0;
}

static void
empty_graves(struct uw_loop *loop)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &loop->graves)
    {
        struct uw_grave *g = UW_CONTAINER(pos, struct uw_grave, link);

        uw_list_remove(&g->link);
        g->free(g);
    }
}

void
uw_loop_free(struct uw_loop *loop)
{
    if (!loop)
        return;
    uw_forks_ignore(loop);
    uw_loop_lock(loop);
    uw_lookups_abandon(loop);
    empty_graves(loop);
    uw_taps_free(loop);
    uw_loop_unlock(loop);
    uw_loop_close_spares(loop);
    loop->ops->destroy(loop->poller);
    pthread_mutex_destroy(&loop->lock);
    free(loop);
}

/* ---- sources, timers, graves ---- */

static void
set_changed(struct uw_loop *loop)
{
    if (loop->ops->blind && loop->asleep)
        loop->ops->wake(loop->poller);
}

int
uw_loop_add_source(struct uw_loop *loop, struct uw_source *s)
{
    int r = loop->ops->add(loop->poller, s);

    if (r < 0)
        return r;
    s->dead = 0;
    uw_list_insert(&loop->sources, &s->link);
    set_changed(loop);
    return 0;
}

void
uw_loop_change_source(struct uw_loop *loop, struct uw_source *s, unsigned events)
{
    if (s->events == events)
        return;
    s->events = events;
    (void)loop->ops->change(loop->poller, s);
    set_changed(loop);
}

void
uw_loop_remove_source(struct uw_loop *loop, struct uw_source *s)
{
    loop->ops->remove(loop->poller, s);
    uw_list_remove(&s->link);
    s->dead = 1;
    set_changed(loop);
}

void
uw_loop_set_timer(struct uw_loop *loop, struct uw_timer *timer, struct uw_usec at)
{
    uw_heap_set(&loop->timers, &timer->node, at);
    if (loop->asleep && at.us < loop->wakes_at.us)
        loop->ops->wake(loop->poller);
    if (loop->embedded)
        loop->ops->arm(loop->poller, uw_heap_at(&loop->timers));
}

void
uw_loop_bury(struct uw_loop *loop, struct uw_grave *grave)
{
    if (loop->polling)
        uw_list_insert(&loop->graves, &grave->link);
    else
        grave->free(grave);
}

/* ---- one step ---- */

static void
run_timers(struct uw_loop *loop, struct uw_usec now)
{
    struct uw_heap_node *node;

    while ((node = uw_heap_first(&loop->timers)) && node->at.us <= now.us) {
        struct uw_timer *t = UW_CONTAINER(node, struct uw_timer, node);

        uw_heap_remove(&loop->timers, node);
        t->fire(t, now);
    }
    if (loop->embedded)
        loop->ops->arm(loop->poller, uw_heap_at(&loop->timers));
}

static void
process(struct uw_loop *loop, const struct uw_ready *ready, int count)
{
    struct uw_usec now = uw_now();

    for (int i = 0; i < count; i++)
        if (!ready[i].source->dead)
            ready[i].source->ready(ready[i].source, ready[i].events, now);
    uw_lookups_collect(loop, now);
    run_timers(loop, now);
    loop->steps++;
}

static void
give_up_lead(void *arg)
{
    struct uw_loop *loop = ((struct waiter *)arg)->loop;

    uw_loop_lock(loop);
    loop->polling = loop->asleep = 0;
    empty_graves(loop);
}

/* Polls and does what came. The lock is released only around the wait itself. */
static int
step(struct uw_loop *loop, struct waiter *me, struct uw_usec until)
{
    struct uw_ready ready[READY_MAX];
    struct uw_usec now = uw_now();
    int n = loop->ops->prepare(loop->poller);

    if (n < 0)
        return n;
    loop->wakes_at = uw_usec_min(until, uw_heap_at(&loop->timers));
    loop->polling = loop->asleep = 1;
    pthread_cleanup_push(give_up_lead, me);
    uw_loop_unlock(loop);
    n = loop->ops->wait(loop->poller, ready, READY_MAX, uw_usec_sub(loop->wakes_at, now));
    uw_loop_lock(loop);
    loop->asleep = 0;
    pthread_cleanup_pop(0);
    process(loop, ready, n > 0 ? n : 0);
    loop->polling = 0;
    empty_graves(loop);
    return n < 0 ? n : 0;
}

/* ---- waiting ---- */

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

static void
sleep_until(struct waiter *w, struct uw_usec until)
{
    struct timespec ts;

    if (uw_is_never(until)) {
        pthread_cond_wait(&w->cond, &w->loop->lock);
        return;
    }
    ts.tv_sec = (time_t)(until.us / 1000000u);
    ts.tv_nsec = (long)(until.us % 1000000u) * 1000;
    (void)pthread_cond_timedwait(&w->cond, &w->loop->lock, &ts);
}

/* The condition gives the lock away and takes it again, past uw_loop_unlock and uw_loop_lock. */
static void
follow(struct waiter *w, struct uw_usec until)
{
    int state = w->loop->cancel_state, disabled;

    pthread_setcancelstate(state, &disabled);
    sleep_until(w, until);
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

static void
init_cond(pthread_cond_t *cond)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
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

    init_cond(&w.cond);
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

/* ---- the public face ---- */

int
uw_loop_fd(struct uw_loop *loop)
{
    int r;

    uw_loop_lock(loop);
    r = loop->ops->fd(loop->poller);
    if (r >= 0) {
        loop->embedded = 1;
        loop->ops->arm(loop->poller, uw_heap_at(&loop->timers));
    }
    uw_loop_unlock(loop);
    return r;
}

int
uw_loop_events(struct uw_loop *loop)
{
    (void)loop;
    return 1; /* POLLIN */
}

struct uw_usec
uw_loop_deadline(struct uw_loop *loop)
{
    struct uw_usec at;

    uw_loop_lock(loop);
    at = uw_heap_at(&loop->timers);
    uw_loop_unlock(loop);
    return at;
}

int
uw_loop_step(struct uw_loop *loop)
{
    struct uw_ready ready[READY_MAX];
    int n = 0;

    uw_loop_lock(loop);
    /* Whoever leads does it for all. */
    if (!loop->leading) {
        n = loop->ops->prepare(loop->poller);
        if (n >= 0)
            n = loop->ops->wait(loop->poller, ready, READY_MAX, uw_usec(0));
        process(loop, ready, n > 0 ? n : 0);
        uw_loop_wake_waiters(loop);
    }
    uw_loop_unlock(loop);
    return n < 0 && n != UW_ERROR_INTERRUPTED ? n : 0;
}

struct step_count {
    struct uw_loop *loop;
    unsigned steps;
};

static int
stepped(void *arg)
{
    struct step_count *c = (struct step_count *)arg;

    return c->loop->steps != c->steps;
}

int
uw_loop_wait(struct uw_loop *loop, struct uw_usec timeout)
{
    struct step_count count = {loop, 0};
    int r;

    uw_loop_lock(loop);
    count.steps = loop->steps;
    r = uw_loop_until(loop, stepped, &count, uw_usec_add(uw_now(), timeout), 1, NULL);
    uw_loop_unlock(loop);
    return r < 0 ? r : 0;
}

static int
never(void *arg)
{
    (void)arg;
    return 0;
}

int
uw_loop_sleep(struct uw_loop *loop, struct uw_usec duration)
{
    int r;

    uw_loop_lock(loop);
    r = uw_loop_until(loop, never, NULL, uw_usec_add(uw_now(), duration), 1, NULL);
    uw_loop_unlock(loop);
    return r;
}

void
uw_loop_poke(struct uw_loop *loop)
{
    loop->ops->wake(loop->poller);
}

void
uw_loop_interrupt(struct uw_loop *loop)
{
    atomic_store(&loop->interrupted, 1);
    loop->ops->wake(loop->poller);
}
