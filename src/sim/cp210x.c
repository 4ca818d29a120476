/*
 * cp210x.c - CP2102, CP2102N, CP2104, CP2105 and CP2108 (AN571), as far as their registers go
 */
#include <stdlib.h>
#include <string.h>

#include <usbwire/descriptor.h>

#include "base/bytes.h"
#include "sim/uart.h"

#define PORTS_MAX 4u
#define FLOW_SIZE 16u

#define IFC_ENABLE      0x00
#define GET_LINE_CTL    0x04
#define SET_LINE_CTL    0x03
#define SET_BREAK       0x05
#define SET_MHS         0x07
#define GET_MDMSTS      0x08
#define GET_COMM_STATUS 0x10
#define PURGE           0x12
#define SET_FLOW        0x13
#define GET_FLOW        0x14
#define SET_CHARS       0x19
#define GET_BAUDRATE    0x1d
#define SET_BAUDRATE    0x1e
#define VENDOR_SPECIFIC 0xff
#define GET_PARTNUM     0x370b

#define ERROR_BREAK   0x01
#define ERROR_FRAMING 0x02
#define ERROR_OVERRUN 0x04

#define HANDSHAKE_CTS 0x08 /* of SET_FLOW: CTS holds what goes out */
#define REPLACE_XON   0x03 /* and XON and XOFF are obeyed and sent */

struct port {
    struct sim_uart uart;
    uint16_t line;
    uint32_t errors;
    uint8_t flow[FLOW_SIZE], chars[6];
};

struct chip {
    uint8_t part;
    unsigned ports;
    struct port port[PORTS_MAX];
};

static struct port *
port_of(struct sim_uart *u)
{
    return &((struct chip *)u->device->own)->port[u->port];
}

static void
received(struct sim_uart *u, const uint8_t *bytes, size_t size, unsigned errors)
{
    struct port *p = port_of(u);

    if (u->deaf)
        return;
    p->errors |= (errors & SIM_BREAK ? ERROR_BREAK : 0u) |
                 (errors & SIM_FRAMING ? ERROR_FRAMING : 0u) |
                 (errors & SIM_OVERRUN ? ERROR_OVERRUN : 0u);
    if (!(errors & SIM_BREAK))
        sim_uart_give(u, bytes, size);
}

/* GET_MDMSTS is asked for; nothing is told. */
static const struct sim_uart_chip wire = {received, NULL};

static void
reset(struct sim_device *d)
{
    struct chip *c = (struct chip *)d->own;

    sim_uarts_reset(d, 9600);
    for (unsigned i = 0; i < c->ports; i++) {
        struct port *p = &c->port[i];

        p->uart.deaf = 1;
        p->line = 0x0800;
        p->errors = 0;
        memset(p->flow, 0, sizeof(p->flow));
        memset(p->chars, 0, sizeof(p->chars));
    }
}

static int
create(struct sim_device *d, uint8_t part, uint16_t pid, unsigned ports, const char *name)
{
    struct chip *c = calloc(1, sizeof(*c));
    struct sim_config config;
    int r = 0;

    if (!c)
        return UW_ERROR_NO_MEMORY;
    d->own = c;
    c->part = part;
    c->ports = ports;
    sim_device_descriptor(d, 0x10c4, pid, 0x0100, 0, 0, 0);
    d->strings[1] = "Silicon Labs";
    d->strings[2] = name;
    config = sim_config_begin(d, 1);
    for (unsigned i = 0; i < ports; i++) {
        sim_config_interface(&config, (uint8_t)i, 0, 2, 0xff, 0, 0, 2);
        sim_config_endpoint(&config, (uint8_t)(0x01 + i), UW_BULK, 0, 0);
        sim_config_endpoint(&config, (uint8_t)(0x81 + i), UW_BULK, 0, 0);
    }
    sim_config_end(&config, (uint8_t)ports);
    for (unsigned i = 0; r == 0 && i < ports; i++)
        r = sim_uart_create(&c->port[i].uart, d, &wire, (uint8_t)(0x81 + i), (uint8_t)(0x01 + i),
                            0);
    return r;
}

/* ---- requests ---- */

static int
set_line(struct port *p, uint16_t value)
{
    unsigned bits = value >> 8, parity = value >> 4 & 15, stop = value & 15;

    if (bits < 5 || bits > 8 || parity > 4 || stop > 2)
        return SIM_STALL;
    p->line = value;
    p->uart.near.data_bits = (uint8_t)bits;
    p->uart.near.parity = (uint8_t)parity;
    p->uart.near.stop_bits = (uint8_t)stop;
    return 0;
}

/* The chip divides 48 MHz by 2, a prescaler and a whole number; what it makes of a rate is this. */
static int
set_baud(struct port *p, uint32_t baud)
{
    uint32_t clock = 48000000u / (2 * (baud <= 365 ? 4u : 1u));
    uint32_t divisor = baud ? (clock + baud / 2) / baud : 0;

    if (!divisor)
        return SIM_STALL;
    p->uart.near.rate = (uint64_t)clock * 1000 / divisor;
    return 0;
}

static void
set_lines(struct port *p, uint16_t value)
{
    unsigned mask = value >> 8 & 3, now = p->uart.asked;

    sim_uart_outputs(&p->uart, (now & ~mask) | (value & mask));
}

