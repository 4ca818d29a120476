/*
 * ttyside.c - beside a pseudo-terminal, the socket where preloaded programs ask for what it lacks
 *
 * While a port is being looked for, lines that are set count as set: the port brings them along
 * when it is back, as it does with what was set before.
 */
#include <errno.h>
#include <linux/serial.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tty/place.h"
#include "ttyside.h"

#define DRAIN_MS      2 /* a drain is looked at so often */
#define POLL_LINES_MS 100
#define QUEUE         16
#define ORDINARY_RATE                                                                              \
    38400u               /* for which a program that has no other number can have another one      \
                          */
#define LATENCY_MS     2 /* of an FTDI; the port's default */
#define LOW_LATENCY_MS 1

/* ---- the socket ---- */

static int
listen_at(struct ttyside *s, const struct sockaddr_un *address)
{
    s->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->listener < 0)
        return -1;
    /* The number is ours now, whoever had it before. */
    (void)unlink(address->sun_path);
    if (bind(s->listener, (const struct sockaddr *)address, sizeof(*address)) < 0)
        return -1;
    memcpy(s->path, address->sun_path, sizeof(s->path));
    return listen(s->listener, QUEUE);
}

int
ttyside_open(struct ttyside *s, int slave)
{
    struct sockaddr_un address;
    char folder[sizeof(address.sun_path)];
    struct stat st;

    s->listener = -1;
    for (size_t i = 0; i < TTYSIDE_CALLS; i++)
        s->calls[i].fd = -1;
    if (fstat(slave, &st) < 0 || !tty_folder(folder, sizeof(folder)))
        return -1;
    s->who.device = st.st_dev;
    s->who.inode = st.st_ino;
    s->who.number = st.st_rdev;
    if (!tty_address(folder, tty_number(&st), &address)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    if (listen_at(s, &address) < 0) {
        int error = errno;

        ttyside_close(s);
        errno = error;
        return -1;
    }
    return 0;
}

static void
hang_up(struct ttyside_call *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

void
ttyside_close(struct ttyside *s)
{
    for (size_t i = 0; i < TTYSIDE_CALLS; i++)
        hang_up(&s->calls[i]);
    if (s->path[0])
        (void)unlink(s->path);
    if (s->listener >= 0)
        close(s->listener);
    s->listener = -1;
    s->path[0] = '\0';
}

static struct ttyside_call *
free_call(struct ttyside *s)
{
    for (size_t i = 0; i < TTYSIDE_CALLS; i++)
        if (s->calls[i].fd < 0)
            return &s->calls[i];
    return NULL;
}

static int
is_users(int fd)
{
    struct ucred peer = {0};
    socklen_t size = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == geteuid() || peer.uid == 0);
}

static void
take_call(struct ttyside *s)
{
    struct ttyside_call *c = free_call(s);
    int fd = c ? accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK) : -1;

    if (fd < 0)
        return;
    if (!is_users(fd)) {
        close(fd);
        return;
    }
    c->fd = fd;
    c->asked = 0;
}

/* ---- answers ---- */

static void
answer(struct ttyside_call *c, struct tty_reply *reply)
{
    reply->version = TTY_VERSION;
    (void)send(c->fd, reply, sizeof(*reply), MSG_NOSIGNAL | MSG_DONTWAIT);
    hang_up(c);
}

static void
answer_value(struct ttyside_call *c, uint32_t value)
{
    struct tty_reply reply = {.verdict = TTY_DONE, .value = value};

    answer(c, &reply);
}

static void
refuse(struct ttyside_call *c, int error)
{
    struct tty_reply reply = {.verdict = TTY_FAILED, .error = error};

    answer(c, &reply);
}

/* `r` is what a call on the port returned. */
static void
conclude(struct bridge *b, struct ttyside_call *c, int r, const struct uw_fault *fault)
{
    if (r < 0)
        bridge_failed(b, fault);
    if (r < 0 && uw_serial_status(b->port) == 0)
        refuse(c, r == UW_ERROR_NOT_SUPPORTED ? EINVAL : EIO);
    else
        answer_value(c, 0);
}

/* ---- lines ---- */

struct line {
    unsigned ours, theirs;
};

static const struct line lines[] = {
    {UW_LINE_DTR, TIOCM_DTR}, {UW_LINE_RTS, TIOCM_RTS}, {UW_LINE_CTS, TIOCM_CTS},
    {UW_LINE_DSR, TIOCM_DSR}, {UW_LINE_DCD, TIOCM_CAR}, {UW_LINE_RI, TIOCM_RNG},
};

/* What was set last, of a port that cannot be asked. */
static unsigned
outputs_of(struct bridge *b)
{
    struct uw_serial_config c;

    uw_serial_get_config(b->port, &c);
    return (c.dtr == 1 ? UW_LINE_DTR : 0u) | (c.rts == 1 ? UW_LINE_RTS : 0u);
}

