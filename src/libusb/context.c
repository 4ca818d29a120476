/*
 * context.c - contexts, and the default one
 */
#include <stdlib.h>

#include "base/cond.h"
#include "libusb/context.h"
#include "libusb/device.h"
#include "libusb/handle.h"
#include "libusb/hotplug.h"
#include "libusb/log.h"
#include "libusb/pollfd.h"
#include "libusb/sync.h"
#include "libusb/world.h"

static struct uw_list contexts = {&contexts, &contexts}; /* the world's lock */
static struct libusb_context *default_context;
static struct libusb_context *fallback_context; /* first made while there was no default */
static atomic_int warned;

struct libusb_context *
context_get(struct libusb_context *ctx)
{
    int implicit = 0;

    if (ctx)
        return ctx;
    world_lock();
    ctx = default_context;
    if (!ctx) {
        ctx = fallback_context;
        implicit = ctx != NULL;
    }
    world_unlock();
    if (implicit && !atomic_exchange(&warned, 1))
        LOG_ERROR(ctx, "API misuse: no default context was made; the first one stands in for it");
    return ctx;
}

void
context_each(void (*visit)(struct libusb_context *ctx))
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &contexts) visit(UW_CONTAINER(pos, struct libusb_context, link));
}

void
context_init_events(struct libusb_context *ctx)
{
    pthread_mutex_init(&ctx->events_lock, NULL);
    pthread_mutex_init(&ctx->waiters_lock, NULL);
    uw_cond_init(&ctx->waiters);
    atomic_store(&ctx->handler_active, 0);
    atomic_store(&ctx->closing, 0);
}

static struct libusb_context *
context_new(void)
{
    struct uw_loop *loop = world_loop();
    struct libusb_context *ctx = loop ? calloc(1, sizeof(*ctx)) : NULL;

    if (!ctx || uw_queue_new(loop, &ctx->queue) < 0) {
        free(ctx);
        return NULL;
    }
    ctx->refs = 1;
    ctx->pollfd = -1;
    ctx->timer_fd = -1;
    uw_list_init(&ctx->link);
    uw_list_init(&ctx->flying);
    uw_list_init(&ctx->ready);
    uw_list_init(&ctx->syncs);
    uw_list_init(&ctx->slots);
    uw_list_init(&ctx->handles);
    uw_list_init(&ctx->devices);
    uw_list_init(&ctx->hotplugs);
    uw_list_init(&ctx->present);
    pthread_mutex_init(&ctx->lock, NULL);
    context_init_events(ctx);
    log_init_context(ctx);
    return ctx;
}

static void
context_free(struct libusb_context *ctx)
{
    pollfd_close(ctx);
    sync_free_slots(ctx);
    uw_queue_free(ctx->queue);
    pthread_cond_destroy(&ctx->waiters);
    pthread_mutex_destroy(&ctx->waiters_lock);
    pthread_mutex_destroy(&ctx->events_lock);
    pthread_mutex_destroy(&ctx->lock);
    free(ctx);
}

static int
apply_option(struct libusb_context *ctx, const struct libusb_init_option *option)
{
    if ((int)option->option == OPTION_LOG_CB)
        return libusb_set_option(ctx, option->option, option->value.log_cbval);
    return libusb_set_option(ctx, option->option, option->value.ival);
}

/* The default context once more, when there is one. */
static int
share_default(void)
{
    int r = 0;

    world_lock();
    if (default_context) {
        default_context->refs++;
        r = 1;
    }
    world_unlock();
    return r;
}

/* Into the list, and as default if it is to be. 0: somebody else was quicker with a default. */
static int
publish(struct libusb_context *ctx, int as_default)
{
    int r = 1, stands_in = 0;

    world_lock();
    if (as_default && default_context) {
        default_context->refs++;
        r = 0;
    } else {
        uw_list_insert(&contexts, &ctx->link);
        if (as_default)
            default_context = ctx;
        else if (!fallback_context)
            fallback_context = ctx;
        stands_in = ctx == fallback_context && !default_context;
    }
    world_unlock();
    if (stands_in)
        LOG_DEBUG(ctx, "stands in for a default context, which nobody has made");
    return r;
}

int LIBUSB_CALL
libusb_init_context(libusb_context **ret_ctx, const struct libusb_init_option options[],
                    int num_options)
{
    struct libusb_context *ctx;

    if (num_options < 0 || (num_options > 0 && !options))
        return LIBUSB_ERROR_INVALID_PARAM;
    if (!ret_ctx && share_default())
        return LIBUSB_SUCCESS;
    ctx = context_new();
    if (!ctx)
        return LIBUSB_ERROR_NO_MEM;
    for (int i = 0; i < num_options; i++) {
        int r = apply_option(ctx, &options[i]);

        if (r < 0) {
            context_free(ctx);
            return r;
        }
    }
    LOG_DEBUG(ctx, "context %p, libusb over USB/IP %s", (void *)ctx, uw_version());
    if (!publish(ctx, !ret_ctx))
        context_free(ctx);
    else if (ret_ctx)
        *ret_ctx = ctx;
    return LIBUSB_SUCCESS;
}

int LIBUSB_CALL
libusb_init(libusb_context **ret_ctx)
{
    return libusb_init_context(ret_ctx, NULL, 0);
}

/* Out of the list; NULL when it is to live on. */
static struct libusb_context *
withdraw(struct libusb_context *ctx)
{
    world_lock();
    if (!ctx)
        ctx = default_context ? default_context : fallback_context;
    if (ctx && ctx == default_context && --ctx->refs > 0) {
        ctx = NULL;
    } else if (ctx) {
        if (ctx == default_context)
            default_context = NULL;
        if (ctx == fallback_context)
            fallback_context = NULL;
        uw_list_remove(&ctx->link);
    }
    world_unlock();
    return ctx;
}

/* What the program still refers to outlives the context. */
static void
let_go_of_devices(struct libusb_context *ctx)
{
    unsigned left;

    world_lock();
    left = device_orphan_all_locked(ctx);
    world_unlock();
    if (left)
        LOG_WARNING(ctx, "%u devices are still referred to", left);
}

void LIBUSB_CALL
libusb_exit(libusb_context *ctx)
{
    ctx = withdraw(ctx);
    if (!ctx)
        return;
    LOG_DEBUG(ctx, "context %p", (void *)ctx);
    if (!uw_list_empty(&ctx->handles))
        LOG_WARNING(ctx, "there are open devices");
    hotplug_close(ctx);
    handle_abandon_all(ctx);
    let_go_of_devices(ctx);
    (void)world_tidy(uw_now());
    context_free(ctx);
}
