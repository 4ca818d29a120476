/*
 * poller_epoll.c - the Linux poller
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <usbwire/error.h>

#include "client/poller.h"

#define BATCH_MAX 64

struct uw_poller {
    int fd, wake_fd, timer_fd; /* timer_fd: -1 until the loop is embedded */
    struct uw_usec armed;
};

int
uw_eventfd_new(void)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    return fd < 0 ? UW_ERROR_NO_MEMORY : fd;
}

void
uw_eventfd_set(int fd)
{
    uint64_t one = 1;
    ssize_t r = write(fd, &one, sizeof(one));

    (void)r; /* full means: readable already */
}

void
uw_eventfd_clear(int fd)
{
    uint64_t count;
    ssize_t r = read(fd, &count, sizeof(count));

    (void)r;
}

/* Without a fresh descriptor the old one stays, which is the parent's, too: not good, but nothing
 * that would be closed under somebody. */
static void
put_in_place(int fresh, int fd)
{
    if (fresh < 0)
        return;
    (void)dup3(fresh, fd, O_CLOEXEC);
    close(fresh);
}

void
uw_eventfd_renew(int fd)
{
    put_in_place(uw_eventfd_new(), fd);
}

static void
destroy(struct uw_poller *p)
{
    if (p->fd >= 0)
        close(p->fd);
    if (p->wake_fd >= 0)
        close(p->wake_fd);
    if (p->timer_fd >= 0)
        close(p->timer_fd);
    free(p);
}

/* The poller's own descriptors carry their address in place of a source's. */
static int
watch_own(struct uw_poller *p, const int *own)
{
    struct epoll_event ev = {.events = EPOLLIN, .data = {.ptr = (void *)(uintptr_t)own}};

    return epoll_ctl(p->fd, EPOLL_CTL_ADD, *own, &ev) < 0 ? UW_ERROR_NO_MEMORY : 0;
}

static int
create(struct uw_poller **ret_poller)
{
    struct uw_poller *p = calloc(1, sizeof(*p));

    if (!p)
        return UW_ERROR_NO_MEMORY;
    p->timer_fd = -1;
    p->armed = uw_never();
    p->fd = epoll_create1(EPOLL_CLOEXEC);
    p->wake_fd = uw_eventfd_new();
    if (p->fd < 0 || p->wake_fd < 0 || watch_own(p, &p->wake_fd) < 0) {
        destroy(p);
        return UW_ERROR_NO_MEMORY;
    }
    *ret_poller = p;
    return 0;
}

static int
new_timerfd(void)
{
    return timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
}

static void
renew(struct uw_poller *p)
{
    put_in_place(epoll_create1(EPOLL_CLOEXEC), p->fd);
    uw_eventfd_renew(p->wake_fd);
    (void)watch_own(p, &p->wake_fd);
    if (p->timer_fd < 0)
        return;
    put_in_place(new_timerfd(), p->timer_fd);
    p->armed = uw_never();
    (void)watch_own(p, &p->timer_fd);
}

static int
control(struct uw_poller *p, int op, struct uw_source *s)
{
    struct epoll_event ev = {.data = {.ptr = s}};

    if (s->events & UW_POLL_IN)
        ev.events |= EPOLLIN;
    if (s->events & UW_POLL_OUT)
        ev.events |= EPOLLOUT;
    return epoll_ctl(p->fd, op, s->fd, &ev) < 0 ? UW_ERROR_NO_MEMORY : 0;
}

static int
add(struct uw_poller *p, struct uw_source *s)
{
    return control(p, EPOLL_CTL_ADD, s);
}

static int
change(struct uw_poller *p, struct uw_source *s)
{
    return control(p, EPOLL_CTL_MOD, s);
}

static void
remove_source(struct uw_poller *p, struct uw_source *s)
{
    (void)epoll_ctl(p->fd, EPOLL_CTL_DEL, s->fd, NULL);
}

static int
prepare(struct uw_poller *p)
{
    (void)p;
    return 0;
}

static int
milliseconds(struct uw_usec timeout)
{
    uint64_t ms;

    if (uw_is_never(timeout))
        return -1;
    ms = timeout.us / 1000u + (timeout.us % 1000u ? 1u : 0u);
    return ms > 1000000u ? 1000000 : (int)ms;
}

static int
wait_ready(struct uw_poller *p, struct uw_ready *ready, int max, struct uw_usec timeout)
{
    struct epoll_event events[BATCH_MAX];
    int n = epoll_wait(p->fd, events, max < BATCH_MAX ? max : BATCH_MAX, milliseconds(timeout));
    int found = 0;

    if (n < 0)
        return errno == EINTR ? UW_ERROR_INTERRUPTED : UW_ERROR_IO;
    for (int i = 0; i < n; i++) {
        void *ptr = events[i].data.ptr;

        if (ptr == &p->wake_fd || ptr == &p->timer_fd) {
            uw_eventfd_clear(*(int *)ptr);
            continue;
        }
        ready[found].source = (struct uw_source *)ptr;
        ready[found].events = (events[i].events & EPOLLIN ? UW_POLL_IN : 0) |
                              (events[i].events & EPOLLOUT ? UW_POLL_OUT : 0) |
                              (events[i].events & (EPOLLERR | EPOLLHUP) ? UW_POLL_ERROR : 0);
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
    if (p->timer_fd < 0) {
        p->timer_fd = new_timerfd();
        if (p->timer_fd < 0)
            return UW_ERROR_NO_MEMORY;
        if (watch_own(p, &p->timer_fd) < 0) {
            close(p->timer_fd);
            p->timer_fd = -1;
            return UW_ERROR_NO_MEMORY;
        }
    }
    return p->fd;
}

static void
arm(struct uw_poller *p, struct uw_usec at)
{
    struct itimerspec spec = {0};

    if (p->timer_fd < 0 || at.us == p->armed.us)
        return;
    p->armed = at;
    if (!uw_is_never(at)) {
        uint64_t us = at.us ? at.us : 1; /* zero would disarm it */

        spec.it_value.tv_sec = (time_t)(us / 1000000u);
        spec.it_value.tv_nsec = (long)(us % 1000000u) * 1000;
    }
    (void)timerfd_settime(p->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

const struct uw_poller_ops uw_poller_epoll = {
    .name = "epoll",
    .create = create,
    .destroy = destroy,
    .renew = renew,
    .add = add,
    .change = change,
    .remove = remove_source,
    .prepare = prepare,
    .wait = wait_ready,
    .wake = wake,
    .blind = 0,
    .fd = get_fd,
    .arm = arm,
};
