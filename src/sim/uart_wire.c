/*
 * uart_wire.c - the wire behind a serial chip
 *
 * Where bytes take their time, what the host writes goes out a millisecond's worth at a time, and
 * what comes in while the chip's buffer is full is lost. Elsewhere everything happens at once.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "sim/sim.h"
#include "sim/uart.h"

#define SLOT_US 1000u   /* goes out at once */
#define LATE_US 100000u /* so far a server that was busy may be behind, and makes up for it */
#define CHUNK   65536u  /* of what takes no time */

/* What a far end that follows takes for a rate. */
static const unsigned usual_rates[] = {
    50,      75,      110,     134,     150,     200,     300,     600,     1200,
    1800,    2400,    4800,    9600,    14400,   19200,   28800,   31250,   38400,
    57600,   74880,   76800,   115200,  128000,  230400,  250000,  256000,  460800,
    500000,  576000,  614400,  921600,  1000000, 1152000, 1500000, 2000000, 2500000,
    3000000, 4000000, 6000000, 8000000, 12000000};

/* A UART samples the last bit of ten right as long as the two are no further apart. */
static int
is_near(uint64_t rate, uint64_t other)
{
    uint64_t apart = rate > other ? rate - other : other - rate;

    return apart * 40 <= other;
}

static int
agree(const struct sim_uart *u)
{
    const struct sim_format *n = &u->near, *o = &u->other;

    if (u->any && u->follows)
        return 1;
    if (!u->follows)
        return n->data_bits == o->data_bits && n->parity == o->parity && is_near(n->rate, o->rate);
    for (size_t i = 0; i < sizeof(usual_rates) / sizeof(usual_rates[0]); i++)
        if (is_near(n->rate, (uint64_t)usual_rates[i] * 1000))
            return 1;
    return 0;
}

static uint64_t
bits_in_a_byte(const struct sim_format *f)
{
    return 1u + f->data_bits + (f->parity ? 1u : 0u) + (f->stop_bits ? 2u : 1u);
}

struct uw_usec
sim_format_time(const struct sim_format *f, size_t bytes)
{
    return uw_usec(bytes * bits_in_a_byte(f) * 1000000000u / (f->rate ? f->rate : 1));
}

/* ---- what somebody with a scope sees, for the log ---- */

static void
tell(const struct sim_uart *u, const char *what)
{
    uw_log(&u->device->sim->log, UW_LOG_INFO, "%s port %u: %s", u->device->busid, u->port, what);
}

static void
tell_format(struct sim_uart *u)
{
    static const char *const stops[] = {"1", "1.5", "2"}; /* a host may have said more than that */
    const struct sim_format *f = &u->near;
    char what[64];

    if (f->rate == u->told.rate && f->data_bits == u->told.data_bits &&
        f->parity == u->told.parity && f->stop_bits == u->told.stop_bits)
        return;
    u->told = *f;
    snprintf(what, sizeof(what), "bytes at %" PRIu64 " bits/s, %u%c%s", (f->rate + 500) / 1000,
             f->data_bits, f->parity < 5 ? "NOEMS"[f->parity] : '?',
             f->stop_bits < 3 ? stops[f->stop_bits] : "?");
    tell(u, what);
}

static void
tell_outputs(const struct sim_uart *u)
{
    static const char *const what[] = {"neither DTR nor RTS", "DTR", "RTS", "DTR and RTS"};

    tell(u, what[u->outputs & (SIM_DTR | SIM_RTS)]);
}

/* Said when it is over. */
static void
tell_lost(const struct sim_uart *u)
{
    char what[80];

    snprintf(what, sizeof(what), "%zu bytes lost: the chip was full and nobody read", u->lost);
    tell(u, what);
}

/* ---- what goes out ---- */

/* A wire that takes no time loses nothing either. */
int
sim_uart_takes(const struct sim_uart *u)
{
    if (!u->paced)
        return u->to_host.bytes < SIM_FIFO_MAX / 2;
    return u->flow != SIM_FLOW_RTS_CTS || u->to_host.bytes < SIM_UART_BUFFER / 2;
}

static int
is_held(const struct sim_uart *u)
{
    return (u->flow == SIM_FLOW_RTS_CTS && !(u->inputs & SIM_CTS)) ||
           (u->flow == SIM_FLOW_XON_XOFF && u->stopped) || !sim_uart_takes(u);
}

/* A start bit and eight zeroes that are longer than a whole byte of the far end. */
static int
is_slow(const struct sim_uart *u)
{
    return u->near.rate && 9u * u->other.rate >= u->near.rate * bits_in_a_byte(&u->other);
}

static void
go_out(struct sim_uart *u, const uint8_t *bytes, size_t size)
{
    if (size == 0 || u->deaf)
        return;
    tell_format(u);
    if (u->breaking)
        return;
    if (agree(u)) {
        if (u->far->bytes)
            u->far->bytes(u, bytes, size);
    } else if (is_slow(u) && memchr(bytes, 0, size)) {
        sim_uart_break(u, 1);
        sim_uart_break(u, 0);
    }
}

