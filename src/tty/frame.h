/*
 * frame.h - what a pseudo-terminal of ours has besides the kernel's: data bits and parity, break,
 * buffers that reach as far as the device
 */
#ifndef UW_TTY_FRAME_H
#define UW_TTY_FRAME_H

/* Bits of TTY_FRAME in *c_cflag become those in force, if the pseudo-terminal is ours. */
void tty_frame_get(int fd, unsigned *c_cflag);

#define TTY_REAL_ONE 1 /* none of ours: the real function is to see to it */

/* What is to happen before and after the kernel's settings are changed: `when` is TCSANOW,
 * TCSADRAIN or TCSAFLUSH. What the device cannot do is not done, as with other drivers. The first:
 * 0, -1 with errno, or TTY_REAL_ONE. */
int tty_frame_before(int fd, int when);
void tty_frame_after(int fd, int when, unsigned c_cflag);

/* The bits as the kernel keeps them, whatever it is told. */
unsigned tty_frame_plain(unsigned c_cflag);

/* The device's part of it: 0, -1 with errno, or TTY_REAL_ONE. */
int tty_send_break(int fd, unsigned ms);
int tty_drain(int fd);
int tty_flush(int fd, int queue);

#endif
