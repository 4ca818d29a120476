/*
 * termios.c - the functions of <termios.h> that reach past the kernel's pseudo-terminal
 *
 * The C library's own do not go through its ioctl as others see it.
 */
#include <errno.h>
#include <pthread.h>
#include <termios.h>

#include "tty/ask.h"
#include "tty/frame.h"
#include "tty/real.h"

#define BREAK_MS 250 /* as the kernel has it */

int
tcgetattr(int fd, struct termios *t)
{
    int r = tty_real()->tcgetattr(fd, t);

    if (r == 0)
        tty_frame_get(fd, &t->c_cflag);
    return r;
}

/* The C library looks at what became of the frame, and would call it an error. */
int
tcsetattr(int fd, int when, const struct termios *t)
{
    int r = tty_is_slave(fd) ? tty_frame_before(fd, when) : TTY_REAL_ONE;
    struct termios plain;

    if (r == TTY_REAL_ONE)
        return tty_real()->tcsetattr(fd, when, t);
    if (r < 0)
        return r;
    plain = *t;
    plain.c_cflag = tty_frame_plain(t->c_cflag);
    r = tty_real()->tcsetattr(fd, when, &plain);
    if (r == 0)
        tty_frame_after(fd, when, t->c_cflag);
    return r;
}

int
tcsendbreak(int fd, int duration)
{
    int r = tty_send_break(fd, duration > 0 ? (unsigned)duration : BREAK_MS);

    return r == TTY_REAL_ONE ? tty_real()->tcsendbreak(fd, duration) : r;
}

int
tcdrain(int fd)
{
    int r;

    pthread_testcancel(); /* it is a place where a thread may be cancelled */
    r = tty_drain(fd);
    return r == TTY_REAL_ONE ? tty_real()->tcdrain(fd) : r;
}

/* The kernel's own buffer first: what is still in it would come behind. */
int
tcflush(int fd, int queue)
{
    int r = tty_real()->tcflush(fd, queue);

    return r == 0 && tty_flush(fd, queue) < 0 ? -1 : r;
}
