/*
 * pollfd.c - a context's one descriptor
 */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "libusb/context.h"
#include "libusb/pollfd.h"
#include "libusb/world.h"

static int
watch(int epoll, int fd)
{
    struct epoll_event ev = {.events = EPOLLIN};

    return fd < 0 ? -1 : epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev);
}

/* A new set of the three; -1: out of descriptors. */
static int
make_epoll(struct libusb_context *ctx, int timer_fd)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);

    if (fd >= 0 && (watch(fd, uw_loop_fd(world_loop())) < 0 ||
                    watch(fd, uw_queue_fd(ctx->queue)) < 0 || watch(fd, timer_fd) < 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static int
make_timer(void)
{
    return timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
}

static int
get_fd(struct libusb_context *ctx)
{
    int fd;

    pthread_mutex_lock(&ctx->lock);
    if (ctx->pollfd < 0) {
        if (ctx->timer_fd < 0)
            ctx->timer_fd = make_timer();
        ctx->pollfd = make_epoll(ctx, ctx->timer_fd);
    }
    fd = ctx->pollfd;
    pthread_mutex_unlock(&ctx->lock);
    pollfd_arm(ctx);
    return fd;
}

void
pollfd_arm(struct libusb_context *ctx)
{
    struct uw_usec at = world_tidy(uw_now());
    struct itimerspec spec = {.it_value = {0, 0}};

    if (!uw_is_never(at)) {
        spec.it_value.tv_sec = (time_t)(at.us / 1000000u);
        spec.it_value.tv_nsec = (long)(at.us % 1000000u) * 1000 + 1; /* 0 would disarm it */
    }
    pthread_mutex_lock(&ctx->lock);
    if (ctx->timer_fd >= 0)
        (void)timerfd_settime(ctx->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
    pthread_mutex_unlock(&ctx->lock);
}

void
pollfd_close(struct libusb_context *ctx)
{
    if (ctx->pollfd >= 0)
        close(ctx->pollfd);
    if (ctx->timer_fd >= 0)
        close(ctx->timer_fd);
}

static void
replace(int old, int fd)
{
    if (fd < 0)
        return;
    (void)dup3(fd, old, O_CLOEXEC);
    close(fd);
}

/* A timer that was armed is due at once in the child, which then arms it anew. */
void
pollfd_renew_locked(struct libusb_context *ctx)
{
    static const struct itimerspec soon = {.it_value = {0, 1}};

    if (ctx->pollfd < 0)
        return;
    replace(ctx->timer_fd, make_timer());
    (void)timerfd_settime(ctx->timer_fd, 0, &soon, NULL);
    replace(ctx->pollfd, make_epoll(ctx, ctx->timer_fd));
}

/* ---- the public face ---- */

const struct libusb_pollfd **LIBUSB_CALL
libusb_get_pollfds(libusb_context *ctx)
{
    struct {
        const struct libusb_pollfd *list[2];
        struct libusb_pollfd one;
    } * block;

    ctx = context_get(ctx);
    block = ctx ? calloc(1, sizeof(*block)) : NULL;
    if (!block)
        return NULL;
    block->one.fd = get_fd(ctx);
    block->one.events = POLLIN;
    if (block->one.fd < 0) {
        free(block);
        return NULL;
    }
    block->list[0] = &block->one;
    return block->list;
}

void LIBUSB_CALL
libusb_free_pollfds(const struct libusb_pollfd **pollfds)
{
    free((void *)(uintptr_t)pollfds);
}

void LIBUSB_CALL
libusb_set_pollfd_notifiers(libusb_context *ctx, libusb_pollfd_added_cb added_cb,
                            libusb_pollfd_removed_cb removed_cb, void *user_data)
{
    (void)ctx;
    (void)added_cb;
    (void)removed_cb;
    (void)user_data;
}
