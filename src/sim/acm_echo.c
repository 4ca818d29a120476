/*
 * acm_echo.c - a CDC-ACM serial port that echoes (USB CDC 1.2, PSTN 1.2)
 *
 * Where no option says that there is a wire behind it, there is none: any rate will do. With
 * touch1200 it is a board of the kind that Arduino's tools reset: 1200 bits/s without DTR, and it
 * comes back as its bootloader, another product, which is a serial port, too.
 */
#include <stdlib.h>
#include <string.h>

#include <usbwire/descriptor.h>

#include "base/bytes.h"
#include "sim/acm.h"

#define EP_NOTIFY 0x83
#define EP_IN     0x82
#define EP_OUT    0x02

#define SET_LINE_CODING        0x20
#define GET_LINE_CODING        0x21
#define SET_CONTROL_LINE_STATE 0x22
#define SEND_BREAK             0x23

#define SERIAL_STATE  0x20 /* notification */
#define STATE_DCD     0x01
#define STATE_DSR     0x02
#define STATE_BREAK   0x04
#define STATE_RI      0x08
#define STATE_FRAMING 0x10
#define STATE_OVERRUN 0x40

#define TOUCH_RATE     1200000u /* thousandths */
#define LINE_DTR       0x01u
#define BOOTLOADER_PID 0x00b1

static const uint8_t functional[] = {
    5, UW_DT_CS_INTERFACE, 0x00, 0x10, 0x01, /* header: CDC 1.10 */
    5, UW_DT_CS_INTERFACE, 0x01, 0x00, 1,    /* call management: data interface 1 */
    4, UW_DT_CS_INTERFACE, 0x02, 0x06,       /* ACM: line coding, line state, break */
    5, UW_DT_CS_INTERFACE, 0x06, 0,    1,    /* union: 0 controls 1 */
};

static void
notify(struct sim_acm *a, unsigned errors)
{
    unsigned in = a->uart.inputs;
    uint8_t bytes[10];
    struct uw_writer w = uw_writer(bytes, sizeof(bytes));

    uw_wr_u8(&w, 0xa1);
    uw_wr_u8(&w, SERIAL_STATE);
    uw_wr_le16(&w, 0);
    uw_wr_le16(&w, 0);
    uw_wr_le16(&w, 2);
    uw_wr_le16(&w,
               (uint16_t)((in & SIM_DCD ? STATE_DCD : 0) | (in & SIM_DSR ? STATE_DSR : 0) |
                          (in & SIM_RI ? STATE_RI : 0) | (errors & SIM_BREAK ? STATE_BREAK : 0) |
                          (errors & SIM_FRAMING ? STATE_FRAMING : 0) |
                          (errors & SIM_OVERRUN ? STATE_OVERRUN : 0)));
    sim_uart_note(&a->uart, bytes, w.len);
}

static void
received(struct sim_uart *u, const uint8_t *bytes, size_t size, unsigned errors)
{
    if (errors)
        notify((struct sim_acm *)u->device->own, errors);
    if (!(errors & SIM_BREAK))
        sim_uart_give(u, bytes, size);
}

static void
moved(struct sim_uart *u)
{
    notify((struct sim_acm *)u->device->own, 0);
}

static const struct sim_uart_chip wire = {received, moved};

static int
set_coding(struct sim_acm *a, const uint8_t *bytes)
{
    struct uw_reader r = uw_reader(bytes, sizeof(a->coding));

    memcpy(a->coding, bytes, sizeof(a->coding));
    a->uart.near.rate = (uint64_t)uw_rd_le32(&r) * 1000;
    a->uart.near.stop_bits = uw_rd_u8(&r);
    a->uart.near.parity = uw_rd_u8(&r);
    a->uart.near.data_bits = uw_rd_u8(&r);
    return 0;
}

void
sim_acm_reset(struct sim_device *d)
{
    static const uint8_t coding[7] = {0x00, 0xc2, 0x01, 0x00, 0, 0, 8}; /* 115200 8N1 */
    struct sim_acm *a = (struct sim_acm *)d->own;

    sim_uarts_reset(d, 115200);
    (void)set_coding(a, coding);
}

