/*
 * acm_echo.c - a CDC-ACM serial port that echoes (USB CDC 1.2, PSTN 1.2)
 */
#include <stdlib.h>
#include <string.h>

#include <usbwire/descriptor.h>

#include "base/bytes.h"
#include "sim/device.h"

#define EP_NOTIFY 0x83
#define EP_IN     0x82
#define EP_OUT    0x02

#define SET_LINE_CODING        0x20
#define GET_LINE_CODING        0x21
#define SET_CONTROL_LINE_STATE 0x22
#define SEND_BREAK             0x23

#define SERIAL_STATE 0x20 /* notification */
#define STATE_DCD    0x01
#define STATE_DSR    0x02
#define STATE_BREAK  0x04
#define LINE_DTR     0x01

struct acm {
    uint8_t coding[7];
    uint16_t lines;
    struct sim_fifo echo, notifications;
};

static const uint8_t functional[] = {
    5, UW_DT_CS_INTERFACE, 0x00, 0x10, 0x01, /* header: CDC 1.10 */
    5, UW_DT_CS_INTERFACE, 0x01, 0x00, 1,    /* call management: data interface 1 */
    4, UW_DT_CS_INTERFACE, 0x02, 0x06,       /* ACM: line coding, line state, break */
    5, UW_DT_CS_INTERFACE, 0x06, 0,    1,    /* union: 0 controls 1 */
};

/* 115200 8N1 */
static const uint8_t first_coding[7] = {0x00, 0xc2, 0x01, 0x00, 0, 0, 8};

static int
create(struct sim_device *d)
{
    static const uint8_t association[] = {8, UW_DT_INTERFACE_ASSOCIATION, 0, 2, 2, 2, 1, 0};
    struct sim_config c;
    struct acm *a = calloc(1, sizeof(*a));

    if (!a)
        return UW_ERROR_NO_MEMORY;
    d->own = a;
    memcpy(a->coding, first_coding, sizeof(a->coding));
    sim_fifo_init(&a->echo);
    sim_fifo_init(&a->notifications);
    sim_device_descriptor(d, 0x1209, 0x0001, 0x0100, 0xef, 0x02, 0x01);
    d->strings[2] = "usbwire simulated serial port";
    c = sim_config_begin(d, 1);
    sim_config_raw(&c, association, sizeof(association));
    sim_config_interface(&c, 0, 0, 1, 0x02, 0x02, 0x01, 0);
    sim_config_raw(&c, functional, sizeof(functional));
    sim_config_endpoint(&c, EP_NOTIFY, UW_INTERRUPT, 16, d->speed >= SIM_HIGH ? 8 : 16);
    sim_config_interface(&c, 1, 0, 2, 0x0a, 0, 0, 0);
    sim_config_endpoint(&c, EP_OUT, UW_BULK, 0, 0);
    sim_config_endpoint(&c, EP_IN, UW_BULK, 0, 0);
    sim_config_end(&c, 2);
    return 0;
}

static void
reset(struct sim_device *d)
{
    struct acm *a = (struct acm *)d->own;

    sim_fifo_clear(&a->echo);
    sim_fifo_clear(&a->notifications);
    memcpy(a->coding, first_coding, sizeof(a->coding));
    a->lines = 0;
}

static void
destroy(struct sim_device *d)
{
    if (d->own)
        reset(d);
    free(d->own);
}

static void
notify(struct sim_device *d, uint16_t state)
{
    struct acm *a = (struct acm *)d->own;
    uint8_t bytes[10];
    struct uw_writer w = uw_writer(bytes, sizeof(bytes));

    uw_wr_u8(&w, 0xa1);
    uw_wr_u8(&w, SERIAL_STATE);
    uw_wr_le16(&w, 0);
    uw_wr_le16(&w, 0);
    uw_wr_le16(&w, 2);
    uw_wr_le16(&w, state);
    (void)sim_fifo_put(&a->notifications, bytes, w.len);
    sim_fifo_serve(&a->notifications, d, EP_NOTIFY);
}

static uint16_t
state_of(const struct acm *a)
{
    return a->lines & LINE_DTR ? STATE_DCD | STATE_DSR : 0;
}

static int
control(struct sim_device *d, const struct sim_setup *s, struct uw_request *r)
{
    struct acm *a = (struct acm *)d->own;
    size_t n = r->length < sizeof(a->coding) ? r->length : sizeof(a->coding);

    if ((s->type & 0x7f) != 0x21 || s->index != 0)
        return SIM_STALL;
    switch (s->request) {
    case SET_LINE_CODING:
        if (r->length != sizeof(a->coding))
            return SIM_STALL;
        memcpy(a->coding, r->buffer, n);
        return 0;
    case GET_LINE_CODING: memcpy(r->buffer, a->coding, n); return (int)n;
    case SET_CONTROL_LINE_STATE:
        a->lines = s->value;
        notify(d, state_of(a));
        return 0;
    case SEND_BREAK:
        /* The far end of an echo hears its own break. */
        notify(d, (uint16_t)(state_of(a) | STATE_BREAK));
        return 0;
    default: return SIM_STALL;
    }
}

/* Takes what was written as far as the echo has room; the rest waits (NAK). */
static void
take(struct sim_device *d, struct acm *a)
{
    struct uw_request *r;

    while ((r = sim_waiting(d, EP_OUT)) && sim_fifo_put(&a->echo, r->buffer, r->length))
        sim_reply(d, r, 0, r->length);
}

static void
transfer(struct sim_device *d, struct uw_request *r)
{
    struct acm *a = (struct acm *)d->own;

    sim_wait(d, r);
    take(d, a);
    sim_fifo_serve(&a->echo, d, EP_IN);
    sim_fifo_serve(&a->notifications, d, EP_NOTIFY);
    take(d, a);
}

const struct sim_model sim_acm_echo = {
    .name = "acm-echo",
    .text = "1209:0001, a CDC-ACM serial port that echoes",
    .is_default = 1,
    .speed = SIM_FULL,
    .create = create,
    .destroy = destroy,
    .reset = reset,
    .control = control,
    .transfer = transfer,
};
