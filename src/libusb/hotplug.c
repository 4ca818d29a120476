/*
 * hotplug.c - arrivals and departures
 *
 * The world knows what is there (world.c), and asks for it while somebody listens (lookout.c). A
 * context remembers which devices it has told of; whoever handles its events tells what changed.
 */
#include <stdlib.h>

#include "libusb/context.h"
#include "libusb/device.h"
#include "libusb/events.h"
#include "libusb/hotplug.h"
#include "libusb/lookout.h"
#include "libusb/world.h"

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

static int
was_there(struct libusb_context *ctx, const struct libusb_device *dev)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &ctx->present)
    {
        struct presence *p = UW_CONTAINER(pos, struct presence, link);

        if (p->dev == dev) {
            p->seen = 1;
            return 1;
        }
    }
    return 0;
}

/* Remembers a device; the reference to it is the presence's. */
static int
remember(struct libusb_context *ctx, struct libusb_device *dev)
{
    struct presence *p = calloc(1, sizeof(*p));

    if (!p)
        return 0;
    p->dev = dev;
    p->seen = 1;
    uw_list_insert(&ctx->present, &p->link);
    return 1;
}

static void
forget_one(struct presence *p)
{
    libusb_unref_device(p->dev);
    free(p);
}

static void
forget_all(struct uw_list *presences)
{
    struct uw_list *node;

    while ((node = uw_list_pop(presences)))
        forget_one(UW_CONTAINER(node, struct presence, link));
}

/* Of the list only what is new remains; all of it is remembered. */
static size_t
sort_out_arrivals(struct libusb_context *ctx, libusb_device **list, size_t count)
{
    size_t arrived = 0;

    for (size_t i = 0; i < count; i++) {
        if (was_there(ctx, list[i]) || !remember(ctx, list[i]))
            libusb_unref_device(list[i]);
        else
            list[arrived++] = libusb_ref_device(list[i]);
    }
    list[arrived] = NULL;
    return arrived;
}

static void
sort_out_departures(struct libusb_context *ctx, struct uw_list *left)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &ctx->present)
    {
        struct presence *p = UW_CONTAINER(pos, struct presence, link);

        if (!p->seen) {
            uw_list_remove(&p->link);
            uw_list_insert(left, &p->link);
        }
        p->seen = 0;
    }
}

