/*
 * ftdi.c - FT232B/R, FT2232C/D/H, FT4232H, FT232H and the FT-X series
 *
 * Requests and divisors: FTDI's AN_232B-05 ("Configuring FT232R, FT2232 and FT232B Baud Rates"),
 * AN_120 ("Aliasing VCP Baud Rates"), and the data sheets. Every packet that comes begins with two
 * bytes: modem inputs and line status. Which bcdDevice is which chip is from those and, of the HP
 * series and the FT4232HA, from Linux's drivers/usb/serial/ftdi_sio.c.
 */
#include <string.h>

#include "serial/driver.h"

#define TO_DEVICE 0x40

#define RESET       0x00
#define MODEM_CTRL  0x01
#define FLOW_CTRL   0x02
#define SET_BAUD    0x03
#define SET_DATA    0x04
#define SET_LATENCY 0x09

#define PURGE_INPUT  1 /* wValue of RESET */
#define PURGE_OUTPUT 2

#define FLOW_RTS_CTS  0x0100 /* wIndex of FLOW_CTRL */
#define FLOW_XON_XOFF 0x0400

#define DATA_BREAK 0x4000 /* wValue of SET_DATA */

#define STATUS_SIZE  2u
#define STATUS_CTS   0x10 /* first byte */
#define STATUS_DSR   0x20
#define STATUS_RI    0x40
#define STATUS_DCD   0x80
#define LINE_OVERRUN 0x02 /* second byte */
#define LINE_PARITY  0x04
#define LINE_FRAMING 0x08
#define LINE_BREAK   0x10

/* chip->registers: what SET_DATA was told last, for break. */
enum { DATA_LOW, DATA_HIGH };

static const struct kind {
    uint16_t bcd_device;
    const char *name;
    unsigned max_baud;
    unsigned fast : 1;   /* has a clock of 120 MHz, too */
    unsigned shifts : 1; /* the upper bits of the divisor are in the upper byte of wIndex */
    unsigned coarse : 1; /* of the fractions of a divisor there are 1/8, 1/4 and 1/2 alone */
} kinds[] = {
    {0x0200, "FT8U232AM", 3000000, 0, 0, 1}, {0x0400, "FT232B", 3000000, 0, 0, 0},
    {0x0500, "FT2232C", 3000000, 0, 1, 0},   {0x0600, "FT232R", 3000000, 0, 0, 0},
    {0x0700, "FT2232H", 12000000, 1, 1, 0},  {0x0800, "FT4232H", 12000000, 1, 1, 0},
    {0x0900, "FT232H", 12000000, 1, 1, 0},   {0x1000, "FT-X", 3000000, 0, 1, 0},
    {0x2800, "FT2233HP", 12000000, 1, 1, 0}, {0x2900, "FT4233HP", 12000000, 1, 1, 0},
    {0x3000, "FT2232HP", 12000000, 1, 1, 0}, {0x3100, "FT4232HP", 12000000, 1, 1, 0},
    {0x3200, "FT233HP", 12000000, 1, 1, 0},  {0x3300, "FT232HP", 12000000, 1, 1, 0},
    {0x3600, "FT4232HA", 12000000, 1, 1, 0},
};

static const struct kind *
kind_of(const struct serial_chip *chip)
{
    const struct kind *k = &kinds[0];

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (kinds[i].bcd_device <= chip->bcd_device)
            k = &kinds[i];
    return k;
}

static int
describe(struct serial_chip *chip, const struct uw_config *config,
         const struct uw_altsetting *interface)
{
    if (!serial_id_is(chip->driver, chip->vid, chip->pid) ||
        serial_take_endpoints(chip, interface) < 0 || chip->max_packet <= STATUS_SIZE)
        return UW_ERROR_NOT_FOUND;
    chip->notify = 0;
    chip->name = kind_of(chip)->name;
    /* Requests name the port: A is 1. Chips with one port take 0. */
    chip->type = config->bNumInterfaces > 1 ? chip->interface + 1u : 0;
    return 0;
}

