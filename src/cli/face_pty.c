/*
 * face_pty.c - a pseudo-terminal that any program opens as its serial port
 *
 * What a program sets on it - rate, stop bits, flow control - reaches the device before the
 * program's next byte does. The kernel's pseudo-terminals have no modem lines, no parity and no
 * break; programs that need those take RFC 2217 or 'usbwire run --tty', which asks at the side
 * (ttyside.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "bridge.h"
#include "ptyline.h"
#include "ttyside.h"

#define OUT_MAX 16384u

struct pty {
    int master, slave, watch;
    unsigned users; /* programs that have it open */
    char path[64], link[512];
    struct uw_serial_config tried; /* what the port is set to, or refused to be */
    uint8_t out[OUT_MAX];
    size_t out_size;
    int own_flush; /* the next notice of a flush is of our making */
    struct ttyside side;
};

static struct pty *
pty_of(const struct bridge *b)
{
    return (struct pty *)b->own;
}

/* The link comes in one step, and only in the place of another link or of nothing. */
static int
make_link(struct pty *p, const char *argument)
{
    char fresh[sizeof(p->link) + 24];
    struct stat st;

    if (strlen(argument) >= sizeof(p->link))
        return cli_usage("'%s' is too long a name", argument);
    if (lstat(argument, &st) == 0 && !S_ISLNK(st.st_mode))
        return cli_error("%s is there already and no symbolic link; nothing was changed", argument);
    snprintf(fresh, sizeof(fresh), "%s.%ld", argument, (long)getpid());
    if (symlink(p->path, fresh) < 0 || rename(fresh, argument) < 0) {
        int error = errno;

        (void)unlink(fresh);
        return cli_error("the link %s could not be made: %s", argument, strerror(error));
    }
    snprintf(p->link, sizeof(p->link), "%s", argument);
    return 0;
}

