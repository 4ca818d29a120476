/*
 * benchmark.c - the PIC "Benchmark Device" firmware, which PyUSB's own tests drive
 *
 * One interface; its alternate settings 0, 1 and 2 have a bulk, an interrupt and an isochronous
 * pair of endpoints, which loop back. Vendor request 0x10 OUT stores up to 64 bytes, 0x11 IN
 * returns them. 0x0e and 0x0f, which choose a test on the real one, are accepted: it loops in each.
 *
 * Source: what PyUSB's tests (devinfo.py, test_integration.py, test_control.py) expect of it.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/loopback.h"

#define BUFFER_MAX     64u
#define EP0_PACKET     8
#define SELF_POWERED   0xc0
#define SET_TEST       0x0e
#define SET_TEST_OTHER 0x0f
#define SET_BUFFER     0x10
#define GET_BUFFER     0x11

struct benchmark {
    struct sim_loopback loopback; /* first */
    uint8_t buffer[BUFFER_MAX];
};

static void
add_pair(struct sim_config *c, uint8_t altsetting, uint8_t attributes, uint16_t size,
         uint8_t interval)
{
    uint8_t number = (uint8_t)(altsetting + 1);

    sim_config_interface(c, 0, altsetting, 2, 0, 0, 0, 0);
    sim_config_endpoint(c, number, attributes, size, interval);
    sim_config_endpoint(c, number | 0x80, attributes, size, interval);
}

static int
create(struct sim_device *d)
{
    struct benchmark *b = calloc(1, sizeof(*b));
    struct sim_config c;
    int r;

    if (!b)
        return UW_ERROR_NO_MEMORY;
    d->own = b;
    r = sim_loopback_init(&b->loopback);
    if (r < 0)
        return r;
    sim_device_descriptor(d, 0x04d8, 0xfa2e, 0x0001, 0, 0, 0);
    d->device[7] = EP0_PACKET;
    d->strings[1] = "Travis Robinson";
    d->strings[2] = "Benchmark Device";
    c = sim_config_begin(d, 1);
    c.bytes[7] = SELF_POWERED;
    add_pair(&c, 0, UW_BULK, 16, 0);
    add_pair(&c, 1, UW_INTERRUPT, 16, 1);
    add_pair(&c, 2, UW_ISOCHRONOUS, 64, 1);
    sim_config_end(&c, 1);
    return 0;
}

static int
control(struct sim_device *d, const struct sim_setup *s, struct uw_request *r)
{
    struct benchmark *b = (struct benchmark *)d->own;
    uint32_t n = r->length < BUFFER_MAX ? r->length : BUFFER_MAX;

    if (s->type == 0xc0 && s->request == GET_BUFFER) {
        memcpy(r->buffer, b->buffer, n);
        return (int)n;
    }
    if (s->type == 0x40 && s->request == SET_BUFFER && r->length <= BUFFER_MAX) {
        memcpy(b->buffer, r->buffer, n);
        return 0;
    }
    if ((s->type & 0xe0) == 0x40 && (s->request == SET_TEST || s->request == SET_TEST_OTHER))
        return 0;
    return SIM_STALL;
}

const struct sim_model sim_benchmark = {
    .name = "benchmark",
    .text = "04d8:fa2e, the PIC benchmark firmware that PyUSB's own tests want",
    .speed = SIM_FULL,
    .create = create,
    .destroy = sim_loopback_destroy,
    .reset = sim_loopback_reset,
    .control = control,
    .transfer = sim_loopback_transfer,
};
