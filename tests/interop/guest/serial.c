/*
 * serial - a serial line of the guest, used
 *
 *   serial FILE echo BYTES [BAUD FORMAT]
 *                           sends random bytes and expects them back; FORMAT as "7E1"
 *   serial FILE signals     prints the modem lines that are on, as "cts dsr"
 *   serial FILE set NAME=0|1...
 *                           sets dtr and rts; signals=N prints those that are on once they are N
 *                           (each opening raises both, so this has to be one program)
 *   serial FILE break       sends a break of a quarter second
 *   serial FILE trace STEP...
 *                           does one step after the other and prints after each what usbmon, which
 *                           is descriptor 3, saw of it: "[STEP]" and its lines. A step is
 *                           BAUD:FORMAT, rtscts, xonxoff, noflow, dtr=0|1, rts=0|1, both=0|1,
 *                           break=0|1. [bind] is what came before, [open] and [close] are around.
 *
 * The line is raw, at the speed that stty(1) gave it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define SILENCE_MS 60000
#define USBMON     3

static const struct {
    const char *name;
    int bit;
} signals[] = {{"dtr", TIOCM_DTR}, {"rts", TIOCM_RTS}, {"cts", TIOCM_CTS},
               {"dsr", TIOCM_DSR}, {"dcd", TIOCM_CAR}, {"ri", TIOCM_RI}};

#define SIGNALS (sizeof(signals) / sizeof(signals[0]))

static int
trouble(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    return 1;
}

static int
open_raw(const char *path)
{
    struct termios t;
    int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK);

    if (fd < 0 || tcgetattr(fd, &t) < 0)
        return -1;
    cfmakeraw(&t);
    t.c_cflag |= CLOCAL | CREAD;
    return tcsetattr(fd, TCSANOW, &t) < 0 ? -1 : fd;
}

static const struct {
    const char *name;
    speed_t speed;
} speeds[] = {{"9600", B9600}, {"115200", B115200}, {"921600", B921600}};

/* "7E1"; without parity there is none. */
static int
set_line(int fd, const char *baud, const char *format)
{
    static const tcflag_t sizes[] = {CS5, CS6, CS7, CS8};
    struct termios t;

    if (tcgetattr(fd, &t) < 0 || strlen(format) != 3 || format[0] < '5' || format[0] > '8')
        return trouble("line");
    for (size_t i = 0; i < sizeof(speeds) / sizeof(speeds[0]); i++)
        if (strcmp(speeds[i].name, baud) == 0)
            cfsetspeed(&t, speeds[i].speed);
    t.c_cflag &= ~(tcflag_t)(CSIZE | PARENB | PARODD | CSTOPB);
    t.c_cflag |= sizes[format[0] - '5'];
    t.c_cflag |= format[1] == 'N' ? 0 : format[1] == 'E' ? PARENB : PARENB | PARODD;
    t.c_cflag |= format[2] == '2' ? CSTOPB : 0;
    return tcsetattr(fd, TCSANOW, &t) < 0 ? trouble("line") : 0;
}

static int
echo(int fd, size_t bytes)
{
    uint8_t *sent = malloc(bytes), *got = malloc(bytes);
    size_t out = 0, in = 0;

    if (!sent || !got)
        return trouble("memory");
    for (size_t i = 0; i < bytes; i++)
        sent[i] = (uint8_t)(i * 2654435761u >> 16);
    while (in < bytes) {
        struct pollfd p = {fd, (short)(POLLIN | (out < bytes ? POLLOUT : 0)), 0};
        ssize_t n;
        if (poll(&p, 1, SILENCE_MS) <= 0) {
            fprintf(stderr, "silence after %zu bytes out and %zu in\n", out, in);
            return 1;
        }
        n = p.revents & POLLOUT ? write(fd, sent + out, bytes - out) : 0;
        out += n > 0 ? (size_t)n : 0;
        n = p.revents & POLLIN ? read(fd, got + in, bytes - in) : 0;
        in += n > 0 ? (size_t)n : 0;
        if (p.revents & (POLLERR | POLLHUP))
            return trouble("hung up");
    }
    if (memcmp(sent, got, bytes) != 0) {
        size_t i = 0;
        while (i + 1 < bytes && sent[i] == got[i])
            i++;
        fprintf(stderr, "byte %zu of %zu differs\n", i, bytes);
        return 1;
    }
    free(sent);
    free(got);
    return 0;
}

static int
show_signals(int fd)
{
    int bits;

    if (ioctl(fd, TIOCMGET, &bits) < 0)
        return trouble("TIOCMGET");
    for (size_t i = 0; i < SIGNALS; i++) {
        if (bits & signals[i].bit)
            printf("%s ", signals[i].name);
    }
    putchar('\n');
    return 0;
}

