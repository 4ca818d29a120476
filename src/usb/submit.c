/*
 * submit.c - URBs of a device: checked against its descriptors before anything is sent
 *
 * Checking here is not politeness: a Linux server never answers a URB for an endpoint that does not
 * exist and drops the connection for one with impossible parameters.
 */
#include <stdlib.h>

#include "base/bytes.h"
#include "client/loop.h"
#include "usb/device.h"

struct request {
    uint8_t type, request;
    uint16_t value, index;
};

static struct request
read_setup(const struct uw_urb *urb)
{
    struct uw_reader r = uw_reader(urb->x.setup, sizeof(urb->x.setup));
    struct request q;

    q.type = uw_rd_u8(&r);
    q.request = uw_rd_u8(&r);
    q.value = uw_rd_le16(&r);
    q.index = uw_rd_le16(&r);
    return q;
}

/* ---- requests that change what is in force, whoever sends them ---- */

/* Endpoints start afresh: what is under way on them ends before the request is sent, and after it
 * those who share the device are told. */

static uint32_t
all(const struct uw_device *d, const struct request *q)
{
    (void)d;
    (void)q;
    return UW_ALL_ENDPOINTS;
}

static uint32_t
of_interface(const struct uw_device *d, const struct request *q)
{
    return uw_device_interface_endpoints_locked(d, q->index & 0xffu);
}

static uint32_t
of_halt(const struct uw_device *d, const struct request *q)
{
    (void)d;
    return q->value == 0 && (q->index & 0x0fu) ? uw_endpoint_bit((uint8_t)q->index) : 0;
}

static uint32_t
of_reset(const struct uw_device *d, const struct request *q)
{
    (void)d;
    return q->value == UW_PORT_RESET ? UW_ALL_ENDPOINTS : 0;
}

static void
configured(struct uw_device *d, const struct request *q)
{
    uw_device_now_configured_locked(d, q->value & 0xff);
}

static void
interface_set(struct uw_device *d, const struct request *q)
{
    uw_device_now_altsetting_locked(d, q->index & 0xffu, q->value & 0xffu);
}

static void
nothing(struct uw_device *d, const struct request *q)
{
    (void)d;
    (void)q;
}

static const struct effect {
    uint8_t type, request;
    uint32_t (*endpoints)(const struct uw_device *d, const struct request *q);
    void (*after)(struct uw_device *d, const struct request *q); /* once it succeeded */
} effects[] = {
    {0x00, UW_SET_CONFIGURATION, all, configured},
    {0x01, UW_SET_INTERFACE, of_interface, interface_set},
    {0x02, UW_CLEAR_FEATURE, of_halt, nothing},
    {UW_HUB_PORT, UW_SET_FEATURE, of_reset, nothing},
};

static const struct effect *
find_effect(const struct request *q)
{
    for (size_t i = 0; i < sizeof(effects) / sizeof(effects[0]); i++)
        if (effects[i].type == q->type && effects[i].request == q->request)
            return &effects[i];
    return NULL;
}

static void
follow(struct uw_urb *urb)
{
    struct request q = read_setup(urb);
    const struct effect *effect = find_effect(&q);
    struct uw_device *d = urb->device;

    if (!effect || urb->x.status != UW_OK)
        return;
    effect->after(d, &q);
    uw_device_tell_set_locked(d, urb, effect->endpoints(d, &q));
}

/* ---- checks ---- */

static int
prepare_control(struct uw_device *d, struct uw_urb *urb)
{
    struct request q = read_setup(urb);
    const struct effect *effect = find_effect(&q);

    if (urb->x.type != UW_CONTROL)
        return UW_ERROR_NOT_FOUND; /* set up for another endpoint, and this is endpoint 0 */
    urb->x.interval = 0;
    urb->x.max_packet = d->descriptor.bMaxPacketSize0;
    if (effect) {
        uw_import_flush_locked(d->import, effect->endpoints(d, &q));
        urb->completed_locked = follow;
    }
    return 0;
}

