/*
 * pl2303.c - Prolific PL2303: H, HX and its kin, and the HXN family (GC, GB, GT, GL, GE, GS)
 *
 * The facts are those that Linux's driver rests on (drivers/usb/serial/pl2303.c); there is no
 * public manual of the requests.
 */
#include "base/bytes.h"
#include "serial/driver.h"

#define TO_DEVICE      0x40
#define FROM_DEVICE    0xc0
#define TO_INTERFACE   0x21
#define FROM_INTERFACE 0xa1

#define SET_LINE    0x20
#define GET_LINE    0x21
#define SET_CONTROL 0x22
#define BREAK       0x23
#define VENDOR      0x01 /* read and write */
#define HXN_READ    0x81
#define HXN_WRITE   0x80

#define HX_STATUS 0x8080 /* what HXN chips do not answer */

#define HXN_RESET     0x07
#define HXN_RESET_IN  0x02
#define HXN_RESET_OUT 0x01
#define HXN_FLOW      0x0a
#define HXN_FLOW_MASK 0x1c /* the other bits stay as they are */
#define HXN_FLOW_NONE 0x1c
#define HXN_FLOW_RTS  0x18
#define HXN_FLOW_XON  0x0c
#define FLOW_NONE     0x01 /* register 0 of the others */
#define HX_FLOW_RTS   0x61
#define H_FLOW_RTS    0x41
#define FLOW_XON      0xc1

/* The interrupt endpoint's ten bytes */
#define STATE_SIZE    10
#define STATE_AT      8
#define STATE_DCD     0x01
#define STATE_DSR     0x02
#define STATE_BREAK   0x04
#define STATE_RI      0x08
#define STATE_FRAMING 0x10
#define STATE_PARITY  0x20
#define STATE_OVERRUN 0x40
#define STATE_CTS     0x80

/* chip->registers: HXN_FLOW as it was found. */
enum { FLOW };

enum type { TYPE_H, TYPE_HX, TYPE_HXD, TYPE_TA, TYPE_TB, TYPE_HXN };

static const struct type_row {
    const char *name;
    unsigned max_baud;
    const char *range;
} types[] = {
#define TYPE(name, max)                                                                            \
    {                                                                                              \
        name, max, "it does 46 to " #max " bits/s"                                                 \
    }
    [TYPE_H] = TYPE("PL2303H", 1228800),      [TYPE_HX] = TYPE("PL2303HX", 6000000),
    [TYPE_HXD] = TYPE("PL2303HXD", 12000000), [TYPE_TA] = TYPE("PL2303TA", 6000000),
    [TYPE_TB] = TYPE("PL2303TB", 12000000),   [TYPE_HXN] = TYPE("PL2303G", 12000000),
};

/* Which is which by its descriptor. Some numbers are shared by an older chip and one of the HXN
 * family, which does not answer HX_STATUS; so are those that are not here, of USB 2.0. */
static const struct {
    uint16_t bcd_usb, bcd_device;
    enum type type;
    int asks;
} releases[] = {
    {0x0110, 0x0400, TYPE_HXD, 0}, {0x0200, 0x0100, TYPE_HXN, 0}, {0x0200, 0x0105, TYPE_HXN, 0},
    {0x0200, 0x0300, TYPE_TA, 1},  {0x0200, 0x0305, TYPE_HXN, 0}, {0x0200, 0x0400, TYPE_HXN, 0},
    {0x0200, 0x0405, TYPE_HXN, 0}, {0x0200, 0x0500, TYPE_TB, 1},  {0x0200, 0x0505, TYPE_HXN, 0},
    {0x0200, 0x0600, TYPE_HXN, 0}, {0x0200, 0x0605, TYPE_HXN, 0}, {0x0200, 0x0700, TYPE_HXN, 0},
    {0x0200, 0x0705, TYPE_HXN, 0}, {0x0200, 0x0905, TYPE_HXN, 0}, {0x0200, 0x1005, TYPE_HXN, 0},
};

