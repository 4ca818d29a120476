/*
 * settings.c - what a port is set to
 */
#include <ctype.h>
#include <string.h>

#include "base/fault.h"
#include "serial/port.h"

#define BUFFER_MIN 4096
#define BUFFER_MAX (1 << 26)
#define BAUD_MAX   100000000

/* How far from what was asked for a rate may be, in parts of a hundred: two ends that are each half
 * of that off still understand each other. */
#define RATE_TOLERANCE 3u

void
uw_serial_config_init(struct uw_serial_config *c)
{
    memset(c, 0xff, sizeof(*c));
    c->size = sizeof(*c);
}

static const char parities[] = "NOEMS"; /* by enum uw_serial_parity */
static const char *const stops[] = {[UW_STOP_1] = "1", [UW_STOP_1_5] = "1.5", [UW_STOP_2] = "2"};

int
uw_serial_config_format(struct uw_serial_config *c, const char *format)
{
    const char *parity;

    if (format[0] < '5' || format[0] > '8' || !format[1])
        return UW_ERROR_INVALID;
    parity = strchr(parities, toupper((unsigned char)format[1]));
    for (int i = 0; parity && i < (int)(sizeof(stops) / sizeof(stops[0])); i++)
        if (strcmp(format + 2, stops[i]) == 0) {
            c->data_bits = format[0] - '0';
            c->parity = (int)(parity - parities);
            c->stop_bits = i;
            return 0;
        }
    return UW_ERROR_INVALID;
}

struct range {
    const char *what;
    int value, min, max;
};

int
serial_check_config(const struct uw_serial_config *c, struct uw_fault *fault)
{
    const struct range ranges[] = {
        {"the baud rate", c->baud, 1, BAUD_MAX},
        {"the data bits", c->data_bits, 5, 8},
        {"the parity", c->parity, UW_PARITY_NONE, UW_PARITY_SPACE},
        {"the stop bits", c->stop_bits, UW_STOP_1, UW_STOP_2},
        {"the flow control", c->flow, UW_FLOW_NONE, UW_FLOW_XON_XOFF},
        {"XON", c->xon, 0, 255},
        {"XOFF", c->xoff, 0, 255},
        {"DTR", c->dtr, 0, 1},
        {"RTS", c->rts, 0, 1},
        {"the latency", c->latency, 1, 255},
        {"the interface", c->interface, 0, 255},
        {"the input buffer", c->buffer, BUFFER_MIN, BUFFER_MAX},
        {"the time between polls", c->poll_lines, 0, 60000},
        {"hanging up", c->hang_up, 0, 1},
        {"reading ahead", c->read_ahead, 0, 1},
    };

    if (c->size != sizeof(*c))
        return serial_refuse(NULL, UW_ERROR_INVALID, "set up a serial port",
                             "the config has another size", "begin with uw_serial_config_init",
                             fault);
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        const struct range *r = &ranges[i];

        if (r->value == -1 || (r->value >= r->min && r->value <= r->max))
            continue;
        uw_fault_set(fault, UW_ERROR_INVALID, "set up a serial port");
        uw_fault_came(fault, 0, "%s is %d", r->what, r->value);
        uw_fault_advice(fault, "give %d to %d", r->min, r->max);
        return UW_ERROR_INVALID;
    }
    if (c->poll_lines > 0 && c->poll_lines < 10)
        return serial_refuse(NULL, UW_ERROR_INVALID, "set up a serial port",
                             "the time between polls is less than 10 ms", "give 10 or more", fault);
    return 0;
}

static void
take(unsigned *field, int value)
{
    if (value >= 0)
        *field = (unsigned)value;
}

struct serial_line
serial_line_merge(const struct serial_line *from, const struct uw_serial_config *c)
{
    struct serial_line line = *from;

    take(&line.baud, c->baud);
    take(&line.data_bits, c->data_bits);
    take(&line.parity, c->parity);
    take(&line.stop_bits, c->stop_bits);
    take(&line.flow, c->flow);
    take(&line.latency, c->latency);
    take(&line.xon, c->xon);
    take(&line.xoff, c->xoff);
    return line;
}

/* What the driver may remember of a plan counts once that has succeeded. */
static void
keep_what_was_set(struct uw_serial *p, const struct serial_chip *tried)
{
    memcpy(p->chip.registers, tried->registers, sizeof(p->chip.registers));
    p->chip.actual_baud = tried->actual_baud;
}

static int
refuse_line(const struct uw_serial *p, const struct serial_line *to, struct uw_fault *fault)
{
    uw_fault_set(fault, UW_ERROR_NOT_SUPPORTED, "set a %s to %u bits/s, %u%c%s", p->chip.name,
                 to->baud, to->data_bits, parities[to->parity], stops[to->stop_bits]);
    uw_fault_on(fault, "%s", uw_device_name(p->device));
    uw_fault_advice(fault, "choose other settings");
    return UW_ERROR_NOT_SUPPORTED;
}

static int
is_near(unsigned rate, unsigned wanted)
{
    uint64_t off = rate > wanted ? rate - wanted : wanted - rate;

    return off * 100 <= (uint64_t)wanted * RATE_TOLERANCE;
}

int
serial_plan_line(const struct uw_serial *p, struct serial_chip *chip,
                 const struct serial_line *from, const struct serial_line *to,
                 struct serial_plan *plan, struct uw_fault *fault)
{
    const char *why = "the chip cannot do that";
    int r = chip->driver->set_line(chip, from, to, plan, &why);

