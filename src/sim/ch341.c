/*
 * ch341.c - CH340 and CH341: registers in pairs, modem inputs on the interrupt endpoint
 */
#include <stdlib.h>
#include <string.h>

#include <usbwire/descriptor.h>

#include "base/bytes.h"
#include "sim/uart.h"

#define EP_NOTIFY 0x81
#define EP_IN     0x82
#define EP_OUT    0x02

#define READ_VERSION 0x5f
#define READ_REG     0x95
#define WRITE_REG    0x9a
#define SERIAL_INIT  0xa1
#define MODEM_CTRL   0xa4

#define REG_BREAK     0x05
#define REG_STATUS    0x06
#define REG_PRESCALER 0x12
#define REG_DIVISOR   0x13
#define REG_LCR       0x18
#define REG_FLOW      0x27

#define LCR_RECEIVE 0x80
#define LCR_SEND    0x40
#define NO_BREAK    0x01

#define VERSION 0x31

struct chip {
    struct sim_uart uart;
    uint8_t registers[256];
    int limited; /* of the kind without a break, and with fewer clocks */
};

static struct chip *
chip_of(struct sim_uart *u)
{
    return (struct chip *)u->device->own;
}

/* Inputs are low while they are set. */
static uint8_t
status(const struct chip *c)
{
    unsigned in = c->uart.inputs;

    return (uint8_t) ~((in & SIM_CTS ? 0x01u : 0u) | (in & SIM_DSR ? 0x02u : 0u) |
                       (in & SIM_RI ? 0x04u : 0u) | (in & SIM_DCD ? 0x08u : 0u));
}

static void
received(struct sim_uart *u, const uint8_t *bytes, size_t size, unsigned errors)
{
    struct chip *c = chip_of(u);

    if (errors & SIM_BREAK || !(c->registers[REG_LCR] & LCR_RECEIVE))
        return;
    sim_uart_give(u, bytes, size);
}

static void
moved(struct sim_uart *u)
{
    struct chip *c = chip_of(u);
    uint8_t bytes[8] = {0x08, 0x3f, status(c), 0xee};

    sim_uart_note(u, bytes, sizeof(bytes));
}

static const struct sim_uart_chip wire = {received, moved};

/* ---- registers ---- */

static void
set_rate(struct chip *c)
{
    unsigned prescaler = c->registers[REG_PRESCALER];
    unsigned divisor = 256u - c->registers[REG_DIVISOR];
    unsigned ps = prescaler & 3, fact = prescaler >> 2 & 1;

    c->uart.near.rate = c->limited && fact && ps < 3
                            ? 0
                            : 48000000000u / ((uint64_t)divisor << (12 - 3 * ps - fact));
}

static void
set_format(struct chip *c)
{
    static const uint8_t parities[8] = {0, 1, 0, 2, 0, 3, 0, 4}; /* by the bits stick, even, on */
    uint8_t lcr = c->registers[REG_LCR];

    c->uart.near.data_bits = (uint8_t)(5 + (lcr & 3));
    c->uart.near.stop_bits = lcr & 0x04 ? 2 : 0;
    c->uart.near.parity = parities[lcr >> 3 & 7];
}

static void
follow(struct chip *c)
{
    set_rate(c);
    set_format(c);
    c->uart.deaf = !(c->registers[REG_LCR] & LCR_SEND);
    sim_uart_break(&c->uart, !(c->registers[REG_BREAK] & NO_BREAK));
    if ((c->registers[REG_FLOW] & 1) != (c->uart.flow == SIM_FLOW_RTS_CTS))
        sim_uart_flow(&c->uart, c->registers[REG_FLOW] & 1 ? SIM_FLOW_RTS_CTS : SIM_FLOW_NONE, 0,
                      0);
}

static void
reset(struct sim_device *d)
{
    struct chip *c = (struct chip *)d->own;

    sim_uarts_reset(d, 9600);
    memset(c->registers, 0, sizeof(c->registers));
    c->registers[REG_BREAK] = 0x9e | NO_BREAK;
    c->registers[REG_LCR] = 0xc3;
    c->registers[REG_PRESCALER] = 0x82;
    c->registers[REG_DIVISOR] = 0xb2;
    follow(c);
}

