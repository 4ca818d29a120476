/*
 * cp210x.c - Silicon Labs CP2101 to CP2108 and CP2102N (application note AN571)
 */
#include "base/bytes.h"
#include "serial/driver.h"

#define TO_INTERFACE   0x41
#define FROM_INTERFACE 0xc1
#define FROM_DEVICE    0xc0

#define IFC_ENABLE      0x00
#define SET_LINE_CTL    0x03
#define SET_BREAK       0x05
#define SET_MHS         0x07
#define GET_MDMSTS      0x08
#define GET_COMM_STATUS 0x10
#define PURGE           0x12
#define SET_FLOW        0x13
#define GET_FLOW        0x14
#define SET_CHARS       0x19
#define SET_BAUDRATE    0x1e
#define VENDOR_SPECIFIC 0xff

#define GET_PARTNUM 0x370b

/* wValue of PURGE */
#define PURGE_OUTPUT 0x0005
#define PURGE_INPUT  0x000a

/* GET_MDMSTS */
#define STATUS_DTR 0x01
#define STATUS_RTS 0x02
#define STATUS_CTS 0x10
#define STATUS_DSR 0x20
#define STATUS_RI  0x40
#define STATUS_DCD 0x80

/* GET_COMM_STATUS: 19 bytes, of which these are ulErrors */
#define COMM_STATUS_SIZE 19
#define ERROR_BREAK      0x01
#define ERROR_FRAMING    0x02
#define ERROR_OVERRUN    0x0c /* of the hardware, of the queue */
#define ERROR_PARITY     0x10

/* SET_FLOW and GET_FLOW: 16 bytes */
#define FLOW_SIZE            16
#define HANDSHAKE_DTR_ACTIVE 0x01
#define HANDSHAKE_INPUTS     0x38 /* by CTS, DSR or DCD */
#define HANDSHAKE_CTS        0x08
#define REPLACE_AUTO         0x03 /* XON/XOFF in both directions */
#define REPLACE_RTS_ACTIVE   0x40
#define REPLACE_RTS_FLOW     0x80
#define XON_LIMIT            128
#define XOFF_LIMIT           128

/* How the rate is made: by a divisor of 48 MHz; by a list (AN205, table 1), unless somebody has
 * written another one into the chip; or as nobody says. */
enum making { DIVIDED, LISTED, UNTOLD };

static const struct part {
    uint8_t number;
    const char *name;
    enum making making;
    unsigned min_baud, max_baud; /* data sheets */
    const char *range;
} parts[] = {
#define PART(number, name, making, min, max)                                                       \
    {                                                                                              \
        number, name, making, min, max, "it does " #min " to " #max " bits/s"                      \
    }
    PART(0x01, "CP2101", UNTOLD, 300, 921600),    PART(0x02, "CP2102", LISTED, 300, 1000000),
    PART(0x03, "CP2103", LISTED, 300, 1000000),   PART(0x04, "CP2104", DIVIDED, 300, 2000000),
    PART(0x05, "CP2105", DIVIDED, 300, 2000000),  PART(0x08, "CP2108", UNTOLD, 300, 2000000),
    PART(0x20, "CP2102N", DIVIDED, 300, 3000000), PART(0x21, "CP2102N", DIVIDED, 300, 3000000),
    PART(0x22, "CP2102N", DIVIDED, 300, 3000000),
};

/* The second port of a CP2105 is the slower one. */
static const struct part standard_port = PART(0x05, "CP2105", UNTOLD, 2400, 921600);

/* chip->registers: DTR and RTS, which SET_FLOW has to repeat, and whether flow control is on. */
enum { OUTPUTS, FLOWS };

/* What answers with no number, or another: as a CP2104, and it may refuse. */
static const struct part unknown = PART(0, "CP210x", DIVIDED, 300, 3000000);

/* The upper ends of what becomes each rate of the list. */
static const struct {
    unsigned up_to, rate;
} an205[] = {
    {300, 300},       {600, 600},       {1200, 1200},     {1800, 1800},     {2400, 2400},
    {4000, 4000},     {4803, 4800},     {7207, 7200},     {9612, 9600},     {14428, 14400},
    {16062, 16000},   {19250, 19200},   {28912, 28800},   {38601, 38400},   {51558, 51200},
    {56280, 56000},   {58053, 57600},   {64111, 64000},   {77608, 76800},   {117028, 115200},
    {129347, 128000}, {156868, 153600}, {237832, 230400}, {254234, 250000}, {273066, 256000},
    {491520, 460800}, {567138, 500000}, {670254, 576000}, {999999, 921600},
};

static int
is_standard_port(const struct serial_chip *chip)
{
    return chip->type == standard_port.number && chip->interface == 1;
}

static const struct part *
part_of(const struct serial_chip *chip)
{
    if (is_standard_port(chip))
        return &standard_port;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (parts[i].number == chip->type)
            return &parts[i];
    return &unknown;
}