static uint16_t
port_of(const struct serial_chip *chip)
{
    return (uint16_t)chip->type;
}

static void
open_chip(struct serial_chip *chip, struct serial_plan *plan)
{
    serial_plan_add(plan, TO_DEVICE, RESET, 0, port_of(chip));
}

/*
 * The divisor in eighths, of a clock that is divided by 16 (48 MHz) or 10 (120 MHz) besides, as the
 * chip wants it: 14 bits of whole divisor and 3 of fraction, coded. 1 and 1.5 are spelled 0 and 1.
 */
static uint32_t
encode_divisor(unsigned eighths)
{
    static const uint32_t fractions[8] = {0, 3, 2, 4, 1, 5, 6, 7};

    if (eighths == 8)
        return 0;
    if (eighths == 12)
        return 1;
    return eighths >> 3 | fractions[eighths & 7] << 14;
}

#define FAST_CLOCK  0x20000u
#define EIGHTHS_MAX ((1u << 17) - 1)

/* What a divisor can be. Between 1 and 2 there is 1.5 alone, or nothing; nothing is below 1. */
static unsigned
round_divisor(const struct kind *kind, unsigned eighths)
{
    static const uint8_t coarse[8] = {0, 1, 2, 2, 4, 4, 4, 8};

    if (eighths >= 16)
        return kind->coarse ? (eighths & ~7u) + coarse[eighths & 7] : eighths;
    if (kind->coarse)
        return eighths < 12 ? 8 : 16;
    return eighths < 10 ? 8 : eighths < 14 ? 12 : 16;
}

/* 48 MHz / 16 = 3 MHz, 120 MHz / 10 = 12 MHz; times 8 for the eighths. */
static int
find_divisor(const struct kind *kind, unsigned baud, uint32_t *ret_code, unsigned *ret_actual)
{
    int fast = kind->fast && baud >= 1200;
    unsigned clock = fast ? 96000000u : 24000000u;
    unsigned eighths = (clock + baud / 2) / baud;

    if (baud > kind->max_baud || eighths > EIGHTHS_MAX)
        return UW_ERROR_NOT_SUPPORTED;
    eighths = round_divisor(kind, eighths);
    *ret_actual = (clock + eighths / 2) / eighths;
    *ret_code = encode_divisor(eighths) | (fast ? FAST_CLOCK : 0);
    return 0;
}

static int
set_baud(struct serial_chip *chip, unsigned baud, struct serial_plan *plan, const char **ret_why)
{
    const struct kind *kind = kind_of(chip);
    uint32_t code;
    uint16_t index;

    if (find_divisor(kind, baud, &code, &chip->actual_baud) < 0) {
        *ret_why = "no divisor of its clock makes that rate";
        return UW_ERROR_NOT_SUPPORTED;
    }
    index = (uint16_t)(code >> 16);
    if (kind->shifts)
        index = (uint16_t)(index << 8 | port_of(chip));
    serial_plan_add(plan, TO_DEVICE, SET_BAUD, (uint16_t)code, index);
    return 0;
}

static void
set_flow(const struct serial_chip *chip, const struct serial_line *to, struct serial_plan *plan)
{
    uint16_t value = 0, index = port_of(chip);

    if (to->flow == UW_FLOW_RTS_CTS)
        index |= FLOW_RTS_CTS;
    if (to->flow == UW_FLOW_XON_XOFF) {
        index |= FLOW_XON_XOFF;
        value = (uint16_t)(to->xoff << 8 | to->xon);
    }
    serial_plan_add(plan, TO_DEVICE, FLOW_CTRL, value, index);
}

static int
set_line(struct serial_chip *chip, const struct serial_line *from, const struct serial_line *to,
         struct serial_plan *plan, const char **ret_why)
{
    uint16_t data = (uint16_t)(to->data_bits | to->parity << 8 | to->stop_bits << 11);
    int r = 0;

