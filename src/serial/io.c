/*
 * io.c - the calls that move data and wait
 */
#include "base/fault.h"
#include "serial/port.h"

#define WRITE_TIMEOUT_MS                                                                           \
    5000u /* of a write that nobody waits for, where it may be in a read's way */

/* What a waiting call waits for. */
struct wish {
    struct uw_serial *port;
    unsigned cancels;
    size_t least;    /* of input */
    unsigned events; /* or any of these */
    int quiet;       /* or that nothing is left to be written */
};

static struct wish
wish(struct uw_serial *p)
{
    struct wish w = {.port = p, .cancels = p->cancels};

    return w;
}

static int
is_over(const struct wish *w)
{
    return w->port->status < 0 || w->port->cancels != w->cancels;
}

static int
is_cancelled(const struct wish *w, const char *tried, struct uw_fault *fault)
{
    if (w->port->cancels == w->cancels)
        return 0;
    serial_refuse(w->port, UW_ERROR_CANCELLED, tried, "", "", fault);
    return UW_ERROR_CANCELLED;
}

static void
wait_for(struct wish *w, int (*done)(void *arg), struct uw_usec until)
{
    (void)uw_loop_until(w->port->loop, done, w, until, 0, NULL);
}

static struct uw_usec
until(struct uw_usec timeout)
{
    return uw_usec_add(uw_now(), timeout);
}

/* ---- input ---- */

static int
has_input(void *arg)
{
    const struct wish *w = (const struct wish *)arg;

    return w->port->input.count >= w->least || is_over(w);
}

/* Where the device waits for room, the buffer is never quite full. */
static size_t
can_be_had(const struct uw_serial *p)
{
    return p->input.size - SERIAL_READ_SIZE + 1;
}

long
uw_serial_read(struct uw_serial *p, void *buf, size_t size, size_t least, struct uw_usec timeout,
               struct uw_fault *fault)
{
    struct wish w;
    size_t n = 0;
    long r = 0;

    if (least > size)
        least = size;
    uw_loop_lock(p->loop);
    w = wish(p);
    while (least > 0 && timeout.us > 0 && !is_over(&w) && n < least) {
        struct uw_usec end = until(timeout);

        w.least = least - n < can_be_had(p) ? least - n : can_be_had(p);
        p->waiting++;
        if (p->input.count < w.least)
            serial_pump_locked(p);
        wait_for(&w, has_input, end);
        p->waiting--;
        n += serial_ring_take(&p->input, (uint8_t *)buf + n, size - n);
        timeout = uw_is_never(timeout) ? timeout : uw_usec_sub(end, uw_now());
    }
    n += serial_ring_take(&p->input, (uint8_t *)buf + n, size - n);
    if (n > 0) {
        serial_pump_locked(p);
        serial_update_fd(p);
    } else if (size > 0) {
        r = is_cancelled(&w, "read from the port", fault);
        if (r == 0 && p->status < 0 && fault)
            *fault = p->fault;
        if (r == 0)
            r = p->status;
    }
    uw_loop_unlock(p->loop);
    return r < 0 ? r : (long)n;
}

size_t
uw_serial_input_waiting(struct uw_serial *p)
{
    size_t n;

    uw_loop_lock(p->loop);
    n = p->input.count;
    uw_loop_unlock(p->loop);
    return n;
}

/* ---- output ---- */

static int
has_room(void *arg)
{
    const struct wish *w = (const struct wish *)arg;

    return serial_ring_room(&w->port->output) > 0 || w->port->late_status < 0 || is_over(w);
}

static int
is_written(void *arg)
{
    const struct wish *w = (const struct wish *)arg;

    return w->port->output.count + w->port->writing == 0 || w->port->late_status < 0 || is_over(w);
}

static int
drain_locked(struct wish *w, struct uw_usec end, struct uw_fault *fault)
{
    struct uw_serial *p = w->port;
    int r;

    wait_for(w, is_written, end);
    r = is_cancelled(w, "wait until everything is written", fault);
    if (r == 0)
        r = serial_check_locked(p, fault);
    if (r == 0 && !is_written(w))
        r = serial_refuse(p, UW_ERROR_TIMEOUT, "wait until everything is written", "",
                          "the device takes no data; flow control may hold it", fault);
    return r;
}

long
uw_serial_write(struct uw_serial *p, const void *buf, size_t size, struct uw_usec timeout,
                struct uw_fault *fault)
{
    struct uw_usec end = until(timeout);
    struct wish w;
    size_t n = 0;
    int r;

