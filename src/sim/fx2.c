/*
 * fx2.c - a Cypress FX2 without firmware, as loaders find it
 *
 * Vendor request 0xa0 writes and reads its memory at wValue (EZ-USB Technical Reference
 * Manual 3.8); bit 0 of the byte at 0xe600 holds its processor in reset.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/device.h"

#define MEMORY_SIZE   65536u
#define FIRMWARE_LOAD 0xa0
#define CPU_RESET     0xe600u

struct fx2 {
    uint8_t memory[MEMORY_SIZE];
};

static int
create(struct sim_device *d)
{
    struct sim_config c;

    d->own = calloc(1, sizeof(struct fx2));
    if (!d->own)
        return UW_ERROR_NO_MEMORY;
    ((struct fx2 *)d->own)->memory[CPU_RESET] = 1;
    sim_device_descriptor(d, 0x04b4, 0x8613, 0xa001, 0xff, 0xff, 0xff);
    d->strings[2] = "usbwire simulated FX2";
    c = sim_config_begin(d, 1);
    sim_config_interface(&c, 0, 0, 0, 0xff, 0xff, 0xff, 0);
    sim_config_end(&c, 1);
    return 0;
}

static void
destroy(struct sim_device *d)
{
    free(d->own);
}

static int
control(struct sim_device *d, const struct sim_setup *s, struct uw_request *r)
{
    uint8_t *at = ((struct fx2 *)d->own)->memory + s->value;
    size_t n = r->length < MEMORY_SIZE - s->value ? r->length : MEMORY_SIZE - s->value;

    if ((s->type & 0x7f) != 0x40 || s->request != FIRMWARE_LOAD)
        return SIM_STALL;
    if (s->type & 0x80) {
        memcpy(r->buffer, at, n);
        return (int)n;
    }
    memcpy(at, r->buffer, n);
    return 0;
}

const struct sim_model sim_fx2 = {
    .name = "fx2",
    .text = "04b4:8613, a Cypress FX2 without firmware, which takes one",
    .speed = SIM_HIGH,
    .create = create,
    .destroy = destroy,
    .control = control,
};
