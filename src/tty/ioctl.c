/*
 * ioctl.c - modem lines, break and the rest as the kernel's serial drivers have them
 *
 * A request that is none of these goes on at once, whatever the descriptor is.
 */
#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <errno.h>
#include <linux/serial.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>

#include "tty/ask.h"
#include "tty/frame.h"
#include "tty/real.h"

#define BREAK_MS     250
#define CLOSE_DELAY  50 /* hundredths of a second, as the kernel's USB serial ports have them */
#define CLOSING_WAIT 3000
#define OUTPUTS      (TIOCM_DTR | TIOCM_RTS)

/* An ioctl that is ours, should the descriptor be. */
struct request {
    unsigned long number;
    /* 0, -1 with errno, or TTY_REAL_ONE. */
    int (*handle)(const struct request *request, int fd, void *argument);
    int detail; /* of the handler */
};

static int
ask(int fd, struct tty_question *q)
{
    return tty_ask(fd, q) == TTY_OTHERS ? TTY_REAL_ONE : q->result;
}

/* Small numbers are given in the place of a pointer. */
static unsigned
number_of(const void *argument)
{
    return (unsigned)(uintptr_t)argument;
}

/* ---- lines ---- */

static int
get_lines(const struct request *request, int fd, void *argument)
{
    struct tty_question q = {.op = TTY_GET_LINES};
    int r = ask(fd, &q), lines = (int)q.reply.value;

    (void)request;
    if (r == 0)
        memcpy(argument, &lines, sizeof(lines));
    return r;
}

enum { EXACTLY, SET, CLEAR };

static int
set_lines(const struct request *request, int fd, void *argument)
{
    struct tty_question q = {.op = TTY_SET_LINES};
    int lines;

    if (!argument)
        return TTY_REAL_ONE;
    memcpy(&lines, argument, sizeof(lines));
    q.mask = request->detail == EXACTLY ? OUTPUTS : (uint32_t)lines & OUTPUTS;
    q.value = request->detail == CLEAR ? 0 : (uint32_t)lines & OUTPUTS;
    return ask(fd, &q);
}

static int
wait_for_lines(const struct request *request, int fd, void *argument)
{
    struct tty_question q = {.op = TTY_WAIT_LINES, .mask = number_of(argument), .patient = 1};

    (void)request;
    return ask(fd, &q);
}

static int
get_counts(const struct request *request, int fd, void *argument)
{
    struct tty_question q = {.op = TTY_COUNTS};
    struct serial_icounter_struct c = {0};
    int r = ask(fd, &q);
    const uint32_t *n = q.reply.counts;

    (void)request;
    if (r != 0)
        return r;
    c.cts = (int)n[TTY_CTS];
    c.dsr = (int)n[TTY_DSR];
    c.rng = (int)n[TTY_RNG];
    c.dcd = (int)n[TTY_DCD];
    c.rx = (int)n[TTY_RX];
    c.tx = (int)n[TTY_TX];
    c.frame = (int)n[TTY_FRAMING];
    c.overrun = (int)n[TTY_OVERRUN];
    c.parity = (int)n[TTY_PARITY];
    c.brk = (int)n[TTY_BRK];
    c.buf_overrun = (int)n[TTY_LOST];
    memcpy(argument, &c, sizeof(c));
    return 0;
}

/* ---- what setserial shows and sets ---- */

static int
get_serial(const struct request *request, int fd, void *argument)
{
    struct tty_question q = {.op = TTY_GET_SERIAL};
    int r = ask(fd, &q);
    struct serial_struct s = {.flags = (int)q.reply.value,
                              .custom_divisor = (int)q.reply.divisor,
                              .baud_base = TTY_BAUD_BASE,
                              .close_delay = CLOSE_DELAY,
                              .closing_wait = CLOSING_WAIT};

    (void)request;
    if (r == 0)
        memcpy(argument, &s, sizeof(s));
    return r;
}

static int
set_serial(const struct request *request, int fd, void *argument)
{
    struct tty_question q = {.op = TTY_SET_SERIAL};
    struct serial_struct s;

    (void)request;
    if (!argument)
        return TTY_REAL_ONE;
    memcpy(&s, argument, sizeof(s));
    q.value = (uint32_t)s.flags & TTY_SERIAL;
    q.mask = (uint32_t)s.custom_divisor;
    return ask(fd, &q);
}

/* ---- break and buffers ---- */

