/*
 * uart.c - the wire behind a serial chip
 */
#include <stdlib.h>
#include <string.h>

#include "sim/uart.h"

static const struct sim_far *const fars[] = {
#define SIM_FAR_X(name) &name,
#include "sim/fars.def"
#undef SIM_FAR_X
};

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

    if (!u->follows)
        return n->data_bits == o->data_bits && n->parity == o->parity && is_near(n->rate, o->rate);
    for (size_t i = 0; i < sizeof(usual_rates) / sizeof(usual_rates[0]); i++)
        if (is_near(n->rate, (uint64_t)usual_rates[i] * 1000))
            return 1;
    return 0;
}

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
    const char *far = sim_option(u->device, "far");
    char *end = NULL;
    unsigned long rate = baud ? strtoul(baud, &end, 10) : 0;
    size_t i = 0;

    if (baud && (*end || rate < 1 || rate > 100000000))
        return UW_ERROR_INVALID;
    u->follows = !baud && !format;
    u->other.rate = (baud ? rate : 115200u) * (uint64_t)1000;
    while (far && i < sizeof(fars) / sizeof(fars[0]) && strcmp(far, fars[i]->name) != 0)
        i++;
    if (i == sizeof(fars) / sizeof(fars[0]))
        return UW_ERROR_INVALID;
    u->far = fars[i];
    return read_format(&u->other, format ? format : "8N1");
}

int
sim_uart_create(struct sim_uart *u, struct sim_device *device, unsigned port)
{
    int r;

    u->device = device;
    u->port = port;
    r = read_options(u);
    if (r == 0 && u->far->create)
        r = u->far->create(u);
    return r;
}

void
sim_uart_destroy(struct sim_uart *u)
{
    if (u->far && u->far->destroy)
        u->far->destroy(u);
}

void
sim_uart_send(struct sim_uart *u, const uint8_t *bytes, size_t size)
{
    if (u->far->bytes && agree(u) && !u->breaking)
        u->far->bytes(u, bytes, size);
}

void
sim_uart_outputs(struct sim_uart *u, unsigned outputs)
{
    if (outputs == u->outputs)
        return;
    u->outputs = outputs;
    if (u->far->outputs)
        u->far->outputs(u);
}

void
sim_uart_break(struct sim_uart *u, int on)
{
    if (u->breaking == on)
        return;
    u->breaking = on;
    if (u->far->broke)
        u->far->broke(u, on);
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
        u->received(u, wrong, n, SIM_FRAMING);
        bytes += n;
        size -= n;
    }
}

void
sim_uart_answer(struct sim_uart *u, const uint8_t *bytes, size_t size)
{
    if (agree(u))
        u->received(u, bytes, size, 0);
    else
        garble(u, bytes, size);
}

void
sim_uart_inputs(struct sim_uart *u, unsigned inputs)
{
    if (inputs == u->inputs)
        return;
    u->inputs = inputs;
    u->moved(u);
}

/* ---- a plug that connects what goes out with what comes in ---- */

static void
echo_bytes(struct sim_uart *u, const uint8_t *bytes, size_t size)
{
    sim_uart_answer(u, bytes, size);
}

static void
echo_outputs(struct sim_uart *u)
{
    sim_uart_inputs(u, (u->outputs & SIM_DTR ? SIM_DSR | SIM_DCD : 0u) |
                           (u->outputs & SIM_RTS ? SIM_CTS : 0u));
}

static void
echo_broke(struct sim_uart *u, int on)
{
    static const uint8_t zero = 0;

    if (on)
        u->received(u, &zero, 1, SIM_BREAK);
}

const struct sim_far sim_far_echo = {
    .name = "echo",
    .text = "a plug that connects TX with RX, DTR with DSR and DCD, RTS with CTS",
    .bytes = echo_bytes,
    .outputs = echo_outputs,
    .broke = echo_broke,
};
