/*
 * chapter9.c - the standard requests of USB 2.0 chapter 9, the same for every device
 */
#include <string.h>

#include <usbwire/descriptor.h>

#include "base/bytes.h"
#include "base/log.h"
#include "sim/device.h"
#include "sim/sim.h"

#define FEATURE_HALT 0

#define LANGUAGE_ENGLISH_US 0x0409

static struct sim_setup
read_setup(const struct uw_request *r)
{
    struct uw_reader rd = uw_reader(r->setup, sizeof(r->setup));
    struct sim_setup s;

    s.type = uw_rd_u8(&rd);
    s.request = uw_rd_u8(&rd);
    s.value = uw_rd_le16(&rd);
    s.index = uw_rd_le16(&rd);
    s.length = uw_rd_le16(&rd);
    return s;
}

/* At most what was asked for, in wLength and by the URB. */
static int
answer(struct uw_request *r, const void *bytes, size_t size)
{
    size_t wanted = (size_t)(r->setup[6] | r->setup[7] << 8), n = size < wanted ? size : wanted;

    if (n > r->length)
        n = r->length;
    memcpy(r->buffer, bytes, n);
    return (int)n;
}

/* A descriptor, which some servers send whole, whatever was asked for. */
static int
describe(const struct sim_device *d, struct uw_request *r, const void *bytes, size_t size)
{
    if (!(d->sim->personality->traits & SIM_OVERLONG) || size > r->length + UW_REQUEST_SLACK)
        return answer(r, bytes, size);
    memcpy(r->buffer, bytes, size);
    return (int)size;
}

/* ASCII is all that our strings hold. */
static int
get_string(const struct sim_device *d, unsigned index, struct uw_request *r)
{
    const uint8_t languages[] = {4, UW_DT_STRING, LANGUAGE_ENGLISH_US & 0xff,
                                 LANGUAGE_ENGLISH_US >> 8};
    uint8_t bytes[254];
    const char *s = index < SIM_STRINGS_MAX ? d->strings[index] : NULL;
    size_t n = 2;

    if (index == 0)
        return describe(d, r, languages, sizeof(languages));
    if (!s)
        return SIM_STALL;
    for (; *s && n + 2 <= sizeof(bytes); s++) {
        bytes[n++] = (uint8_t)*s;
        bytes[n++] = 0;
    }
    bytes[0] = (uint8_t)n;
    bytes[1] = UW_DT_STRING;
    return describe(d, r, bytes, n);
}

/* USB 3.2 9.6.2: what every SuperSpeed device has. */
static int
get_bos(const struct sim_device *d, struct uw_request *r)
{
    static const uint8_t bos[] = {
        5,    UW_DT_BOS,
        22,   0,
        2, /* two capabilities */
        7,    UW_DT_DEVICE_CAPABILITY,
        2,    2,
        0,    0,
        0, /* USB 2.0 extension: LPM */
        10,   UW_DT_DEVICE_CAPABILITY,
        3,    0,
        0x0e, 0,
        1,    10,
        0xff, 0x07 /* SuperSpeed */
    };

    return d->speed == SIM_SUPER ? describe(d, r, bos, sizeof(bos)) : SIM_STALL;
}

static int
get_qualifier(const struct sim_device *d, struct uw_request *r)
{
    const uint8_t *v = d->device;
    const uint8_t bytes[] = {10, UW_DT_DEVICE_QUALIFIER, v[2], v[3], v[4], v[5], v[6], v[7], v[17],
                             0};

    return d->speed == SIM_HIGH ? describe(d, r, bytes, sizeof(bytes)) : SIM_STALL;
}

/* What a high-speed device would be at full speed. */
static int
get_other_speed(const struct sim_device *d, unsigned index, struct uw_request *r)
{
    uint8_t bytes[SIM_CONFIG_SIZE];

    if (d->speed != SIM_HIGH || index >= d->config_count)
        return SIM_STALL;
    return describe(d, r, bytes, sim_other_speed(d, index, bytes));
}

static int
get_descriptor(struct sim_device *d, const struct sim_setup *s, struct uw_request *r)
{
    unsigned index = s->value & 0xffu;

    switch (s->value >> 8) {
    case UW_DT_DEVICE: return describe(d, r, d->device, sizeof(d->device));
    case UW_DT_CONFIG:
        if (index >= d->config_count)
            return SIM_STALL;
        return describe(d, r, d->configs[index], d->config_size[index]);
    case UW_DT_STRING: return get_string(d, index, r);
    case UW_DT_BOS: return get_bos(d, r);
    case UW_DT_DEVICE_QUALIFIER: return get_qualifier(d, r);
    case UW_DT_OTHER_SPEED_CONFIG: return get_other_speed(d, index, r);
    default: return SIM_STALL;
    }
}

/* Whatever waits at the endpoints belongs to the old state. */
static void
settle(struct sim_device *d)
{
    for (unsigned slot = 1; slot < SIM_SLOTS; slot++)
        sim_fail_waiting(d, slot, SIM_SHUTDOWN);
    d->halted = 0;
    if (d->model->reset)
        d->model->reset(d);
}

