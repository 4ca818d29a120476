/*
 * fork.c - a child has no thread but the one that forked: locks that others held are nobody's, and
 * descriptors to wait with must be its own
 *
 * Runs behind libusbwire's own handlers in the child, and before them in the parent, so the order
 * of locks is the usual one.
 */
#include <pthread.h>

#include "libusb/context.h"
#include "libusb/fork.h"
#include "libusb/lookout.h"
#include "libusb/pollfd.h"
#include "libusb/world.h"

static void
lock_context(struct libusb_context *ctx)
{
    pthread_mutex_lock(&ctx->lock);
}

static void
unlock_context(struct libusb_context *ctx)
{
    pthread_mutex_unlock(&ctx->lock);
}

static void
before(void)
{
    world_lock();
    context_each(lock_context);
}

static void
after_in_parent(void)
{
    context_each(unlock_context);
    world_unlock();
}

static void
renew(struct libusb_context *ctx)
{
    context_init_events(ctx);
    pollfd_renew_locked(ctx);
}

static void
after_in_child(void)
{
    context_each(renew);
    context_each(unlock_context);
    world_forked_locked();
    lookout_forked();
    world_unlock();
}

void
fork_watch(void)
{
    (void)pthread_atfork(before, after_in_parent, after_in_child);
}
