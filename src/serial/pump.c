/*
 * pump.c - data both ways, and what the chip tells besides
 */
#include <stdlib.h>

#include "base/fault.h"
#include "serial/port.h"

/* A read that fails is tried again - a halt is cleared, a line may be noisy - so many times. */
#define FAILURES_MAX  32u
#define RETRY_US      10000u
#define ASK_US        20000u /* SERIAL_READ_ASKED: between two questions */
#define CLEAR_FEATURE 0x01
#define TO_ENDPOINT   0x02

void
serial_end(struct uw_serial *p, int status, const struct uw_fault *fault)
{
    if (p->status < 0)
        return;
    p->status = status;
    p->fault = *fault;
    serial_update_fd(p);
}

void
serial_note_failure(struct uw_serial *p, int status, const struct uw_fault *fault)
{
    if (!uw_error_usable(status)) {
        serial_end(p, status, fault);
    } else if (p->late_status == 0) {
        p->late_status = status;
        p->late_fault = *fault;
    }
}

unsigned
serial_events(const struct uw_serial *p)
{
    return (p->input.count ? UW_SERIAL_READABLE : 0) |
           (serial_ring_room(&p->output) ? UW_SERIAL_WRITABLE : 0) |
           (p->changed ? UW_SERIAL_CHANGED : 0) | (p->status < 0 ? UW_SERIAL_ENDED : 0);
}

void
serial_update_fd(struct uw_serial *p)
{
    int set = (serial_events(p) & ~(unsigned)UW_SERIAL_WRITABLE) != 0;

    if (p->fd < 0 || set == p->fd_set)
        return;
    p->fd_set = set;
    if (set)
        uw_eventfd_set(p->fd);
    else
        uw_eventfd_clear(p->fd);
}

void
serial_note_inputs(struct uw_serial *p, const struct serial_inputs *before)
{
    const struct serial_inputs *now = &p->chip.inputs;
    unsigned changed = now->lines ^ before->lines;

    p->counts.cts += (changed & UW_LINE_CTS) != 0;
    p->counts.dsr += (changed & UW_LINE_DSR) != 0;
    p->counts.dcd += (changed & UW_LINE_DCD) != 0;
    p->counts.ri += changed & UW_LINE_RI && !(now->lines & UW_LINE_RI);
    p->counts.breaks += now->breaks - before->breaks;
    p->counts.framing += now->framing - before->framing;
    p->counts.parity += now->parity - before->parity;
    p->counts.overrun += now->overrun - before->overrun;
    if (changed || now->breaks != before->breaks || now->framing != before->framing ||
        now->parity != before->parity || now->overrun != before->overrun)
        p->changed = 1;
    serial_update_fd(p);
}

void
serial_pump_now(struct uw_serial *p)
{
    uw_loop_set_timer(p->loop, &p->pump, uw_usec(0));
}

/* ---- what came ---- */

static void
take_data(struct uw_serial *p, struct serial_lane *lane)
{
    struct serial_inputs before = p->chip.inputs;
    size_t size = lane->urb.x.actual;

    if (p->chip.driver->receive)
        size = p->chip.driver->receive(&p->chip, lane->bytes, size);
    p->counts.received += size;
    p->counts.lost += size - serial_ring_put(&p->input, lane->bytes, size);
    if (size)
        p->failures = 0;
    serial_note_inputs(p, &before);
}

static void
clear_halt(struct uw_serial *p, uint8_t endpoint)
{
    struct serial_plan plan = {0};

    serial_plan_add(&plan, TO_ENDPOINT, CLEAR_FEATURE, 0, endpoint)->optional = 1;
    (void)serial_run_start_locked(p, &plan, 0, NULL);
}

static void
read_failed(struct uw_serial *p, const struct uw_urb *urb)
{
    struct uw_fault fault;

    if (urb->x.status == UW_ERROR_CANCELLED || p->stopping)
        return;
    uw_urb_fault_locked(urb, &fault);
    if (!uw_error_usable(urb->x.status) || ++p->failures > FAILURES_MAX)
        serial_end(p, urb->x.status, &fault);
}

static void
lane_completed(struct serial_lane *lane)
{
    struct uw_serial *p = lane->port;

    if (p->stopping || p->status < 0)
        return;
    if (lane->urb.x.status == UW_OK)
        serial_pump_now(p);
    else
        uw_loop_set_timer(p->loop, &p->pump, uw_usec_add(uw_now(), uw_usec(RETRY_US)));
}

