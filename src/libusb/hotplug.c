/*
 * hotplug.c - arrivals and departures
 *
 * USB/IP tells nobody of new devices, so while a callback is registered the lists are asked for
 * once a second, by whoever handles the context's events. A context remembers which devices it has
 * announced.
 */
#include <stdlib.h>

#include "libusb/context.h"
#include "libusb/device.h"
#include "libusb/events.h"
#include "libusb/hotplug.h"
#include "libusb/pollfd.h"
#include "libusb/world.h"

#define ASK_EVERY_MS 1000u

struct hotplug {
    struct uw_list link;
    int handle;
    int events;
    int vid, pid, device_class; /* LIBUSB_HOTPLUG_MATCH_ANY: any */
    libusb_hotplug_callback_fn callback;
    void *user_data;
    int dead; /* deregistered: freed by the event handler */
};

struct presence {
    struct uw_list link;
    struct libusb_device *dev; /* a reference */
    int seen;
};

static int
matches(const struct hotplug *h, const struct libusb_device *dev, libusb_hotplug_event event)
{
    const struct uw_device_descriptor *d = &dev->remote->descriptor;

    return !h->dead && (h->events & (int)event) && (h->vid < 0 || h->vid == d->idVendor) &&
           (h->pid < 0 || h->pid == d->idProduct) &&
           (h->device_class < 0 || h->device_class == d->bDeviceClass);
}

/* The callback with the next higher number that wants this event; a copy. 0: no more. */
static int
next_match(struct libusb_context *ctx, int after, struct libusb_device *dev,
           libusb_hotplug_event event, struct hotplug *ret_copy)
{
    struct uw_list *pos, *tmp;
    int found = 0;

    pthread_mutex_lock(&ctx->lock);
    uw_list_each(pos, tmp, &ctx->hotplugs)
    {
        const struct hotplug *h = UW_CONTAINER(pos, struct hotplug, link);

        if (h->handle > after && matches(h, dev, event)) {
            *ret_copy = *h;
            found = 1;
            break;
        }
    }
    pthread_mutex_unlock(&ctx->lock);
    return found;
}

static void
tell(struct libusb_context *ctx, struct libusb_device *dev, libusb_hotplug_event event)
{
    struct hotplug h = {.handle = 0};

    while (next_match(ctx, h.handle, dev, event, &h))
        if (h.callback(ctx, dev, event, h.user_data) != 0)
            libusb_hotplug_deregister_callback(ctx, h.handle);
}

/* ---- what is there ---- */

static struct presence *
find_presence(struct libusb_context *ctx, const struct libusb_device *dev)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &ctx->present) if (UW_CONTAINER(pos, struct presence, link)->dev ==
                                              dev) return UW_CONTAINER(pos, struct presence, link);
    return NULL;
}

/* Devices that were not there before; the others are marked as seen. Takes over the references. */
static unsigned
note_arrivals(struct libusb_context *ctx, libusb_device **list, ssize_t count, int announce)
{
    unsigned told = 0;

    for (ssize_t i = 0; i < count; i++) {
        struct presence *p = find_presence(ctx, list[i]);

        if (p) {
            p->seen = 1;
            libusb_unref_device(list[i]);
            continue;
        }
        p = calloc(1, sizeof(*p));
        if (!p) {
            libusb_unref_device(list[i]);
            continue;
        }
        p->dev = list[i];
        p->seen = 1;
        uw_list_insert(&ctx->present, &p->link);
        if (announce) {
            tell(ctx, p->dev, LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED);
            told++;
        }
    }
    return told;
}

static unsigned
note_departures(struct libusb_context *ctx)
{
    struct uw_list *pos, *tmp;
    unsigned told = 0;

    uw_list_each(pos, tmp, &ctx->present)
    {
        struct presence *p = UW_CONTAINER(pos, struct presence, link);

        if (p->seen) {
            p->seen = 0;
            continue;
        }
        uw_list_remove(&p->link);
        tell(ctx, p->dev, LIBUSB_HOTPLUG_EVENT_DEVICE_LEFT);
        libusb_unref_device(p->dev);
        free(p);
        told++;
    }
    return told;
}

/* With the events lock held, or before the first callback is in the list. */
static unsigned
look(struct libusb_context *ctx, int announce)
{
    libusb_device **list = NULL;
    ssize_t count = libusb_get_device_list(ctx, &list);
    unsigned told = note_arrivals(ctx, list, count, announce);

    libusb_free_device_list(list, 0);
    told += note_departures(ctx);
    pthread_mutex_lock(&ctx->lock);
    ctx->hotplug_at = uw_usec_add(uw_now(), uw_msec(ASK_EVERY_MS));
    pthread_mutex_unlock(&ctx->lock);
    return told;
}

/* ---- from the event handler ---- */

static void
free_dead(struct libusb_context *ctx)
{
    struct uw_list *pos, *tmp;

    pthread_mutex_lock(&ctx->lock);
    uw_list_each(pos, tmp, &ctx->hotplugs)
    {
        struct hotplug *h = UW_CONTAINER(pos, struct hotplug, link);

        if (h->dead) {
            uw_list_remove(&h->link);
            free(h);
        }
    }
    pthread_mutex_unlock(&ctx->lock);
}