    if (r < 0) {
        r = refuse_line(p, to, fault);
        uw_fault_came(fault, 0, "%s", why);
    } else if (!is_near(chip->actual_baud, to->baud)) {
        r = refuse_line(p, to, fault);
        uw_fault_came(fault, 0, "the nearest rate that it makes is %u bits/s", chip->actual_baud);
    }
    return r;
}

unsigned
serial_take_lines(struct uw_serial *p, const struct uw_serial_config *c)
{
    unsigned mask = (c->dtr >= 0 ? UW_LINE_DTR : 0u) | (c->rts >= 0 ? UW_LINE_RTS : 0u);

    p->outputs =
        (p->outputs & ~mask) | (c->dtr > 0 ? UW_LINE_DTR : 0u) | (c->rts > 0 ? UW_LINE_RTS : 0u);
    p->outputs_known |= mask;
    return mask;
}

static void
keep(struct uw_serial *p, const struct serial_line *line, const struct uw_serial_config *c)
{
    p->line = *line;
    take(&p->poll_lines, c->poll_lines);
    if (c->hang_up >= 0)
        p->hang_up = c->hang_up;
    if (c->read_ahead >= 0)
        p->read_ahead = c->read_ahead;
}

/* ---- a chip that knows nothing, or not any more ---- */

int
serial_plan_anew(struct uw_serial *p, unsigned mask, struct serial_plan *plan,
                 struct uw_fault *fault)
{
    int r;

    if (p->chip.driver->open)
        p->chip.driver->open(&p->chip, plan);
    r = serial_plan_line(p, &p->chip, NULL, &p->line, plan, fault);
    if (r == 0 && mask)
        p->chip.driver->set_lines(&p->chip, p->outputs, mask, plan);
    return r;
}

void
serial_renew_locked(struct uw_serial *p)
{
    struct serial_plan plan = {0};
    struct uw_fault fault = {0};
    int r = serial_plan_anew(p, serial_lines_again(p), &plan, &fault);

    p->renew = 0;
    p->breaking = p->holds = 0;
    if (r == 0 && !serial_run_start_locked(p, &plan, SERIAL_RUN_RENEWS, &fault))
        r = UW_ERROR_NO_MEMORY;
    if (r < 0)
        serial_note_failure(p, r, &fault);
}

/* ---- a change ---- */

/* A port that has ended, and may be opened again. */
static int
remember(struct uw_serial *p, const struct uw_serial_config *c, struct uw_fault *fault)
{
    struct serial_line to = serial_line_merge(&p->line, c);
    struct serial_chip chip = p->chip;
    struct serial_plan plan = {0};
    int r = serial_plan_line(p, &chip, &p->line, &to, &plan, fault);

    if (r < 0)
        return r;
    (void)serial_take_lines(p, c);
    keep(p, &to, c);
    return serial_check_locked(p, fault);
}

static int
change(struct uw_serial *p, const struct uw_serial_config *c, struct uw_fault *fault)
{
    struct serial_line to = serial_line_merge(&p->line, c);
    struct serial_chip chip = p->chip;
    struct serial_plan plan = {0};
    unsigned lines, resets = p->resets;
    int r = 0;

    serial_lines_settle(p);
    if (memcmp(&to, &p->line, sizeof(to)) != 0)
        r = serial_plan_line(p, &chip, &p->line, &to, &plan, fault);
    if (r < 0)
        return r;
    lines = serial_take_lines(p, c);
    if (lines)
        p->chip.driver->set_lines(&chip, p->outputs, lines, &plan);
    r = serial_run_locked(p, &plan, 0, fault);
    if (r < 0)
        return r;
    keep_what_was_set(p, &chip);
    keep(p, &to, c);
    p->renew |= resets != p->resets; /* as it was before, the line may have been set meanwhile */
    serial_pump_start_locked(p);
    return 0;
}

int
uw_serial_set_config(struct uw_serial *p, const struct uw_serial_config *c, struct uw_fault *fault)
{
    int r = serial_check_config(c, fault);

    if (r < 0)
        return r;
    uw_loop_lock(p->loop);
    if (p->status < 0) {
        r = remember(p, c, fault);
    } else {
        r = serial_check_locked(p, fault);
        if (r == 0)
            r = change(p, c, fault);
    }
    uw_loop_unlock(p->loop);
    return r;
}

void
uw_serial_get_config(struct uw_serial *p, struct uw_serial_config *c)
{
    uw_serial_config_init(c);
    uw_loop_lock(p->loop);
    c->baud = (int)p->line.baud;
    c->data_bits = (int)p->line.data_bits;
    c->parity = (int)p->line.parity;
    c->stop_bits = (int)p->line.stop_bits;
    c->flow = (int)p->line.flow;
    c->xon = (int)p->line.xon;
    c->xoff = (int)p->line.xoff;
    if (p->outputs_known & UW_LINE_DTR)
        c->dtr = (p->outputs & UW_LINE_DTR) != 0;
    if (p->outputs_known & UW_LINE_RTS)
        c->rts = (p->outputs & UW_LINE_RTS) != 0;
    c->latency = (int)p->line.latency;
    c->interface = p->chip.interface;
    c->buffer = (int)p->input.size;
    c->poll_lines = (int)p->poll_lines;
    c->hang_up = p->hang_up;
    c->read_ahead = p->read_ahead;
    uw_loop_unlock(p->loop);
}

unsigned
uw_serial_actual_baud(struct uw_serial *p)
{
    unsigned baud;

    uw_loop_lock(p->loop);
    baud = p->chip.actual_baud;
    uw_loop_unlock(p->loop);
    return baud;
}
