/*
 * frame.c - what a pseudo-terminal of ours has besides the kernel's
 */
#include <errno.h>
#include <termios.h>
#include <time.h>

#include "tty/ask.h"
#include "tty/frame.h"

static int
result_of(enum tty_answer answer, const struct tty_question *q)
{
    return answer == TTY_OTHERS ? TTY_REAL_ONE : q->result;
}

void
tty_frame_get(int fd, unsigned *c_cflag)
{
    struct tty_question q = {.op = TTY_GET_FRAME};
    int before = errno;

    if (tty_ask(fd, &q) == TTY_ANSWERED && q.result == 0)
        *c_cflag = (*c_cflag & ~TTY_FRAME) | (q.reply.value & TTY_FRAME);
    errno = before;
}

int
tty_frame_before(int fd, int when)
{
    struct tty_question q = {.op = TTY_GET_FRAME};

    return when == TCSANOW ? result_of(tty_ask(fd, &q), &q) : tty_drain(fd);
}

unsigned
tty_frame_plain(unsigned c_cflag)
{
    return (c_cflag & ~TTY_FRAME) | CS8;
}

void
tty_frame_after(int fd, int when, unsigned c_cflag)
{
    struct tty_question q = {.op = TTY_SET_FRAME, .value = c_cflag & TTY_FRAME};
    int before = errno;

    if (when == TCSAFLUSH)
        (void)tty_flush(fd, TCIFLUSH);
    (void)tty_ask(fd, &q);
    errno = before;
}

static int
set_break(int fd, uint32_t on)
{
    struct tty_question q = {.op = TTY_SET_BREAK, .value = on};

    return result_of(tty_ask(fd, &q), &q);
}

int
tty_send_break(int fd, unsigned ms)
{
    const struct timespec length = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    int r = tty_drain(fd), slept, error;

    if (r == 0)
        r = set_break(fd, 1);
    if (r != 0)
        return r;
    slept = nanosleep(&length, NULL);
    error = errno;
    r = set_break(fd, 0);
    if (r == 0 && slept < 0) {
        errno = error;
        return -1;
    }
    return r;
}

int
tty_drain(int fd)
{
    struct tty_question q = {.op = TTY_DRAIN, .patient = 1};

    return result_of(tty_ask(fd, &q), &q);
}

int
tty_flush(int fd, int queue)
{
    struct tty_question q = {.op = TTY_FLUSH, .value = (uint32_t)queue};

    return result_of(tty_ask(fd, &q), &q);
}