static void
become(struct serial_chip *chip, enum type type, int asks)
{
    chip->type = type;
    chip->name = types[type].name;
    chip->version = (unsigned)asks;
}

static int
must_be_asked(const struct serial_chip *chip)
{
    return (int)chip->version;
}

static void
look_up(struct serial_chip *chip)
{
    if (chip->device_class == 0x02 || chip->max_packet0 != 0x40) {
        become(chip, TYPE_H, 0);
        return;
    }
    for (size_t i = 0; i < sizeof(releases) / sizeof(releases[0]); i++)
        if (releases[i].bcd_usb == chip->bcd_usb && releases[i].bcd_device == chip->bcd_device) {
            become(chip, releases[i].type, releases[i].asks);
            return;
        }
    become(chip, TYPE_HX, chip->bcd_usb >= 0x0200);
}

static int
describe(struct serial_chip *chip, const struct uw_config *config,
         const struct uw_altsetting *interface)
{
    uint8_t notify = 0;

    if (!serial_id_is(chip->driver, chip->vid, chip->pid))
        return UW_ERROR_NOT_FOUND;
    /* The oldest have the interrupt endpoint in an interface of its own, before the other. */
    for (unsigned i = 0; i < config->bNumInterfaces; i++) {
        const struct uw_altsetting *a = &config->interfaces[i].altsettings[0];

        for (unsigned k = 0; k < a->bNumEndpoints; k++)
            if (uw_endpoint_type(&a->endpoints[k]) == UW_INTERRUPT)
                notify = a->endpoints[k].bEndpointAddress;
    }
    if (serial_take_endpoints(chip, interface) < 0)
        return UW_ERROR_NOT_FOUND;
    chip->notify = notify;
    look_up(chip);
    return 0;
}

static void
identify(const struct serial_chip *chip, struct serial_plan *plan)
{
    if (must_be_asked(chip))
        serial_plan_ask(plan, FROM_DEVICE, VENDOR, HX_STATUS, 0, 1);
    if (must_be_asked(chip) || chip->type == TYPE_HXN)
        serial_plan_ask(plan, FROM_DEVICE, HXN_READ, HXN_FLOW, 0, 1);
    for (unsigned i = 0; i < plan->count; i++)
        plan->requests[i].optional = 1;
}

static void
learn(struct serial_chip *chip, unsigned step, const uint8_t *data, int length)
{
    if (must_be_asked(chip) && step == 0) {
        if (length < 0)
            become(chip, TYPE_HXN, 1);
    } else if (length == 1) {
        chip->registers[FLOW] = data[0] & (uint8_t)~HXN_FLOW_MASK;
    }
}

static void
vendor_read(struct serial_plan *plan, uint16_t value)
{
    serial_plan_ask(plan, FROM_DEVICE, VENDOR, value, 0, 1);
}

static void
vendor_write(struct serial_plan *plan, uint16_t value, uint16_t index)
{
    serial_plan_add(plan, TO_DEVICE, VENDOR, value, index);
}

/* A row of reads and writes that wakes the older ones; what is read does not matter. */
static void
open_chip(struct serial_chip *chip, struct serial_plan *plan)
{
    if (chip->type == TYPE_HXN)
        return;
    vendor_read(plan, 0x8484);
    vendor_write(plan, 0x0404, 0);
    vendor_read(plan, 0x8484);
    vendor_read(plan, 0x8383);
    vendor_read(plan, 0x8484);
    vendor_write(plan, 0x0404, 1);
    vendor_read(plan, 0x8484);
    vendor_read(plan, 0x8383);
    vendor_write(plan, 0, 1);
    vendor_write(plan, 1, 0);
    vendor_write(plan, 2, chip->type == TYPE_H ? 0x24 : 0x44);
}

