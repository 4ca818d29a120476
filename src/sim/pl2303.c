/*
 * pl2303.c - PL2303HX and, of the HXN family, PL2303GC
 */
#include <stdlib.h>
#include <string.h>

#include <usbwire/descriptor.h>

#include "base/bytes.h"
#include "sim/uart.h"

#define EP_NOTIFY 0x81
#define EP_IN     0x83
#define EP_OUT    0x02

#define SET_LINE    0x20
#define GET_LINE    0x21
#define SET_CONTROL 0x22
#define BREAK       0x23
#define VENDOR      0x01
#define HXN_READ    0x81
#define HXN_WRITE   0x80

#define HXN_FLOW 0x0a /* registers */
#define HX_FLOW  0x00

#define CODED 0x80000000u

struct chip {
    int hxn;
    struct sim_uart uart;
    uint8_t line[7], registers[256];
};

static struct chip *
chip_of(struct sim_uart *u)
{
    return (struct chip *)u->device->own;
}

static void
notify(struct chip *c, unsigned errors)
{
    unsigned in = c->uart.inputs;
    uint8_t bytes[10] = {0xa1, 0x20, 0, 0, 0, 0, 2, 0, 0, 0};

    bytes[8] = (uint8_t)((in & SIM_DCD ? 0x01 : 0) | (in & SIM_DSR ? 0x02 : 0) |
                         (errors & SIM_BREAK ? 0x04 : 0) | (in & SIM_RI ? 0x08 : 0) |
                         (errors & SIM_FRAMING ? 0x10 : 0) | (errors & SIM_OVERRUN ? 0x40 : 0) |
                         (in & SIM_CTS ? 0x80 : 0));
    sim_uart_note(&c->uart, bytes, sizeof(bytes));
}

static void
received(struct sim_uart *u, const uint8_t *bytes, size_t size, unsigned errors)
{
    struct chip *c = chip_of(u);

    if (errors)
        notify(c, errors);
    if (!(errors & SIM_BREAK))
        sim_uart_give(u, bytes, size);
}

static void
moved(struct sim_uart *u)
{
    notify(chip_of(u), 0);
}

static const struct sim_uart_chip wire = {received, moved};

static int
set_line(struct chip *c, const uint8_t *bytes)
{
    struct uw_reader r = uw_reader(bytes, 7);
    uint32_t baud = uw_rd_le32(&r);
    uint64_t rate = (uint64_t)baud * 1000;
    uint8_t stop = uw_rd_u8(&r), parity = uw_rd_u8(&r), bits = uw_rd_u8(&r);

    if (stop > 2 || parity > 4 || bits < 5 || bits > 8 || (baud & CODED && c->hxn))
        return SIM_STALL;
    if (baud & CODED) {
        unsigned mantissa = baud & 0x1ff, exponent = baud >> 9 & 7;

        if (!mantissa)
            return SIM_STALL;
        rate = 384000000000u / mantissa >> (2 * exponent);
    }
    memcpy(c->line, bytes, sizeof(c->line));
    c->uart.near.rate = rate;
    c->uart.near.stop_bits = stop;
    c->uart.near.parity = parity;
    c->uart.near.data_bits = bits;
    return 0;
}

static void
reset(struct sim_device *d)
{
    static const uint8_t line[7] = {0x80, 0x25, 0, 0, 0, 0, 8};
    struct chip *c = (struct chip *)d->own;

    sim_uarts_reset(d, 9600);
    memset(c->registers, 0, sizeof(c->registers));
    c->registers[HXN_FLOW] = 0xff;
    c->uart.deaf = !c->hxn; /* an HX is silent until it was woken */
    (void)set_line(c, line);
}

