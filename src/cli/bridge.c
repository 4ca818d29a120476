/*
 * bridge.c - bytes between ports and faces, and ports that come back
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bridge.h"

#define POLLS_MAX  ((FACE_POLLS + 1u) * BRIDGES_MAX + 1u)
#define BUSY_MS    5  /* a port's output buffer is full: again after so long */
#define FINDING_MS 50 /* a port is being looked for */
#define SHOWS_MAX  16 /* of a bridge in a row: then the others have their turn */

int
bridge_is_up(const struct bridge *b)
{
    return !b->ended && !b->finding;
}

int
bridge_is_full(const struct bridge *b)
{
    return b->pending_size > 0;
}

static void
aside(struct bridge *b)
{
    if (b->face->aside)
        b->face->aside(b);
}

void
bridge_failed(struct bridge *b, const struct uw_fault *fault)
{
    if (uw_serial_status(b->port) < 0)
        return;
    aside(b);
    (void)cli_fault(fault, CLI_USING);
}

void
bridge_name(struct bridge *b)
{
    struct uw_device *device = uw_serial_device(b->port);
    struct uw_serial_info info;

    uw_serial_info(b->port, &info);
    snprintf(b->name, sizeof(b->name), "%.80s, %s, interface %u", uw_device_name(device), info.chip,
             info.interface);
    b->held = uw_find_is_held(uw_device_info(device));
}

/* Nobody is there to get what comes for a port that is down. */
static size_t
give(struct bridge *b, const uint8_t *bytes, size_t size)
{
    struct uw_fault fault;
    long n;

    if (!bridge_is_up(b))
        return size;
    n = b->holds ? 0 : uw_serial_write(b->port, bytes, size, uw_usec(0), &fault);

    if (n >= 0)
        return (size_t)n;
    bridge_failed(b, &fault);
    return size; /* it cannot be delivered, and has been said */
}

void
bridge_send(struct bridge *b, const uint8_t *bytes, size_t size)
{
    size_t n = give(b, bytes, size);

    size -= n;
    if (size > bridge_room(b))
        size = bridge_room(b);
    memcpy(b->pending + b->pending_size, bytes + n, size);
    b->pending_size += size;
}

size_t
bridge_room(const struct bridge *b)
{
    return sizeof(b->pending) - b->pending_size;
}

void
bridge_give_up(struct bridge *b)
{
    struct uw_fault fault;

    b->pending_size = 0;
    if (bridge_is_up(b) && uw_serial_flush(b->port, UW_SERIAL_OUTPUT, &fault) < 0)
        bridge_failed(b, &fault);
}

static void
send_pending(struct bridge *b)
{
    size_t n;

    if (!b->pending_size)
        return;
    n = give(b, b->pending, b->pending_size);
    memmove(b->pending, b->pending + n, b->pending_size - n);
    b->pending_size -= n;
}

static void
show_input(struct bridge *b)
{
    uint8_t bytes[BRIDGE_BUFFER];
    size_t room;
    long n;

    for (int i = 0; i < SHOWS_MAX && (room = b->face->room(b)) > 0; i++) {
        n = uw_serial_read(b->port, bytes, room < sizeof(bytes) ? room : sizeof(bytes), 1,
                           uw_usec(0), NULL);
        if (n <= 0)
            return;
        b->face->show(b, bytes, (size_t)n);
    }
}

/* ---- a port that ended ---- */

static void *
find(void *arg)
{
    struct bridge *b = (struct bridge *)arg;

    b->found_result =
        uw_serial_reopen(b->port, cli_time(b->cli, OPT_RECONNECT, uw_usec(0)), &b->found_fault);
    atomic_store(&b->found, 1);
    return NULL;
}

static void
end(struct bridge *b, const struct uw_fault *fault)
{
    aside(b);
    b->code = cli_device_fault(b->cli, uw_serial_device(b->port), fault);
    b->ended = 1;
}

static void
lost(struct bridge *b)
{
    struct uw_fault fault = {0};
    char text[UW_FAULT_TEXT_MAX], byte;

    (void)uw_serial_read(b->port, &byte, 1, 1, uw_usec(0), &fault);
    if (!cli_has(b->cli, OPT_RECONNECT)) {
        end(b, &fault);
        cli_remark(b->cli, "--reconnect SECONDS looks for it when that happens");
        return;
    }
    aside(b);
    cli_remark(b->cli, "%s; looking for it for %" PRIu64 " s",
               uw_fault_text(&fault, text, sizeof(text)),
               cli_time(b->cli, OPT_RECONNECT, uw_usec(0)).us / 1000000u);
    b->lost_at = uw_now();
    atomic_store(&b->found, 0);
    if (pthread_create(&b->finder, NULL, find, b) != 0)
        end(b, &fault);
    else
        b->finding = 1;
}

/* By what way it is reached from now on, where that is another one than before, or not the
 * server's own. */
static const char *
way(int was_held, int is_held)
{
    return is_held    ? ", through the program that holds it"
           : was_held ? ", from its server: nobody holds it any more"
                      : "";
}