static void
get_lines(struct ttyside *s, struct bridge *b, struct ttyside_call *c)
{
    int now = bridge_is_up(b) ? uw_serial_lines(b->port, NULL) : -1;
    uint32_t value = 0;

    (void)s;
    if (now < 0)
        now = (int)outputs_of(b);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        value |= (unsigned)now & lines[i].ours ? lines[i].theirs : 0u;
    answer_value(c, value);
}

/* 0, 1, or -1: it stays as it is. */
static int
wanted(const struct tty_request *q, unsigned bit)
{
    return q->mask & bit ? (q->value & bit) != 0 : -1;
}

static void
set_lines(struct ttyside *s, struct bridge *b, struct ttyside_call *c)
{
    struct uw_fault fault;
    int r = uw_serial_set_lines(b->port, wanted(&c->request, TIOCM_DTR),
                                wanted(&c->request, TIOCM_RTS), &fault);

    s->lines_set = 1;
    conclude(b, c, r, &fault);
}

/* ---- break, frame, buffers ---- */

static void
set_break(struct ttyside *s, struct bridge *b, struct ttyside_call *c)
{
    struct uw_fault fault;
    int r = uw_serial_set_break(b->port, c->request.value != 0, &fault);

    s->breaking = c->request.value != 0;
    conclude(b, c, r, &fault);
}

static void
get_frame(struct ttyside *s, struct bridge *b, struct ttyside_call *c)
{
    answer_value(c, s->frame(b));
}

static void
set_frame(struct ttyside *s, struct bridge *b, struct ttyside_call *c)
{
    s->set_frame(b, c->request.value);
    answer_value(c, s->frame(b));
}

static void
flush(struct ttyside *s, struct bridge *b, struct ttyside_call *c)
{
    static const unsigned buffers[] = {UW_SERIAL_INPUT, UW_SERIAL_OUTPUT,
                                       UW_SERIAL_INPUT | UW_SERIAL_OUTPUT};
    unsigned which = c->request.value < 3 ? buffers[c->request.value] : 0;
    struct uw_fault fault;
    int r = 0;

    if (!which) {
        refuse(c, EINVAL);
        return;
    }
    /* Mostly the pseudo-terminal's own notice of it is met on the way. */
    if (!s->take_all(b))
        r = s->drop(b, which, &fault);
    conclude(b, c, r, &fault);
}

static void
counts(struct ttyside *s, struct bridge *b, struct ttyside_call *c)
{
    struct tty_reply reply = {.verdict = TTY_DONE};
    struct uw_serial_counts now;

    (void)s;
    uw_serial_counts(b->port, &now);
    reply.counts[TTY_CTS] = now.cts;
    reply.counts[TTY_DSR] = now.dsr;
    reply.counts[TTY_RNG] = now.ri;
    reply.counts[TTY_DCD] = now.dcd;
    reply.counts[TTY_RX] = (uint32_t)now.received;
    reply.counts[TTY_TX] = (uint32_t)now.sent;
    reply.counts[TTY_FRAMING] = now.framing;
    reply.counts[TTY_OVERRUN] = now.overrun;
    reply.counts[TTY_PARITY] = now.parity;
    reply.counts[TTY_BRK] = now.breaks;
    reply.counts[TTY_LOST] = (uint32_t)now.lost;
    answer(c, &reply);
}

static void
unsent(struct ttyside *s, struct bridge *b, struct ttyside_call *c)
{
    (void)s;
    answer_value(c, (uint32_t)(b->pending_size + uw_serial_output_waiting(b->port)));
}

/* ---- what setserial shows and sets ---- */

/* As in Linux's serial_struct: ASYNC_SPD_... */
unsigned
ttyside_rate(const struct ttyside *s)
{
    switch (s->serial & ASYNC_SPD_MASK) {
    case ASYNC_SPD_HI: return 57600;
    case ASYNC_SPD_VHI: return 115200;
    case ASYNC_SPD_SHI: return 230400;
    case ASYNC_SPD_WARP: return 460800;
    case ASYNC_SPD_CUST: return s->divisor ? TTY_BAUD_BASE / s->divisor : ORDINARY_RATE;
    default: return ORDINARY_RATE;
    }
}

static void
get_serial(struct ttyside *s, struct bridge *b, struct ttyside_call *c)
{
    struct tty_reply reply = {.verdict = TTY_DONE, .value = s->serial, .divisor = s->divisor};

    (void)b;
    answer(c, &reply);
}

static void
set_serial(struct ttyside *s, struct bridge *b, struct ttyside_call *c)
{
    struct uw_serial_config changes;
    struct uw_fault fault;

    s->serial = c->request.value & TTY_SERIAL;
    s->divisor = c->request.mask;
    s->follow(b);
    uw_serial_config_init(&changes);
    changes.latency = s->serial & ASYNC_LOW_LATENCY ? LOW_LATENCY_MS : LATENCY_MS;
    conclude(b, c, uw_serial_set_config(b->port, &changes, &fault), &fault);
}

/* ---- what may take long ---- */