/* How much of what is left of a request goes out now; the wire is busy with it from then on. */
static size_t
take_slot(struct sim_uart *u, size_t left)
{
    struct uw_usec now = u->device->sim->now, one = sim_format_time(&u->near, 1);
    size_t n = one.us < SLOT_US ? SLOT_US / (one.us ? one.us : 1) : 1;

    if (n > left)
        n = left;
    if (uw_usec_add(u->free_at, uw_usec(LATE_US)).us < now.us)
        u->free_at = now;
    u->free_at = uw_usec_add(u->free_at, sim_format_time(&u->near, n));
    return n;
}

/* 0 when the wire is busy. */
static int
send_some(struct sim_uart *u, struct uw_request *r)
{
    size_t n = r->length - u->sent;

    if (u->paced && !u->deaf) {
        if (u->device->sim->now.us < u->free_at.us)
            return 0;
        n = take_slot(u, n);
    } else if (n > CHUNK) {
        n = CHUNK;
    }
    u->sent += (uint32_t)n;
    go_out(u, r->buffer + u->sent - n, n);
    return 1;
}

static void
drain(struct sim_uart *u)
{
    struct uw_request *r;

    while ((r = sim_waiting(u->device, u->out)) && !is_held(u)) {
        if (u->sending != r->seqnum)
            u->sent = 0;
        u->sending = r->seqnum;
        if (u->sent < r->length && !send_some(u, r)) {
            sim_set_timer(u->device->sim, &u->pace, u->free_at);
            return;
        }
        if (u->sent >= r->length) {
            u->sending = u->sent = 0;
            sim_reply(u->device, r, 0, r->length);
        }
    }
}

/* What goes out may be answered by what makes it go on. Where it takes no time, the host is told
 * first that it went out, and then what came back. */
void
sim_uart_drain(struct sim_uart *u)
{
    size_t before;

    if (u->draining)
        return;
    u->draining = 1;
    do {
        u->quiet = !u->paced;
        drain(u);
        u->quiet = 0;
        before = u->to_host.bytes;
        sim_uart_serve(u);
    } while (u->to_host.bytes < before);
    u->draining = 0;
}

void
sim_uart_outputs(struct sim_uart *u, unsigned asked)
{
    unsigned outputs = asked | (u->flow == SIM_FLOW_RTS_CTS ? SIM_RTS : 0u);

    u->asked = asked;
    if (outputs == u->outputs)
        return;
    u->outputs = outputs;
    tell_outputs(u);
    if (u->far->outputs)
        u->far->outputs(u);
}

void
sim_uart_break(struct sim_uart *u, int on)
{
    if (u->breaking == on)
        return;
    u->breaking = on;
    tell(u, on ? "a break begins" : "the break ends");
    if (u->far->broke)
        u->far->broke(u, on);
}

void
sim_uart_flow(struct sim_uart *u, enum sim_uart_flow flow, unsigned xon, unsigned xoff)
{
    u->flow = flow;
    u->xon = (uint8_t)xon;
    u->xoff = (uint8_t)xoff;
    u->stopped = 0;
    sim_uart_outputs(u, u->asked);
    sim_uart_drain(u);
}

/* ---- what comes in ---- */

/* What the chip can hold, and what the host's reads take from it. */
static size_t
room(struct sim_uart *u)
{
    size_t full = u->to_host.bytes, n = full < SIM_UART_BUFFER ? SIM_UART_BUFFER - full : 0;
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &u->device->waiting[sim_slot(u->in)])
    {
        n += UW_CONTAINER(pos, struct uw_request, link)->length;
    }
    return n;
}

static void
arrive(struct sim_uart *u, const uint8_t *bytes, size_t size, unsigned errors)
{
    size_t left = u->paced ? room(u) : size, n = left < size ? left : size;

    if (n > 0) {
        if (u->lost > 0)
            tell_lost(u);
        u->chip->received(u, bytes, n, errors | (u->lost > 0 ? SIM_OVERRUN : 0u));
        u->lost = 0;
    }
    u->lost += size - n;
}

/* XON and XOFF are for the chip, and everything else for the host. */
static void
obey(struct sim_uart *u, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] == u->xoff)
            u->stopped = 1;
        else if (bytes[i] == u->xon)
            u->stopped = 0;
        else
            arrive(u, bytes + i, 1, 0);
    }
    sim_uart_drain(u);
}

/* What the other end sends at another rate is not what arrives. */
static void
garble(struct sim_uart *u, const uint8_t *bytes, size_t size)
{
    uint8_t wrong[64];

    while (size > 0) {
        size_t n = size < sizeof(wrong) ? size : sizeof(wrong);

        for (size_t i = 0; i < n; i++)
            wrong[i] = (uint8_t)(bytes[i] * 3u | 0x80u);
        arrive(u, wrong, n, SIM_FRAMING);
        bytes += n;
        size -= n;
    }
}

void
sim_uart_answer(struct sim_uart *u, const uint8_t *bytes, size_t size)
{
    if (!agree(u))
        garble(u, bytes, size);
    else if (u->flow == SIM_FLOW_XON_XOFF)
        obey(u, bytes, size);
    else
        arrive(u, bytes, size, 0);
}

void
sim_uart_inputs(struct sim_uart *u, unsigned inputs)
{
    if (inputs == u->inputs)
        return;
    u->inputs = inputs;
    if (u->chip->moved)
        u->chip->moved(u);
    sim_uart_drain(u);
}
