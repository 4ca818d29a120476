/*
 * port.c - opening, closing, opening again
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "client/service.h"
#include "serial/port.h"

#define BOTH (UW_LINE_DTR | UW_LINE_RTS)

#define BUFFER (1 << 20)

int
serial_refuse(const struct uw_serial *p, int code, const char *tried, const char *came,
              const char *advice, struct uw_fault *fault)
{
    uw_fault_set(fault, code, "%s", tried);
    if (p && p->device)
        uw_fault_on(fault, "%s", uw_device_name(p->device));
    uw_fault_came(fault, 0, "%s", came);
    uw_fault_advice(fault, "%s", advice);
    return code;
}

int
serial_check_locked(struct uw_serial *p, struct uw_fault *fault)
{
    int r = p->status;

    if (r < 0) {
        if (fault)
            *fault = p->fault;
    } else if (p->late_status < 0) {
        r = p->late_status;
        p->late_status = 0;
        if (fault)
            *fault = p->late_fault;
    }
    return r;
}

/* ---- which port ---- */

static int
port_at(struct uw_device *d, unsigned index, struct serial_chip *ret_chip)
{
    return serial_chip_at(uw_device_descriptor(d), uw_device_active_config(d), index, ret_chip);
}

static void
tell_chip(const struct serial_chip *chip, enum serial_reading reading, struct uw_serial_info *ret)
{
    ret->driver = chip->driver->name;
    ret->chip = chip->name;
    ret->interface = chip->interface;
    ret->index = chip->index;
    ret->reads_ahead = reading != SERIAL_READ_WHEN_WAIT;
}

int
uw_serial_port_at(struct uw_device *d, unsigned index, struct uw_serial_info *ret)
{
    struct serial_chip chip;

    if (!port_at(d, index, &chip))
        return 0;
    uw_loop_lock(d->loop);
    tell_chip(&chip, serial_reading_locked(&chip, d), ret);
    uw_loop_unlock(d->loop);
    return 1;
}

static int
choose_port(struct uw_serial *p, int interface, struct uw_fault *fault)
{
    struct serial_chip chip;
    unsigned i = 0;

    if (!port_at(p->device, 0, &chip))
        return serial_refuse(p, UW_ERROR_NOT_FOUND, "open the serial port",
                             "the device has none that is known",
                             "'usbwire probe' shows its interfaces", fault);
    if (interface < 0 && chip.ports > 1)
        return serial_refuse(p, UW_ERROR_AMBIGUOUS, "open the serial port",
                             "the device has several", "choose one by its interface number", fault);
    while (interface >= 0 && chip.interface != interface)
        if (!port_at(p->device, ++i, &chip))
            return serial_refuse(p, UW_ERROR_NOT_FOUND, "open the serial port",
                                 "that interface is none", "'usbwire serial --list' shows them",
                                 fault);
    p->chip = chip;
    return 0;
}

/* ---- opening ---- */

static void
release(struct uw_serial *p)
{
    for (unsigned i = 0; i < 2; i++) {
        if (p->claimed[i] >= 0)
            (void)uw_device_release(p->device, (unsigned)p->claimed[i], p);
        p->claimed[i] = -1;
    }
}

static int
claim(struct uw_serial *p, struct uw_fault *fault)
{
    const unsigned wanted[2] = {p->chip.interface, p->chip.data_interface};

    for (unsigned i = 0; i < 2; i++) {
        int r = uw_device_claim(p->device, wanted[i], p);

        if (r < 0)
            return serial_refuse(
                p, r, "open the serial port",
                r == UW_ERROR_BUSY ? "a program of this user has it open already" : "", "", fault);
        p->claimed[i] = (int)wanted[i];
    }
    return 0;
}

/* Asks the chip what it is. */
static int
identify_locked(struct uw_serial *p, struct uw_fault *fault)
{
    const struct serial_driver *driver = p->chip.driver;
    struct serial_plan plan = {0};
    struct serial_run *run;
    int r;

    if (!driver->identify)
        return 0;
    driver->identify(&p->chip, &plan);
    run = serial_run_start_locked(p, &plan, SERIAL_RUN_WAITED, fault);
    if (!run)
        return UW_ERROR_NO_MEMORY;
    r = serial_run_wait_locked(run, fault);
    for (unsigned i = 0; r == 0 && driver->learn && i < run->count; i++) {
        const struct uw_xfer *x = &run->steps[i].urb.x;

        driver->learn(&p->chip, i, run->steps[i].data, x->status < 0 ? x->status : (int)x->actual);
    }
    serial_run_free(run);
    return r;
}

