/*
 * cmsis_dap.c - a debug probe without a target (CMSIS-DAP 2.1, commands over bulk endpoints), alone
 * and on a board that has a serial port, too
 *
 * One command, one answer: DAP_Info, DAP_HostStatus, DAP_Connect and the like are answered as a
 * probe does whose pins are connected to nothing, so every transfer on the wire is without
 * acknowledge.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "sim/acm.h"

#define EP_OUT      0x01
#define EP_IN       0x81
#define PACKET_SIZE 512u

#define DAP_OK    0x00
#define DAP_ERROR 0xff
#define NO_ACK    7 /* SWD: the bits of a line that is pulled up */

/* Identifiers of commands, and of what DAP_Info tells */
enum { INFO = 0x00, CONNECT = 0x02, TRANSFER = 0x05, TRANSFER_BLOCK = 0x06, SWJ_PINS = 0x10 };
enum { VENDOR_NAME = 1, PRODUCT_NAME, SERIAL_NUMBER, VERSION };
enum { CAPABILITIES = 0xf0, PACKET_COUNT = 0xfe, PACKET_BYTES = 0xff };

struct probe {
    struct sim_acm acm; /* first; the board's */
    struct sim_fifo answers;
};

static struct probe *
make(struct sim_device *d)
{
    struct probe *p = calloc(1, sizeof(*p));

    if (!p)
        return NULL;
    d->own = p;
    sim_fifo_init(&p->answers);
    d->strings[4] = "usbwire CMSIS-DAP v2"; /* by these words it is found */
    return p;
}

static void
describe(struct sim_config *c, uint8_t interface_number)
{
    sim_config_interface(c, interface_number, 0, 2, 0xff, 0, 0, 4);
    sim_config_endpoint(c, EP_OUT, UW_BULK, 0, 0);
    sim_config_endpoint(c, EP_IN, UW_BULK, 0, 0);
    sim_config_end(c, (uint8_t)(interface_number + 1));
}

static int
create(struct sim_device *d)
{
    struct sim_config c;

    if (!make(d))
        return UW_ERROR_NO_MEMORY;
    sim_device_descriptor(d, 0x1209, 0x0008, 0x0100, 0, 0, 0);
    d->strings[2] = "usbwire simulated CMSIS-DAP";
    c = sim_config_begin(d, 1);
    describe(&c, 0);
    return 0;
}

static int
create_board(struct sim_device *d)
{
    struct sim_config c;

    if (!make(d))
        return UW_ERROR_NO_MEMORY;
    sim_device_descriptor(d, 0x1209, 0x000b, 0x0100, 0xef, 0x02, 0x01);
    d->strings[2] = "usbwire simulated board with CMSIS-DAP";
    c = sim_config_begin(d, 1);
    sim_acm_describe(&c);
    describe(&c, 2);
    return sim_acm_create(d);
}

static void
destroy(struct sim_device *d)
{
    struct probe *p = (struct probe *)d->own;

    if (p)
        sim_fifo_clear(&p->answers);
    sim_uarts_destroy(d);
}

static void
reset(struct sim_device *d)
{
    sim_fifo_clear(&((struct probe *)d->own)->answers);
}

static void
reset_board(struct sim_device *d)
{
    reset(d);
    sim_acm_reset(d);
}

static size_t
put_text(uint8_t *to, const char *text)
{
    size_t n = strlen(text) + 1;

    to[0] = (uint8_t)n;
    memcpy(to + 1, text, n);
    return n + 1;
}

static size_t
put_number(uint8_t *to, uint16_t number, uint8_t size)
{
    to[0] = size;
    to[1] = (uint8_t)number;
    to[2] = (uint8_t)(number >> 8);
    return 1u + size;
}

static size_t
info(const struct sim_device *d, uint8_t what, uint8_t *to)
{
    switch (what) {
    case VENDOR_NAME: return put_text(to, "usbwire");
    case PRODUCT_NAME: return put_text(to, d->strings[2]);
    case SERIAL_NUMBER: return put_text(to, d->serial);
    case VERSION: return put_text(to, "2.1.0");
    case CAPABILITIES: return put_number(to, 0x03, 1); /* SWD and JTAG */
    case PACKET_COUNT: return put_number(to, 4, 1);
    case PACKET_BYTES: return put_number(to, PACKET_SIZE, 2);
    default: to[0] = 0; return 1;
    }
}

/* The answer to a command behind its identifier. */
static size_t
carry_out(const struct sim_device *d, const uint8_t *command, size_t size, uint8_t *to)
{
    uint8_t first = size > 1 ? command[1] : 0;

    switch (command[0]) {
    case INFO: return info(d, first, to);
    case CONNECT: to[0] = first == 2 ? 2 : 1; return 1; /* the port asked for, or SWD */
    case TRANSFER:
        to[0] = 0;
        to[1] = NO_ACK;
        return 2;
    case TRANSFER_BLOCK:
        to[0] = to[1] = 0;
        to[2] = NO_ACK;
        return 3;
    case SWJ_PINS: to[0] = 0; return 1;
    default: to[0] = command[0] < 0x20 ? DAP_OK : DAP_ERROR; return 1;
    }
}

static void
transfer(struct sim_device *d, struct uw_request *r)
{
    struct probe *p = (struct probe *)d->own;
    uint8_t answer[PACKET_SIZE] = {0};

    if (r->endpoint == EP_OUT) {
        if (r->length) {
            answer[0] = r->buffer[0];
            (void)sim_fifo_put(&p->answers, answer,
                               1 + carry_out(d, r->buffer, r->length, answer + 1));
        }
        sim_reply(d, r, 0, r->length);
    } else {
        sim_wait(d, r);
    }
    sim_fifo_serve(&p->answers, d, EP_IN);
}

static void
transfer_board(struct sim_device *d, struct uw_request *r)
{
    if (r->endpoint == EP_OUT || r->endpoint == EP_IN)
        transfer(d, r);
    else
        sim_uarts_transfer(d, r);
}

const struct sim_model sim_cmsis_dap = {
    .name = "cmsis-dap",
    .text = "1209:0008, a debug probe without a target: CMSIS-DAP v2",
    .speed = SIM_HIGH,
    .create = create,
    .destroy = destroy,
    .reset = reset,
    .transfer = transfer,
};

const struct sim_model sim_daplink = {
    .name = "daplink",
    .text = "1209:000b, a board with such a probe and a CDC-ACM serial port; " SIM_UART_TEXT,
    .keys = SIM_UART_KEYS,
    .speed = SIM_HIGH,
    .create = create_board,
    .destroy = destroy,
    .reset = reset_board,
    .control = sim_acm_control,
    .transfer = transfer_board,
};
