/*
 * cdc_acm.c - the class driver: USB CDC 1.2 and its PSTN subclass 1.2
 *
 * WCH's CH343 and CH9102 are of this class too, and so is Espressif's USB-Serial-JTAG.
 */
#include "base/bytes.h"
#include "serial/driver.h"

#define CLASS_COMM 0x02
#define CLASS_DATA 0x0a
#define ACM        0x02

#define TO_INTERFACE 0x21

/* PSTN 1.2 table 13 */
#define SET_LINE_CODING        0x20
#define GET_LINE_CODING        0x21
#define SET_CONTROL_LINE_STATE 0x22
#define SEND_BREAK             0x23

/* Functional descriptors, CDC 1.2 table 13, PSTN 1.2 table 3 and 4 */
#define CALL_MANAGEMENT 0x01
#define ACM_FUNCTIONAL  0x02
#define UNION           0x06
#define CAN_LINE        0x02
#define CAN_BREAK       0x04

/* Notification SERIAL_STATE, PSTN 1.2 table 31 */
#define SERIAL_STATE  0x20
#define STATE_DCD     0x01
#define STATE_DSR     0x02
#define STATE_BREAK   0x04
#define STATE_RI      0x08
#define STATE_FRAMING 0x10
#define STATE_PARITY  0x20
#define STATE_OVERRUN 0x40

/* Reads the functional descriptors. Returns the data interface, -1 when none is named. */
static int
read_functional(struct serial_chip *chip, struct uw_extra extra)
{
    struct uw_extra one;
    int from_union = -1, from_call = -1;

    /* What is not said cannot be known: assumed to be there, and failure forgiven. */
    chip->capabilities = 0;
    while (uw_descriptor_next(&extra, &one)) {
        if (one.size < 4 || one.bytes[1] != UW_DT_CS_INTERFACE)
            continue;
        if (one.bytes[2] == ACM_FUNCTIONAL)
            chip->capabilities = one.bytes[3];
        if (one.bytes[2] == UNION && one.size >= 5)
            from_union = one.bytes[4];
        if (one.bytes[2] == CALL_MANAGEMENT && one.size >= 5)
            from_call = one.bytes[4];
    }
    return from_union >= 0 ? from_union : from_call;
}

static const struct uw_altsetting *
find_interface(const struct uw_config *config, int number)
{
    for (unsigned i = 0; i < config->bNumInterfaces; i++)
        if (config->interfaces[i].altsettings[0].bInterfaceNumber == number)
            return &config->interfaces[i].altsettings[0];
    return NULL;
}

/* Devices that name no data interface, or a wrong one, have it behind the other, or have but one.
 */
static int
find_data(struct serial_chip *chip, const struct uw_config *config,
          const struct uw_altsetting *comm, int named)
{
    const struct uw_altsetting *data = find_interface(config, named);

    if (!data || serial_take_endpoints(chip, data) < 0)
        data = find_interface(config, comm->bInterfaceNumber + 1);
    if (!data || data->bInterfaceClass == CLASS_COMM || serial_take_endpoints(chip, data) < 0)
        data = comm;
    chip->data_interface = data->bInterfaceNumber;
    return serial_take_endpoints(chip, data);
}

static int
describe(struct serial_chip *chip, const struct uw_config *config, const struct uw_altsetting *comm)
{
    const struct serial_quirk *quirk = serial_quirk_find(chip->vid, chip->pid);

    if (comm->bInterfaceClass != CLASS_COMM || comm->bInterfaceSubClass != ACM)
        return UW_ERROR_NOT_FOUND;
    if (find_data(chip, config, comm, read_functional(chip, comm->extra)) < 0)
        return UW_ERROR_NOT_FOUND;
    for (unsigned i = 0; i < comm->bNumEndpoints; i++)
        if (uw_endpoint_type(&comm->endpoints[i]) == UW_INTERRUPT)
            chip->notify = comm->endpoints[i].bEndpointAddress;
    chip->inputs.lines = UW_LINE_CTS; /* the class has no way to tell it */
    chip->name = quirk ? quirk->name : "CDC-ACM";
    chip->quirks = quirk ? quirk->quirks : 0;
    return 0;
}

static int
set_line(struct serial_chip *chip, const struct serial_line *from, const struct serial_line *to,
         struct serial_plan *plan, const char **ret_why)
{
    uint8_t bytes[7];
    struct uw_writer w = uw_writer(bytes, sizeof(bytes));

    (void)from;
    if (to->flow != UW_FLOW_NONE) {
        *ret_why = "CDC-ACM devices have no flow control to switch on";
        return UW_ERROR_NOT_SUPPORTED;
    }
    uw_wr_le32(&w, to->baud);
    uw_wr_u8(&w, (uint8_t)to->stop_bits);
    uw_wr_u8(&w, (uint8_t)to->parity);
    uw_wr_u8(&w, (uint8_t)to->data_bits);
    serial_plan_send(plan, TO_INTERFACE, SET_LINE_CODING, 0, chip->interface, bytes, sizeof(bytes));
    plan->requests[plan->count - 1].optional = !(chip->capabilities & CAN_LINE);
    chip->actual_baud = to->baud;
    return 0;
}

static void
set_lines(struct serial_chip *chip, unsigned lines, unsigned mask, struct serial_plan *plan)
{
    (void)mask;
    serial_plan_add(plan, TO_INTERFACE, SET_CONTROL_LINE_STATE,
                    (uint16_t)(lines & (UW_LINE_DTR | UW_LINE_RTS)), chip->interface)
        ->optional = !(chip->capabilities & CAN_LINE);
}

static void
set_break(struct serial_chip *chip, int on, struct serial_plan *plan)
{
    serial_plan_add(plan, TO_INTERFACE, SEND_BREAK, on ? 0xffff : 0, chip->interface);
}

/* There is nothing to purge: but when this is answered, all that the device had sent has come. */
static void
purge(const struct serial_chip *chip, unsigned buffers, struct serial_plan *plan)
{
    if (!(buffers & UW_SERIAL_INPUT))
        return;
    serial_plan_ask(plan, 0x80 | TO_INTERFACE, GET_LINE_CODING, 0, chip->interface, 7);
    plan->requests[plan->count - 1].optional = 1;
}

static void
notified(struct serial_chip *chip, const uint8_t *bytes, size_t size)
{
    struct uw_reader r = uw_reader(bytes, size);
    uint8_t type = uw_rd_u8(&r), kind = uw_rd_u8(&r);
    unsigned state;

    (void)uw_rd_take(&r, 6); /* wValue, wIndex, wLength */
    state = uw_rd_le16(&r);
    if (r.failed || type != 0xa1 || kind != SERIAL_STATE)
        return;
    chip->inputs.lines = UW_LINE_CTS | (state & STATE_DCD ? UW_LINE_DCD : 0) |
                         (state & STATE_DSR ? UW_LINE_DSR : 0) |
                         (state & STATE_RI ? UW_LINE_RI : 0);
    chip->inputs.breaks += (state & STATE_BREAK) != 0;
    chip->inputs.framing += (state & STATE_FRAMING) != 0;
    chip->inputs.parity += (state & STATE_PARITY) != 0;
    chip->inputs.overrun += (state & STATE_OVERRUN) != 0;
}

const struct serial_driver serial_cdc_acm = {
    .name = "cdc-acm",
    .waits = 1,
    .raises_lines = 1,
    .describe = describe,
    .set_line = set_line,
    .set_lines = set_lines,
    .set_break = set_break,
    .purge = purge,
    .notified = notified,
};