static void
read_completed(struct uw_urb *urb)
{
    struct serial_lane *lane = UW_CONTAINER(urb, struct serial_lane, urb);

    take_data(lane->port, lane);
    if (urb->x.status < 0)
        read_failed(lane->port, urb);
    else
        lane->port->answer_due = urb->x.actual == lane->size;
    lane_completed(lane);
}

static void
note_completed(struct uw_urb *urb)
{
    struct serial_lane *lane = UW_CONTAINER(urb, struct serial_lane, urb);
    struct uw_serial *p = lane->port;
    struct serial_inputs before = p->chip.inputs;

    if (urb->x.status == UW_OK) {
        p->chip.driver->notified(&p->chip, lane->bytes, urb->x.actual);
        serial_note_inputs(p, &before);
    } else {
        read_failed(p, urb);
    }
    lane_completed(lane);
}

static void
write_completed(struct uw_urb *urb)
{
    struct serial_lane *lane = UW_CONTAINER(urb, struct serial_lane, urb);
    struct uw_serial *p = lane->port;
    struct uw_fault fault;

    p->writing -= lane->size;
    p->counts.sent += urb->x.actual;
    p->answer_due = urb->x.status == UW_OK;
    if (urb->x.status < 0 && urb->x.status != UW_ERROR_CANCELLED) {
        uw_urb_fault_locked(urb, &fault);
        serial_note_failure(p, urb->x.status, &fault);
    }
    lane_completed(lane);
}

/* ---- what is to be done ---- */

static void
submit(struct serial_lane *lane, uint8_t endpoint, size_t size, struct uw_usec timeout,
       void (*completed)(struct uw_urb *urb))
{
    struct uw_serial *p = lane->port;
    struct uw_fault fault;
    int r;

    lane->size = size;
    uw_urb_set_transfer(&lane->urb, p->device, endpoint, lane->bytes, size);
    uw_urb_set_timeout(&lane->urb, timeout);
    lane->urb.completed_locked = completed;
    r = uw_device_submit_locked(&lane->urb, NULL);
    if (r == 0)
        return;
    lane->urb.x.status = r;
    lane->urb.x.actual = 0;
    uw_urb_fault_locked(&lane->urb, &fault);
    serial_end(p, r, &fault);
}

/* Who has a descriptor to poll waits nowhere, but has written and looks for the answer. */
static int
somebody_waits(const struct uw_serial *p)
{
    return p->waiting > 0 || (p->fd >= 0 && p->answer_due);
}

/* How many reads may be open now. */
static unsigned
wanted_reads(const struct uw_serial *p)
{
    switch (p->reading) {
    case SERIAL_READ_ALWAYS: return p->depth;
    case SERIAL_READ_ASKED: return p->asked_bytes > 0;
    case SERIAL_READ_WHEN_WAIT: return somebody_waits(p) && p->input.count == 0;
    }
    return 0;
}

/* Where the device waits while it is not read, nothing is read that has no room. A UART would lose
 * it: then better here, where it is counted. */
static int
has_room(const struct uw_serial *p, unsigned open)
{
    if (!p->chip.driver->waits && p->line.flow == UW_FLOW_NONE)
        return 1;
    return serial_ring_room(&p->input) >= (size_t)(open + 1) * SERIAL_READ_SIZE;
}

/* No more than is certain to come: whole packets, or one that is short. */
static size_t
read_size(struct uw_serial *p)
{
    size_t bytes = p->asked_bytes, packet = p->chip.max_packet;

    if (p->reading != SERIAL_READ_ASKED || bytes > SERIAL_READ_SIZE)
        return SERIAL_READ_SIZE;
    return bytes < packet ? packet : bytes - bytes % packet;
}

