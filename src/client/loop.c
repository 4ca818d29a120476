/*
 * loop.c - the only lock; sources, timers, and what is done when something came
 *
 * Nearly every system call is a point where a thread may be cancelled. Under the lock that would
 * leave half a step behind, so whoever has the lock cannot be cancelled but in the two waits
 * (wait.c).
 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "client/import.h"
#include "client/loop.h"
#include "client/resolve.h"

#define UNPOLLED_MAX 8u    /* reads without a wait, in a row */
#define UNPOLLED_US  1000u /* and how long after the last one */
#define DRY_US       20u   /* how long it is tried: what falling asleep and waking up takes */
#define COLD_MAX     64u   /* waits without such a read, after some that came to nothing */

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
    uw_list_init(&loop->unsent);
    uw_list_init(&loop->asks);
    uw_list_init(&loop->queues);
    uw_list_init(&loop->taps);
    uw_seq_init(&loop->seq, random_start());
    loop->pause = 1;
    uw_cork_init(&loop->cork);
    loop->wakes_at = uw_never();
    uw_forks_watch(loop);
    *ret_loop = loop;
    return 0;
}

void
uw_loop_empty_graves(struct uw_loop *loop)
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
    uw_loop_empty_graves(loop);
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
    if (loop->hot == s)
        loop->hot = NULL;
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

/* A wait that finds data there already was not needed: the source that alone was ready is read
 * before the next one, for a moment again and again. When that comes to nothing it was not needed
 * either: the more often in a row, the more waits go by until the next try. */
static void
learn(struct uw_loop *loop, const struct uw_ready *ready, int count)
{
    loop->unpolled = 0;
    loop->hot = NULL;
    loop->dry_since = uw_never();
    if (loop->cold)
        loop->cold--;
    else if (count == 1 && !ready[0].source->dead && ready[0].source->take)
        loop->hot = ready[0].source;
}

/* What is submitted meanwhile goes out together, at the end. */
static void
handle_rest(struct uw_loop *loop, struct uw_usec now)
{
    run_timers(loop, now);
    loop->handling = 0;
    uw_imports_send(loop, now);
    loop->steps++;
}

void
uw_loop_handle(struct uw_loop *loop, const struct uw_ready *ready, int count)
{
    struct uw_usec now = uw_now();

    loop->polled_at = now;
    learn(loop, ready, count);
    loop->handling = 1;
    for (int i = 0; i < count; i++)
        if (!ready[i].source->dead)
            ready[i].source->ready(ready[i].source, ready[i].events, now);
    uw_lookups_collect(loop, now);
    handle_rest(loop, now);
}

int
uw_loop_take_at_hand(struct uw_loop *loop)
{
    struct uw_usec now;
    int found;

    if (!loop->hot || loop->unpolled >= UNPOLLED_MAX)
        return 0;
    now = uw_now();
    if (now.us - loop->polled_at.us > UNPOLLED_US)
        return 0; /* others may have waited as long */
    loop->polling = loop->handling = 1;
    found = loop->hot->take(loop->hot, now);
    if (found) {
        loop->pause = 1;
        loop->unpolled++;
        loop->dry_since = uw_never();
        handle_rest(loop, now);
    } else if (uw_is_never(loop->dry_since)) {
        loop->dry_since = now;
    }
    loop->polling = loop->handling = 0;
    uw_loop_empty_graves(loop);
    if (found || uw_usec_sub(now, loop->dry_since).us < DRY_US)
        return 1;
    loop->hot = NULL;
    loop->cold = loop->pause;
    loop->pause = loop->pause < COLD_MAX ? loop->pause * 2 : COLD_MAX;
    return 0;
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
    struct uw_ready ready[UW_READY_MAX];
    int n = 0;

    uw_loop_lock(loop);
    /* Whoever leads does it for all. */
    if (!loop->leading) {
        n = loop->ops->prepare(loop->poller);
        if (n >= 0)
            n = loop->ops->wait(loop->poller, ready, UW_READY_MAX, uw_usec(0));
        uw_loop_handle(loop, ready, n);
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