/* Prints the signals once so many are on, or after a while as they are. */
static int
await_signals(int fd, unsigned long wanted)
{
    for (int tries = 0; tries < 1200; tries++) {
        unsigned long on = 0;
        int bits;

        if (ioctl(fd, TIOCMGET, &bits) < 0)
            return trouble("TIOCMGET");
        for (size_t i = 0; i < SIGNALS; i++)
            on += (bits & signals[i].bit) != 0;
        if (on == wanted)
            break;
        usleep(50000);
    }
    return show_signals(fd);
}

static int
set_signal(int fd, const char *setting)
{
    if (strncmp(setting, "signals=", 8) == 0)
        return await_signals(fd, strtoul(setting + 8, NULL, 0));
    for (size_t i = 0; i < SIGNALS; i++) {
        size_t n = strlen(signals[i].name);
        if (strncmp(setting, signals[i].name, n) == 0 && setting[n] == '=') {
            int bit = signals[i].bit;
            if (ioctl(fd, setting[n + 1] == '1' ? TIOCMBIS : TIOCMBIC, &bit) < 0)
                return trouble(setting);
            return 0;
        }
    }
    fprintf(stderr, "no signal: %s\n", setting);
    return 2;
}

/* ---- what the kernel makes of it ---- */

/* The requests of a step have been answered when it returns, so usbmon has them all. */
static void
show_trace(const char *step)
{
    char lines[4096];
    ssize_t n;

    printf("[%s]\n", step);
    fflush(stdout);
    while ((n = read(USBMON, lines, sizeof(lines))) > 0)
        if (write(STDOUT_FILENO, lines, (size_t)n) != n)
            exit(trouble("trace"));
}

static int
set_flow(int fd, const char *flow)
{
    struct termios t;

    if (tcgetattr(fd, &t) < 0)
        return -1;
    t.c_cflag &= ~(tcflag_t)CRTSCTS;
    t.c_iflag &= ~(tcflag_t)(IXON | IXOFF);
    t.c_cflag |= strcmp(flow, "rtscts") == 0 ? CRTSCTS : 0;
    t.c_iflag |= strcmp(flow, "xonxoff") == 0 ? IXON | IXOFF : 0;
    return tcsetattr(fd, TCSANOW, &t);
}

static int
set_bits(int fd, int bits, int on)
{
    return ioctl(fd, on ? TIOCMBIS : TIOCMBIC, &bits);
}

static int
take_step(int fd, const char *step)
{
    size_t name = strcspn(step, "=:");
    int on = step[name] == '=' && step[name + 1] == '1';
    char baud[16];

    if (step[name] == ':') {
        snprintf(baud, sizeof(baud), "%.*s", (int)name, step);
        return set_line(fd, baud, step + name + 1) ? -1 : 0;
    }
    if (strncmp(step, "break", name) == 0)
        return ioctl(fd, on ? TIOCSBRK : TIOCCBRK);
    if (strncmp(step, "both", name) == 0)
        return set_bits(fd, TIOCM_DTR | TIOCM_RTS, on);
    if (strncmp(step, "dtr", name) == 0 || (strncmp(step, "rts", name) == 0 && name == 3))
        return set_bits(fd, step[0] == 'd' ? TIOCM_DTR : TIOCM_RTS, on);
    return set_flow(fd, step);
}

static int
trace(const char *path, char **steps)
{
    int fd;

    if (fcntl(USBMON, F_SETFL, O_NONBLOCK) < 0)
        return trouble("usbmon");
    show_trace("bind");
    fd = open_raw(path);
    if (fd < 0)
        return trouble(path);
    show_trace("open");
    for (; *steps; steps++) {
        if (take_step(fd, *steps) < 0)
            return trouble(*steps);
        show_trace(*steps);
    }
    close(fd);
    show_trace("close");
    return 0;
}

int
main(int argc, char **argv)
{
    int fd, status = 0;

    if (argc < 3)
        return trouble("usage");
    if (strcmp(argv[2], "trace") == 0)
        return trace(argv[1], argv + 3);
    fd = open_raw(argv[1]);
    if (fd < 0)
        return trouble(argv[1]);
    if (strcmp(argv[2], "echo") == 0 && argc > 5)
        status = set_line(fd, argv[4], argv[5]);
    if (status)
        return status;
    if (strcmp(argv[2], "echo") == 0 && argc > 3)
        return echo(fd, strtoul(argv[3], NULL, 0));
    if (strcmp(argv[2], "signals") == 0)
        return show_signals(fd);
    if (strcmp(argv[2], "break") == 0)
        return tcsendbreak(fd, 0) < 0 ? trouble("break") : 0;
    for (int i = 3; i < argc && status == 0; i++)
        status = set_signal(fd, argv[i]);
    return status;
}