/* Packets have to fit the endpoint and the buffer. What is sent is what they hold: servers compare
 * the two (usbipd-win closes the connection where they differ). */
static int
prepare_iso(struct uw_urb *urb, unsigned max_packet)
{
    struct uw_iso_packet *p = urb->x.iso;
    size_t sum = 0;

    if (!urb->x.iso_count)
        return UW_ERROR_INVALID;
    for (uint32_t i = 0; i < urb->x.iso_count; i++) {
        if (p[i].length > max_packet)
            return UW_ERROR_INVALID;
        p[i].offset = (uint32_t)sum;
        sum += p[i].length;
    }
    if (sum > urb->room)
        return UW_ERROR_INVALID;
    urb->x.length = sum;
    return 0;
}

static int
prepare_transfer(struct uw_device *d, struct uw_urb *urb)
{
    const struct uw_endpoint *e = uw_device_endpoint_locked(d, urb->x.endpoint);
    unsigned max_packet;

    if (!e)
        return UW_ERROR_NOT_FOUND;
    urb->x.type = e->bmAttributes & 3;
    urb->x.interval = uw_endpoint_interval(e, d->info.speed);
    /* What counts for short packets is one transaction; an isochronous packet may be several. */
    max_packet =
        urb->x.type == UW_ISOCHRONOUS ? uw_endpoint_max_packet(e) : e->wMaxPacketSize & 0x7ffu;
    urb->x.max_packet = (uint16_t)(max_packet < UINT16_MAX ? max_packet : UINT16_MAX);
    if (urb->x.type == UW_CONTROL || max_packet == 0)
        return UW_ERROR_NOT_SUPPORTED;
    if (urb->x.type == UW_ISOCHRONOUS)
        return prepare_iso(urb, max_packet);
    urb->x.length = urb->room;
    urb->x.iso_count = 0;
    return 0;
}

/* ---- the public face ---- */

int
uw_device_submit_locked(struct uw_urb *urb, struct uw_queue *queue)
{
    struct uw_device *d = urb->device;
    int r;

    if (urb->in_flight)
        return UW_ERROR_BUSY;
    urb->import = d->import;
    r = uw_import_status_locked(d->import);
    if (r < 0)
        return r;
    if ((urb->x.endpoint & 0x7f) == 0)
        r = prepare_control(d, urb);
    else
        r = prepare_transfer(d, urb);
    return r < 0 ? r : uw_import_submit_locked(d->import, urb, queue);
}

/* A URB that was refused reads like one that failed. */
static int
note_refusal(struct uw_urb *urb, int r)
{
    if (r < 0 && r != UW_ERROR_BUSY) {
        urb->x.status = r;
        urb->x.raw_status = 0;
        urb->x.actual = 0;
    }
    return r;
}

int
uw_urb_submit(struct uw_urb *urb, struct uw_queue *queue)
{
    int r;

    if (!urb->device)
        return UW_ERROR_INVALID;
    uw_loop_lock(urb->device->loop);
    r = note_refusal(urb, uw_device_submit_locked(urb, queue));
    uw_loop_unlock(urb->device->loop);
    return r;
}

int
uw_urb_cancel(struct uw_urb *urb)
{
    struct uw_loop *loop;
    int r;

    if (!urb->device)
        return UW_ERROR_NOT_FOUND;
    loop = urb->device->loop;
    uw_loop_lock(loop);
    r = urb->import ? uw_import_cancel_locked(urb->import, urb) : UW_ERROR_NOT_FOUND;
    uw_loop_unlock(loop);
    return r;
}

int
uw_urb_run(struct uw_urb *urb)
{
    struct uw_loop *loop;
    int r;

    if (!urb->device)
        return UW_ERROR_INVALID;
    loop = urb->device->loop;
    uw_loop_lock(loop);
    r = note_refusal(urb, uw_device_submit_locked(urb, NULL));
    if (r == 0) {
        uw_urb_wait_locked(loop, urb);
        r = urb->x.status;
    }
    uw_loop_unlock(loop);
    return r;
}