/* What has gone is told before what has come in its place. With the events lock held. */
static unsigned
catch_up(struct libusb_context *ctx)
{
    struct uw_list *node, left;
    libusb_device **list;
    size_t count;
    unsigned told = 0;

    world_lock();
    ctx->told = world_changes_locked();
    list = device_list_locked(ctx, &count);
    world_unlock();
    if (!list)
        return 0;
    uw_list_init(&left);
    count = sort_out_arrivals(ctx, list, count);
    sort_out_departures(ctx, &left);
    for (; (node = uw_list_pop(&left)); told++) {
        struct presence *p = UW_CONTAINER(node, struct presence, link);

        tell(ctx, p->dev, LIBUSB_HOTPLUG_EVENT_DEVICE_LEFT);
        forget_one(p);
    }
    for (size_t i = 0; i < count; i++, told++)
        tell(ctx, list[i], LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED);
    libusb_free_device_list(list, 1);
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

static int
has_news(const struct libusb_context *ctx)
{
    int r;

    world_lock();
    r = ctx->told != world_changes_locked();
    world_unlock();
    return r;
}

unsigned
hotplug_process(struct libusb_context *ctx)
{
    free_dead(ctx);
    if (!atomic_load(&ctx->listeners))
        return 0;
    lookout_resume();
    return has_news(ctx) ? catch_up(ctx) : 0;
}

void
hotplug_changed_locked(struct libusb_context *ctx)
{
    if (atomic_load(&ctx->listeners))
        events_interrupt(ctx);
}

void
hotplug_close(struct libusb_context *ctx)
{
    struct uw_list *node;

    while ((node = uw_list_pop(&ctx->hotplugs))) {
        struct hotplug *h = UW_CONTAINER(node, struct hotplug, link);

        if (!h->dead)
            lookout_release();
        free(h);
    }
    forget_all(&ctx->present);
}

/* ---- the public face ---- */

static int
is_id(int n, int max)
{
    return n == LIBUSB_HOTPLUG_MATCH_ANY || (n >= 0 && n <= max);
}

/* What a context has told of already, in references; what it has not, it will tell everybody. With
 * the events lock held. */
static libusb_device **
known_devices(struct libusb_context *ctx)
{
    struct uw_list *pos, *tmp;
    libusb_device **list;
    size_t n = 0;

    uw_list_each(pos, tmp, &ctx->present) n++;
    list = calloc(n + 1, sizeof(libusb_device *));
    n = 0;
    uw_list_each(pos, tmp, &ctx->present)
    {
        if (list)
            list[n++] = libusb_ref_device(UW_CONTAINER(pos, struct presence, link)->dev);
    }
    return list;
}

/* Every device that is there, for a callback that asked to be told of them. */
static void
enumerate(struct libusb_context *ctx, const struct hotplug *h, libusb_device **list)
{
    for (size_t i = 0; list && list[i]; i++)
        if (matches(h, list[i], LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED))
            (void)h->callback(ctx, list[i], LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED, h->user_data);
    libusb_free_device_list(list, 1);
}

/* Into the list, behind what the context tells the others: the first finds out what is there. */
static void
insert(struct libusb_context *ctx, struct hotplug *h)
{
    if (!atomic_load(&ctx->listeners))
        (void)catch_up(ctx);
    pthread_mutex_lock(&ctx->lock);
    h->handle = ++ctx->next_hotplug;
    uw_list_insert(&ctx->hotplugs, &h->link);
    pthread_mutex_unlock(&ctx->lock);
    atomic_fetch_add(&ctx->listeners, 1);
}

int LIBUSB_CALL
libusb_hotplug_register_callback(libusb_context *ctx, int events, int flags, int vendor_id,
                                 int product_id, int dev_class, libusb_hotplug_callback_fn cb_fn,
                                 void *user_data, libusb_hotplug_callback_handle *callback_handle)
{
    const int known = LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED | LIBUSB_HOTPLUG_EVENT_DEVICE_LEFT;
    libusb_device **list = NULL;
    struct hotplug *h, copy;

    ctx = context_get(ctx);
    if (!ctx || !events || (events & ~known) || (flags & ~(int)LIBUSB_HOTPLUG_ENUMERATE) ||
        !is_id(vendor_id, UINT16_MAX) || !is_id(product_id, UINT16_MAX) ||
        !is_id(dev_class, UINT8_MAX) || !cb_fn)
        return LIBUSB_ERROR_INVALID_PARAM;
    h = calloc(1, sizeof(*h));
    if (!h || lookout_hold() < 0) {
        free(h);
        return LIBUSB_ERROR_NO_MEM;
    }
    *h = (struct hotplug){.events = events,
                          .vid = vendor_id,
                          .pid = product_id,
                          .device_class = dev_class,
                          .callback = cb_fn,
                          .user_data = user_data};
    if (!atomic_load(&ctx->listeners))
        (void)world_refresh();
    events_seize(ctx);
    insert(ctx, h);
    copy = *h;
    if (flags & LIBUSB_HOTPLUG_ENUMERATE)
        list = known_devices(ctx);
    events_yield(ctx);
    enumerate(ctx, &copy, list);
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

        if (h->handle == handle)
            return h;
    }
    return NULL;
}

void LIBUSB_CALL
libusb_hotplug_deregister_callback(libusb_context *ctx,
                                   libusb_hotplug_callback_handle callback_handle)
{
    struct hotplug *h;
    int found;

    ctx = context_get(ctx);
    if (!ctx)
        return;
    pthread_mutex_lock(&ctx->lock);
    h = find_locked(ctx, callback_handle);
    found = h && !h->dead;
    if (found)
        h->dead = 1;
    pthread_mutex_unlock(&ctx->lock);
    if (!found)
        return;
    atomic_fetch_sub(&ctx->listeners, 1);
    lookout_release();
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
