/*
 * lines.c - DTR and RTS
 *
 * The boards' reset circuit (two transistors, crossed) acts on the two lines together: EN is low
 * while RTS alone is set, BOOT is low while DTR alone is. Programs move one after the other; over a
 * network the time between is long enough for the circuit to see a state that was not meant. So a
 * change of one line waits a little for the other.
 */
#include "base/fault.h"
#include "serial/port.h"

#define BOTH (UW_LINE_DTR | UW_LINE_RTS)

#define MERGE_US 2000u

/* The lines in `mask` go out as they are to be. */
static void
make_plan(struct uw_serial *p, unsigned mask, struct serial_plan *plan)
{
    plan->count = 0;
    p->pending = 0;
    uw_loop_set_timer(p->loop, &p->merge, uw_never());
    p->chip.driver->set_lines(&p->chip, p->outputs, mask, plan);
}

void
serial_lines_settle(struct uw_serial *p)
{
    struct serial_plan plan = {0};

    if (!p->pending || p->status < 0)
        return;
    make_plan(p, p->pending, &plan);
    (void)serial_run_start_locked(p, &plan, 0, NULL);
}

/* A line that resets the board has done so if that is how it went away: put back, it would do it
 * again. */
unsigned
serial_lines_again(const struct uw_serial *p)
{
    return p->chip.quirks & SERIAL_RESETS_ON_RTS && (p->outputs & BOTH) == UW_LINE_RTS
               ? 0
               : p->outputs_known;
}

static void
waited_enough(struct uw_timer *timer, struct uw_usec now)
{
    (void)now;
    serial_lines_settle(UW_CONTAINER(timer, struct uw_serial, merge));
}

void
serial_lines_init(struct uw_serial *p)
{
    p->merge.fire = waited_enough;
}

static void
remember(struct uw_serial *p, unsigned line, int value)
{
    p->outputs_known |= line;
    p->outputs = value ? p->outputs | line : p->outputs & ~line;
}

static int
is_as(const struct uw_serial *p, unsigned line, int value)
{
    return p->outputs_known & line && !(p->outputs & line) == !value;
}

/* One line. Returns which are to be sent now. A change that has waited long enough does not take
 * the next one along, only because nobody came to send it. */
static unsigned
change_one(struct uw_serial *p, unsigned line, int value)
{
    if (p->pending && p->merge.node.at.us <= uw_now().us)
        serial_lines_settle(p);
    if (p->pending & ~line) {
        remember(p, line, value);
        return BOTH;
    }
    if (is_as(p, line, value))
        return 0;
    serial_lines_settle(p);
    remember(p, line, value);
    p->pending = line;
    uw_loop_set_timer(p->loop, &p->merge, uw_usec_add(uw_now(), uw_usec(MERGE_US)));
    return 0;
}

/* For when the port is open again. */
static void
remember_given(struct uw_serial *p, int dtr, int rts)
{
    if (dtr >= 0)
        remember(p, UW_LINE_DTR, dtr);
    if (rts >= 0)
        remember(p, UW_LINE_RTS, rts);
}

int
uw_serial_set_lines(struct uw_serial *p, int dtr, int rts, struct uw_fault *fault)
{
    struct serial_plan plan = {0};
    unsigned send = 0;
    int r;

    uw_loop_lock(p->loop);
    r = serial_check_locked(p, fault);
    if (p->status < 0) {
        remember_given(p, dtr, rts);
    } else if (r == 0 && dtr >= 0 && rts >= 0) {
        remember_given(p, dtr, rts);
        send = BOTH;
    } else if (r == 0 && dtr >= 0) {
        send = change_one(p, UW_LINE_DTR, dtr);
    } else if (r == 0 && rts >= 0) {
        send = change_one(p, UW_LINE_RTS, rts);
    }
    if (send) {
        make_plan(p, send, &plan);
        r = serial_run_locked(p, &plan, 0, fault);
    }
    uw_loop_unlock(p->loop);
    return r;
}

/* Asks a chip that does not tell by itself. */
static int
ask_now(struct uw_serial *p, struct uw_fault *fault)
{
    struct serial_plan plan = {0};
    struct serial_run *run;
    int r;

    p->chip.driver->ask(&p->chip, &plan);
    run = serial_run_start_locked(p, &plan, SERIAL_RUN_WAITED | SERIAL_RUN_ASKS, fault);
    if (!run)
        return UW_ERROR_NO_MEMORY;
    r = serial_run_wait_locked(run, fault);
    serial_run_free(run);
    return r;
}

int
uw_serial_lines(struct uw_serial *p, struct uw_fault *fault)
{
    int r;

    uw_loop_lock(p->loop);
    r = serial_check_locked(p, fault);
    if (r == 0) {
        serial_lines_settle(p);
        if (p->chip.driver->ask)
            r = ask_now(p, fault);
    }
    if (r == 0)
        r = (int)(p->outputs | p->chip.inputs.lines);
    uw_loop_unlock(p->loop);
    return r;
}