/* Identifies the chip, puts line and outputs in force, and begins. `mask`: which outputs. */
static int
set_up_locked(struct uw_serial *p, unsigned mask, struct uw_fault *fault)
{
    struct serial_plan plan = {0};
    struct serial_line told;
    int r;

    p->renew = 0;
    uw_list_insert(&p->device->settings, &p->setting.link);
    r = identify_locked(p, fault);
    told = p->line;
    if (r == 0)
        r = serial_plan_anew(p, mask, &plan, fault);
    if (r == 0)
        r = serial_run_locked(p, &plan, 0, fault);
    /* Set while this was under way, which happens to a port that is opened again. */
    while (r == 0 && memcmp(&told, &p->line, sizeof(told)) != 0) {
        struct serial_line before = told;

        told = p->line;
        plan.count = 0;
        r = serial_plan_line(p, &p->chip, &before, &told, &plan, fault);
        if (r == 0)
            r = serial_run_locked(p, &plan, 0, fault);
    }
    if (r == 0) {
        uw_import_on_ended_locked(p->device->import, &p->ending);
        serial_pump_start_locked(p);
    } else {
        uw_list_remove(&p->setting.link);
        serial_pump_stop_locked(p);
    }
    return r;
}

static unsigned
first_lines(struct uw_serial *p, const struct uw_serial_config *c)
{
    struct uw_serial_config lines = *c;

    if (c->dtr < 0 && c->rts < 0 && p->chip.driver->raises_lines &&
        !(p->chip.quirks & SERIAL_RESETS_ON_DTR))
        lines.dtr = lines.rts = 1;
    return serial_take_lines(p, &lines);
}

static int
open_port(struct uw_serial *p, const struct uw_serial_config *c, struct uw_fault *fault)
{
    static const struct serial_line standard = {.baud = 115200,
                                                .data_bits = 8,
                                                .parity = UW_PARITY_NONE,
                                                .stop_bits = UW_STOP_1,
                                                .flow = UW_FLOW_NONE,
                                                .xon = 0x11,
                                                .xoff = 0x13,
                                                .latency = 2};
    int r = choose_port(p, c->interface, fault);

    if (r == 0)
        r = claim(p, fault);
    if (r < 0)
        return r;
    p->line = serial_line_merge(&standard, c);
    p->hang_up = c->hang_up != 0;
    p->read_ahead = c->read_ahead > 0;
    p->poll_lines = c->poll_lines > 0 ? (unsigned)c->poll_lines : 0;
    serial_lines_init(p);
    r = serial_pump_init(p, c->buffer >= 0 ? (size_t)c->buffer : BUFFER);
    if (r == 0)
        r = uw_service_hold(p->loop);
    if (r < 0)
        return serial_refuse(p, r, "open the serial port", "", "", fault);
    uw_loop_lock(p->loop);
    r = set_up_locked(p, first_lines(p, c), fault);
    uw_loop_unlock(p->loop);
    if (r < 0)
        uw_service_release(p->loop);
    return r;
}

/* Somebody else has reset the device: what the line was set to is gone. */
static void
device_set(struct uw_setting *setting, const struct uw_urb *urb, uint32_t endpoints)
{
    struct uw_serial *p = UW_CONTAINER(setting, struct uw_serial, setting);

    (void)urb;
    if (endpoints != UW_ALL_ENDPOINTS)
        return;
    p->resets++;
    p->renew = 1;
    serial_pump_now(p);
}

/* A port that has nothing under way hears of it, too. */
static void
device_ended(struct uw_ending *ending)
{
    struct uw_serial *p = UW_CONTAINER(ending, struct uw_serial, ending);
    int status = uw_import_status_locked(p->device->import);
    struct uw_fault fault = {0};

    serial_refuse(p, status, "use the serial port", uw_import_why_locked(p->device->import),
                  "find it again: it was unplugged, or is starting anew", &fault);
    serial_end(p, status, &fault);
    uw_loop_wake_waiters(p->loop);
}

static void
free_port(struct uw_serial *p)
{
    release(p);
    serial_pump_free(p);
    uw_device_free(p->device);
    if (p->fd >= 0)
        close(p->fd);
    free(p);
}

int
uw_serial_open_device(struct uw_device *device, const struct uw_serial_config *config,
                      struct uw_serial **ret_port, struct uw_fault *fault)
{
    struct uw_serial_config unset;
    struct uw_serial *p;
    int r;