static int
set_break(const struct request *request, int fd, void *argument)
{
    struct tty_question q = {.op = TTY_SET_BREAK, .value = (uint32_t)request->detail};

    (void)argument;
    return ask(fd, &q);
}

/* TCSBRK: a break, or with any argument what tcdrain does. */
static int
send_break(const struct request *request, int fd, void *argument)
{
    (void)request;
    return number_of(argument) ? tty_drain(fd) : tty_send_break(fd, BREAK_MS);
}

static int
send_break_of(const struct request *request, int fd, void *argument)
{
    unsigned tenths = number_of(argument);

    (void)request;
    return tty_send_break(fd, tenths ? tenths * 100 : BREAK_MS);
}

/* What is still in the pseudo-terminal, and what is on its way behind it. */
static int
get_unsent(const struct request *request, int fd, void *argument)
{
    struct tty_question q = {.op = TTY_UNSENT};
    int n, r = tty_real()->ioctl(fd, request->number, &n);

    if (r != 0 || ask(fd, &q) != 0)
        return TTY_REAL_ONE;
    n += (int)q.reply.value;
    memcpy(argument, &n, sizeof(n));
    return 0;
}

static int
flush_queue(const struct request *request, int fd, void *argument)
{
    int r = tty_real()->ioctl(fd, request->number, argument);

    return r == 0 && tty_flush(fd, (int)number_of(argument)) < 0 ? -1 : r;
}

/* ---- settings ---- */

/* c_cflag stands at the same place in all of the kernel's structures; programs in languages without
 * them may have theirs anywhere. */
static unsigned char *
c_cflag_in(void *termios)
{
    return (unsigned char *)termios + 2 * sizeof(unsigned);
}

static int
get_settings(const struct request *request, int fd, void *argument)
{
    int r = tty_real()->ioctl(fd, request->number, argument);
    unsigned c_cflag;

    if (r != 0)
        return r;
    memcpy(&c_cflag, c_cflag_in(argument), sizeof(c_cflag));
    tty_frame_get(fd, &c_cflag);
    memcpy(c_cflag_in(argument), &c_cflag, sizeof(c_cflag));
    return 0;
}

/* `detail` counts as tcsetattr's second argument does. */
static int
set_settings(const struct request *request, int fd, void *argument)
{
    int r = tty_frame_before(fd, request->detail);
    unsigned c_cflag;

    if (r != 0)
        return r;
    r = tty_real()->ioctl(fd, request->number, argument);
    if (r == 0) {
        memcpy(&c_cflag, c_cflag_in(argument), sizeof(c_cflag));
        tty_frame_after(fd, request->detail, c_cflag);
    }
    return r;
}

/* ---- the table ---- */

static const struct request requests[] = {
    {TIOCMGET, get_lines, 0},     {TIOCMSET, set_lines, EXACTLY},  {TIOCMBIS, set_lines, SET},
    {TIOCMBIC, set_lines, CLEAR}, {TIOCMIWAIT, wait_for_lines, 0}, {TIOCGICOUNT, get_counts, 0},
    {TIOCSBRK, set_break, 1},     {TIOCCBRK, set_break, 0},        {TCSBRK, send_break, 0},
    {TCSBRKP, send_break_of, 0},  {TCFLSH, flush_queue, 0},        {TCGETS, get_settings, 0},
    {TCGETS2, get_settings, 0},   {TCSETS, set_settings, 0},       {TCSETSW, set_settings, 1},
    {TCSETSF, set_settings, 2},   {TCSETS2, set_settings, 0},      {TCSETSW2, set_settings, 1},
    {TCSETSF2, set_settings, 2},  {TIOCGSERIAL, get_serial, 0},    {TIOCSSERIAL, set_serial, 0},
    {TIOCOUTQ, get_unsent, 0},
};

static const struct request *
find(unsigned long number)
{
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
        if (requests[i].number == number)
            return &requests[i];
    return NULL;
}

int
ioctl(int fd, unsigned long number, ...)
{
    const struct request *request = find(number);
    int r = TTY_REAL_ONE;
    void *argument;
    va_list list;

    va_start(list, number);
    argument = va_arg(list, void *);
    va_end(list);
    if (request && tty_is_slave(fd)) /* elsewhere the number may mean anything */
        r = request->handle(request, fd, argument);
    return r == TTY_REAL_ONE ? tty_real()->ioctl(fd, number, argument) : r;
}