static void
see_finder(struct bridge *b)
{
    int was_held = b->held;

    if (!b->finding || !atomic_load(&b->found))
        return;
    pthread_join(b->finder, NULL);
    b->finding = 0;
    if (b->found_result < 0) {
        end(b, &b->found_fault);
        return;
    }
    bridge_name(b);
    aside(b);
    cli_remark(b->cli, "%s: back after %.1f s%s", b->name,
               (double)(uw_now().us - b->lost_at.us) / 1e6, way(was_held, b->held));
}

/* ---- the loop ---- */

/* What there is to do for a bridge without waiting. */
static void
step(struct bridge *b)
{
    struct uw_serial_counts counts;

    see_finder(b);
    send_pending(b);
    b->again = b->face->work ? b->face->work(b) : -1;
    if (!bridge_is_up(b))
        return;
    show_input(b);
    /* Asked for even if nobody is told: the port's descriptor shows it until then. */
    if (uw_serial_wait(b->port, UW_SERIAL_CHANGED, uw_usec(0)) & UW_SERIAL_CHANGED) {
        uw_serial_counts(b->port, &counts);
        if (b->face->changed)
            b->face->changed(b, &counts);
    }
    if (uw_serial_status(b->port) < 0 && uw_serial_input_waiting(b->port) == 0)
        lost(b);
}

struct polled {
    struct bridge *bridge;
    unsigned first, count;
};

static void
shorten(int *timeout, int ms)
{
    if (*timeout < 0 || *timeout > ms)
        *timeout = ms;
}

/* Fills in what to poll for. Returns how many, and when to look again at the latest. */
static unsigned
collect(struct bridge *bridges, unsigned count, struct polled *polled, struct pollfd *fds,
        int *ret_timeout)
{
    unsigned n = 0;

    for (unsigned i = 0; i < count; i++) {
        struct bridge *b = &bridges[i];

        polled[i].bridge = b;
        polled[i].first = n;
        polled[i].count = b->ended ? 0 : b->face->polls(b, &fds[n]);
        n += polled[i].count;
        if (bridge_is_up(b) && b->face->room(b) > 0) {
            fds[n].fd = uw_serial_fd(b->port);
            fds[n].events = POLLIN;
            fds[n++].revents = 0;
        }
        if (b->finding)
            shorten(ret_timeout, FINDING_MS);
        if (b->pending_size)
            shorten(ret_timeout, BUSY_MS);
        if (b->again >= 0)
            shorten(ret_timeout, b->again);
    }
    return n;
}

static int
time_left(struct uw_usec until)
{
    uint64_t left = uw_usec_sub(until, uw_now()).us / 1000u;

    return uw_is_never(until) ? -1 : left < 1000000 ? (int)left + 1 : 1000000;
}

static int
all_ended(const struct bridge *bridges, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (!bridges[i].ended)
            return 0;
    return 1;
}

/* Returns whether `stop` can be read from. */
static int
poll_once(struct bridge *bridges, unsigned count, struct uw_usec until, int stop)
{
    struct polled polled[BRIDGES_MAX];
    struct pollfd fds[POLLS_MAX];
    int timeout = time_left(until);
    unsigned n = collect(bridges, count, polled, fds, &timeout);

    fds[n] = (struct pollfd){.fd = stop, .events = POLLIN};
    if (poll(fds, n + 1, timeout) < 0)
        return 0; /* a signal: if it is to end this, `stop` tells */
    for (unsigned i = 0; i < count; i++) {
        struct bridge *b = polled[i].bridge;

        if (polled[i].count && b->face->ready(b, &fds[polled[i].first], polled[i].count))
            b->ended = 1;
    }
    return fds[n].revents != 0;
}

static void
step_all(struct bridge *bridges, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (!bridges[i].ended)
            step(&bridges[i]);
}

/* An interrupt ends the wait of one finder, which may be another one's. */
static void
end_finder(struct bridge *b)
{
    while (!atomic_load(&b->found)) {
        uw_loop_interrupt(b->cli->loop);
        (void)poll(NULL, 0, BUSY_MS);
    }
    pthread_join(b->finder, NULL);
}

static void
run(struct bridge *bridges, unsigned count, struct uw_usec until, int stop)
{
    int stopped = 0;

    while (!stopped && !all_ended(bridges, count) && uw_now().us < until.us) {
        step_all(bridges, count);
        if (!all_ended(bridges, count))
            stopped = poll_once(bridges, count, until, stop);
    }
    for (unsigned i = 0; i < count; i++)
        if (bridges[i].finding)
            end_finder(&bridges[i]);
}

int
bridges_run(struct cli *cli, struct bridge *bridges, unsigned count)
{
    struct uw_usec until = cli_has(cli, OPT_SECONDS)
                               ? uw_usec_add(uw_now(), cli_time(cli, OPT_SECONDS, uw_never()))
                               : uw_never();
    int stop = cli_interrupt_fd(), code = 0;

    if (stop < 0)
        return cli_error("no pipe could be made");
    run(bridges, count, until, stop);
    for (unsigned i = 0; i < count; i++)
        if (bridges[i].code)
            code = bridges[i].code;
    return cli_interrupted() && !code ? CLI_INTERRUPTED : code;
}

void
bridges_serve(struct bridge *bridges, unsigned count, int stop)
{
    run(bridges, count, uw_never(), stop);
}
