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
    *ret_queue = q;
    return 0;
}

void
uw_queue_free(struct uw_queue *q)
{
    if (!q)
        return;
    assert(uw_list_empty(&q->done));
    if (q->fd >= 0)
        close(q->fd);
    free(q);
}

int
uw_queue_fd(struct uw_queue *q)
{
    int fd;

    uw_loop_lock(q->loop);
    if (q->fd < 0) {
        q->fd = uw_eventfd_new();
        if (q->fd >= 0 && !uw_list_empty(&q->done))
            uw_eventfd_set(q->fd);
    }
    fd = q->fd;
    uw_loop_unlock(q->loop);
    return fd;
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
        if (q->fd >= 0 && uw_list_empty(&q->done))
            uw_eventfd_clear(q->fd);
    }
    uw_loop_unlock(q->loop);
    return urb;
}

static int
has_done(void *arg)
{
    return !uw_list_empty(&((struct uw_queue *)arg)->done);
}

int
uw_queue_wait(struct uw_queue *q, struct uw_usec timeout)
{
    int r;

    uw_loop_lock(q->loop);
    if (has_done(q))
        r = 1;
    else
        r = uw_loop_until(q->loop, has_done, q, uw_usec_add(uw_now(), timeout), 1, NULL);
    uw_loop_unlock(q->loop);
    return r;
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
    int n = 0;

    for (; left > 0 && (urb = uw_queue_pop(q)); left--, n++)
        if (urb->callback)
            urb->callback(urb, urb->data);
    return n;
}