/* ---- making one ---- */

static int
create(struct sim_device *d, uint16_t pid, const char *name)
{
    struct chip *c = calloc(1, sizeof(*c));
    const char *limited = sim_option(d, "limited");
    struct sim_config config;

    if (!c)
        return UW_ERROR_NO_MEMORY;
    d->own = c;
    if (limited && strcmp(limited, "0") != 0 && strcmp(limited, "1") != 0)
        return UW_ERROR_INVALID;
    c->limited = limited && *limited == '1';
    sim_device_descriptor(d, 0x1a86, pid, 0x0264, 0xff, 0, 0);
    d->strings[2] = name;
    config = sim_config_begin(d, 1);
    sim_config_interface(&config, 0, 0, 3, 0xff, 0x01, 0x02, 0);
    sim_config_endpoint(&config, EP_IN, UW_BULK, 32, 0);
    sim_config_endpoint(&config, EP_OUT, UW_BULK, 32, 0);
    sim_config_endpoint(&config, EP_NOTIFY, UW_INTERRUPT, 8, 1);
    sim_config_end(&config, 1);
    return sim_uart_create(&c->uart, d, &wire, EP_IN, EP_OUT, EP_NOTIFY);
}

/* ---- requests ---- */

static int
has_registers(const struct chip *c, const struct sim_setup *s)
{
    return !c->limited || ((s->value & 0xff) != REG_BREAK && s->value >> 8 != REG_BREAK);
}

static int
out_request(struct chip *c, const struct sim_setup *s)
{
    switch (s->request) {
    case WRITE_REG:
        if (!has_registers(c, s))
            return SIM_STALL;
        c->registers[s->value & 0xff] = (uint8_t)s->index;
        c->registers[s->value >> 8] = (uint8_t)(s->index >> 8);
        follow(c);
        return 0;
    case SERIAL_INIT: return 0;
    case MODEM_CTRL:
        sim_uart_outputs(&c->uart,
                         (s->value & 0x20 ? 0u : SIM_DTR) | (s->value & 0x40 ? 0u : SIM_RTS));
        return 0;
    default: return SIM_STALL;
    }
}

static int
in_request(struct chip *c, const struct sim_setup *s, struct uw_request *r)
{
    struct uw_writer w = uw_writer(r->buffer, r->length);

    c->registers[REG_STATUS] = status(c);
    switch (s->request) {
    case READ_VERSION:
        uw_wr_u8(&w, VERSION);
        uw_wr_u8(&w, 0);
        break;
    case READ_REG:
        if (!has_registers(c, s))
            return SIM_STALL;
        uw_wr_u8(&w, c->registers[s->value & 0xff]);
        uw_wr_u8(&w, c->registers[s->value >> 8]);
        break;
    default: return SIM_STALL;
    }
    return w.failed ? SIM_STALL : (int)w.len;
}

static int
control(struct sim_device *d, const struct sim_setup *s, struct uw_request *r)
{
    struct chip *c = (struct chip *)d->own;

    if ((s->type & 0x7f) != 0x40)
        return SIM_STALL;
    return s->type & 0x80 ? in_request(c, s, r) : out_request(c, s);
}

/* ---- the models ---- */

#define MODEL(id, pid, chip)                                                                       \
    static int create_##id(struct sim_device *d)                                                   \
    {                                                                                              \
        return create(d, pid, chip);                                                               \
    }                                                                                              \
    const struct sim_model sim_##id = {                                                            \
        .name = #id,                                                                               \
        .text =                                                                                    \
            "a " chip " serial chip; limited=1 is one of those without a break; " SIM_UART_TEXT,   \
        .keys = "limited," SIM_UART_KEYS,                                                          \
        .create = create_##id,                                                                     \
        .reset = reset,                                                                            \
        .control = control,                                                                        \
        .speed = SIM_FULL,                                                                         \
        .destroy = sim_uarts_destroy,                                                              \
        .transfer = sim_uarts_transfer,                                                            \
    }

MODEL(ch340, 0x7523, "CH340");
MODEL(ch341, 0x5523, "CH341");
