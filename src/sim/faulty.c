/*
 * faulty.c - a device that does what devices should not, on command
 *
 * Endpoints: 0x81 stalls, 0x82 never answers (NAK), 0x83 sends more than was asked for, 0x84 sends
 * half, 0x01 stalls, 0x02 never takes. Vendor requests, OUT, no data: 0x10 vanishes, 0x11 comes
 * back as a bootloader (1209:00b0), 0x12 never answers, 0x13 stalls, 0x14 halts endpoint wIndex.
 */
#include <string.h>

#include "sim/device.h"
#include "sim/sim.h"

static int
create(struct sim_device *d)
{
    struct sim_config c;

    sim_device_descriptor(d, 0x1209, 0x0006, 0x0100, 0xff, 0, 0);
    d->strings[2] = "usbwire simulated faulty device";
    c = sim_config_begin(d, 1);
    sim_config_interface(&c, 0, 0, 6, 0xff, 0, 0, 0);
    for (uint8_t ep = 0x81; ep <= 0x84; ep++)
        sim_config_endpoint(&c, ep, UW_BULK, 0, 0);
    sim_config_endpoint(&c, 0x01, UW_BULK, 0, 0);
    sim_config_endpoint(&c, 0x02, UW_BULK, 0, 0);
    sim_config_end(&c, 1);
    return 0;
}

/* The same place, another product: as a chip that starts its ROM loader. */
static void
become_bootloader(struct sim_device *d)
{
    sim_unplug(d);
    d->gone = 0;
    d->devnum += 64;
    sim_device_descriptor(d, 0x1209, 0x00b0, 0x0100, 0xff, 0, 0);
    d->device[17] = (uint8_t)d->config_count;
    d->strings[2] = "usbwire simulated bootloader";
}

static int
control(struct sim_device *d, const struct sim_setup *s, struct uw_request *r)
{
    (void)r;
    if ((s->type & 0xe0) != 0x40)
        return SIM_STALL;
    switch (s->request) {
    case 0x10: sim_unplug(d); return SIM_SHUTDOWN;
    case 0x11: become_bootloader(d); return SIM_SHUTDOWN;
    case 0x12: return SIM_LATER;
    case 0x14: sim_halt(d, (uint8_t)s->index); return 0;
    default: return SIM_STALL;
    }
}

static void
transfer(struct sim_device *d, struct uw_request *r)
{
    uint8_t endpoint = r->endpoint;

    switch (endpoint) {
    case 0x83:
        memset(r->buffer, 0x5a, r->length);
        sim_reply(d, r, SIM_OVERFLOW, r->length);
        break;
    case 0x84:
        memset(r->buffer, 0x5a, r->length);
        sim_reply(d, r, 0, r->length / 2);
        break;
    case 0x82:
    case 0x02: sim_wait(d, r); break;
    default:
        sim_halt(d, endpoint);
        sim_reply(d, r, SIM_STALL, 0);
        break;
    }
}

const struct sim_model sim_faulty = {
    .name = "faulty",
    .text = "1209:0006, stalls, never answers, babbles, vanishes: see usbwire-serve(1)",
    .speed = SIM_HIGH,
    .create = create,
    .control = control,
    .transfer = transfer,
};
