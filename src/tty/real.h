/*
 * real.h - the functions that those of this library stand before
 */
#ifndef UW_TTY_REAL_H
#define UW_TTY_REAL_H

struct termios;

/* NAME(return type, name, parameters) */
#define TTY_REAL                                                                                   \
    NAME(int, ioctl, (int, unsigned long, ...))                                                    \
    NAME(int, tcgetattr, (int, struct termios *))                                                  \
    NAME(int, tcsetattr, (int, int, const struct termios *))                                       \
    NAME(int, tcsendbreak, (int, int))                                                             \
    NAME(int, tcdrain, (int))                                                                      \
    NAME(int, tcflush, (int, int))

struct tty_real {
#define NAME(type, name, parameters) type(*name) parameters;
    TTY_REAL
#undef NAME
};

/* Never NULL in a program that could be linked at all. */
const struct tty_real *tty_real(void);

#endif
