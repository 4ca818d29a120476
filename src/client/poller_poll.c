/*
 * poller_poll.c - the poller of systems without epoll
 *
 * A wait works on a copy of the set made under the lock; a change of the set wakes it.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <usbwire/error.h>

#include "client/poller.h"

struct uw_poller {
    int wake_fd;
    struct uw_source **sources;
    size_t count, room;
    struct pollfd *fds;            /* the copy; [0] is the wake-up */
    struct uw_source **fd_sources; /* whose they are */
    size_t fd_count, fd_room;
};

static void
destroy(struct uw_poller *p)
{
    if (p->wake_fd >= 0)
        close(p->wake_fd);
    free(p->sources);
    free(p->fds);
    free(p->fd_sources);
    free(p);
}

static int
create(struct uw_poller **ret_poller)
{
    struct uw_poller *p = calloc(1, sizeof(*p));

    if (!p)
        return UW_ERROR_NO_MEMORY;
    p->wake_fd = uw_eventfd_new();
    if (p->wake_fd < 0) {
        destroy(p);
        return UW_ERROR_NO_MEMORY;
    }
    *ret_poller = p;
    return 0;
}

static void
renew(struct uw_poller *p)
{
    uw_eventfd_renew(p->wake_fd);
    p->count = 0;
}

static int
add(struct uw_poller *p, struct uw_source *s)
{
    if (p->count == p->room) {
        size_t room = p->room ? p->room * 2 : 16;
        struct uw_source **larger = realloc(p->sources, room * sizeof(struct uw_source *));

        if (!larger)
            return UW_ERROR_NO_MEMORY;
        p->sources = larger;
        p->room = room;
    }
    s->slot = (int)p->count;
    p->sources[p->count++] = s;
    return 0;
}

static int
change(struct uw_poller *p, struct uw_source *s)
{
    (void)p;
    (void)s;
    return 0;
}

static void
remove_source(struct uw_poller *p, struct uw_source *s)
{
    struct uw_source *last = p->sources[--p->count];

    p->sources[s->slot] = last;
    last->slot = s->slot;
}

static int
prepare(struct uw_poller *p)
{
    if (p->fd_room < p->count + 1) {
        size_t room = p->room + 1;
        struct pollfd *fds = realloc(p->fds, room * sizeof(*fds));
        struct uw_source **of;

        if (!fds)
            return UW_ERROR_NO_MEMORY;
        p->fds = fds;
        of = realloc(p->fd_sources, room * sizeof(struct uw_source *));
        if (!of)
            return UW_ERROR_NO_MEMORY;
        p->fd_sources = of;
        p->fd_room = room;
    }
    p->fds[0] = (struct pollfd){.fd = p->wake_fd, .events = POLLIN};
    for (size_t i = 0; i < p->count; i++) {
        struct uw_source *s = p->sources[i];

        p->fds[i + 1] = (struct pollfd){.fd = s->fd};
        if (s->events & UW_POLL_IN)
            p->fds[i + 1].events |= POLLIN;
        if (s->events & UW_POLL_OUT)
            p->fds[i + 1].events |= POLLOUT;
        p->fd_sources[i + 1] = s;
    }
    p->fd_count = p->count + 1;
    return 0;
}

static int
wait_ready(struct uw_poller *p, struct uw_ready *ready, int max, struct uw_usec timeout)
{
    struct timespec ts = {(time_t)(timeout.us / 1000000u), (long)(timeout.us % 1000000u) * 1000};
    int n = ppoll(p->fds, p->fd_count, uw_is_never(timeout) ? NULL : &ts, NULL), found = 0;

    if (n < 0)
        return errno == EINTR ? UW_ERROR_INTERRUPTED : UW_ERROR_IO;
    if (p->fds[0].revents)
        uw_eventfd_clear(p->wake_fd);
    for (size_t i = 1; i < p->fd_count && found < max; i++) {
        short got = p->fds[i].revents;

        if (!got)
            continue;
        ready[found].source = p->fd_sources[i];
        ready[found].events = (got & POLLIN ? UW_POLL_IN : 0) | (got & POLLOUT ? UW_POLL_OUT : 0) |
                              (got & (POLLERR | POLLHUP | POLLNVAL) ? UW_POLL_ERROR : 0);
        found++;
    }
    return found;
}

static void
wake(struct uw_poller *p)
{
    uw_eventfd_set(p->wake_fd);
}

static int
get_fd(struct uw_poller *p)
{
    (void)p;
    return UW_ERROR_NOT_SUPPORTED;
}

static void
arm(struct uw_poller *p, struct uw_usec at)
{
    (void)p;
    (void)at;
}

const struct uw_poller_ops uw_poller_poll = {
    .name = "poll",
    .create = create,
    .destroy = destroy,
    .renew = renew,
    .add = add,
    .change = change,
    .remove = remove_source,
    .prepare = prepare,
    .wait = wait_ready,
    .wake = wake,
    .blind = 1,
    .fd = get_fd,
    .arm = arm,
};
