/*
 * ftdi.c - FT232R, FT2232H, FT4232H, FT232H and FT230X (AN_232B-05, AN_120 and the data sheets)
 *
 * Every packet to the host begins with two status bytes; where there is nothing to send, a read is
 * answered with them alone once the latency timer has run.
 */
#include <stdlib.h>
#include <string.h>

#include <usbwire/descriptor.h>

#include "base/bytes.h"
#include "sim/sim.h"
#include "sim/uart.h"

#define PORTS_MAX 4u
#define STATUS    2u
#define TRANSFER  4096u

#define RESET        0x00
#define MODEM_CTRL   0x01
#define FLOW_CTRL    0x02
#define SET_BAUD     0x03
#define SET_DATA     0x04
#define MODEM_STATUS 0x05
#define EVENT_CHAR   0x06
#define ERROR_CHAR   0x07
#define SET_LATENCY  0x09
#define GET_LATENCY  0x0a
#define SET_BITMODE  0x0b
#define READ_EEPROM  0x90

#define DATA_BREAK 0x4000

/* Of the bit modes there are the one that is none, and the one that changes nothing to the host but
 * how fast it can go (AN_130). */
#define BITMODE_RESET     0x00
#define BITMODE_SYNC_FIFO 0x40

struct port {
    struct sim_uart uart;
    struct sim_timer timer;
    uint8_t latency, line_status;
};

struct chip {
    int fast, shifts;
    unsigned ports;
    struct port port[PORTS_MAX];
};

static struct port *
port_of(struct sim_uart *u)
{
    return &((struct chip *)u->device->own)->port[u->port];
}

static uint8_t
modem_status(const struct port *p)
{
    unsigned in = p->uart.inputs;

    return (uint8_t)(0x01 | (in & SIM_CTS ? 0x10 : 0) | (in & SIM_DSR ? 0x20 : 0) |
                     (in & SIM_RI ? 0x40 : 0) | (in & SIM_DCD ? 0x80 : 0));
}

/* ---- to the host ---- */

/* Answers what waits: packets there are, or - `now` - the status by itself. */
static void
serve(struct port *p, int now)
{
    struct sim_device *d = p->uart.device;
    uint8_t status[STATUS] = {modem_status(p), (uint8_t)(0x60 | p->line_status)};

    sim_uart_serve(&p->uart);
    if (now && sim_waiting(d, p->uart.in)) {
        p->line_status = 0;
        sim_uart_give(&p->uart, status, sizeof(status));
    }
    sim_set_timer(d->sim, &p->timer,
                  sim_waiting(d, p->uart.in) ? uw_usec_add(d->sim->now, uw_msec(p->latency))
                                             : uw_never());
}

static void
latency_over(struct sim_timer *timer, struct uw_usec now)
{
    (void)now;
    serve(UW_CONTAINER(timer, struct port, timer), 1);
}

/* A packet: status, then bytes. */
static size_t
packet(struct port *p, const uint8_t *bytes, size_t size, unsigned errors, uint8_t *out)
{
    out[0] = modem_status(p);
    out[1] = (uint8_t)(0x60 | (errors & SIM_BREAK ? 0x10 : 0) | (errors & SIM_FRAMING ? 0x08 : 0) |
                       (errors & SIM_OVERRUN ? 0x02 : 0));
    memcpy(out + STATUS, bytes, size);
    return STATUS + size;
}

/* Packets are full while there is enough for them, so a read goes on with the next one. */
static void
received(struct sim_uart *u, const uint8_t *bytes, size_t size, unsigned errors)
{
    struct port *p = port_of(u);
    size_t max = sim_max_packet(u->device, u->in), filled = 0;
    uint8_t packets[TRANSFER];

    while (max > STATUS && size > 0) {
        size_t n = size < max - STATUS ? size : max - STATUS;

        filled += packet(p, bytes, n, errors, packets + filled);
        errors &= ~(unsigned)SIM_OVERRUN; /* told once */
        bytes += n;
        size -= n;
        if (size == 0 || filled + max > sizeof(packets)) {
            (void)sim_fifo_put(&u->to_host, packets, filled);
            filled = 0;
        }
    }
    serve(p, 0);
}

/* A changed input is told at once. */
static void
moved(struct sim_uart *u)
{
    serve(port_of(u), 1);
}

