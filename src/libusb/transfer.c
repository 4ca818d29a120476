/*
 * transfer.c - asynchronous transfers
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "libusb/context.h"
#include "libusb/events.h"
#include "libusb/log.h"
#include "libusb/sync.h"
#include "libusb/transfer.h"
#include "libusb/world.h"

#define FLIGHT_SIZE                                                                                \
    ((sizeof(struct flight) + _Alignof(max_align_t) - 1) / _Alignof(max_align_t) *                 \
     _Alignof(max_align_t))

static struct flight *
flight_of(struct libusb_transfer *t)
{
    return (struct flight *)(void *)((char *)t - FLIGHT_SIZE);
}

static struct libusb_transfer *
transfer_of(struct flight *f)
{
    return (struct libusb_transfer *)(void *)((char *)f + FLIGHT_SIZE);
}

struct uw_usec
transfer_timeout(unsigned ms)
{
    return ms ? uw_usec_add(uw_msec(ms), uw_msec(world_extra_timeout())) : uw_never();
}

struct libusb_transfer *LIBUSB_CALL
libusb_alloc_transfer(int iso_packets)
{
    struct flight *f;

    if (iso_packets < 0)
        return NULL;
    f = calloc(1, FLIGHT_SIZE + sizeof(struct libusb_transfer) +
                      (size_t)iso_packets * sizeof(struct libusb_iso_packet_descriptor));
    if (!f)
        return NULL;
    if (uw_urb_new((unsigned)iso_packets, &f->urb) < 0) {
        free(f);
        return NULL;
    }
    uw_list_init(&f->link);
    f->iso_room = (unsigned)iso_packets;
    uw_urb_set_callback(f->urb, NULL, f);
    return transfer_of(f);
}

void LIBUSB_CALL
libusb_transfer_set_stream_id(struct libusb_transfer *t, uint32_t stream_id)
{
    flight_of(t)->stream_id = stream_id;
}

uint32_t LIBUSB_CALL
libusb_transfer_get_stream_id(struct libusb_transfer *t)
{
    return flight_of(t)->stream_id;
}

/* ---- submitting: one function a type ---- */

static int
set_control(struct flight *f, struct libusb_transfer *t)
{
    struct uw_reader r = uw_reader(t->buffer, t->buffer ? LIBUSB_CONTROL_SETUP_SIZE : 0);
    uint8_t type = uw_rd_u8(&r), request = uw_rd_u8(&r);
    uint16_t value = uw_rd_le16(&r), index = uw_rd_le16(&r), length = uw_rd_le16(&r);

    if (!t->buffer || t->length < (int)(LIBUSB_CONTROL_SETUP_SIZE + length))
        return LIBUSB_ERROR_INVALID_PARAM;
    uw_urb_set_control(f->urb, f->handle->device, type, request, value, index,
                       t->buffer + LIBUSB_CONTROL_SETUP_SIZE, length);
    return 0;
}

static int
set_data(struct flight *f, struct libusb_transfer *t)
{
    if (t->length < 0 || (t->length && !t->buffer))
        return LIBUSB_ERROR_INVALID_PARAM;
    uw_urb_set_transfer(f->urb, f->handle->device, t->endpoint, t->buffer, (size_t)t->length);
    return 0;
}

static int
set_iso(struct flight *f, struct libusb_transfer *t)
{
    unsigned n = (unsigned)t->num_iso_packets;

    if (t->num_iso_packets < 1 || n > f->iso_room)
        return LIBUSB_ERROR_INVALID_PARAM;
    if (set_data(f, t) < 0 || uw_urb_set_iso_lengths(f->urb, n, 0) < 0)
        return LIBUSB_ERROR_INVALID_PARAM;
    for (unsigned i = 0; i < n; i++)
        if (uw_urb_set_iso_length(f->urb, i, t->iso_packet_desc[i].length) < 0)
            return LIBUSB_ERROR_INVALID_PARAM;
    return 0;
}

static int
set_stream(struct flight *f, struct libusb_transfer *t)
{
    (void)f;
    (void)t;
    return LIBUSB_ERROR_NOT_SUPPORTED;
}

/* By enum libusb_transfer_type. Bulk or interrupt is the endpoint's own affair: programs mix them
 * up, and it works. */
static int (*const set_by_type[])(struct flight *f, struct libusb_transfer *t) = {
    set_control, set_iso, set_data, set_data, set_stream,
};

static unsigned
urb_flags(const struct libusb_transfer *t)
{
    unsigned flags = t->flags & LIBUSB_TRANSFER_ADD_ZERO_PACKET ? UW_URB_ZERO_PACKET : 0u;

    return t->type == LIBUSB_TRANSFER_TYPE_ISOCHRONOUS ? UW_URB_ISO_ASAP : flags;
}

static int
submit_error(int error)
{
    if (error == UW_ERROR_NOT_FOUND)
        return LIBUSB_ERROR_IO; /* no such endpoint: what usbfs makes of it */
    return uw_error_libusb(error);
}