void
sim_device_reset(struct sim_device *d)
{
    settle(d);
    d->configuration = 0;
    memset(d->altsettings, 0, sizeof(d->altsettings));
    if (d->model->bus_reset)
        d->model->bus_reset(d);
}

static int
set_configuration(struct sim_device *d, const struct sim_setup *s, struct uw_request *r)
{
    unsigned i = 0;

    (void)r;
    while (i < d->config_count && d->configs[i][5] != s->value)
        i++;
    if (s->value && i == d->config_count)
        return SIM_STALL;
    settle(d);
    d->configuration = (uint8_t)s->value;
    memset(d->altsettings, 0, sizeof(d->altsettings));
    return 0;
}

static int
has_altsetting(const struct sim_device *d, unsigned number, unsigned altsetting)
{
    for (unsigned i = 0; i < d->config_count; i++) {
        struct uw_extra rest = {d->configs[i], d->config_size[i]}, one;

        while (d->configs[i][5] == d->configuration && uw_descriptor_next(&rest, &one))
            if (one.bytes[1] == UW_DT_INTERFACE && one.bytes[2] == number &&
                one.bytes[3] == altsetting)
                return 1;
    }
    return 0;
}

static int
set_interface(struct sim_device *d, const struct sim_setup *s, struct uw_request *r)
{
    (void)r;
    if (s->index >= sizeof(d->altsettings) || !has_altsetting(d, s->index, s->value))
        return SIM_STALL;
    d->altsettings[s->index] = (uint8_t)s->value;
    d->halted = 0;
    if (d->model->altsetting)
        d->model->altsetting(d, s->index, s->value);
    return 0;
}

static int
get_interface(struct sim_device *d, const struct sim_setup *s, struct uw_request *r)
{
    if (s->index >= sizeof(d->altsettings) || !has_altsetting(d, s->index, 0))
        return SIM_STALL;
    return answer(r, &d->altsettings[s->index], 1);
}

static int
get_configuration(struct sim_device *d, const struct sim_setup *s, struct uw_request *r)
{
    (void)s;
    return answer(r, &d->configuration, 1);
}

static int
get_status(struct sim_device *d, const struct sim_setup *s, struct uw_request *r)
{
    uint8_t status[2] = {0, 0};

    /* bit 6 of bmAttributes: powered by itself (USB 2.0 9.4.5, 9.6.3) */
    if ((s->type & 0x1f) == 0)
        status[0] = d->configs[0][7] >> 6 & 1;
    if ((s->type & 0x1f) == 2 && (d->halted >> sim_slot((uint8_t)s->index) & 1u))
        status[0] = 1;
    return answer(r, status, sizeof(status));
}

static int
change_halt(struct sim_device *d, const struct sim_setup *s, struct uw_request *r)
{
    (void)r;
    if (s->value != FEATURE_HALT)
        return SIM_STALL;
    if (s->request == 0x01)
        d->halted &= ~(1u << sim_slot((uint8_t)s->index));
    else
        sim_halt(d, (uint8_t)s->index);
    return 0;
}

static int
accept(struct sim_device *d, const struct sim_setup *s, struct uw_request *r)
{
    (void)d;
    (void)s;
    (void)r;
    return 0;
}

/* SET_FEATURE(PORT_RESET) of a hub: the client asks the server to reset the device. */
static int
port_reset(struct sim_device *d, const struct sim_setup *s, struct uw_request *r)
{
    uint8_t configuration = d->configuration;

    (void)r;
    if (s->value != 4)
        return SIM_STALL;
    /* As usb_reset_device of a kernel: the configuration is put back. */
    sim_device_reset(d);
    uw_log(&d->sim->log, UW_LOG_INFO, "%s reset", d->busid);
    d->configuration = configuration;
    return 0;
}

static const struct {
    uint8_t type, request;
    int (*handle)(struct sim_device *d, const struct sim_setup *s, struct uw_request *r);
} standard[] = {
    {0x80, 0x06, get_descriptor},
    {0x80, 0x08, get_configuration},
    {0x00, 0x09, set_configuration},
    {0x81, 0x0a, get_interface},
    {0x01, 0x0b, set_interface},
    {0x80, 0x00, get_status},
    {0x81, 0x00, get_status},
    {0x82, 0x00, get_status},
    {0x02, 0x01, change_halt},
    {0x02, 0x03, change_halt},
    {0x00, 0x01, accept},
    {0x00, 0x03, accept},
    {0x01, 0x01, accept},
    {0x01, 0x03, accept},
    {0x00, 0x31, accept},
    {0x00, 0x30, accept},
    {0x23, 0x03, port_reset},
};

void
sim_control(struct sim_device *d, struct uw_request *r)
{
    struct sim_setup s = read_setup(r);
    int result = SIM_STALL;
    size_t i = 0, n = sizeof(standard) / sizeof(standard[0]);

    while (i < n && (standard[i].type != s.type || standard[i].request != s.request))
        i++;
    if (i < n)
        result = standard[i].handle(d, &s, r);
    if (result == SIM_STALL && d->model->control)
        result = d->model->control(d, &s, r);
    if (result == SIM_LATER)
        sim_wait(d, r);
    else if (result < 0)
        sim_reply(d, r, result, 0);
    else
        sim_reply(d, r, 0, r->endpoint & 0x80 ? (uint32_t)result : r->length);
}
