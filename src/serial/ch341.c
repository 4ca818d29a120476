/*
 * ch341.c - WCH CH340 and CH341
 *
 * There is no public manual of the requests; the facts here are those that the drivers of Linux
 * (drivers/usb/serial/ch341.c) and FreeBSD (sys/dev/usb/serial/uchcom.c) rest on. CH343 and CH9102
 * are CDC-ACM devices.
 */
#include "serial/driver.h"

#define TO_DEVICE   0x40
#define FROM_DEVICE 0xc0

#define READ_VERSION 0x5f
#define READ_REG     0x95
#define WRITE_REG    0x9a /* two registers at once: wValue names them, wIndex has the values */
#define SERIAL_INIT  0xa1
#define MODEM_CTRL   0xa4

#define REG_BREAK     0x05
#define REG_STATUS    0x06
#define REG_STATUS_2  0x07
#define REG_PRESCALER 0x12
#define REG_DIVISOR   0x13
#define REG_LCR       0x18
#define REG_LCR_2     0x25
#define REG_FLOW      0x27

#define PAIR(high, low) ((uint16_t)((high) << 8 | (low)))

#define PRESCALER_NOW 0x80 /* does not wait for a whole packet before it sends */

#define LCR_RECEIVE 0x80
#define LCR_SEND    0x40
#define LCR_STICK   0x20
#define LCR_EVEN    0x10
#define LCR_PARITY  0x08
#define LCR_STOP_2  0x04
#define NO_BREAK    0x01 /* of REG_BREAK */

#define MODEM_DTR 0x20
#define MODEM_RTS 0x40

#define STATUS_CTS 0x01
#define STATUS_DSR 0x02
#define STATUS_RI  0x04
#define STATUS_DCD 0x08

#define CLOCK    48000000u
#define BAUD_MIN 46u

/* chip->registers: what the pair of break and LCR was told last. */
enum { BREAK, LCR };

/* chip->type: one of those that do not tell their break register. They have no break but a byte at
 * the lowest rate, and lose bytes with fact 1 unless ps is 3. */
enum { USUAL, LIMITED };

static int
describe(struct serial_chip *chip, const struct uw_config *config,
         const struct uw_altsetting *interface)
{
    (void)config;
    if (!serial_id_is(chip->driver, chip->vid, chip->pid) ||
        serial_take_endpoints(chip, interface) < 0)
        return UW_ERROR_NOT_FOUND;
    chip->name = chip->pid == 0x5523 ? "CH341" : "CH340";
    return 0;
}

static void
identify(const struct serial_chip *chip, struct serial_plan *plan)
{
    (void)chip;
    serial_plan_ask(plan, FROM_DEVICE, READ_VERSION, 0, 0, 2);
    serial_plan_ask(plan, FROM_DEVICE, READ_REG, PAIR(REG_LCR, REG_BREAK), 0, 2);
    serial_plan_ask(plan, FROM_DEVICE, READ_REG, PAIR(REG_STATUS_2, REG_STATUS), 0, 2);
    plan->requests[1].optional = plan->requests[2].optional = 1;
}

/* Inputs are low while they are set. */
static void
take_status(struct serial_chip *chip, uint8_t status)
{
    status = (uint8_t)~status;
    chip->inputs.lines =
        (status & STATUS_CTS ? UW_LINE_CTS : 0u) | (status & STATUS_DSR ? UW_LINE_DSR : 0u) |
        (status & STATUS_RI ? UW_LINE_RI : 0u) | (status & STATUS_DCD ? UW_LINE_DCD : 0u);
}

static void
learn(struct serial_chip *chip, unsigned step, const uint8_t *data, int length)
{
    if (step == 0 && length >= 1)
        chip->version = data[0];
    if (step == 1) {
        if (length < 0) {
            chip->type = LIMITED;
            chip->break_baud = BAUD_MIN;
        }
        chip->registers[BREAK] = length == 2 ? data[0] | NO_BREAK : NO_BREAK;
    }
    if (step == 2 && length == 2)
        take_status(chip, data[0]);
}

static void
open_chip(struct serial_chip *chip, struct serial_plan *plan)
{
    (void)chip;
    serial_plan_add(plan, TO_DEVICE, SERIAL_INIT, 0, 0);
}

/*
 * rate = clock / (prescaler * divisor), where the prescaler is 2^(12 - 3 ps - fact): ps 0 to 3,
 * fact 0 or 1; the divisor is 2 to 256, and with fact 1 only 9 to 256. Of all that is
 * possible the nearest; of equals the one with the largest ps, then without fact, as Linux has it.
 */
struct divisor {
    unsigned ps, fact, divisor;
    uint64_t rate_mhz; /* thousandths of a bit a second */
};