    uw_loop_lock(p->loop);
    w = wish(p);
    r = serial_check_locked(p, fault);
    if (r == 0)
        serial_lines_settle(p);
    p->write_timeout = p->reading != SERIAL_READ_WHEN_WAIT ? uw_never()
                       : timeout.us > 0                    ? timeout
                                                           : uw_msec(WRITE_TIMEOUT_MS);
    while (r == 0 && n < size) {
        n += serial_ring_put(&p->output, (const uint8_t *)buf + n, size - n);
        serial_pump_locked(p);
        if (n == size || timeout.us == 0)
            break;
        wait_for(&w, has_room, end);
        if (serial_ring_room(&p->output) == 0 || is_over(&w) || p->late_status < 0)
            break;
    }
    /* At a server where our own reads may be in the way, the caller is told so: every transfer has
     * the timeout of its own. */
    if (r == 0 && n > 0 && timeout.us > 0 && p->reading == SERIAL_READ_WHEN_WAIT && !p->holds) {
        r = drain_locked(&w, uw_never(), fault);
        if (r < 0)
            serial_pump_flush_output(p);
    }
    if (r == 0 && n == 0 && size > 0) {
        r = is_cancelled(&w, "write to the port", fault);
        if (r == 0)
            r = serial_check_locked(p, fault);
    }
    uw_loop_unlock(p->loop);
    return r < 0 ? r : (long)n;
}

size_t
uw_serial_output_waiting(struct uw_serial *p)
{
    size_t n;

    uw_loop_lock(p->loop);
    n = p->output.count + p->writing;
    uw_loop_unlock(p->loop);
    return n;
}

int
uw_serial_drain(struct uw_serial *p, struct uw_usec timeout, struct uw_fault *fault)
{
    struct wish w;
    int r;

    uw_loop_lock(p->loop);
    w = wish(p);
    serial_lines_settle(p);
    r = drain_locked(&w, until(timeout), fault);
    uw_loop_unlock(p->loop);
    return r;
}

int
uw_serial_flush(struct uw_serial *p, unsigned buffers, struct uw_fault *fault)
{
    struct serial_plan plan = {0};
    int r;

    uw_loop_lock(p->loop);
    r = serial_check_locked(p, fault);
    if (r == 0) {
        serial_lines_settle(p);
        if (buffers & UW_SERIAL_OUTPUT)
            serial_pump_flush_output(p);
        p->chip.driver->purge(&p->chip, buffers, &plan);
        r = serial_run_locked(p, &plan, 0, fault);
        /* Whatever the chip had sent before the purge has come before its answer. */
        if (buffers & UW_SERIAL_INPUT)
            serial_pump_flush_input(p);
    }
    uw_loop_unlock(p->loop);
    return r;
}

/* ---- waiting for whatever there is ---- */

static int
has_event(void *arg)
{
    const struct wish *w = (const struct wish *)arg;

    return (serial_events(w->port) & w->events) != 0 || is_over(w);
}

int
uw_serial_wait(struct uw_serial *p, unsigned events, struct uw_usec timeout)
{
    unsigned reads = (events & UW_SERIAL_READABLE) != 0;
    struct wish w;
    int r;

    uw_loop_lock(p->loop);
    w = wish(p);
    w.events = events | UW_SERIAL_ENDED;
    p->waiting += reads;
    serial_pump_locked(p);
    wait_for(&w, has_event, until(timeout));
    p->waiting -= reads;
    r = p->cancels != w.cancels ? UW_ERROR_CANCELLED : (int)(serial_events(p) & w.events);
    uw_loop_unlock(p->loop);
    return r;
}

void
uw_serial_cancel(struct uw_serial *p)
{
    uw_loop_lock(p->loop);
    p->cancels++;
    uw_loop_wake_waiters(p->loop);
    uw_loop_unlock(p->loop);
}

int
uw_serial_fd(struct uw_serial *p)
{
    int fd;

    uw_loop_lock(p->loop);
    if (p->fd < 0) {
        p->fd = uw_eventfd_new();
        p->fd_set = 0;
        serial_update_fd(p);
    }
    fd = p->fd;
    uw_loop_unlock(p->loop);
    return fd;
}

void
uw_serial_counts(struct uw_serial *p, struct uw_serial_counts *ret)
{
    uw_loop_lock(p->loop);
    *ret = p->counts;
    p->changed = 0;
    serial_update_fd(p);
    uw_loop_unlock(p->loop);
}