static const struct sim_uart_chip wire = {received, moved};

/* ---- making one ---- */

static void
reset(struct sim_device *d)
{
    struct chip *c = (struct chip *)d->own;

    sim_uarts_reset(d, 9600);
    for (unsigned i = 0; i < c->ports; i++) {
        sim_set_timer(d->sim, &c->port[i].timer, uw_never());
        c->port[i].latency = 16;
    }
}

static int
create(struct sim_device *d, uint16_t pid, uint16_t bcd, unsigned ports, const char *name)
{
    struct chip *c = calloc(1, sizeof(*c));
    struct sim_config config;
    int r = 0;

    if (!c)
        return UW_ERROR_NO_MEMORY;
    d->own = c;
    c->ports = ports;
    c->fast = bcd >= 0x0700 && bcd <= 0x0900;
    c->shifts = bcd != 0x0600;
    sim_device_descriptor(d, 0x0403, pid, bcd, 0, 0, 0);
    d->strings[1] = "FTDI";
    d->strings[2] = name;
    config = sim_config_begin(d, 1);
    for (unsigned i = 0; i < ports; i++) {
        sim_config_interface(&config, (uint8_t)i, 0, 2, 0xff, 0xff, 0xff, 2);
        sim_config_endpoint(&config, (uint8_t)(0x81 + 2 * i), UW_BULK, 0, 0);
        sim_config_endpoint(&config, (uint8_t)(0x02 + 2 * i), UW_BULK, 0, 0);
    }
    sim_config_end(&config, (uint8_t)ports);
    for (unsigned i = 0; r == 0 && i < ports; i++) {
        c->port[i].timer.fire = latency_over;
        r = sim_uart_create(&c->port[i].uart, d, &wire, (uint8_t)(0x81 + 2 * i),
                            (uint8_t)(0x02 + 2 * i), 0);
    }
    return r;
}

static void
destroy(struct sim_device *d)
{
    struct chip *c = (struct chip *)d->own;

    for (unsigned i = 0; i < d->uart_count; i++)
        sim_set_timer(d->sim, &c->port[i].timer, uw_never());
    sim_uarts_destroy(d);
}

/* ---- requests ---- */

/* The reverse of what a driver computes: from 17 bits of divisor (and one that chooses the clock)
 * to a rate. Fractions are coded; 0 stands for 1 and 1 for 1.5. */
static uint64_t
rate_of(const struct chip *c, uint16_t value, uint16_t index)
{
    static const unsigned eighths[8] = {0, 4, 2, 1, 3, 5, 6, 7};
    unsigned high = c->shifts ? index >> 8 : index;
    int fast = c->fast && high & 2;
    uint64_t clock = fast ? 96000000000u : 24000000000u;
    unsigned whole = value & 0x3fff, code = (unsigned)value >> 14 | (high & 1) << 2;
    unsigned divisor = whole * 8 + eighths[code];

    if (whole == 0)
        divisor = 8;
    else if (whole == 1)
        divisor = 12;
    return clock / divisor;
}

static void
set_data(struct port *p, uint16_t value)
{
    p->uart.near.data_bits = (uint8_t)value;
    p->uart.near.parity = value >> 8 & 7;
    p->uart.near.stop_bits = value >> 11 & 3;
    sim_uart_break(&p->uart, (value & DATA_BREAK) != 0);
}

/* The two chips that can have a FIFO at their first port. */
static int
has_bitmode(const struct chip *c, const struct port *p, unsigned mode)
{
    return mode == BITMODE_RESET ||
           (mode == BITMODE_SYNC_FIFO && c->fast && c->ports <= 2 && p == c->port);
}

/* The kind is in the upper byte of wIndex, the characters are wValue. */
static void
set_flow(struct port *p, const struct sim_setup *s)
{
    static const struct {
        unsigned kind;
        enum sim_uart_flow flow;
    } kinds[] = {{1, SIM_FLOW_RTS_CTS}, {4, SIM_FLOW_XON_XOFF}};
    enum sim_uart_flow flow = SIM_FLOW_NONE;

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (s->index >> 8 == kinds[i].kind)
            flow = kinds[i].flow;
    sim_uart_flow(&p->uart, flow, s->value & 0xff, s->value >> 8);
}