static int
describe(struct serial_chip *chip, const struct uw_config *config,
         const struct uw_altsetting *interface)
{
    (void)config;
    if (!serial_id_is(chip->driver, chip->vid, chip->pid) ||
        serial_take_endpoints(chip, interface) < 0)
        return UW_ERROR_NOT_FOUND;
    chip->name = unknown.name;
    chip->notify = 0;
    return 0;
}

static void
identify(const struct serial_chip *chip, struct serial_plan *plan)
{
    serial_plan_ask(plan, FROM_DEVICE, VENDOR_SPECIFIC, GET_PARTNUM, chip->interface, 1);
    serial_plan_ask(plan, FROM_INTERFACE, GET_FLOW, 0, chip->interface, FLOW_SIZE);
    serial_plan_ask(plan, FROM_INTERFACE, GET_MDMSTS, 0, chip->interface, 1);
    for (unsigned i = 0; i < plan->count; i++)
        plan->requests[i].optional = 1;
}

static void
learn_flow(struct serial_chip *chip, const uint8_t *data)
{
    struct uw_reader r = uw_reader(data, FLOW_SIZE);
    uint32_t handshake = uw_rd_le32(&r), replace = uw_rd_le32(&r);

    chip->registers[FLOWS] =
        handshake & HANDSHAKE_INPUTS || replace & (REPLACE_AUTO | REPLACE_RTS_FLOW);
}

static void
learn_lines(struct serial_chip *chip, uint8_t status)
{
    chip->registers[OUTPUTS] = (uint8_t)((status & STATUS_DTR ? UW_LINE_DTR : 0) |
                                         (status & STATUS_RTS ? UW_LINE_RTS : 0));
    chip->inputs.lines =
        (status & STATUS_CTS ? UW_LINE_CTS : 0u) | (status & STATUS_DSR ? UW_LINE_DSR : 0u) |
        (status & STATUS_DCD ? UW_LINE_DCD : 0u) | (status & STATUS_RI ? UW_LINE_RI : 0u);
}

static void
learn(struct serial_chip *chip, unsigned step, const uint8_t *data, int length)
{
    if (step == 0 && length == 1)
        chip->type = data[0];
    if (step == 1 && length == FLOW_SIZE)
        learn_flow(chip, data);
    if (step == 2 && length == 1)
        learn_lines(chip, data[0]);
    chip->name = part_of(chip)->name;
}

static void
open_chip(struct serial_chip *chip, struct serial_plan *plan)
{
    serial_plan_add(plan, TO_INTERFACE, IFC_ENABLE, 1, chip->interface);
}

static void
close_chip(const struct serial_chip *chip, struct serial_plan *plan)
{
    serial_plan_add(plan, TO_INTERFACE, PURGE, PURGE_INPUT | PURGE_OUTPUT, chip->interface)
        ->optional = 1;
    serial_plan_add(plan, TO_INTERFACE, IFC_ENABLE, 0, chip->interface);
}

/* AN571, SET_BAUDRATE: 48 MHz, divided by 2 and a prescaler of 1, or 4 up to 365 bits/s. */
static unsigned
divided_rate(unsigned baud)
{
    unsigned clock = 48000000u / (2 * (baud <= 365 ? 4u : 1u));
    unsigned divisor = (clock + baud / 2) / baud;

    return clock / (divisor ? divisor : 1);
}

static unsigned
listed_rate(unsigned baud)
{
    for (size_t i = 0; i < sizeof(an205) / sizeof(an205[0]); i++)
        if (baud <= an205[i].up_to)
            return an205[i].rate;
    return baud;
}

static int
set_baud(struct serial_chip *chip, unsigned baud, struct serial_plan *plan, const char **ret_why)
{
    const struct part *part = part_of(chip);
    uint8_t bytes[4];
    struct uw_writer w = uw_writer(bytes, sizeof(bytes));

    if (baud < part->min_baud || baud > part->max_baud) {
        *ret_why = part->range;
        return UW_ERROR_NOT_SUPPORTED;
    }
    chip->actual_baud = part->making == DIVIDED  ? divided_rate(baud)
                        : part->making == LISTED ? listed_rate(baud)
                                                 : baud;
    uw_wr_le32(&w, part->making == DIVIDED ? chip->actual_baud : baud);
    serial_plan_send(plan, TO_INTERFACE, SET_BAUDRATE, 0, chip->interface, bytes, sizeof(bytes));
    return 0;
}

/* The first CP2102N take the low byte of ulXonLimit for ulFlowReplace (erratum CP2102N_E104): there
 * it is both. */
static uint32_t
xon_limit(const struct serial_chip *chip, uint32_t replace)
{
    return chip->type >= 0x20 && chip->type <= 0x22 ? replace : XON_LIMIT;
}

