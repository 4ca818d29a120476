/*
 * break.c - a break: the chip's own, or a byte of zeroes that takes as long
 *
 * Some chips have none. There the rate is lowered as far as it goes and a zero is sent: to who
 * listens at the usual rate, a line that is low for so long is a break. It has the length of that
 * byte, nothing else can be sent meanwhile, and what comes in meanwhile is spoiled. Linux does it
 * in that way, too (drivers/usb/serial/ch341.c).
 */
#include "base/fault.h"
#include "serial/port.h"

#define TAKEN_MS 5000u /* the chip may take for the byte, and for what was written before it */
#define BITS     10u   /* of time that it takes */

/* Many CDC-ACM devices have no break, whatever they say of themselves. */
static int
refuse(const struct uw_serial *p, struct uw_fault *fault)
{
    return serial_refuse(p, UW_ERROR_NOT_SUPPORTED, "send a break",
                         "the device does not know that request (stall)", "", fault);
}

static int
set_own(struct uw_serial *p, int on, struct uw_fault *fault)
{
    struct serial_plan plan = {0};
    int r;

    p->chip.driver->set_break(&p->chip, on, &plan);
    r = serial_run_locked(p, &plan, 0, fault);
    return r == UW_ERROR_STALL ? refuse(p, fault) : r;
}

/* ---- by a byte ---- */

static struct serial_line
slow_line(const struct uw_serial *p)
{
    struct serial_line slow = p->line;

    slow.baud = p->chip.break_baud;
    slow.data_bits = 8;
    slow.parity = UW_PARITY_NONE;
    slow.stop_bits = UW_STOP_1;
    return slow;
}

static int
change_line(struct uw_serial *p, const struct serial_line *from, const struct serial_line *to,
            struct uw_fault *fault)
{
    struct serial_plan plan = {0};
    int r = serial_plan_line(p, &p->chip, from, to, &plan, fault);

    return r < 0 ? r : serial_run_locked(p, &plan, 0, fault);
}

static int
has_ended(void *arg)
{
    return ((const struct uw_serial *)arg)->status < 0;
}

static int
is_empty(void *arg)
{
    const struct uw_serial *p = (const struct uw_serial *)arg;

    return p->output.count + p->writing == 0 || has_ended(arg);
}

static int
is_sent(void *arg)
{
    return !((const struct uw_serial *)arg)->writes[0].urb.in_flight;
}

/* The byte is on the wire for a while after the chip has taken it. */
static int
end_byte(struct uw_serial *p, struct uw_fault *fault)
{
    struct serial_line slow = slow_line(p);
    int r;

    (void)uw_loop_until(p->loop, has_ended, p, p->break_until, 0, NULL);
    r = p->status == 0 ? change_line(p, &slow, &p->line, fault) : serial_check_locked(p, fault);
    p->breaking = p->holds = 0;
    serial_pump_now(p);
    return r;
}

static int
begin_byte(struct uw_serial *p, struct uw_fault *fault)
{
    struct serial_line slow = slow_line(p);
    int r;

    if (uw_loop_until(p->loop, is_empty, p, uw_usec_add(uw_now(), uw_msec(TAKEN_MS)), 0, NULL) == 0)
        return serial_refuse(p, UW_ERROR_TIMEOUT, "send a break", "other data is still to be sent",
                             "the device takes no data; flow control may hold it", fault);
    p->breaking = p->holds = 1;
    p->break_until = uw_usec(0);
    r = change_line(p, &p->line, &slow, fault);
    if (r == 0) {
        serial_pump_zero_locked(p, uw_msec(TAKEN_MS));
        (void)uw_loop_until(p->loop, is_sent, p, uw_never(), 0, NULL);
        p->break_until =
            uw_usec_add(uw_now(), uw_usec(BITS * UINT64_C(1000000) / p->chip.break_baud));
        r = serial_check_locked(p, fault);
    }
    if (r < 0)
        (void)end_byte(p, NULL);
    return r;
}

/* ---- either way ---- */

int
serial_set_break_locked(struct uw_serial *p, int on, struct uw_fault *fault)
{
    int r;

    if (!p->chip.break_baud) {
        r = set_own(p, on, fault);
        if (r == 0)
            p->breaking = on;
        return r;
    }
    if (on == p->breaking)
        return 0;
    return on ? begin_byte(p, fault) : end_byte(p, fault);
}

int
uw_serial_set_break(struct uw_serial *p, int on, struct uw_fault *fault)
{
    int r;

    uw_loop_lock(p->loop);
    r = serial_check_locked(p, fault);
    if (r == 0) {
        serial_lines_settle(p);
        r = serial_set_break_locked(p, on != 0, fault);
    }
    uw_loop_unlock(p->loop);
    return r;
}