static void
drain(struct ttyside *s, struct bridge *b, struct ttyside_call *c)
{
    if (!bridge_is_up(b))
        refuse(c, EIO);
    else if (s->take_all(b) && !bridge_is_full(b) && uw_serial_output_waiting(b->port) == 0)
        answer_value(c, 0);
}

/* Chips that do not tell by themselves are asked while somebody waits. */
static void
poll_lines(struct ttyside *s, struct bridge *b, int ms)
{
    struct uw_serial_config c;

    if (s->polling == ms || !bridge_is_up(b))
        return;
    s->polling = ms;
    uw_serial_config_init(&c);
    c.poll_lines = ms;
    (void)uw_serial_set_config(b->port, &c, NULL);
}

static void
wait_lines(struct ttyside *s, struct bridge *b, struct ttyside_call *c)
{
    struct uw_serial_counts now;
    const struct uw_serial_counts *before = &c->before;
    uint32_t changes;

    poll_lines(s, b, POLL_LINES_MS);
    uw_serial_counts(b->port, &now);
    if (c->asked < 2) {
        c->before = now;
        c->asked = 2;
    }
    changes = (now.cts != before->cts ? TIOCM_CTS : 0u) |
              (now.dsr != before->dsr ? TIOCM_DSR : 0u) | (now.ri != before->ri ? TIOCM_RNG : 0u) |
              (now.dcd != before->dcd ? TIOCM_CAR : 0u);
    if (changes & c->request.mask)
        answer_value(c, 0);
    else if (b->ended)
        refuse(c, EIO);
}

/* ---- calls ---- */

static void (*const ops[])(struct ttyside *, struct bridge *, struct ttyside_call *) = {
    [TTY_GET_LINES] = get_lines, [TTY_SET_LINES] = set_lines,   [TTY_SET_BREAK] = set_break,
    [TTY_GET_FRAME] = get_frame, [TTY_SET_FRAME] = set_frame,   [TTY_DRAIN] = drain,
    [TTY_FLUSH] = flush,         [TTY_WAIT_LINES] = wait_lines, [TTY_COUNTS] = counts,
    [TTY_UNSENT] = unsent,       [TTY_GET_SERIAL] = get_serial, [TTY_SET_SERIAL] = set_serial,
};

static void
work_on(struct ttyside *s, struct bridge *b, struct ttyside_call *c)
{
    if (c->request.op < sizeof(ops) / sizeof(ops[0]) && ops[c->request.op])
        ops[c->request.op](s, b, c);
    else
        refuse(c, ENOTTY);
}

/* A program that is gone has no question any more. */
static void
hear(struct ttyside *s, struct bridge *b, struct ttyside_call *c)
{
    struct tty_reply not_mine = {.verdict = TTY_NOT_MINE};
    ssize_t n = recv(c->fd, &c->request, sizeof(c->request), 0);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n != (ssize_t)sizeof(c->request) || c->asked)
        hang_up(c);
    else if (c->request.version != TTY_VERSION || c->request.device != s->who.device ||
             c->request.inode != s->who.inode || c->request.number != s->who.number)
        answer(c, &not_mine);
    else {
        c->asked = 1;
        work_on(s, b, c);
    }
}

unsigned
ttyside_polls(const struct ttyside *s, struct pollfd *fds)
{
    unsigned n = 0, used = 0;

    for (size_t i = 0; i < TTYSIDE_CALLS; i++) {
        fds[n++] = (struct pollfd){.fd = s->calls[i].fd, .events = POLLIN};
        used += s->calls[i].fd >= 0;
    }
    fds[n++] = (struct pollfd){.fd = used < TTYSIDE_CALLS ? s->listener : -1, .events = POLLIN};
    return n;
}

void
ttyside_ready(struct ttyside *s, struct bridge *b, const struct pollfd *fds, unsigned count)
{
    for (size_t i = 0; i < TTYSIDE_CALLS && i < count; i++)
        if (s->calls[i].fd >= 0 && fds[i].revents)
            hear(s, b, &s->calls[i]);
    if (count > TTYSIDE_CALLS && fds[TTYSIDE_CALLS].revents)
        take_call(s);
}

int
ttyside_work(struct ttyside *s, struct bridge *b)
{
    int again = -1, waiters = 0;

    for (size_t i = 0; i < TTYSIDE_CALLS; i++) {
        struct ttyside_call *c = &s->calls[i];

        if (c->fd < 0 || !c->asked)
            continue;
        work_on(s, b, c);
        if (c->fd >= 0 && c->request.op == TTY_DRAIN)
            again = DRAIN_MS;
        waiters += c->fd >= 0 && c->request.op == TTY_WAIT_LINES;
    }
    if (!waiters)
        poll_lines(s, b, 0);
    return again;
}

void
ttyside_left(struct ttyside *s, struct bridge *b, int drop)
{
    struct uw_fault fault;

    if (s->breaking)
        (void)uw_serial_set_break(b->port, 0, NULL);
    s->breaking = 0;
    if (s->lines_set && drop && outputs_of(b) && uw_serial_set_lines(b->port, 0, 0, &fault) < 0)
        bridge_failed(b, &fault);
    s->lines_set = 0;
}