static void
set_flow(struct serial_chip *chip, const struct serial_line *to, struct serial_plan *plan)
{
    uint8_t flow[FLOW_SIZE], chars[6];
    struct uw_writer w = uw_writer(flow, sizeof(flow)), c = uw_writer(chars, sizeof(chars));
    uint32_t handshake = chip->registers[OUTPUTS] & UW_LINE_DTR ? HANDSHAKE_DTR_ACTIVE : 0;
    uint32_t replace = chip->registers[OUTPUTS] & UW_LINE_RTS ? REPLACE_RTS_ACTIVE : 0;

    if (to->flow == UW_FLOW_XON_XOFF) {
        uw_wr_le32(&c, 0); /* EofChar, ErrorChar, BreakChar, EventChar: not in use */
        uw_wr_u8(&c, (uint8_t)to->xon);
        uw_wr_u8(&c, (uint8_t)to->xoff);
        serial_plan_send(plan, TO_INTERFACE, SET_CHARS, 0, chip->interface, chars, sizeof(chars));
        replace |= REPLACE_AUTO;
    } else if (to->flow == UW_FLOW_RTS_CTS) {
        handshake |= HANDSHAKE_CTS;
        replace = REPLACE_RTS_FLOW;
    }
    chip->registers[FLOWS] = to->flow != UW_FLOW_NONE;
    uw_wr_le32(&w, handshake);
    uw_wr_le32(&w, replace);
    uw_wr_le32(&w, xon_limit(chip, replace));
    uw_wr_le32(&w, XOFF_LIMIT);
    serial_plan_send(plan, TO_INTERFACE, SET_FLOW, 0, chip->interface, flow, sizeof(flow));
}

static int
set_line(struct serial_chip *chip, const struct serial_line *from, const struct serial_line *to,
         struct serial_plan *plan, const char **ret_why)
{
    unsigned control = to->data_bits << 8 | to->parity << 4 | to->stop_bits;
    int r = 0;

    if (is_standard_port(chip) &&
        (to->data_bits < 7 || to->stop_bits || to->parity > UW_PARITY_EVEN)) {
        *ret_why = "the CP2105's standard port has 7 or 8 data bits, one stop bit and no mark or "
                   "space parity";
        return UW_ERROR_NOT_SUPPORTED;
    }
    if (!from || from->baud != to->baud)
        r = set_baud(chip, to->baud, plan, ret_why);
    if (!from || from->data_bits != to->data_bits || from->parity != to->parity ||
        from->stop_bits != to->stop_bits)
        serial_plan_add(plan, TO_INTERFACE, SET_LINE_CTL, (uint16_t)control, chip->interface);
    if (from ? from->flow != to->flow || from->xon != to->xon || from->xoff != to->xoff
             : to->flow != UW_FLOW_NONE || chip->registers[FLOWS])
        set_flow(chip, to, plan);
    return r;
}

static void
set_lines(struct serial_chip *chip, unsigned lines, unsigned mask, struct serial_plan *plan)
{
    chip->registers[OUTPUTS] = (uint8_t)((chip->registers[OUTPUTS] & ~mask) | (lines & mask));
    serial_plan_add(plan, TO_INTERFACE, SET_MHS, (uint16_t)(mask << 8 | (lines & mask)),
                    chip->interface);
}

static void
set_break(struct serial_chip *chip, int on, struct serial_plan *plan)
{
    serial_plan_add(plan, TO_INTERFACE, SET_BREAK, on != 0, chip->interface);
}

static void
purge(const struct serial_chip *chip, unsigned buffers, struct serial_plan *plan)
{
    serial_plan_add(plan, TO_INTERFACE, PURGE,
                    (uint16_t)((buffers & UW_SERIAL_INPUT ? PURGE_INPUT : 0) |
                               (buffers & UW_SERIAL_OUTPUT ? PURGE_OUTPUT : 0)),
                    chip->interface);
}

static void
ask(const struct serial_chip *chip, struct serial_plan *plan)
{
    serial_plan_ask(plan, FROM_INTERFACE, GET_MDMSTS, 0, chip->interface, 1);
    serial_plan_ask(plan, FROM_INTERFACE, GET_COMM_STATUS, 0, chip->interface, COMM_STATUS_SIZE);
}

static size_t
answer_status(struct serial_chip *chip, const uint8_t *data)
{
    struct uw_reader r = uw_reader(data, COMM_STATUS_SIZE);
    uint32_t errors = uw_rd_le32(&r), waiting;

    (void)uw_rd_le32(&r); /* ulHoldReasons */
    waiting = uw_rd_le32(&r);
    chip->inputs.breaks += (errors & ERROR_BREAK) != 0;
    chip->inputs.framing += (errors & ERROR_FRAMING) != 0;
    chip->inputs.overrun += (errors & ERROR_OVERRUN) != 0;
    chip->inputs.parity += (errors & ERROR_PARITY) != 0;
    return waiting;
}

static size_t
answer(struct serial_chip *chip, unsigned step, const uint8_t *data, int length)
{
    if (step == 1 && length == COMM_STATUS_SIZE)
        return answer_status(chip, data);
    if (step == 0 && length == 1)
        learn_lines(chip, data[0]);
    return 0;
}

const struct serial_driver serial_cp210x = {
    .name = "cp210x",
    .counts = 1,
    .describe = describe,
    .identify = identify,
    .learn = learn,
    .open = open_chip,
    .close = close_chip,
    .set_line = set_line,
    .set_lines = set_lines,
    .set_break = set_break,
    .purge = purge,
    .ask = ask,
    .answer = answer,
};