void
sim_acm_describe(struct sim_config *c)
{
    static const uint8_t association[] = {8, UW_DT_INTERFACE_ASSOCIATION, 0, 2, 2, 2, 1, 0};

    sim_config_raw(c, association, sizeof(association));
    sim_config_interface(c, 0, 0, 1, 0x02, 0x02, 0x01, 0);
    sim_config_raw(c, functional, sizeof(functional));
    sim_config_endpoint(c, EP_NOTIFY, UW_INTERRUPT, 16, c->device->speed >= SIM_HIGH ? 8 : 16);
    sim_config_interface(c, 1, 0, 2, 0x0a, 0, 0, 0);
    sim_config_endpoint(c, EP_OUT, UW_BULK, 0, 0);
    sim_config_endpoint(c, EP_IN, UW_BULK, 0, 0);
}

int
sim_acm_create(struct sim_device *d)
{
    struct sim_acm *a = (struct sim_acm *)d->own;

    a->uart.any = 1;
    return sim_uart_create(&a->uart, d, &wire, EP_IN, EP_OUT, EP_NOTIFY);
}

static void
describe(struct sim_device *d, uint16_t pid, const char *product)
{
    struct sim_config c;

    d->config_count = 0;
    sim_device_descriptor(d, 0x1209, pid, 0x0100, 0xef, 0x02, 0x01);
    d->strings[2] = product;
    c = sim_config_begin(d, 1);
    sim_acm_describe(&c);
    sim_config_end(&c, 2);
}

static int
create(struct sim_device *d)
{
    const char *touch = sim_option(d, "touch1200");
    struct sim_acm *a = calloc(1, sizeof(*a));

    if (!a)
        return UW_ERROR_NO_MEMORY;
    d->own = a;
    describe(d, 0x0001, "usbwire simulated serial port");
    if (touch && strcmp(touch, "0") != 0 && strcmp(touch, "1") != 0)
        return UW_ERROR_INVALID;
    a->touchable = touch && touch[0] == '1';
    return sim_acm_create(d);
}

static void
become_bootloader(struct sim_device *d)
{
    describe(d, BOOTLOADER_PID, "usbwire simulated bootloader");
}

static int
move_lines(struct sim_device *d, unsigned lines)
{
    struct sim_acm *a = (struct sim_acm *)d->own;

    sim_uart_outputs(&a->uart, lines & 3);
    if (a->touchable && a->uart.near.rate == TOUCH_RATE && !(lines & LINE_DTR)) {
        a->touchable = 0; /* a bootloader stays one */
        sim_replug(d, become_bootloader);
    }
    return 0;
}

int
sim_acm_control(struct sim_device *d, const struct sim_setup *s, struct uw_request *r)
{
    struct sim_acm *a = (struct sim_acm *)d->own;
    size_t n = r->length < sizeof(a->coding) ? r->length : sizeof(a->coding);

    if ((s->type & 0x7f) != 0x21 || s->index != 0)
        return SIM_STALL;
    switch (s->request) {
    case SET_LINE_CODING:
        return r->length == sizeof(a->coding) ? set_coding(a, r->buffer) : SIM_STALL;
    case GET_LINE_CODING: memcpy(r->buffer, a->coding, n); return (int)n;
    case SET_CONTROL_LINE_STATE: return move_lines(d, s->value);
    case SEND_BREAK:
        sim_uart_break(&a->uart, s->value != 0);
        if (s->value != 0xffff)
            sim_uart_break(&a->uart, 0); /* so many milliseconds, which nobody counts here */
        return 0;
    default: return SIM_STALL;
    }
}

const struct sim_model sim_acm_echo = {
    .name = "acm-echo",
    .text = "1209:0001, a CDC-ACM serial port that echoes; " SIM_UART_TEXT,
    .keys = "touch1200," SIM_UART_KEYS,
    .is_default = 1,
    .speed = SIM_FULL,
    .create = create,
    .destroy = sim_uarts_destroy,
    .reset = sim_acm_reset,
    .control = sim_acm_control,
    .transfer = sim_uarts_transfer,
};