static int
out_request(struct chip *c, struct port *p, const struct sim_setup *s)
{
    unsigned mask = s->value >> 8 & 3;

    switch (s->request) {
    case RESET:
        if (s->value == 0 || s->value == 1)
            sim_uart_purge(&p->uart);
        return s->value <= 2 ? 0 : SIM_STALL;
    case MODEM_CTRL:
        sim_uart_outputs(&p->uart, (p->uart.asked & ~mask) | (s->value & mask));
        return 0;
    case FLOW_CTRL: set_flow(p, s); return 0;
    case SET_BAUD: p->uart.near.rate = rate_of(c, s->value, s->index); return 0;
    case SET_DATA: set_data(p, s->value); return 0;
    case EVENT_CHAR: return 0;
    case ERROR_CHAR: return 0;
    case SET_LATENCY:
        if (s->value < 1 || s->value > 255)
            return SIM_STALL;
        p->latency = (uint8_t)s->value;
        return 0;
    case SET_BITMODE: return has_bitmode(c, p, s->value >> 8) ? 0 : SIM_STALL;
    default: return SIM_STALL;
    }
}

static int
in_request(const struct port *p, const struct sim_setup *s, struct uw_request *r)
{
    struct uw_writer w = uw_writer(r->buffer, r->length);

    switch (s->request) {
    case MODEM_STATUS:
        uw_wr_u8(&w, modem_status(p));
        uw_wr_u8(&w, 0x60);
        break;
    case GET_LATENCY: uw_wr_u8(&w, p->latency); break;
    case READ_EEPROM: uw_wr_le16(&w, 0xffff); break;
    default: return SIM_STALL;
    }
    return w.failed ? SIM_STALL : (int)w.len;
}

/* The port is the low byte of wIndex, from 1; chips with one port are asked with 0, too. The bits
 * of a divisor that do not fit into wValue are where the chip wants them. */
static struct port *
addressed(struct chip *c, const struct sim_setup *s)
{
    unsigned number = s->index & 0xff;

    if (s->request == READ_EEPROM)
        return &c->port[0];
    if (s->request == SET_BAUD && !c->shifts)
        number = 0;
    if (number == 0 && c->ports > 1)
        return NULL;
    if (number > c->ports)
        return NULL;
    return &c->port[number ? number - 1 : 0];
}

static int
control(struct sim_device *d, const struct sim_setup *s, struct uw_request *r)
{
    struct chip *c = (struct chip *)d->own;
    struct port *p = addressed(c, s);

    if ((s->type & 0x7f) != 0x40 || !p)
        return SIM_STALL;
    return s->type & 0x80 ? in_request(p, s, r) : out_request(c, p, s);
}

/* A read is answered after the latency at the latest, counted from the first that waits. */
static void
transfer(struct sim_device *d, struct uw_request *r)
{
    struct sim_uart *u = sim_uart_at(d, r->endpoint);
    int first = !sim_waiting(d, r->endpoint);

    if (!u || r->endpoint != u->in) {
        sim_uarts_transfer(d, r);
        return;
    }
    sim_wait(d, r);
    if (first || !uw_list_empty(&u->to_host.messages))
        serve(port_of(u), 0);
}

/* ---- the models ---- */

#define MODEL(id, pid, bcd, ports, bus, chip)                                                      \
    static int create_##id(struct sim_device *d)                                                   \
    {                                                                                              \
        return create(d, pid, bcd, ports, chip);                                                   \
    }                                                                                              \
    const struct sim_model sim_##id = {                                                            \
        SIM_UART_MODEL(id, chip),                                                                  \
        .speed = bus,                                                                              \
        .destroy = destroy,                                                                        \
        .transfer = transfer,                                                                      \
    }

MODEL(ft232r, 0x6001, 0x0600, 1, SIM_FULL, "FT232R");
MODEL(ft2232h, 0x6010, 0x0700, 2, SIM_HIGH, "FT2232H");
MODEL(ft4232h, 0x6011, 0x0800, 4, SIM_HIGH, "FT4232H");
MODEL(ft232h, 0x6014, 0x0900, 1, SIM_HIGH, "FT232H");
MODEL(ft230x, 0x6015, 0x1000, 1, SIM_FULL, "FT230X");