static int
submit_locked(struct libusb_device_handle *h, struct flight *f, struct libusb_transfer *t)
{
    int r;

    if (f->flying)
        return LIBUSB_ERROR_BUSY;
    if (t->type >= sizeof(set_by_type) / sizeof(set_by_type[0]))
        return LIBUSB_ERROR_INVALID_PARAM;
    f->handle = h;
    f->cancelling = 0;
    r = set_by_type[t->type](f, t);
    if (r < 0)
        return r;
    t->actual_length = 0;
    uw_urb_set_timeout(f->urb, transfer_timeout(t->timeout));
    uw_urb_set_flags(f->urb, urb_flags(t));
    r = uw_urb_submit(f->urb, h->ctx->queue);
    if (r < 0)
        return submit_error(r);
    f->flying = 1;
    h->flying++;
    uw_list_insert(&h->ctx->flying, &f->link);
    sync_help_wanted_locked(h->ctx);
    return LIBUSB_SUCCESS;
}

int LIBUSB_CALL
libusb_submit_transfer(struct libusb_transfer *t)
{
    struct libusb_device_handle *h = t->dev_handle;
    int r;

    if (!h)
        return LIBUSB_ERROR_NO_DEVICE;
    pthread_mutex_lock(&h->ctx->lock);
    r = submit_locked(h, flight_of(t), t);
    pthread_mutex_unlock(&h->ctx->lock);
    if (r == LIBUSB_ERROR_NO_DEVICE)
        world_forget_list();
    return r;
}

int LIBUSB_CALL
libusb_cancel_transfer(struct libusb_transfer *t)
{
    struct libusb_device_handle *h = t->dev_handle;
    struct flight *f = flight_of(t);
    int r = UW_ERROR_NOT_FOUND;

    if (!h)
        return LIBUSB_ERROR_NOT_FOUND;
    pthread_mutex_lock(&h->ctx->lock);
    if (f->flying && !f->cancelling) {
        f->cancelling = 1;
        r = uw_urb_cancel(f->urb);
    }
    pthread_mutex_unlock(&h->ctx->lock);
    return uw_error_libusb(r);
}

/* ---- completing ---- */

static enum libusb_transfer_status
status_of(int error)
{
    if (error == UW_ERROR_CANCELLED)
        return LIBUSB_TRANSFER_CANCELLED;
    switch (uw_error_libusb(error)) {
    case LIBUSB_SUCCESS: return LIBUSB_TRANSFER_COMPLETED;
    case LIBUSB_ERROR_TIMEOUT: return LIBUSB_TRANSFER_TIMED_OUT;
    case LIBUSB_ERROR_PIPE: return LIBUSB_TRANSFER_STALL;
    case LIBUSB_ERROR_OVERFLOW: return LIBUSB_TRANSFER_OVERFLOW;
    case LIBUSB_ERROR_NO_DEVICE: return LIBUSB_TRANSFER_NO_DEVICE;
    default: return LIBUSB_TRANSFER_ERROR;
    }
}

static void
take_iso_results(struct flight *f, struct libusb_transfer *t)
{
    for (unsigned i = 0; i < (unsigned)t->num_iso_packets; i++) {
        const struct uw_iso_packet *p = uw_urb_iso_packet(f->urb, i);

        t->iso_packet_desc[i].actual_length = p->actual;
        t->iso_packet_desc[i].status = status_of(p->status);
    }
}

/* What was asked for, or less, is success, unless the program demands all of it. */
static int
is_too_short(const struct libusb_transfer *t)
{
    int demanded = t->length;

    if (!(t->flags & LIBUSB_TRANSFER_SHORT_NOT_OK))
        return 0;
    if (t->type == LIBUSB_TRANSFER_TYPE_CONTROL)
        demanded -= (int)LIBUSB_CONTROL_SETUP_SIZE;
    return t->actual_length != demanded;
}

static void
take_results(struct flight *f, struct libusb_transfer *t)
{
    t->status = status_of(uw_urb_status(f->urb));
    if (t->type == LIBUSB_TRANSFER_TYPE_ISOCHRONOUS) {
        take_iso_results(f, t);
        return;
    }
    t->actual_length = (int)uw_urb_actual_length(f->urb);
    if (t->status == LIBUSB_TRANSFER_COMPLETED && is_too_short(t))
        t->status = LIBUSB_TRANSFER_ERROR;
}

void
transfer_collect(struct libusb_context *ctx)
{
    struct uw_urb *urb;

    while ((urb = uw_queue_pop(ctx->queue))) {
        struct flight *f = (struct flight *)uw_urb_callback_data(urb);

        pthread_mutex_lock(&ctx->lock);
        uw_list_remove(&f->link);
        uw_list_insert(&ctx->ready, &f->link);
        pthread_mutex_unlock(&ctx->lock);
    }
}

