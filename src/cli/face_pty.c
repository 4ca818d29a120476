/*
 * face_pty.c - a pseudo-terminal that any program opens as its serial port
 *
 * What a program sets on it - rate, stop bits, flow control - reaches the device before the
 * program's next byte does. The kernel's pseudo-terminals have no modem lines, no parity and no
 * break; programs that need those take RFC 2217 or 'usbwire run --tty'.
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

#define OUT_MAX 16384u

struct pty {
    int master, slave, watch;
    unsigned users; /* programs that have it open */
    char path[64], link[512];
    struct uw_serial_config tried; /* what the port is set to, or refused to be */
    uint8_t out[OUT_MAX];
    size_t out_size;
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

static int
open_face(struct bridge *b, const char *argument)
{
    struct pty *p = calloc(1, sizeof(*p));

    if (!p)
        return cli_error("out of memory");
    b->own = p;
    p->master = p->slave = p->watch = -1;
    if (open_pair(b, p) < 0)
        return cli_error("no pseudo-terminal could be made: %s", strerror(errno));
    return make_link(p, argument);
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
    snprintf(buf, size, "%s -> %s", pty_of(b)->link, pty_of(b)->path);
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
    return 2;
}

/* Who opens a serial port does not expect what came while nobody had it open. */
static void
count_users(struct pty *p)
{
    union {
        struct inotify_event first;
        char bytes[1024];
    } buf;
    ssize_t n = read(p->watch, &buf, sizeof(buf));

    for (ssize_t at = 0; at + (ssize_t)sizeof(buf.first) <= n;) {
        struct inotify_event e;

        memcpy(&e, buf.bytes + at, sizeof(e));
        at += (ssize_t)(sizeof(e) + e.len);
        if (e.mask & IN_OPEN && p->users++ == 0) {
            (void)tcflush(p->slave, TCIFLUSH);
            p->out_size = 0;
        }
        if (e.mask & IN_CLOSE && p->users > 0)
            p->users--;
    }
}

/* A setting that the chip refuses is said once. */
static void
follow_settings(struct bridge *b)
{
    struct pty *p = pty_of(b);
    struct uw_serial_config changes;
    struct uw_fault fault;

    if (!bridge_is_up(b) || !ptyline_changes(p->master, &p->tried, &changes))
        return;
    if (uw_serial_set_config(b->port, &changes, &fault) < 0)
        bridge_failed(b, &fault);
    if (changes.baud >= 0)
        p->tried.baud = changes.baud;
    if (changes.stop_bits >= 0)
        p->tried.stop_bits = changes.stop_bits;
    if (changes.flow >= 0)
        p->tried.flow = changes.flow;
}

static void
flush(struct pty *p)
{
    ssize_t n = p->out_size ? write(p->master, p->out, p->out_size) : 0;

    if (n <= 0)
        return;
    memmove(p->out, p->out + n, p->out_size - (size_t)n);
    p->out_size -= (size_t)n;
}

/* In packet mode the first byte says what follows: 0 is data, else something happened. */
static void
read_master(struct bridge *b)
{
    struct pty *p = pty_of(b);
    uint8_t bytes[1 + BRIDGE_BUFFER];
    ssize_t n = read(p->master, bytes, sizeof(bytes));

    if (n <= 0)
        return;
    follow_settings(b);
    if (bytes[0] == TIOCPKT_DATA && n > 1)
        bridge_send(b, bytes + 1, (size_t)n - 1);
    else if (bytes[0] & TIOCPKT_FLUSHREAD)
        p->out_size = 0;
}

static int
ready(struct bridge *b, const struct pollfd *fds, unsigned count)
{
    if (count > 1 && fds[1].revents & POLLIN)
        count_users(pty_of(b));
    if (fds[0].revents & (POLLIN | POLLPRI))
        read_master(b);
    flush(pty_of(b));
    return 0;
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

const struct face face_pty = {
    .name = "pty",
    .open = open_face,
    .close = close_face,
    .where = where,
    .polls = polls,
    .ready = ready,
    .room = room,
    .show = show,
};