static void
pump_reads(struct uw_serial *p)
{
    unsigned open = 0, wanted = wanted_reads(p);

    for (unsigned i = 0; i < SERIAL_READS; i++)
        open += p->reads[i].urb.in_flight;
    for (unsigned i = 0; i < SERIAL_READS && open < wanted && has_room(p, open); i++) {
        if (p->reads[i].urb.in_flight || p->status < 0)
            continue;
        if (p->reads[i].urb.x.status == UW_ERROR_STALL)
            clear_halt(p, p->chip.in);
        submit(&p->reads[i], p->chip.in, read_size(p), uw_never(), read_completed);
        p->reads_made++;
        open++;
        if (p->reading == SERIAL_READ_ASKED) {
            p->asked_bytes = 0;
            uw_loop_set_timer(p->loop, &p->ask, uw_usec(0));
        }
    }
}

static void
pump_writes(struct uw_serial *p)
{
    for (unsigned i = 0; i < SERIAL_WRITES && p->output.count > 0 && p->status == 0; i++) {
        struct serial_lane *lane = &p->writes[i];
        size_t n;

        if (lane->urb.in_flight)
            continue;
        if (lane->urb.x.status == UW_ERROR_STALL)
            clear_halt(p, p->chip.out);
        n = serial_ring_take(&p->output, lane->bytes, SERIAL_WRITE_SIZE);
        p->writing += n;
        submit(lane, p->chip.out, n, p->write_timeout, write_completed);
    }
}

enum serial_reading
serial_reading_locked(const struct serial_chip *chip, struct uw_device *device)
{
    const struct uw_profile *profile = uw_import_origin_locked(device->import);

    /* Where an empty read is answered, an open one is in nobody's way for long. */
    if (!(profile->flags & UW_PROF_NO_SPECULATIVE_IN) || chip->driver->answers ||
        profile->flags & UW_PROF_EMPTY_IS_IDLE)
        return SERIAL_READ_ALWAYS;
    return chip->driver->counts ? SERIAL_READ_ASKED : SERIAL_READ_WHEN_WAIT;
}

void
serial_pump_zero_locked(struct uw_serial *p, struct uw_usec timeout)
{
    struct serial_lane *lane = &p->writes[0];

    lane->bytes[0] = 0;
    p->writing++;
    submit(lane, p->chip.out, 1, timeout, write_completed);
}

/* How much may be open at this server, and when: as it is known by now. */
static void
choose_reading(struct uw_serial *p)
{
    const struct uw_profile *profile = uw_import_origin_locked(p->device->import);

    p->depth = SERIAL_READS;
    if (profile->in_flight && profile->in_flight / 2 < p->depth)
        p->depth = profile->in_flight / 2 ? profile->in_flight / 2 : 1;
    p->reading = p->read_ahead ? SERIAL_READ_ALWAYS : serial_reading_locked(&p->chip, p->device);
}

static int
asks(const struct serial_run *run)
{
    return run->asks;
}

static int
renews(const struct serial_run *run)
{
    return run->renews;
}

/* A run of some kind that has not ended. */
static int
is_under_way(struct uw_serial *p, int (*is_kind)(const struct serial_run *run))
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &p->runs)
    {
        const struct serial_run *run = UW_CONTAINER(pos, struct serial_run, link);

        if (is_kind(run) && run->left > 0)
            return 1;
    }
    return 0;
}

void
serial_pump_locked(struct uw_serial *p)
{
    serial_runs_reap(p);
    if (p->stopping || p->status < 0)
        return;
    if (p->renew)
        serial_renew_locked(p);
    choose_reading(p);
    if (p->note.bytes && p->depth > 1 && !p->note.urb.in_flight)
        submit(&p->note, p->chip.notify, SERIAL_NOTE_SIZE, uw_never(), note_completed);
    if (!p->holds && !is_under_way(p, renews))
        pump_writes(p);
    pump_reads(p);
}

static void
pump(struct uw_timer *timer, struct uw_usec now)
{
    (void)now;
    serial_pump_locked(UW_CONTAINER(timer, struct uw_serial, pump));
}

static struct uw_usec
ask_period(const struct uw_serial *p)
{
    if (p->reading == SERIAL_READ_ASKED)
        return uw_usec(ASK_US);
    return p->poll_lines ? uw_msec(p->poll_lines) : uw_never();
}

static void
ask(struct uw_timer *timer, struct uw_usec now)
{
    struct uw_serial *p = UW_CONTAINER(timer, struct uw_serial, ask);
    struct serial_plan plan = {0};

    if (p->stopping || p->status < 0 || !p->chip.driver->ask)
        return;
    if (!is_under_way(p, asks)) {
        serial_runs_reap(p);
        p->asked_bytes = 0;
        p->chip.driver->ask(&p->chip, &plan);
        (void)serial_run_start_locked(p, &plan, SERIAL_RUN_ASKS, NULL);
    }
    uw_loop_set_timer(p->loop, &p->ask, uw_usec_add(now, ask_period(p)));
}

