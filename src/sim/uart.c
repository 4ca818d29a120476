/*
 * uart.c - the ports of serial chips: making and resetting them, their endpoints
 */
#include <stdlib.h>
#include <string.h>

#include "sim/sim.h"
#include "sim/uart.h"

static const struct sim_far *const fars[] = {
#define SIM_FAR_X(name) &name,
#include "sim/fars.def"
#undef SIM_FAR_X
};

static int
read_format(struct sim_format *f, const char *s)
{
    static const char parities[] = "NOEMS";
    const char *parity;

    if (strlen(s) != 3 || s[0] < '5' || s[0] > '8' || !(parity = strchr(parities, s[1])) ||
        (s[2] != '1' && s[2] != '2'))
        return UW_ERROR_INVALID;
    f->data_bits = (uint8_t)(s[0] - '0');
    f->parity = (uint8_t)(parity - parities);
    f->stop_bits = s[2] == '2' ? 2 : 0;
    return 0;
}

static int
read_options(struct sim_uart *u)
{
    const char *baud = sim_option(u->device, "baud"), *format = sim_option(u->device, "format");
    const char *far = sim_option(u->device, "far"), *pace = sim_option(u->device, "pace");
    char *end = NULL;
    unsigned long rate = baud ? strtoul(baud, &end, 10) : 0;
    size_t i = 0;

    if (baud && (*end || rate < 1 || rate > 100000000))
        return UW_ERROR_INVALID;
    if (pace && strcmp(pace, "0") != 0 && strcmp(pace, "1") != 0)
        return UW_ERROR_INVALID;
    u->follows = !baud && !format;
    u->other.rate = (baud ? rate : 115200u) * (uint64_t)1000;
    while (far && i < sizeof(fars) / sizeof(fars[0]) && strcmp(far, fars[i]->name) != 0)
        i++;
    if (i == sizeof(fars) / sizeof(fars[0]))
        return UW_ERROR_INVALID;
    u->far = fars[i];
    u->paced = pace ? pace[0] == '1' : u->far->paced;
    return read_format(&u->other, format ? format : "8N1");
}

static void
wire_is_free(struct sim_timer *timer, struct uw_usec now)
{
    (void)now;
    sim_uart_drain(UW_CONTAINER(timer, struct sim_uart, pace));
}

int
sim_uart_create(struct sim_uart *u, struct sim_device *d, const struct sim_uart_chip *chip,
                uint8_t in, uint8_t out, uint8_t note)
{
    int r;

    u->device = d;
    u->chip = chip;
    u->in = in;
    u->out = out;
    u->note = note;
    u->port = d->uart_count;
    u->pace.fire = wire_is_free;
    sim_fifo_init(&u->to_host);
    sim_fifo_init(&u->notes);
    d->uarts[d->uart_count++] = u;
    r = read_options(u);
    if (r == 0 && u->far->create)
        r = u->far->create(u);
    return r;
}

static void
stop(struct sim_uart *u)
{
    sim_set_timer(u->device->sim, &u->pace, uw_never());
    sim_fifo_clear(&u->to_host);
    sim_fifo_clear(&u->notes);
}

void
sim_uarts_reset(struct sim_device *d, unsigned baud)
{
    for (unsigned i = 0; i < d->uart_count; i++) {
        struct sim_uart *u = d->uarts[i];

        stop(u);
        u->deaf = u->stopped = 0;
        u->sending = u->sent = 0;
        u->lost = 0;
        u->flow = SIM_FLOW_NONE;
        u->near = (struct sim_format){.rate = (uint64_t)baud * 1000, .data_bits = 8};
        sim_uart_break(u, 0);
        sim_uart_outputs(u, 0);
    }
}

void
sim_uarts_destroy(struct sim_device *d)
{
    for (unsigned i = 0; i < d->uart_count; i++) {
        struct sim_uart *u = d->uarts[i];

        stop(u);
        if (u->far && u->far->destroy)
            u->far->destroy(u);
    }
    d->uart_count = 0;
    free(d->own);
}

struct sim_uart *
sim_uart_at(const struct sim_device *d, uint8_t endpoint)
{
    for (unsigned i = 0; i < d->uart_count; i++) {
        struct sim_uart *u = d->uarts[i];

        if (endpoint == u->in || endpoint == u->out || (u->note && endpoint == u->note))
            return u;
    }
    return NULL;
}

/* Until it says nothing more to a read that waits. */
static void
ask_far(struct sim_uart *u)
{
    struct uw_request *r, *before = NULL;

    if (!u->far->wanted || u->asking)
        return;
    u->asking = 1;
    while ((r = sim_waiting(u->device, u->in)) && r != before) {
        before = r;
        u->far->wanted(u);
    }
    u->asking = 0;
}

void
sim_uart_serve(struct sim_uart *u)
{
    if (u->quiet)
        return;
    sim_fifo_serve(&u->to_host, u->device, u->in);
    ask_far(u);
    if (u->note)
        sim_fifo_serve(&u->notes, u->device, u->note);
    sim_uart_drain(u); /* there may be room for its echo now */
}

void
sim_uarts_transfer(struct sim_device *d, struct uw_request *r)
{
    struct sim_uart *u = sim_uart_at(d, r->endpoint);

    sim_wait(d, r);
    if (u)
        sim_uart_serve(u);
}

void
sim_uart_give(struct sim_uart *u, const uint8_t *bytes, size_t size)
{
    (void)sim_fifo_put(&u->to_host, bytes, size);
    sim_uart_serve(u);
}

void
sim_uart_note(struct sim_uart *u, const uint8_t *bytes, size_t size)
{
    (void)sim_fifo_put(&u->notes, bytes, size);
    sim_uart_serve(u);
}

void
sim_uart_purge(struct sim_uart *u)
{
    sim_fifo_clear(&u->to_host);
    sim_uart_drain(u);
}