static uint64_t
distance(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

static void
try_divisor(unsigned baud, unsigned ps, unsigned fact, unsigned divisor, struct divisor *best)
{
    uint64_t wanted = (uint64_t)baud * 1000, rate;

    if (divisor < (fact ? 9u : 2u) || divisor > 256)
        return;
    rate = (uint64_t)CLOCK * 1000 / ((uint64_t)divisor << (12 - 3 * ps - fact));
    if (best->divisor && distance(rate, wanted) >= distance(best->rate_mhz, wanted))
        return;
    best->ps = ps;
    best->fact = fact;
    best->divisor = divisor;
    best->rate_mhz = rate;
}

static struct divisor
find_divisor(const struct serial_chip *chip, unsigned baud)
{
    struct divisor best = {0};

    for (unsigned ps = 4; ps-- > 0;)
        for (unsigned fact = 0; fact <= (ps == 3 || chip->type == USUAL ? 1u : 0u); fact++) {
            unsigned n = CLOCK / (baud << (12 - 3 * ps - fact));

            try_divisor(baud, ps, fact, n, &best);
            try_divisor(baud, ps, fact, n + 1, &best);
        }
    return best;
}

static int
set_baud(struct serial_chip *chip, unsigned baud, struct serial_plan *plan, const char **ret_why)
{
    struct divisor d;
    uint16_t value;

    if (baud < BAUD_MIN || baud > 3000000) {
        *ret_why = "it does 46 to 3000000 bits/s";
        return UW_ERROR_NOT_SUPPORTED;
    }
    d = find_divisor(chip, baud);
    value = (uint16_t)((256 - d.divisor) << 8 | d.fact << 2 | d.ps);
    if (chip->version > 0x27)
        value |= PRESCALER_NOW;
    serial_plan_add(plan, TO_DEVICE, WRITE_REG, PAIR(REG_DIVISOR, REG_PRESCALER), value);
    chip->actual_baud = (unsigned)((d.rate_mhz + 500) / 1000);
    return 0;
}

static uint8_t
lcr_of(const struct serial_line *to)
{
    static const uint8_t parities[] = {
        [UW_PARITY_NONE] = 0,
        [UW_PARITY_ODD] = LCR_PARITY,
        [UW_PARITY_EVEN] = LCR_PARITY | LCR_EVEN,
        [UW_PARITY_MARK] = LCR_PARITY | LCR_STICK,
        [UW_PARITY_SPACE] = LCR_PARITY | LCR_STICK | LCR_EVEN,
    };

    return (uint8_t)(LCR_RECEIVE | LCR_SEND | parities[to->parity] |
                     (to->stop_bits == UW_STOP_2 ? LCR_STOP_2 : 0) | (to->data_bits - 5));
}

static const char *
what_it_cannot(const struct serial_chip *chip, const struct serial_line *to)
{
    if (to->flow == UW_FLOW_XON_XOFF)
        return "it has no XON/XOFF of its own";
    if (to->stop_bits == UW_STOP_1_5)
        return "it has 1 or 2 stop bits";
    if (chip->version < 0x30 && (to->data_bits != 8 || to->parity || to->stop_bits))
        return "this old one has 8N1 alone";
    return NULL;
}

static int
set_line(struct serial_chip *chip, const struct serial_line *from, const struct serial_line *to,
         struct serial_plan *plan, const char **ret_why)
{
    const char *why = what_it_cannot(chip, to);
    uint8_t lcr = lcr_of(to);
    int r = 0;

    if (why) {
        *ret_why = why;
        return UW_ERROR_NOT_SUPPORTED;
    }
    if (!from || from->baud != to->baud)
        r = set_baud(chip, to->baud, plan, ret_why);
    if (chip->version >= 0x30 && (!from || lcr != chip->registers[LCR]))
        serial_plan_add(plan, TO_DEVICE, WRITE_REG, PAIR(REG_LCR_2, REG_LCR), lcr);
    chip->registers[LCR] = lcr;
    if (from ? from->flow != to->flow : to->flow != UW_FLOW_NONE)
        serial_plan_add(plan, TO_DEVICE, WRITE_REG, PAIR(REG_FLOW, REG_FLOW),
                        to->flow == UW_FLOW_RTS_CTS ? 0x0101 : 0);
    return r;
}

/* Both lines are in one register, so both are set whatever the mask; they are low while set. */
static void
set_lines(struct serial_chip *chip, unsigned lines, unsigned mask, struct serial_plan *plan)
{
    unsigned control =
        (lines & UW_LINE_DTR ? MODEM_DTR : 0u) | (lines & UW_LINE_RTS ? MODEM_RTS : 0u);

    (void)chip;
    (void)mask;
    serial_plan_add(plan, TO_DEVICE, MODEM_CTRL, (uint16_t)~control, 0);
}

static void
set_break(struct serial_chip *chip, int on, struct serial_plan *plan)
{
    uint8_t brk = chip->registers[BREAK], lcr = chip->registers[LCR];

    if (on) {
        brk &= (uint8_t)~NO_BREAK;
        lcr &= (uint8_t)~LCR_SEND;
    }
    serial_plan_add(plan, TO_DEVICE, WRITE_REG, PAIR(REG_LCR, REG_BREAK), PAIR(lcr, brk));
}

/* It has no purge; when this is answered, all that it had sent has come. */
static void
purge(const struct serial_chip *chip, unsigned buffers, struct serial_plan *plan)
{
    (void)chip;
    if (buffers & UW_SERIAL_INPUT)
        serial_plan_ask(plan, FROM_DEVICE, READ_VERSION, 0, 0, 2);
}

static void
notified(struct serial_chip *chip, const uint8_t *bytes, size_t size)
{
    if (size >= 4)
        take_status(chip, bytes[2]);
}

const struct serial_driver serial_ch341 = {
    .name = "ch341",
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