/* ulControlHandshake and ulFlowReplace say what DTR and RTS are, too. */
static void
set_flow(struct port *p, const uint8_t *bytes)
{
    struct uw_reader r = uw_reader(bytes, FLOW_SIZE);
    uint32_t handshake = uw_rd_le32(&r), replace = uw_rd_le32(&r);
    enum sim_uart_flow flow = handshake & HANDSHAKE_CTS ? SIM_FLOW_RTS_CTS
                              : replace & REPLACE_XON   ? SIM_FLOW_XON_XOFF
                                                        : SIM_FLOW_NONE;

    memcpy(p->flow, bytes, FLOW_SIZE);
    sim_uart_flow(&p->uart, flow, p->chars[4], p->chars[5]);
    sim_uart_outputs(&p->uart, (handshake & 3 ? SIM_DTR : 0u) | (replace & 0xc0 ? SIM_RTS : 0u));
}

static int
out_request(struct port *p, const struct sim_setup *s, const struct uw_request *r)
{
    struct uw_reader data = uw_reader(r->buffer, r->length);

    switch (s->request) {
    case IFC_ENABLE:
        p->uart.deaf = s->value == 0;
        if (p->uart.deaf)
            sim_uart_purge(&p->uart);
        return 0;
    case SET_LINE_CTL: return set_line(p, s->value);
    case SET_BREAK: sim_uart_break(&p->uart, s->value != 0); return 0;
    case SET_MHS: set_lines(p, s->value); return 0;
    case PURGE:
        if (s->value & 0x0a)
            sim_uart_purge(&p->uart);
        return 0;
    case SET_FLOW:
        if (r->length != FLOW_SIZE)
            return SIM_STALL;
        set_flow(p, r->buffer);
        return 0;
    case SET_CHARS:
        if (r->length != sizeof(p->chars))
            return SIM_STALL;
        memcpy(p->chars, r->buffer, sizeof(p->chars));
        return 0;
    case SET_BAUDRATE: return r->length == 4 ? set_baud(p, uw_rd_le32(&data)) : SIM_STALL;
    default: return SIM_STALL;
    }
}

static uint8_t
modem_status(const struct port *p)
{
    unsigned in = p->uart.inputs;

    return (uint8_t)((p->uart.outputs & (SIM_DTR | SIM_RTS)) | (in & SIM_CTS ? 0x10 : 0) |
                     (in & SIM_DSR ? 0x20 : 0) | (in & SIM_RI ? 0x40 : 0) |
                     (in & SIM_DCD ? 0x80 : 0));
}

static int
in_request(const struct chip *c, struct port *p, const struct sim_setup *s, struct uw_request *r)
{
    struct uw_writer w = uw_writer(r->buffer, r->length);

    switch (s->request) {
    case VENDOR_SPECIFIC:
        if (s->value != GET_PARTNUM)
            return SIM_STALL;
        uw_wr_u8(&w, c->part);
        break;
    case GET_LINE_CTL: uw_wr_le16(&w, p->line); break;
    case GET_MDMSTS: uw_wr_u8(&w, modem_status(p)); break;
    case GET_FLOW: uw_wr_bytes(&w, p->flow, FLOW_SIZE); break;
    case GET_BAUDRATE: uw_wr_le32(&w, (uint32_t)(p->uart.near.rate / 1000)); break;
    case GET_COMM_STATUS:
        uw_wr_le32(&w, p->errors);
        uw_wr_le32(&w, 0);
        uw_wr_le32(&w, (uint32_t)p->uart.to_host.bytes);
        uw_wr_le32(&w, 0);
        uw_wr_bytes(&w, "\0\0\0", 3);
        p->errors = 0;
        break;
    default: return SIM_STALL;
    }
    return w.failed ? SIM_STALL : (int)w.len;
}

static int
control(struct sim_device *d, const struct sim_setup *s, struct uw_request *r)
{
    struct chip *c = (struct chip *)d->own;
    unsigned port = s->index & 0xff;

    if ((s->type & 0x60) != 0x40 || port >= c->ports)
        return SIM_STALL;
    return s->type & 0x80 ? in_request(c, &c->port[port], s, r) : out_request(&c->port[port], s, r);
}

/* ---- the models ---- */

#define MODEL(id, pid, part, ports, chip)                                                          \
    static int create_##id(struct sim_device *d)                                                   \
    {                                                                                              \
        return create(d, part, pid, ports, chip " USB to UART bridge");                            \
    }                                                                                              \
    const struct sim_model sim_##id = {                                                            \
        SIM_UART_MODEL(id, chip),                                                                  \
        .speed = SIM_FULL,                                                                         \
        .destroy = sim_uarts_destroy,                                                              \
        .transfer = sim_uarts_transfer,                                                            \
    }

MODEL(cp2102, 0xea60, 0x02, 1, "CP2102");
MODEL(cp2102n, 0xea60, 0x20, 1, "CP2102N");
MODEL(cp2104, 0xea60, 0x04, 1, "CP2104");
MODEL(cp2105, 0xea70, 0x05, 2, "CP2105");
MODEL(cp2108, 0xea71, 0x08, 4, "CP2108");