static int
open_pair(struct bridge *b, struct pty *p)
{
    int on = 1;

    p->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (p->master < 0 || grantpt(p->master) < 0 || unlockpt(p->master) < 0 ||
        ptsname_r(p->master, p->path, sizeof(p->path)) != 0)
        return -1;
    /* Kept open: the master would be told of a hang-up each time a program closes it. */
    p->slave = open(p->path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    uw_serial_get_config(b->port, &p->tried);
    if (p->slave < 0 || ptyline_begin(p->slave, &p->tried) < 0)
        return -1;
    p->watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (p->watch < 0 || inotify_add_watch(p->watch, p->path, IN_OPEN | IN_CLOSE) < 0)
        return -1;
    return ioctl(p->master, TIOCPKT, &on);
}

/* The link goes, unless it is another's by now. */
static void
drop_link(struct pty *p)
{
    char target[sizeof(p->path)];
    ssize_t n = p->link[0] ? readlink(p->link, target, sizeof(target) - 1) : -1;

    if (n < 0)
        return;
    target[n] = '\0';
    if (strcmp(target, p->path) == 0)
        (void)unlink(p->link);
}

static void
close_face(struct bridge *b)
{
    struct pty *p = pty_of(b);

    if (!p)
        return;
    drop_link(p);
    ttyside_close(&p->side);
    if (p->watch >= 0)
        close(p->watch);
    if (p->slave >= 0)
        close(p->slave);
    if (p->master >= 0)
        close(p->master);
    free(p);
    b->own = NULL;
}

static void
where(const struct bridge *b, char *buf, size_t size)
{
    const struct pty *p = pty_of(b);

    snprintf(buf, size, "%s%s%s", p->link, p->link[0] ? " -> " : "", p->path);
}

static unsigned
polls(struct bridge *b, struct pollfd *fds)
{
    struct pty *p = pty_of(b);

    fds[0] = (struct pollfd){.fd = p->master, .events = POLLPRI};
    if (!bridge_is_full(b))
        fds[0].events |= POLLIN;
    if (p->out_size)
        fds[0].events |= POLLOUT;
    fds[1] = (struct pollfd){.fd = p->watch, .events = POLLIN};
    return 2 + ttyside_polls(&p->side, fds + 2);
}

/* Who opens a serial port does not expect what came while nobody had it open. */
static void
first_came(struct pty *p)
{
    p->own_flush = tcflush(p->slave, TCIFLUSH) == 0;
    p->out_size = 0;
}

static void
last_left(struct bridge *b)
{
    struct termios t;

    ttyside_left(&pty_of(b)->side, b, tcgetattr(pty_of(b)->slave, &t) == 0 && t.c_cflag & HUPCL);
}

static void
count_users(struct bridge *b)
{
    struct pty *p = pty_of(b);
    union {
        struct inotify_event first;
        char bytes[1024];
    } buf;
    ssize_t n = read(p->watch, &buf, sizeof(buf));

    for (ssize_t at = 0; at + (ssize_t)sizeof(buf.first) <= n;) {
        struct inotify_event e;

        memcpy(&e, buf.bytes + at, sizeof(e));
        at += (ssize_t)(sizeof(e) + e.len);
        if (e.mask & IN_OPEN && p->users++ == 0)
            first_came(p);
        if (e.mask & IN_CLOSE && p->users > 0 && --p->users == 0)
            last_left(b);
    }
}

/* ---- settings ---- */

/* A setting that the chip refuses is said once. A port that is being looked for remembers them. */
static void
set(struct bridge *b, const struct uw_serial_config *changes)
{
    struct uw_serial_config *tried = &pty_of(b)->tried;
    struct uw_fault fault;

    if (uw_serial_set_config(b->port, changes, &fault) < 0)
        bridge_failed(b, &fault);
    ptyline_take(tried, changes);
}

static void
follow_settings(struct bridge *b)
{
    struct pty *p = pty_of(b);
    struct uw_serial_config changes;

    if (ptyline_changes(p->master, ttyside_rate(&p->side), &p->tried, &changes))
        set(b, &changes);
}

/* Apart from the rest: a chip that has no such frame does at least the rate. */
static void
set_frame(struct bridge *b, unsigned c_cflag)
{
    struct uw_serial_config changes;

    follow_settings(b);
    if (ptyline_frame_changes(c_cflag, &pty_of(b)->tried, &changes))
        set(b, &changes);
}

static unsigned
frame(struct bridge *b)
{
    struct uw_serial_config now;

    uw_serial_get_config(b->port, &now);
    return ptyline_frame(&now);
}

/* ---- bytes ---- */

static void
flush(struct pty *p)
{
    ssize_t n = p->out_size ? write(p->master, p->out, p->out_size) : 0;

    if (n <= 0)
        return;
    memmove(p->out, p->out + n, p->out_size - (size_t)n);
    p->out_size -= (size_t)n;
}

static int
drop(struct bridge *b, unsigned buffers, struct uw_fault *fault)
{
    if (buffers & UW_SERIAL_INPUT)
        pty_of(b)->out_size = 0;
    if (buffers & UW_SERIAL_OUTPUT)
        b->pending_size = 0;
    return buffers && bridge_is_up(b) ? uw_serial_flush(b->port, buffers, fault) : 0;
}

/* A program flushed: what is behind the pseudo-terminal goes with what was in it. */
static void
note_flush(struct bridge *b, uint8_t notice)
{
    struct pty *p = pty_of(b);
    unsigned buffers = (notice & TIOCPKT_FLUSHREAD && !p->own_flush ? UW_SERIAL_INPUT : 0u) |
                       (notice & TIOCPKT_FLUSHWRITE ? UW_SERIAL_OUTPUT : 0u);
    struct uw_fault fault;

    if (notice & TIOCPKT_FLUSHREAD)
        p->own_flush = 0;
    if (drop(b, buffers, &fault) < 0)
        bridge_failed(b, &fault);
}

/* In packet mode the first byte says what follows: 0 is data, else something happened. Returns
 * whether there was anything. */
static int
read_master(struct bridge *b)
{
    struct pty *p = pty_of(b);
    uint8_t bytes[1 + BRIDGE_BUFFER];
    ssize_t n = read(p->master, bytes, sizeof(bytes));

    if (n <= 0)
        return 0;
    follow_settings(b);
    if (bytes[0] == TIOCPKT_DATA && n > 1)
        bridge_send(b, bytes + 1, (size_t)n - 1);
    else
        note_flush(b, bytes[0]);
    return 1;
}

/* A read that finds nothing has waited for what the kernel was still moving. */
static int
take_all(struct bridge *b)
{
    while (!bridge_is_full(b))
        if (!read_master(b))
            return 1;
    return 0;
}

static int
ready(struct bridge *b, const struct pollfd *fds, unsigned count)
{
    struct pty *p = pty_of(b);

    if (count > 1 && fds[1].revents & POLLIN)
        count_users(b);
    if (fds[0].revents & (POLLIN | POLLPRI))
        (void)read_master(b);
    flush(p);
    if (count > 2)
        ttyside_ready(&p->side, b, fds + 2, count - 2);
    return 0;
}

static int
work(struct bridge *b)
{
    return ttyside_work(&pty_of(b)->side, b);
}

static void
changed(struct bridge *b, const struct uw_serial_counts *counts)
{
    (void)counts;
    (void)ttyside_work(&pty_of(b)->side, b);
}

static size_t
room(struct bridge *b)
{
    return sizeof(pty_of(b)->out) - pty_of(b)->out_size;
}

static void
show(struct bridge *b, const uint8_t *bytes, size_t size)
{
    struct pty *p = pty_of(b);

    if (!p->users)
        return;
    memcpy(p->out + p->out_size, bytes, size);
    p->out_size += size;
    flush(p);
}

/* ---- opening ---- */

/* Without a link: for a program that is told the pseudo-terminal's own name. */
static int
open_face(struct bridge *b, const char *argument)
{
    struct pty *p = calloc(1, sizeof(*p));

    if (!p)
        return cli_error("out of memory");
    b->own = p;
    p->master = p->slave = p->watch = p->side.listener = -1;
    if (open_pair(b, p) < 0)
        return cli_error("no pseudo-terminal could be made: %s", strerror(errno));
    p->side.take_all = take_all;
    p->side.follow = follow_settings;
    p->side.set_frame = set_frame;
    p->side.frame = frame;
    p->side.drop = drop;
    if (ttyside_open(&p->side, p->slave) < 0)
        cli_remark(b->cli, "%s: no socket beside it, so 'usbwire run --tty' cannot serve it: %s",
                   p->path, strerror(errno));
    return argument ? make_link(p, argument) : 0;
}

const struct face face_pty = {
    .name = "pty",
    .open = open_face,
    .close = close_face,
    .where = where,
    .polls = polls,
    .ready = ready,
    .work = work,
    .room = room,
    .show = show,
    .changed = changed,
};
