/*
 * sync.c - synchronous transfers
 */
#include <stdlib.h>

#include "libusb/context.h"
#include "libusb/events.h"
#include "libusb/handle.h"
#include "libusb/sync.h"
#include "libusb/transfer.h"
#include "libusb/world.h"

/* What a call needs; kept for the next one. */
struct sync_slot {
    struct uw_list link; /* its context's syncs or slots */
    struct uw_queue *queue;
    struct uw_urb *urb;
};

/* ---- slots ---- */

static void
free_slot(struct sync_slot *s)
{
    uw_urb_free(s->urb);
    uw_queue_free(s->queue);
    free(s);
}

static struct sync_slot *
new_slot(struct libusb_context *ctx)
{
    struct sync_slot *s = calloc(1, sizeof(*s));

    (void)ctx;
    if (!s)
        return NULL;
    uw_list_init(&s->link);
    if (uw_queue_new(world_loop(), &s->queue) < 0 || uw_urb_new(0, &s->urb) < 0) {
        free_slot(s);
        return NULL;
    }
    return s;
}

static struct sync_slot *
take_slot(struct libusb_context *ctx)
{
    struct uw_list *node;
    struct sync_slot *s;

    pthread_mutex_lock(&ctx->lock);
    node = uw_list_pop(&ctx->slots);
    pthread_mutex_unlock(&ctx->lock);
    s = node ? UW_CONTAINER(node, struct sync_slot, link) : new_slot(ctx);
    if (!s)
        return NULL;
    pthread_mutex_lock(&ctx->lock);
    uw_list_insert(&ctx->syncs, &s->link);
    pthread_mutex_unlock(&ctx->lock);
    return s;
}

static void
give_slot(struct libusb_context *ctx, struct sync_slot *s)
{
    pthread_mutex_lock(&ctx->lock);
    uw_list_remove(&s->link);
    uw_list_insert(ctx->slots.next, &s->link); /* in front: it is warm */
    pthread_mutex_unlock(&ctx->lock);
}

void
sync_free_slots(struct libusb_context *ctx)
{
    struct uw_list *node;

    while ((node = uw_list_pop(&ctx->slots)))
        free_slot(UW_CONTAINER(node, struct sync_slot, link));
}

/* ---- who runs the callbacks meanwhile ---- */

static int
has_work_locked(const struct libusb_context *ctx)
{
    return !uw_list_empty(&ctx->flying) || !uw_list_empty(&ctx->ready);
}

void
sync_help_wanted_locked(struct libusb_context *ctx)
{
    struct sync_slot *s = uw_list_first(&ctx->syncs, struct sync_slot, link);

    if (s && !atomic_load(&ctx->handler_active))
        uw_queue_wake(s->queue);
}

void
sync_handler_left(struct libusb_context *ctx)
{
    pthread_mutex_lock(&ctx->lock);
    if (has_work_locked(ctx))
        sync_help_wanted_locked(ctx);
    pthread_mutex_unlock(&ctx->lock);
}

static int
try_to_help(struct libusb_context *ctx)
{
    int wanted;

    pthread_mutex_lock(&ctx->lock);
    wanted = has_work_locked(ctx);
    pthread_mutex_unlock(&ctx->lock);
    return wanted && libusb_try_lock_events(ctx) == 0;
}

/* No longer waiting: nobody shall wake it to help. */
static void
leave(struct libusb_context *ctx, struct sync_slot *s)
{
    pthread_mutex_lock(&ctx->lock);
    uw_list_remove(&s->link);
    pthread_mutex_unlock(&ctx->lock);
}

static void
wait_for(struct libusb_context *ctx, struct sync_slot *s)
{
    struct uw_queue *queues[] = {s->queue, ctx->queue};
    int helping = 0;

    while (!uw_queue_pop(s->queue)) {
        if (!helping)
            helping = try_to_help(ctx);
        (void)uw_queue_wait_any(queues, helping ? 2 : 1, uw_never());
        if (helping)
            events_dispatch(ctx);
        if (helping && !libusb_event_handling_ok(ctx)) { /* somebody wants the lock */
            libusb_unlock_events(ctx);
            helping = 0;
        }
    }
    leave(ctx, s);
    if (helping)
        libusb_unlock_events(ctx);
}

/* Submits the slot's URB and waits. Returns a libusb error. */
static int
run(struct libusb_device_handle *h, struct sync_slot *s, unsigned timeout, size_t *ret_actual)
{
    int r;

    uw_urb_set_timeout(s->urb, transfer_timeout(timeout));
    r = uw_urb_submit(s->urb, s->queue);
    if (r == UW_ERROR_NOT_FOUND)
        return LIBUSB_ERROR_IO;
    if (r == 0) {
        wait_for(h->ctx, s);
        r = uw_urb_status(s->urb);
        *ret_actual = uw_urb_actual_length(s->urb);
    }
    return handle_error(h, r);
}

/* ---- the public face ---- */

int LIBUSB_CALL
libusb_control_transfer(libusb_device_handle *h, uint8_t request_type, uint8_t bRequest,
                        uint16_t wValue, uint16_t wIndex, unsigned char *data, uint16_t wLength,
                        unsigned int timeout)
{
    struct sync_slot *s;
    size_t actual = 0;
    int r;

    if (events_inside(h->ctx))
        return LIBUSB_ERROR_BUSY;
    if (wLength && !data)
        return LIBUSB_ERROR_INVALID_PARAM;
    s = take_slot(h->ctx);
    if (!s)
        return LIBUSB_ERROR_NO_MEM;
    uw_urb_set_control(s->urb, h->device, request_type, bRequest, wValue, wIndex, data, wLength);
    r = run(h, s, timeout, &actual);
    give_slot(h->ctx, s);
    return r < 0 ? r : (int)actual;
}

static int
transfer_data(struct libusb_device_handle *h, unsigned char endpoint, unsigned char *data,
              int length, int *ret_actual, unsigned timeout)
{
    struct sync_slot *s;
    size_t actual = 0;
    int r;

    if (events_inside(h->ctx))
        return LIBUSB_ERROR_BUSY;
    if (length < 0 || (length && !data))
        return LIBUSB_ERROR_INVALID_PARAM;
    s = take_slot(h->ctx);
    if (!s)
        return LIBUSB_ERROR_NO_MEM;
    uw_urb_set_transfer(s->urb, h->device, endpoint, data, (size_t)length);
    r = run(h, s, timeout, &actual);
    give_slot(h->ctx, s);
    if (ret_actual)
        *ret_actual = (int)actual;
    return r;
}

int LIBUSB_CALL
libusb_bulk_transfer(libusb_device_handle *h, unsigned char endpoint, unsigned char *data,
                     int length, int *actual_length, unsigned int timeout)
{
    return transfer_data(h, endpoint, data, length, actual_length, timeout);
}

/* Whether it is bulk or interrupt says the endpoint's descriptor. */
int LIBUSB_CALL
libusb_interrupt_transfer(libusb_device_handle *h, unsigned char endpoint, unsigned char *data,
                          int length, int *actual_length, unsigned int timeout)
{
    return transfer_data(h, endpoint, data, length, actual_length, timeout);
}
