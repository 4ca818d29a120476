/*
 * source_sink.c - bulk and interrupt data as fast as it goes, in several configurations and
 * alternate settings
 *
 * Configuration 1: interface 0 is the source (0x81, a running count of bytes) and sink (0x01), its
 * alternate setting 1 has an interrupt source (0x82) besides. Configuration 2: source and sink at
 * 0x83 and 0x03. Vendor request 0x01 IN: bytes sunk, 8 bytes little-endian; OUT: sets both counts
 * to 0.
 *
 * With `gadget=1` it is what Linux's driver usbtest knows as gadget zero: 0525:a4a0, a source of
 * zeros, and vendor requests 0x5b OUT and 0x5c IN that store and return.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "sim/device.h"

#define EP_INTERRUPT  0x82
#define STORE_MAX     4096u
#define REQUEST_SUNK  0x01
#define REQUEST_STORE 0x5b
#define REQUEST_FETCH 0x5c

struct source {
    uint64_t sent, sunk;
    int gadget; /* Linux's gadget zero */
    uint8_t store[STORE_MAX];
    uint32_t stored;
};

static int
create(struct sim_device *d)
{
    struct source *s = calloc(1, sizeof(*s));
    const char *gadget = sim_option(d, "gadget");
    struct sim_config c;

    if (!s)
        return UW_ERROR_NO_MEMORY;
    d->own = s;
    s->gadget = gadget && strcmp(gadget, "0") != 0;
    if (s->gadget)
        sim_device_descriptor(d, 0x0525, 0xa4a0, 0x0100, 0, 0, 0);
    else
        sim_device_descriptor(d, 0x1209, 0x0002, 0x0100, 0, 0, 0);
    d->strings[2] = "usbwire simulated source and sink";
    c = sim_config_begin(d, 1);
    sim_config_interface(&c, 0, 0, 2, 0xff, 0, 0, 0);
    sim_config_endpoint(&c, 0x81, UW_BULK, 0, 0);
    sim_config_endpoint(&c, 0x01, UW_BULK, 0, 0);
    sim_config_interface(&c, 0, 1, 3, 0xff, 0, 1, 0);
    sim_config_endpoint(&c, 0x81, UW_BULK, 0, 0);
    sim_config_endpoint(&c, 0x01, UW_BULK, 0, 0);
    sim_config_endpoint(&c, EP_INTERRUPT, UW_INTERRUPT, 64, 4);
    sim_config_end(&c, 1);
    c = sim_config_begin(d, 2);
    sim_config_interface(&c, 0, 0, 2, 0xff, 0, 2, 0);
    sim_config_endpoint(&c, 0x83, UW_BULK, 0, 0);
    sim_config_endpoint(&c, 0x03, UW_BULK, 0, 0);
    sim_config_end(&c, 1);
    return 0;
}

static void
destroy(struct sim_device *d)
{
    free(d->own);
}

static void
reset(struct sim_device *d)
{
    struct source *s = (struct source *)d->own;

    s->sent = s->sunk = 0;
    s->stored = 0;
}

static int
control(struct sim_device *d, const struct sim_setup *setup, struct uw_request *r)
{
    struct source *s = (struct source *)d->own;
    struct uw_writer w = uw_writer(r->buffer, r->length);
    int in = setup->type & 0x80;

    if ((setup->type & 0x60) != 0x40)
        return SIM_STALL;
    if (setup->request == REQUEST_SUNK && in) {
        uw_wr_le32(&w, (uint32_t)s->sunk);
        uw_wr_le32(&w, (uint32_t)(s->sunk >> 32));
    } else if (setup->request == REQUEST_SUNK) {
        s->sent = s->sunk = 0;
    } else if (s->gadget && setup->request == REQUEST_FETCH && in) {
        uw_wr_bytes(&w, s->store, s->stored < r->length ? s->stored : r->length);
    } else if (s->gadget && setup->request == REQUEST_STORE && !in && r->length <= STORE_MAX) {
        memcpy(s->store, r->buffer, r->length);
        s->stored = r->length;
    } else {
        return SIM_STALL;
    }
    return (int)w.len;
}

static void
transfer(struct sim_device *d, struct uw_request *r)
{
    struct source *s = (struct source *)d->own;

    if (!(r->endpoint & 0x80)) {
        s->sunk += r->length;
        sim_reply(d, r, 0, r->length);
        return;
    }
    for (uint32_t i = 0; i < r->length; i++)
        r->buffer[i] = s->gadget ? 0 : (uint8_t)(s->sent + i);
    s->sent += r->length;
    sim_reply(d, r, 0, r->length);
}

const struct sim_model sim_source_sink = {
    .name = "source-sink",
    .text = "1209:0002, bulk IN 0x81 counts, bulk OUT 0x01 swallows; two configurations; key: "
            "gadget=1",
    .is_default = 1,
    .keys = "gadget",
    .speed = SIM_HIGH,
    .create = create,
    .destroy = destroy,
    .reset = reset,
    .control = control,
    .transfer = transfer,
};