/* ---- beginning and end ---- */

static int
lane_init(struct uw_serial *p, struct serial_lane *lane, size_t size)
{
    lane->port = p;
    uw_urb_init(&lane->urb);
    lane->bytes = malloc(size);
    return lane->bytes ? 0 : UW_ERROR_NO_MEMORY;
}

int
serial_pump_init(struct uw_serial *p, size_t input)
{
    int r = 0;

    p->pump.fire = pump;
    p->ask.fire = ask;
    uw_list_init(&p->runs);
    p->write_timeout = uw_never();
    p->input.bytes = malloc(input);
    p->input.size = input;
    p->output.bytes = malloc(SERIAL_OUTPUT);
    p->output.size = SERIAL_OUTPUT;
    if (!p->input.bytes || !p->output.bytes)
        return UW_ERROR_NO_MEMORY;
    for (unsigned i = 0; r == 0 && i < SERIAL_READS; i++)
        r = lane_init(p, &p->reads[i], SERIAL_READ_SIZE);
    for (unsigned i = 0; r == 0 && i < SERIAL_WRITES; i++)
        r = lane_init(p, &p->writes[i], SERIAL_WRITE_SIZE);
    if (r == 0 && p->chip.notify && p->chip.driver->notified)
        r = lane_init(p, &p->note, SERIAL_NOTE_SIZE);
    return r;
}

void
serial_pump_start_locked(struct uw_serial *p)
{
    p->stopping = 0;
    p->failures = 0;
    p->answer_due = 0;
    choose_reading(p);
    serial_pump_now(p);
    uw_loop_set_timer(p->loop, &p->ask, uw_usec_add(uw_now(), ask_period(p)));
}

static void
each_lane(struct uw_serial *p, void (*f)(struct serial_lane *lane))
{
    for (unsigned i = 0; i < SERIAL_READS; i++)
        f(&p->reads[i]);
    for (unsigned i = 0; i < SERIAL_WRITES; i++)
        f(&p->writes[i]);
    f(&p->note);
}

static void
cancel(struct serial_lane *lane)
{
    if (lane->urb.in_flight)
        (void)uw_import_cancel_locked(lane->urb.import, &lane->urb);
}

static int
is_quiet(void *arg)
{
    struct uw_serial *p = (struct uw_serial *)arg;
    struct uw_list *pos, *tmp;
    unsigned open = p->note.urb.in_flight;

    for (unsigned i = 0; i < SERIAL_READS; i++)
        open += p->reads[i].urb.in_flight;
    for (unsigned i = 0; i < SERIAL_WRITES; i++)
        open += p->writes[i].urb.in_flight;
    uw_list_each(pos, tmp, &p->runs)
    {
        struct serial_run *run = UW_CONTAINER(pos, struct serial_run, link);

        open += run->left > 0 || run->waited;
    }
    return open == 0;
}

void
serial_pump_stop_locked(struct uw_serial *p)
{
    p->stopping = 1;
    each_lane(p, cancel);
    (void)uw_loop_until(p->loop, is_quiet, p, uw_never(), 0, NULL);
    uw_loop_set_timer(p->loop, &p->pump, uw_never());
    uw_loop_set_timer(p->loop, &p->ask, uw_never());
    serial_runs_reap(p);
}

static void
free_lane(struct serial_lane *lane)
{
    free(lane->bytes);
    lane->bytes = NULL;
}

void
serial_pump_free(struct uw_serial *p)
{
    each_lane(p, free_lane);
    free(p->input.bytes);
    free(p->output.bytes);
    p->input.bytes = p->output.bytes = NULL;
}

void
serial_pump_flush_input(struct uw_serial *p)
{
    p->input.count = 0;
    p->asked_bytes = 0;
    serial_update_fd(p);
    serial_pump_now(p);
}

void
serial_pump_flush_output(struct uw_serial *p)
{
    p->output.count = 0;
    for (unsigned i = 0; i < SERIAL_WRITES; i++)
        cancel(&p->writes[i]);
}