/* Rates that all but the HXN family take as a number. */
static const unsigned direct[] = {75,      150,     300,     600,    1200,   1800,   2400,
                                  3600,    4800,    7200,    9600,   14400,  19200,  28800,
                                  38400,   57600,   115200,  230400, 460800, 614400, 921600,
                                  1228800, 2457600, 3000000, 6000000};

static int
is_direct(const struct serial_chip *chip, unsigned baud)
{
    if (chip->type == TYPE_HXN)
        return 1;
    for (size_t i = 0; i < sizeof(direct) / sizeof(direct[0]); i++)
        if (direct[i] == baud)
            return 1;
    return 0;
}

#define RATE_CLOCK 384000000u /* 12 MHz * 32 */
#define RATE_CODED 0x80000000u

/* TA and TB: clock / (mantissa * 2^exponent), 11 and 4 bits. */
static uint32_t
encode_rate_ta(unsigned baud, unsigned *ret_actual)
{
    unsigned mantissa = RATE_CLOCK / baud, exponent = 0;

    while (mantissa >= 2048) {
        mantissa >>= 1;
        exponent++;
    }
    *ret_actual = (RATE_CLOCK / mantissa) >> exponent;
    return RATE_CODED | (exponent & 1) << 16 | (exponent & 0xe) << 12 | mantissa;
}

/* Others: clock / (mantissa * 4^exponent), 9 and 3 bits. */
static uint32_t
encode_rate(const struct serial_chip *chip, unsigned baud, unsigned *ret_actual)
{
    unsigned mantissa = RATE_CLOCK / baud, exponent = 0;

    if (chip->type == TYPE_TA || chip->type == TYPE_TB)
        return encode_rate_ta(baud, ret_actual);
    while (mantissa >= 512 && exponent < 7) {
        mantissa >>= 2;
        exponent++;
    }
    if (mantissa > 511)
        mantissa = 511;
    *ret_actual = (RATE_CLOCK / mantissa) >> (exponent << 1);
    return RATE_CODED | exponent << 9 | mantissa;
}

static void
set_flow(const struct serial_chip *chip, unsigned flow, struct serial_plan *plan)
{
    static const uint8_t hxn[] = {[UW_FLOW_NONE] = HXN_FLOW_NONE,
                                  [UW_FLOW_RTS_CTS] = HXN_FLOW_RTS,
                                  [UW_FLOW_XON_XOFF] = HXN_FLOW_XON};
    const uint16_t older[] = {
        [UW_FLOW_NONE] = FLOW_NONE,
        [UW_FLOW_RTS_CTS] = chip->type == TYPE_H ? H_FLOW_RTS : HX_FLOW_RTS,
        [UW_FLOW_XON_XOFF] = FLOW_XON,
    };

    if (chip->type == TYPE_HXN)
        serial_plan_add(plan, TO_DEVICE, HXN_WRITE, HXN_FLOW, chip->registers[FLOW] | hxn[flow]);
    else
        vendor_write(plan, 0, older[flow]);
}

static const char *
what_it_cannot(const struct serial_chip *chip, const struct serial_line *to)
{
    if (to->baud < 46 || to->baud > types[chip->type].max_baud)
        return types[chip->type].range;
    if (to->flow == UW_FLOW_XON_XOFF && chip->type == TYPE_H)
        return "it has no XON/XOFF of its own";
    if (to->flow == UW_FLOW_XON_XOFF && (to->xon != 0x11 || to->xoff != 0x13))
        return "its XON and XOFF are 0x11 and 0x13";
    return NULL;
}

static int
is_same_frame(const struct serial_line *a, const struct serial_line *b)
{
    return a->baud == b->baud && a->data_bits == b->data_bits && a->parity == b->parity &&
           a->stop_bits == b->stop_bits;
}