    uw_serial_config_init(&unset);
    if (!config)
        config = &unset;
    r = serial_check_config(config, fault);
    if (r < 0)
        return r;
    p = calloc(1, sizeof(*p));
    if (!p)
        return uw_fault_set(fault, UW_ERROR_NO_MEMORY, "open the serial port");
    p->device = uw_device_ref(device);
    p->loop = device->loop;
    p->fd = p->claimed[0] = p->claimed[1] = -1;
    uw_list_init(&p->runs);
    uw_list_init(&p->ending.link);
    p->ending.ended = device_ended;
    uw_list_init(&p->setting.link);
    p->setting.was_set = device_set;
    p->stopping = 1; /* until it is set up */
    r = open_port(p, config, fault);
    if (r < 0)
        free_port(p);
    else
        *ret_port = p;
    return r;
}

/* ---- closing ---- */

static void
close_locked(struct uw_serial *p)
{
    struct serial_plan plan = {0};

    uw_list_remove(&p->ending.link);
    uw_list_remove(&p->setting.link);
    if (p->breaking && p->status == 0)
        (void)serial_set_break_locked(p, 0, NULL);
    p->breaking = p->holds = 0;
    serial_pump_stop_locked(p);
    uw_loop_set_timer(p->loop, &p->merge, uw_never());
    if (p->status < 0)
        return;
    if (p->hang_up && p->outputs & p->outputs_known)
        p->chip.driver->set_lines(&p->chip, 0, BOTH, &plan);
    if (p->chip.driver->close)
        p->chip.driver->close(&p->chip, &plan);
    if (plan.count)
        (void)serial_run_locked(p, &plan, SERIAL_RUN_CLOSES, NULL);
}

void
uw_serial_free(struct uw_serial *p)
{
    if (!p)
        return;
    uw_loop_lock(p->loop);
    close_locked(p);
    uw_loop_unlock(p->loop);
    uw_service_release(p->loop);
    free_port(p);
}

/* ---- again ---- */

/* From here on, and until it is open again, every other call is refused. */
static void
end_for_now(struct uw_serial *p)
{
    struct uw_fault fault = {0};

    uw_loop_lock(p->loop);
    close_locked(p);
    serial_refuse(p, UW_ERROR_NO_DEVICE, "use the serial port", "it is just being opened again", "",
                  &fault);
    serial_end(p, UW_ERROR_NO_DEVICE, &fault);
    p->output.count = 0;
    uw_loop_wake_waiters(p->loop);
    uw_loop_unlock(p->loop);
    release(p);
}

static int
open_again(struct uw_serial *p, struct uw_fault *fault)
{
    unsigned index = p->chip.index, outputs;
    struct serial_chip chip;
    int r;

    /* The successor may be another product, as a bootloader: the same place in the row counts. */
    if (!port_at(p->device, index, &chip))
        return serial_refuse(p, UW_ERROR_NOT_FOUND, "open the serial port again",
                             "what is there now has none in its place", "", fault);
    uw_loop_lock(p->loop);
    p->chip = chip;
    uw_loop_unlock(p->loop);
    r = claim(p, fault);
    if (r < 0)
        return r;
    uw_loop_lock(p->loop);
    p->asked_bytes = 0;
    outputs = p->outputs;
    r = set_up_locked(p, serial_lines_again(p), fault);
    if (r == 0) {
        p->status = p->late_status = 0;
        p->pending = p->outputs ^ outputs; /* set while this was under way */
        serial_lines_settle(p);
    }
    serial_update_fd(p);
    uw_loop_unlock(p->loop);
    return r;
}

int
uw_serial_reopen(struct uw_serial *p, struct uw_usec timeout, struct uw_fault *fault)
{
    struct uw_device *next = NULL, *gone;
    int r = 0;

    end_for_now(p);
    if (uw_device_status(p->device) < 0) {
        r = uw_device_find_again(p->device, timeout, &next, fault);
        if (r < 0)
            return r;
        uw_loop_lock(p->loop);
        gone = p->device;
        p->device = next;
        uw_loop_unlock(p->loop);
        uw_device_free(gone);
    }
    r = open_again(p, fault);
    if (r < 0)
        release(p);
    return r;
}

/* ---- what it is ---- */

struct uw_device *
uw_serial_device(struct uw_serial *p)
{
    return p->device;
}

void
uw_serial_info(struct uw_serial *p, struct uw_serial_info *ret)
{
    uw_loop_lock(p->loop);
    tell_chip(&p->chip, p->reading, ret);
    uw_loop_unlock(p->loop);
}

int
uw_serial_status(struct uw_serial *p)
{
    int r;

    uw_loop_lock(p->loop);
    r = p->status;
    uw_loop_unlock(p->loop);
    return r;
}
