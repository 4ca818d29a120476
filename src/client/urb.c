/*
 * urb.c - a URB's memory: what the caller sets and what it reads afterwards
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "client/import.h"
#include "client/loop.h"

int
uw_urb_new(unsigned iso_packets, struct uw_urb **ret_urb)
{
    struct uw_urb *urb;

    urb = calloc(1, sizeof(*urb));
    if (!urb)
        return UW_ERROR_NO_MEMORY;
    if (iso_packets) {
        urb->x.iso = calloc(iso_packets, sizeof(*urb->x.iso));
        if (!urb->x.iso) {
            free(urb);
            return UW_ERROR_NO_MEMORY;
        }
    }
    urb->iso_room = iso_packets;
    uw_urb_init(urb);
    *ret_urb = urb;
    return 0;
}

void
uw_urb_init(struct uw_urb *urb)
{
    uw_list_init(&urb->queued);
    urb->timeout = uw_never();
}

void
uw_urb_free(struct uw_urb *urb)
{
    if (!urb)
        return;
    assert(!urb->in_flight);
    free(urb->x.iso);
    free(urb);
}

void
uw_urb_set_control(struct uw_urb *urb, struct uw_device *device, uint8_t request_type,
                   uint8_t request, uint16_t value, uint16_t index, void *data, uint16_t length)
{
    struct uw_writer w = uw_writer(urb->x.setup, sizeof(urb->x.setup));

    uw_wr_u8(&w, request_type);
    uw_wr_u8(&w, request);
    uw_wr_le16(&w, value);
    uw_wr_le16(&w, index);
    uw_wr_le16(&w, length);
    urb->device = device;
    urb->completed_locked = NULL;
    /* Without data it is an OUT, as in the kernel, whatever bit 7 says. */
    urb->x.endpoint = length ? request_type & 0x80 : 0;
    urb->x.type = UW_CONTROL;
    urb->x.buffer = (uint8_t *)data;
    urb->x.length = length;
    urb->x.iso_count = 0;
}

void
uw_urb_set_transfer(struct uw_urb *urb, struct uw_device *device, uint8_t endpoint, void *data,
                    size_t length)
{
    urb->device = device;
    urb->completed_locked = NULL;
    urb->x.endpoint = endpoint;
    urb->x.type = UW_BULK; /* what it is says the descriptor, at submit */
    urb->x.buffer = (uint8_t *)data;
    urb->x.length = urb->room = length;
}

int
uw_urb_set_iso_lengths(struct uw_urb *urb, unsigned packets, uint32_t length_each)
{
    if (packets > urb->iso_room || (uint64_t)packets * length_each > INT32_MAX)
        return UW_ERROR_INVALID;
    urb->x.iso_count = packets;
    for (unsigned i = 0; i < packets; i++)
        urb->x.iso[i].length = length_each;
    return 0;
}

int
uw_urb_set_iso_length(struct uw_urb *urb, unsigned packet, uint32_t length)
{
    if (packet >= urb->x.iso_count || length > UINT16_MAX)
        return UW_ERROR_INVALID;
    urb->x.iso[packet].length = length;
    return 0;
}

void
uw_urb_set_timeout(struct uw_urb *urb, struct uw_usec timeout)
{
    urb->timeout = timeout;
}

void
uw_urb_set_flags(struct uw_urb *urb, unsigned flags)
{
    urb->x.flags = flags;
}

void
uw_urb_set_callback(struct uw_urb *urb, void (*callback)(struct uw_urb *urb, void *data),
                    void *data)
{
    urb->callback = callback;
    urb->data = data;
}

void *
uw_urb_callback_data(const struct uw_urb *urb)
{
    return urb->data;
}

int
uw_urb_status(const struct uw_urb *urb)
{
    return urb->x.status;
}

int
uw_urb_raw_status(const struct uw_urb *urb)
{
    return urb->x.raw_status;
}

size_t
uw_urb_actual_length(const struct uw_urb *urb)
{
    return urb->x.actual;
}

const struct uw_iso_packet *
uw_urb_iso_packet(const struct uw_urb *urb, unsigned packet)
{
    return packet < urb->x.iso_count ? &urb->x.iso[packet] : NULL;
}

unsigned
uw_urb_iso_count(const struct uw_urb *urb)
{
    return urb->x.iso_count;
}

int
uw_urb_error_count(const struct uw_urb *urb)
{
    return urb->x.error_count;
}

static int
is_out(void *arg)
{
    return !((struct uw_urb *)arg)->in_flight;
}

/* The waiting thread is being cancelled, and the URB may be on its stack: it has to be out first.
 */
static void
end_urb(void *arg)
{
    struct uw_urb *urb = (struct uw_urb *)arg;
    struct uw_loop *loop = uw_server_loop(uw_import_server(urb->import));

    (void)uw_import_cancel_locked(urb->import, urb);
    (void)uw_loop_until(loop, is_out, urb, uw_never(), 0, NULL);
}

void
uw_urb_wait_locked(struct uw_loop *loop, struct uw_urb *urb)
{
    if (urb->in_flight)
        (void)uw_loop_until(loop, is_out, urb, uw_never(), 0, end_urb);
}
