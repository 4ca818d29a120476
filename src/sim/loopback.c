/*
 * loopback.c - what goes out comes back: bulk, interrupt and isochronous
 *
 * Interface 0, alternate setting 0: bulk 0x01/0x81 and interrupt 0x02/0x82. Interface 1: alternate
 * setting 0 is empty, 1 has isochronous 0x03/0x83. Isochronous packets come back one for one; a
 * packet for which nothing is there yet comes back empty.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/loopback.h"

#define EP_ISO_OUT   0x03
#define EP_ISO_IN    0x83
#define ISO_PACKETS  4096u
#define ISO_SIZE_MAX 1024u

struct sim_iso_packet {
    uint32_t size;
    uint8_t bytes[ISO_SIZE_MAX];
};

int
sim_loopback_init(struct sim_loopback *l)
{
    sim_fifo_init(&l->bulk);
    sim_fifo_init(&l->interrupt);
    l->iso = calloc(ISO_PACKETS, sizeof(*l->iso));
    return l->iso ? 0 : UW_ERROR_NO_MEMORY;
}

static int
create(struct sim_device *d)
{
    struct sim_loopback *l = calloc(1, sizeof(*l));
    uint16_t iso = d->speed >= SIM_HIGH ? 1024 : 512;
    struct sim_config c;
    int r;

    if (!l)
        return UW_ERROR_NO_MEMORY;
    d->own = l;
    r = sim_loopback_init(l);
    if (r < 0)
        return r;
    sim_device_descriptor(d, 0x1209, 0x0003, 0x0100, 0, 0, 0);
    d->strings[2] = "usbwire simulated loopback";
    c = sim_config_begin(d, 1);
    sim_config_interface(&c, 0, 0, 4, 0xff, 0, 0, 0);
    sim_config_endpoint(&c, 0x01, UW_BULK, 0, 0);
    sim_config_endpoint(&c, 0x81, UW_BULK, 0, 0);
    sim_config_endpoint(&c, 0x02, UW_INTERRUPT, 64, 4);
    sim_config_endpoint(&c, 0x82, UW_INTERRUPT, 64, 4);
    sim_config_interface(&c, 1, 0, 0, 0xff, 1, 0, 0);
    sim_config_interface(&c, 1, 1, 2, 0xff, 1, 0, 0);
    sim_config_endpoint(&c, EP_ISO_OUT, UW_ISOCHRONOUS | 0x04, iso, 1);
    sim_config_endpoint(&c, EP_ISO_IN, UW_ISOCHRONOUS | 0x04, iso, 1);
    sim_config_end(&c, 2);
    return 0;
}

void
sim_loopback_reset(struct sim_device *d)
{
    struct sim_loopback *l = (struct sim_loopback *)d->own;

    sim_fifo_clear(&l->bulk);
    sim_fifo_clear(&l->interrupt);
    l->iso_head = l->iso_count = 0;
}

void
sim_loopback_destroy(struct sim_device *d)
{
    struct sim_loopback *l = (struct sim_loopback *)d->own;

    if (!l)
        return;
    sim_loopback_reset(d);
    free(l->iso);
    free(l);
}

static void
iso_out(struct sim_loopback *l, struct uw_request *r)
{
    for (uint32_t i = 0; i < r->iso_count; i++) {
        struct uw_iso_packet *p = &r->iso[i];
        struct sim_iso_packet *to = &l->iso[(l->iso_head + l->iso_count) % ISO_PACKETS];

        p->actual = p->length < ISO_SIZE_MAX ? p->length : ISO_SIZE_MAX;
        if (l->iso_count == ISO_PACKETS)
            continue; /* isochronous data has no patience */
        to->size = p->actual;
        memcpy(to->bytes, r->buffer + p->offset, p->actual);
        l->iso_count++;
    }
}

static void
iso_in(struct sim_loopback *l, struct uw_request *r)
{
    for (uint32_t i = 0; i < r->iso_count; i++) {
        struct uw_iso_packet *p = &r->iso[i];
        struct sim_iso_packet *from = &l->iso[l->iso_head];

        if (l->iso_count == 0)
            continue;
        p->actual = from->size < p->length ? from->size : p->length;
        p->status = from->size > p->length ? SIM_OVERFLOW : 0;
        memcpy(r->buffer + p->offset, from->bytes, p->actual);
        l->iso_head = (l->iso_head + 1) % ISO_PACKETS;
        l->iso_count--;
    }
}

static void
iso(struct sim_device *d, struct sim_loopback *l, struct uw_request *r)
{
    uint32_t sum = 0;

    if (r->endpoint == EP_ISO_OUT)
        iso_out(l, r);
    else
        iso_in(l, r);
    for (uint32_t i = 0; i < r->iso_count; i++)
        sum += r->iso[i].actual;
    r->start_frame = l->frame;
    l->frame += (int32_t)r->iso_count;
    sim_reply(d, r, 0, sum);
}

void
sim_loopback_transfer(struct sim_device *d, struct uw_request *r)
{
    struct sim_loopback *l = (struct sim_loopback *)d->own;
    struct sim_fifo *f = (r->endpoint & 0x0f) == 1 ? &l->bulk : &l->interrupt;
    uint8_t in = r->endpoint | 0x80;

    if ((r->endpoint & 0x0f) == 3) {
        iso(d, l, r);
        return;
    }
    if (r->endpoint & 0x80)
        sim_wait(d, r);
    else if (sim_fifo_put(f, r->buffer, r->length))
        sim_reply(d, r, 0, r->length);
    else
        sim_reply(d, r, SIM_STALL, 0);
    sim_fifo_serve(f, d, in);
}

const struct sim_model sim_loopback = {
    .name = "loopback",
    .text = "1209:0003, bulk 0x01/0x81, interrupt 0x02/0x82, isochronous 0x03/0x83 loop back",
    .is_default = 1,
    .speed = SIM_HIGH,
    .create = create,
    .destroy = sim_loopback_destroy,
    .reset = sim_loopback_reset,
    .transfer = sim_loopback_transfer,
};
