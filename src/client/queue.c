/*
 * queue.c - where completions are collected
 */
#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/import.h"
#include "client/loop.h"
#include "client/queue.h"

int
uw_queue_new(struct uw_loop *loop, struct uw_queue **ret_queue)
{
    struct uw_queue *q = calloc(1, sizeof(*q));

    if (!q)
        return UW_ERROR_NO_MEMORY;
    q->loop = loop;
    q->fd = -1;
    uw_list_init(&q->done);
    uw_loop_lock(loop);
    uw_list_insert(&loop->queues, &q->link);
    uw_loop_unlock(loop);
    *ret_queue = q;
    return 0;
}

void
uw_queue_free(struct uw_queue *q)
{
    if (!q)
        return;
    assert(uw_list_empty(&q->done));
    uw_loop_lock(q->loop);
    uw_list_remove(&q->link);
    uw_loop_unlock(q->loop);
    if (q->fd >= 0)
        close(q->fd);
    free(q);
}

/* Something for the owner is here: completions, or the wish to wake it. */
static int
is_due(const struct uw_queue *q)
{
    return q->woken || !uw_list_empty(&q->done);
}

int
uw_queue_fd(struct uw_queue *q)
{
    int fd;

    uw_loop_lock(q->loop);
    if (q->fd < 0) {
        q->fd = uw_eventfd_new();
        if (q->fd >= 0 && is_due(q))
            uw_eventfd_set(q->fd);
    }
    fd = q->fd;
    uw_loop_unlock(q->loop);
    return fd;
}

void
uw_queue_renew_locked(struct uw_queue *q)
{
    if (q->fd < 0)
        return;
    uw_eventfd_renew(q->fd);
    if (is_due(q))
        uw_eventfd_set(q->fd);
}

void
uw_queue_push_locked(struct uw_queue *q, struct uw_urb *urb)
{
    if (q->fd >= 0 && uw_list_empty(&q->done))
        uw_eventfd_set(q->fd);
    uw_list_insert(&q->done, &urb->queued);
}

struct uw_urb *
uw_queue_pop(struct uw_queue *q)
{
    struct uw_urb *urb;

    uw_loop_lock(q->loop);
    urb = uw_list_first(&q->done, struct uw_urb, queued);
    if (urb) {
        uw_list_remove(&urb->queued);
        urb->in_flight = 0;
        if (q->fd >= 0 && !is_due(q))
            uw_eventfd_clear(q->fd);
    }
    uw_loop_unlock(q->loop);
    return urb;
}

struct waiting {
    struct uw_queue *const *queues;
    unsigned count;
};

static int
any_due(void *arg)
{
    const struct waiting *w = (const struct waiting *)arg;

    for (unsigned i = 0; i < w->count; i++)
        if (is_due(w->queues[i]))
            return 1;
    return 0;
}

/* 1 when a completion waits. Wishes to wake are granted with this. */
static int
take_stock(const struct waiting *w)
{
    int found = 0;

    for (unsigned i = 0; i < w->count; i++) {
        struct uw_queue *q = w->queues[i];

        found |= !uw_list_empty(&q->done);
        if (q->woken) {
            q->woken = 0;
            if (q->fd >= 0 && !is_due(q))
                uw_eventfd_clear(q->fd);
        }
    }
    return found;
}

int
uw_queue_wait_any(struct uw_queue *const *queues, unsigned count, struct uw_usec timeout)
{
    struct uw_loop *loop = queues[0]->loop;
    struct waiting w = {queues, count};
    int r = 1;

    if (timeout.us == 0)
        (void)uw_loop_step(loop);
    uw_loop_lock(loop);
    if (!any_due(&w))
        r = uw_loop_until(loop, any_due, &w, uw_usec_add(uw_now(), timeout), 1, NULL);
    if (r >= 0)
        r = take_stock(&w);
    uw_loop_unlock(loop);
    return r;
}

int
uw_queue_wait(struct uw_queue *q, struct uw_usec timeout)
{
    return uw_queue_wait_any(&q, 1, timeout);
}

void
uw_queue_wake(struct uw_queue *q)
{
    uw_loop_lock(q->loop);
    q->woken = 1;
    if (q->fd >= 0)
        uw_eventfd_set(q->fd);
    uw_loop_wake_waiters(q->loop);
    uw_loop_unlock(q->loop);
}

/* How many wait now: what callbacks add is for the next round. */
static unsigned
count_done(struct uw_queue *q)
{
    struct uw_list *pos, *tmp;
    unsigned n = 0;

    uw_loop_lock(q->loop);
    uw_list_each(pos, tmp, &q->done) n++;
    uw_loop_unlock(q->loop);
    return n;
}

int
uw_queue_dispatch(struct uw_queue *q)
{
    struct uw_urb *urb;
    unsigned left = count_done(q);
    int many = left > 1, n = 0;

    if (many)
        uw_loop_cork(q->loop);
    for (; left > 0 && (urb = uw_queue_pop(q)); left--, n++)
        if (urb->callback)
            urb->callback(urb, urb->data);
    if (many)
        uw_loop_uncork(q->loop);
    return n;
}