    if (to->data_bits < 7) {
        *ret_why = "it has 7 or 8 data bits";
        return UW_ERROR_NOT_SUPPORTED;
    }
    chip->registers[DATA_LOW] = (uint8_t)data;
    chip->registers[DATA_HIGH] = (uint8_t)(data >> 8);
    if (!from || from->data_bits != to->data_bits || from->parity != to->parity ||
        from->stop_bits != to->stop_bits)
        serial_plan_add(plan, TO_DEVICE, SET_DATA, data, port_of(chip));
    if (!from || from->baud != to->baud)
        r = set_baud(chip, to->baud, plan, ret_why);
    if (!from || from->flow != to->flow || from->xon != to->xon || from->xoff != to->xoff)
        set_flow(chip, to, plan);
    /* The oldest has a timer that does not change. */
    if (!from || from->latency != to->latency)
        serial_plan_add(plan, TO_DEVICE, SET_LATENCY, (uint16_t)to->latency, port_of(chip))
            ->optional = kind_of(chip)->coarse;
    return r;
}

static void
set_lines(struct serial_chip *chip, unsigned lines, unsigned mask, struct serial_plan *plan)
{
    serial_plan_add(plan, TO_DEVICE, MODEM_CTRL, (uint16_t)(mask << 8 | (lines & mask)),
                    port_of(chip));
}

static void
set_break(struct serial_chip *chip, int on, struct serial_plan *plan)
{
    uint16_t data = (uint16_t)(chip->registers[DATA_HIGH] << 8 | chip->registers[DATA_LOW]);

    serial_plan_add(plan, TO_DEVICE, SET_DATA, on ? data | DATA_BREAK : data, port_of(chip));
}

static void
purge(const struct serial_chip *chip, unsigned buffers, struct serial_plan *plan)
{
    if (buffers & UW_SERIAL_INPUT)
        serial_plan_add(plan, TO_DEVICE, RESET, PURGE_INPUT, port_of(chip));
    if (buffers & UW_SERIAL_OUTPUT)
        serial_plan_add(plan, TO_DEVICE, RESET, PURGE_OUTPUT, port_of(chip));
}

static void
take_status(struct serial_chip *chip, const uint8_t *status, int has_data)
{
    struct serial_inputs *in = &chip->inputs;

    in->lines =
        (status[0] & STATUS_CTS ? UW_LINE_CTS : 0u) | (status[0] & STATUS_DSR ? UW_LINE_DSR : 0u) |
        (status[0] & STATUS_RI ? UW_LINE_RI : 0u) | (status[0] & STATUS_DCD ? UW_LINE_DCD : 0u);
    /* The chip repeats them until the next byte. */
    if (!has_data)
        return;
    in->overrun += (status[1] & LINE_OVERRUN) != 0;
    in->breaks += (status[1] & LINE_BREAK) != 0;
    if (status[1] & LINE_BREAK)
        return; /* which looks like the other two */
    in->parity += (status[1] & LINE_PARITY) != 0;
    in->framing += (status[1] & LINE_FRAMING) != 0;
}

static size_t
receive(struct serial_chip *chip, uint8_t *bytes, size_t size)
{
    size_t kept = 0;

    for (size_t at = 0; at + STATUS_SIZE <= size; at += chip->max_packet) {
        size_t packet = size - at < chip->max_packet ? size - at : chip->max_packet;
        size_t data = packet - STATUS_SIZE;

        take_status(chip, bytes + at, data > 0);
        memmove(bytes + kept, bytes + at + STATUS_SIZE, data);
        kept += data;
    }
    return kept;
}

const struct serial_driver serial_ftdi = {
    .name = "ftdi",
    .answers = 1,
    .describe = describe,
    .open = open_chip,
    .set_line = set_line,
    .set_lines = set_lines,
    .set_break = set_break,
    .purge = purge,
    .receive = receive,
};