static void
set_frame(struct serial_chip *chip, const struct serial_line *to, struct serial_plan *plan)
{
    uint8_t bytes[7];
    struct uw_writer w = uw_writer(bytes, sizeof(bytes));

    chip->actual_baud = to->baud;
    uw_wr_le32(&w, is_direct(chip, to->baud) ? to->baud
                                             : encode_rate(chip, to->baud, &chip->actual_baud));
    uw_wr_u8(&w, (uint8_t)to->stop_bits);
    uw_wr_u8(&w, (uint8_t)to->parity);
    uw_wr_u8(&w, (uint8_t)to->data_bits);
    serial_plan_send(plan, TO_INTERFACE, SET_LINE, 0, 0, bytes, sizeof(bytes));
}

static int
set_line(struct serial_chip *chip, const struct serial_line *from, const struct serial_line *to,
         struct serial_plan *plan, const char **ret_why)
{
    *ret_why = what_it_cannot(chip, to);
    if (*ret_why)
        return UW_ERROR_NOT_SUPPORTED;
    /* Some lose bytes when they are set to what they are set to. */
    if (!from || !is_same_frame(from, to))
        set_frame(chip, to, plan);
    if (!from || from->flow != to->flow)
        set_flow(chip, to->flow, plan);
    return 0;
}

static void
set_lines(struct serial_chip *chip, unsigned lines, unsigned mask, struct serial_plan *plan)
{
    (void)chip;
    (void)mask;
    serial_plan_add(plan, TO_INTERFACE, SET_CONTROL,
                    (uint16_t)(lines & (UW_LINE_DTR | UW_LINE_RTS)), 0);
}

static void
set_break(struct serial_chip *chip, int on, struct serial_plan *plan)
{
    (void)chip;
    serial_plan_add(plan, TO_INTERFACE, BREAK, on ? 0xffff : 0, 0);
}

static void
purge(const struct serial_chip *chip, unsigned buffers, struct serial_plan *plan)
{
    unsigned reset = (buffers & UW_SERIAL_INPUT ? HXN_RESET_IN : 0u) |
                     (buffers & UW_SERIAL_OUTPUT ? HXN_RESET_OUT : 0u);

    if (chip->type == TYPE_HXN) {
        serial_plan_add(plan, TO_DEVICE, HXN_WRITE, HXN_RESET, (uint16_t)reset);
        return;
    }
    if (chip->type != TYPE_H && buffers & UW_SERIAL_OUTPUT)
        vendor_write(plan, 8, 0);
    if (chip->type != TYPE_H && buffers & UW_SERIAL_INPUT)
        vendor_write(plan, 9, 0);
    /* The H has no purge; when this is answered, all that it had sent has come. */
    if (chip->type == TYPE_H && buffers & UW_SERIAL_INPUT)
        serial_plan_ask(plan, FROM_INTERFACE, GET_LINE, 0, 0, 7);
}

static void
notified(struct serial_chip *chip, const uint8_t *bytes, size_t size)
{
    struct serial_inputs *in = &chip->inputs;
    uint8_t state;

    if (size < STATE_SIZE)
        return;
    state = bytes[STATE_AT];
    in->lines = (state & STATE_CTS ? UW_LINE_CTS : 0u) | (state & STATE_DSR ? UW_LINE_DSR : 0u) |
                (state & STATE_DCD ? UW_LINE_DCD : 0u) | (state & STATE_RI ? UW_LINE_RI : 0u);
    in->breaks += (state & STATE_BREAK) != 0;
    in->framing += (state & STATE_FRAMING) != 0;
    in->parity += (state & STATE_PARITY) != 0;
    in->overrun += (state & STATE_OVERRUN) != 0;
}

const struct serial_driver serial_pl2303 = {
    .name = "pl2303",
    .describe = describe,
    .identify = identify,
    .learn = learn,
    .open = open_chip,
    .set_line = set_line,
    .set_lines = set_lines,
    .set_break = set_break,
    .purge = purge,
    .notified = notified,
};
