/*
 * esp.c - a board as a firmware person has on the bench: vendor requests that store and return
 * data, and a bulk echo
 *
 * Request 0x01 OUT stores up to 4096 bytes, IN returns them. 0x02 IN: wValue and wIndex come back
 * as 4 bytes. 0x03 IN: how many requests were answered, 4 bytes little-endian. All of it, the echo
 * included, is the firmware's memory: it outlives a USB reset, and so one import can read what
 * another one wrote.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "sim/device.h"

#define STORE_MAX 4096u
#define EP_OUT    0x01
#define EP_IN     0x81

struct esp {
    uint8_t store[STORE_MAX];
    size_t stored;
    uint32_t answered;
    struct sim_fifo echo;
};

static int
create(struct sim_device *d)
{
    struct sim_config c;
    struct esp *e = calloc(1, sizeof(*e));

    if (!e)
        return UW_ERROR_NO_MEMORY;
    d->own = e;
    sim_fifo_init(&e->echo);
    sim_device_descriptor(d, 0x303a, 0x4004, 0x0100, 0, 0, 0);
    d->strings[1] = "Espressif";
    d->strings[2] = "usbwire simulated ESP board";
    d->strings[4] = "vendor echo";
    c = sim_config_begin(d, 1);
    sim_config_interface(&c, 0, 0, 2, 0xff, 0, 0, 4);
    sim_config_endpoint(&c, EP_OUT, UW_BULK, 0, 0);
    sim_config_endpoint(&c, EP_IN, UW_BULK, 0, 0);
    sim_config_end(&c, 1);
    return 0;
}

static void
destroy(struct sim_device *d)
{
    struct esp *e = (struct esp *)d->own;

    if (e)
        sim_fifo_clear(&e->echo);
    free(e);
}

static int
control(struct sim_device *d, const struct sim_setup *s, struct uw_request *r)
{
    struct esp *e = (struct esp *)d->own;
    struct uw_writer w = uw_writer(r->buffer, r->length);
    size_t n;

    if ((s->type & 0x60) != 0x40)
        return SIM_STALL;
    e->answered++;
    if (s->request == 0x01 && !(s->type & 0x80)) {
        if (r->length > STORE_MAX)
            return SIM_STALL;
        memcpy(e->store, r->buffer, r->length);
        e->stored = r->length;
        return 0;
    }
    if (!(s->type & 0x80))
        return SIM_STALL;
    switch (s->request) {
    case 0x01:
        n = e->stored < r->length ? e->stored : r->length;
        memcpy(r->buffer, e->store, n);
        return (int)n;
    case 0x02:
        uw_wr_le16(&w, s->value);
        uw_wr_le16(&w, s->index);
        return (int)w.len;
    case 0x03: uw_wr_le32(&w, e->answered); return (int)w.len;
    default: return SIM_STALL;
    }
}

static void
transfer(struct sim_device *d, struct uw_request *r)
{
    struct esp *e = (struct esp *)d->own;

    if (r->endpoint == EP_IN)
        sim_wait(d, r);
    else if (sim_fifo_put(&e->echo, r->buffer, r->length))
        sim_reply(d, r, 0, r->length);
    else
        sim_reply(d, r, SIM_STALL, 0); /* what nobody reads for so long is too much */
    sim_fifo_serve(&e->echo, d, EP_IN);
}

const struct sim_model sim_esp = {
    .name = "esp",
    .text = "303a:4004, vendor requests that store and return data, bulk echo on 0x01/0x81",
    .is_default = 1,
    .speed = SIM_FULL,
    .create = create,
    .destroy = destroy,
    .control = control,
    .transfer = transfer,
};