static int
create(struct sim_device *d, int hxn)
{
    struct chip *c = calloc(1, sizeof(*c));
    struct sim_config config;

    if (!c)
        return UW_ERROR_NO_MEMORY;
    d->own = c;
    c->hxn = hxn;
    sim_device_descriptor(d, 0x067b, hxn ? 0x23a3 : 0x2303, hxn ? 0x0100 : 0x0300, 0, 0, 0);
    if (!hxn) { /* USB 1.1 */
        d->device[2] = 0x10;
        d->device[3] = 0x01;
    }
    d->strings[1] = "Prolific Technology Inc.";
    d->strings[2] = "USB-Serial Controller";
    config = sim_config_begin(d, 1);
    sim_config_interface(&config, 0, 0, 3, 0xff, 0, 0, 0);
    sim_config_endpoint(&config, EP_NOTIFY, UW_INTERRUPT, 10, 1);
    sim_config_endpoint(&config, EP_OUT, UW_BULK, 64, 0);
    sim_config_endpoint(&config, EP_IN, UW_BULK, 64, 0);
    sim_config_end(&config, 1);
    return sim_uart_create(&c->uart, d, &wire, EP_IN, EP_OUT, EP_NOTIFY);
}

/* ---- requests ---- */

static int
class_request(struct chip *c, const struct sim_setup *s, struct uw_request *r)
{
    switch (s->request) {
    case SET_LINE:
        return s->type & 0x80 || r->length != sizeof(c->line) ? SIM_STALL : set_line(c, r->buffer);
    case GET_LINE:
        if (r->length < sizeof(c->line))
            return SIM_STALL;
        memcpy(r->buffer, c->line, sizeof(c->line));
        return sizeof(c->line);
    case SET_CONTROL: sim_uart_outputs(&c->uart, s->value & 3); return 0;
    case BREAK: sim_uart_break(&c->uart, s->value != 0); return 0;
    default: return SIM_STALL;
    }
}

static void
set_flow(struct chip *c, uint8_t value)
{
    static const struct {
        int hxn;
        uint8_t mask, value;
        enum sim_uart_flow flow;
    } rows[] = {{1, 0x1c, 0x18, SIM_FLOW_RTS_CTS},
                {1, 0x1c, 0x0c, SIM_FLOW_XON_XOFF},
                {0, 0xf0, 0x60, SIM_FLOW_RTS_CTS},
                {0, 0xf0, 0xc0, SIM_FLOW_XON_XOFF}};
    enum sim_uart_flow flow = SIM_FLOW_NONE;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].hxn == c->hxn && (value & rows[i].mask) == rows[i].value)
            flow = rows[i].flow;
    sim_uart_flow(&c->uart, flow, 0x11, 0x13);
}

static int
vendor_write(struct chip *c, const struct sim_setup *s)
{
    c->registers[s->value & 0xff] = (uint8_t)s->index;
    if (!c->hxn && s->value == 2)
        c->uart.deaf = s->index != 0x44;
    if (s->value == (c->hxn ? HXN_FLOW : HX_FLOW))
        set_flow(c, (uint8_t)s->index);
    if (c->hxn ? s->value == 0x07 && s->index & 2 : s->value == 9)
        sim_uart_purge(&c->uart);
    return 0;
}

static int
vendor_request(struct chip *c, const struct sim_setup *s, struct uw_request *r)
{
    uint8_t read = c->hxn ? HXN_READ : VENDOR, write = c->hxn ? HXN_WRITE : VENDOR;

    if (s->type & 0x80) {
        if (s->request != read || r->length < 1)
            return SIM_STALL;
        r->buffer[0] = c->registers[s->value & 0x7f];
        return 1;
    }
    return s->request == write ? vendor_write(c, s) : SIM_STALL;
}

static int
control(struct sim_device *d, const struct sim_setup *s, struct uw_request *r)
{
    struct chip *c = (struct chip *)d->own;

    return (s->type & 0x60) == 0x20 ? class_request(c, s, r) : vendor_request(c, s, r);
}

/* ---- the models ---- */

#define MODEL(id, hxn, chip)                                                                       \
    static int create_##id(struct sim_device *d)                                                   \
    {                                                                                              \
        return create(d, hxn);                                                                     \
    }                                                                                              \
    const struct sim_model sim_##id = {                                                            \
        SIM_UART_MODEL(id, chip),                                                                  \
        .speed = SIM_FULL,                                                                         \
        .destroy = sim_uarts_destroy,                                                              \
        .transfer = sim_uarts_transfer,                                                            \
    }

MODEL(pl2303hx, 0, "PL2303HX");
MODEL(pl2303gc, 1, "PL2303GC");