static struct flight *
next_ready(struct libusb_context *ctx)
{
    struct flight *f;

    pthread_mutex_lock(&ctx->lock);
    f = uw_list_first(&ctx->ready, struct flight, link);
    if (f) {
        uw_list_remove(&f->link);
        f->flying = 0;
        f->handle->flying--;
    }
    pthread_mutex_unlock(&ctx->lock);
    return f;
}

static void
finish(struct flight *f)
{
    struct libusb_transfer *t = transfer_of(f);
    uint8_t flags = t->flags; /* the callback may free it */

    take_results(f, t);
    if (t->status == LIBUSB_TRANSFER_NO_DEVICE)
        world_forget_list();
    if (t->callback)
        t->callback(t);
    if (flags & LIBUSB_TRANSFER_FREE_TRANSFER)
        libusb_free_transfer(t);
}

static unsigned
count_ready(struct libusb_context *ctx)
{
    struct uw_list *pos, *tmp;
    unsigned n = 0;

    pthread_mutex_lock(&ctx->lock);
    uw_list_each(pos, tmp, &ctx->ready) n++;
    pthread_mutex_unlock(&ctx->lock);
    return n;
}

unsigned
transfer_finish_all(struct libusb_context *ctx)
{
    unsigned n = count_ready(ctx), done = 0;
    struct flight *f;

    if (n > 1)
        uw_loop_cork(world_loop());
    for (; done < n && (f = next_ready(ctx)); done++)
        finish(f);
    if (n > 1)
        uw_loop_uncork(world_loop());
    return done;
}

/* ---- ended before their time: by their handle's end, or their own ---- */

/* Of a handle: one of its transfers, or all. */
struct dropped {
    struct libusb_device_handle *handle;
    struct flight *only;
};

static int
is_dropped(const struct dropped *d, const struct flight *f)
{
    return f->handle == d->handle && (!d->only || d->only == f);
}

static void
cancel_dropped_locked(struct libusb_context *ctx, const struct dropped *d)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &ctx->flying)
    {
        struct flight *f = UW_CONTAINER(pos, struct flight, link);

        if (is_dropped(d, f))
            (void)uw_urb_cancel(f->urb);
    }
}

static void
drop_ready_locked(struct libusb_context *ctx, const struct dropped *d)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &ctx->ready)
    {
        struct flight *f = UW_CONTAINER(pos, struct flight, link);

        if (!is_dropped(d, f))
            continue;
        uw_list_remove(&f->link);
        f->flying = 0;
        f->handle = NULL;
        transfer_of(f)->dev_handle = NULL;
        d->handle->flying--;
    }
}

/* Whoever calls has the events lock, so nobody else takes any of them out of `ready`. */
static void
drop(struct libusb_context *ctx, const struct dropped *d)
{
    int left;

    transfer_collect(ctx); /* what has ended needs no cancelling */
    pthread_mutex_lock(&ctx->lock);
    cancel_dropped_locked(ctx, d);
    pthread_mutex_unlock(&ctx->lock);
    for (;;) {
        transfer_collect(ctx);
        pthread_mutex_lock(&ctx->lock);
        drop_ready_locked(ctx, d);
        left = d->only ? d->only->flying : d->handle->flying != 0;
        pthread_mutex_unlock(&ctx->lock);
        if (!left)
            return;
        (void)uw_queue_wait(ctx->queue, uw_never());
    }
}

/* No program should close a device under its transfers, though it does no harm. */
static void
warn_of_flying(struct libusb_context *ctx, const struct libusb_device_handle *h)
{
    struct uw_list *pos, *tmp;
    unsigned flying = 0, cancelled = 0;

    pthread_mutex_lock(&ctx->lock);
    uw_list_each(pos, tmp, &ctx->flying)
    {
        const struct flight *f = UW_CONTAINER(pos, struct flight, link);

        flying += f->handle == h && !f->cancelling;
        cancelled += f->handle == h && f->cancelling;
    }
    pthread_mutex_unlock(&ctx->lock);
    if (flying)
        LOG_ERROR(ctx, "%u transfers are in flight while their device is closed", flying);
    if (cancelled)
        LOG_WARNING(ctx, "%u transfers are being cancelled while their device is closed",
                    cancelled);
}

void
transfer_drop_all(struct libusb_context *ctx, struct libusb_device_handle *h)
{
    warn_of_flying(ctx, h);
    drop(ctx, &(struct dropped){h, NULL});
}

/* A program may not free what is in flight. Some do: libftdi's ftdi_readstream ends so, and is done
 * no harm by libusb. */
static void
drop_one(struct flight *f)
{
    struct libusb_device_handle *h = f->handle;
    struct libusb_context *ctx = h->ctx;

    events_seize(ctx);
    drop(ctx, &(struct dropped){h, f});
    events_yield(ctx);
}

void LIBUSB_CALL
libusb_free_transfer(struct libusb_transfer *t)
{
    struct flight *f;

    if (!t)
        return;
    f = flight_of(t);
    if (f->flying)
        drop_one(f);
    if (t->flags & LIBUSB_TRANSFER_FREE_BUFFER)
        free(t->buffer);
    uw_urb_free(f->urb);
    free(f);
}
