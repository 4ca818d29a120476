/*
 * keyboard.c - a HID boot keyboard that types by itself (HID 1.11 appendix B.1)
 *
 * Key `type` is the text (a to z, digits, space; '/' is Enter), typed from the time that somebody
 * reads, again and again with a second in between; with `once=1` once for each import. LED reports
 * are accepted and can be read back.
 */
#include <stdlib.h>
#include <string.h>

#include <usbwire/descriptor.h>

#include "sim/device.h"

#define EP_IN        0x81
#define KEY_MS       20u
#define PAUSE_MS     1000u
#define KEY_A        0x04
#define KEY_1        0x1e
#define KEY_0        0x27
#define KEY_ENTER    0x28
#define KEY_SPACE    0x2c
#define GET_REPORT   0x01
#define GET_IDLE     0x02
#define GET_PROTOCOL 0x03
#define SET_REPORT   0x09
#define SET_IDLE     0x0a
#define SET_PROTOCOL 0x0b

struct keyboard {
    const char *text;
    size_t at;
    int once, done, down;
    uint8_t report[8], leds, idle, protocol;
};

static const uint8_t report_descriptor[] = {
    0x05, 0x01,                                                 /* Usage Page (Generic Desktop) */
    0x09, 0x06,                                                 /* Usage (Keyboard) */
    0xa1, 0x01,                                                 /* Collection (Application) */
    0x05, 0x07, 0x19, 0xe0, 0x29, 0xe7,                         /* modifiers: usages 224..231 */
    0x15, 0x00, 0x25, 0x01, 0x75, 0x01, 0x95, 0x08, 0x81, 0x02, /* 8 bits, Input */
    0x95, 0x01, 0x75, 0x08, 0x81, 0x01,                         /* reserved byte */
    0x95, 0x05, 0x75, 0x01, 0x05, 0x08, 0x19, 0x01, 0x29, 0x05, 0x91, 0x02, /* 5 LEDs, Output */
    0x95, 0x01, 0x75, 0x03, 0x91, 0x01,                                     /* padding */
    0x95, 0x06, 0x75, 0x08, 0x15, 0x00, 0x25, 0x65,                         /* 6 keys 0..101 */
    0x05, 0x07, 0x19, 0x00, 0x29, 0x65, 0x81, 0x00,                         /* Input (Array) */
    0xc0,                                                                   /* End Collection */
};

static const uint8_t hid_descriptor[] = {
    9, UW_DT_HID, 0x11, 0x01, 0, 1, UW_DT_REPORT, sizeof(report_descriptor), 0};

static void tick(struct sim_timer *timer, struct uw_usec now);

static int
create(struct sim_device *d)
{
    struct keyboard *k = calloc(1, sizeof(*k));
    const char *text = sim_option(d, "type"), *once = sim_option(d, "once");
    struct sim_config c;

    if (!k)
        return UW_ERROR_NO_MEMORY;
    d->own = k;
    d->timer.fire = tick;
    k->text = text ? text : "hello/";
    k->once = once && strcmp(once, "0") != 0;
    k->protocol = 1;
    sim_device_descriptor(d, 0x1209, 0x0004, 0x0100, 0, 0, 0);
    d->strings[2] = "usbwire simulated keyboard";
    c = sim_config_begin(d, 1);
    sim_config_interface(&c, 0, 0, 1, 0x03, 0x01, 0x01, 0);
    sim_config_raw(&c, hid_descriptor, sizeof(hid_descriptor));
    sim_config_endpoint(&c, EP_IN, UW_INTERRUPT, 8, d->speed >= SIM_HIGH ? 7 : 10);
    sim_config_end(&c, 1);
    return 0;
}

static void
destroy(struct sim_device *d)
{
    free(d->own);
}

static void
reset(struct sim_device *d)
{
    struct keyboard *k = (struct keyboard *)d->own;

    k->at = 0;
    k->done = k->down = 0;
    k->protocol = 1;
    memset(k->report, 0, sizeof(k->report));
    sim_plan(d, uw_never());
}

static uint8_t
key_for(char c)
{
    if (c >= 'a' && c <= 'z')
        return (uint8_t)(KEY_A + (c - 'a'));
    if (c >= '1' && c <= '9')
        return (uint8_t)(KEY_1 + (c - '1'));
    return c == '0' ? KEY_0 : c == '/' ? KEY_ENTER : KEY_SPACE;
}

/* Presses the next key or lets go of the last one, if somebody reads. */
static void
tick(struct sim_timer *timer, struct uw_usec now)
{
    struct sim_device *d = UW_CONTAINER(timer, struct sim_device, timer);
    struct keyboard *k = (struct keyboard *)d->own;
    struct uw_request *r = sim_waiting(d, EP_IN);
    uint32_t n;
    int pause;

    (void)now;
    if (!r || !*k->text || (k->once && k->done))
        return;
    k->down = !k->down;
    k->report[2] = k->down ? key_for(k->text[k->at]) : 0;
    if (!k->down)
        k->at = (k->at + 1) % strlen(k->text);
    pause = !k->down && k->at == 0;
    k->done |= pause;
    n = r->length < sizeof(k->report) ? r->length : (uint32_t)sizeof(k->report);
    memcpy(r->buffer, k->report, n);
    sim_reply(d, r, 0, n);
    sim_plan(d, uw_msec(pause ? PAUSE_MS : KEY_MS));
}

static int
put(struct uw_request *r, const void *bytes, size_t size)
{
    size_t n = size < r->length ? size : r->length;

    memcpy(r->buffer, bytes, n);
    return (int)n;
}

static int
control(struct sim_device *d, const struct sim_setup *s, struct uw_request *r)
{
    struct keyboard *k = (struct keyboard *)d->own;

    /* Class descriptors are asked for at the interface (HID 1.11 7.1.1). */
    if (s->type == 0x81 && s->request == 0x06) {
        if (s->value >> 8 == UW_DT_REPORT)
            return put(r, report_descriptor, sizeof(report_descriptor));
        return s->value >> 8 == UW_DT_HID ? put(r, hid_descriptor, sizeof(hid_descriptor))
                                          : SIM_STALL;
    }
    if ((s->type & 0x7f) != 0x21)
        return SIM_STALL;
    switch (s->request) {
    case GET_REPORT:
        return s->value >> 8 == 2 ? put(r, &k->leds, 1) : put(r, k->report, sizeof(k->report));
    case GET_IDLE: return put(r, &k->idle, 1);
    case GET_PROTOCOL: return put(r, &k->protocol, 1);
    case SET_REPORT:
        if (r->length)
            k->leds = r->buffer[0];
        return 0;
    case SET_IDLE: k->idle = (uint8_t)(s->value >> 8); return 0;
    case SET_PROTOCOL: k->protocol = (uint8_t)s->value; return 0;
    default: return SIM_STALL;
    }
}

static void
transfer(struct sim_device *d, struct uw_request *r)
{
    sim_wait(d, r);
    if (!uw_heap_contains(&d->timer.node))
        sim_plan(d, uw_msec(KEY_MS));
}

const struct sim_model sim_keyboard = {
    .name = "keyboard",
    .text = "1209:0004, a HID keyboard that types; keys: type=TEXT ('/' is Enter), once=1",
    .is_default = 1,
    .keys = "type,once",
    .speed = SIM_LOW,
    .create = create,
    .destroy = destroy,
    .reset = reset,
    .control = control,
    .transfer = transfer,
};