struct uw_usec
hotplug_deadline(struct libusb_context *ctx)
{
    struct uw_usec at;

    pthread_mutex_lock(&ctx->lock);
    at = uw_list_empty(&ctx->hotplugs) ? uw_never() : ctx->hotplug_at;
    pthread_mutex_unlock(&ctx->lock);
    return at;
}

unsigned
hotplug_process(struct libusb_context *ctx)
{
    free_dead(ctx);
    if (uw_now().us < hotplug_deadline(ctx).us)
        return 0;
    return look(ctx, 1);
}

void
hotplug_close(struct libusb_context *ctx)
{
    struct uw_list *node;

    while ((node = uw_list_pop(&ctx->hotplugs)))
        free(UW_CONTAINER(node, struct hotplug, link));
    while ((node = uw_list_pop(&ctx->present))) {
        libusb_unref_device(UW_CONTAINER(node, struct presence, link)->dev);
        free(UW_CONTAINER(node, struct presence, link));
    }
}

/* ---- the public face ---- */

static int
is_id(int n, int max)
{
    return n == LIBUSB_HOTPLUG_MATCH_ANY || (n >= 0 && n <= max);
}

/* Every device of the moment, for a callback that asked to be told of them. */
static void
enumerate(struct libusb_context *ctx, const struct hotplug *h)
{
    libusb_device **list;
    ssize_t count = libusb_get_device_list(ctx, &list);

    for (ssize_t i = 0; i < count; i++)
        if (matches(h, list[i], LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED))
            (void)h->callback(ctx, list[i], LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED, h->user_data);
    if (count >= 0)
        libusb_free_device_list(list, 1);
}

int LIBUSB_CALL
libusb_hotplug_register_callback(libusb_context *ctx, int events, int flags, int vendor_id,
                                 int product_id, int dev_class, libusb_hotplug_callback_fn cb_fn,
                                 void *user_data, libusb_hotplug_callback_handle *callback_handle)
{
    const int known = LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED | LIBUSB_HOTPLUG_EVENT_DEVICE_LEFT;
    struct hotplug *h, copy;
    int first;

    ctx = context_get(ctx);
    if (!ctx || !events || (events & ~known) || (flags & ~(int)LIBUSB_HOTPLUG_ENUMERATE) ||
        !is_id(vendor_id, UINT16_MAX) || !is_id(product_id, UINT16_MAX) ||
        !is_id(dev_class, UINT8_MAX) || !cb_fn)
        return LIBUSB_ERROR_INVALID_PARAM;
    h = calloc(1, sizeof(*h));
    if (!h)
        return LIBUSB_ERROR_NO_MEM;
    h->events = events;
    h->vid = vendor_id;
    h->pid = product_id;
    h->device_class = dev_class;
    h->callback = cb_fn;
    h->user_data = user_data;
    events_seize(ctx);
    pthread_mutex_lock(&ctx->lock);
    first = uw_list_empty(&ctx->hotplugs);
    h->handle = ++ctx->next_hotplug;
    pthread_mutex_unlock(&ctx->lock);
    if (first)
        (void)look(ctx, 0);
    copy = *h;
    pthread_mutex_lock(&ctx->lock);
    uw_list_insert(&ctx->hotplugs, &h->link);
    pthread_mutex_unlock(&ctx->lock);
    events_yield(ctx);
    pollfd_arm(ctx);
    if ((flags & LIBUSB_HOTPLUG_ENUMERATE) && (events & LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED))
        enumerate(ctx, &copy);
    if (callback_handle)
        *callback_handle = copy.handle;
    return LIBUSB_SUCCESS;
}

static struct hotplug *
find_locked(struct libusb_context *ctx, libusb_hotplug_callback_handle handle)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &ctx->hotplugs)
    {
        struct hotplug *h = UW_CONTAINER(pos, struct hotplug, link);

        if (h->handle == handle && !h->dead)
            return h;
    }
    return NULL;
}

void LIBUSB_CALL
libusb_hotplug_deregister_callback(libusb_context *ctx,
                                   libusb_hotplug_callback_handle callback_handle)
{
    struct hotplug *h;

    ctx = context_get(ctx);
    if (!ctx)
        return;
    pthread_mutex_lock(&ctx->lock);
    h = find_locked(ctx, callback_handle);
    if (h)
        h->dead = 1;
    pthread_mutex_unlock(&ctx->lock);
    if (h)
        events_interrupt(ctx);
}

void *LIBUSB_CALL
libusb_hotplug_get_user_data(libusb_context *ctx, libusb_hotplug_callback_handle callback_handle)
{
    void *user_data = NULL;
    struct hotplug *h;

    ctx = context_get(ctx);
    if (!ctx)
        return NULL;
    pthread_mutex_lock(&ctx->lock);
    h = find_locked(ctx, callback_handle);
    if (h)
        user_data = h->user_data;
    pthread_mutex_unlock(&ctx->lock);
    return user_data;
}
