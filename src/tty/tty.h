/*
 * tty.h - what a program asks of the process that owns its pseudo-terminal
 *
 * The kernel's pseudo-terminals have no modem lines, no break, no parity. So beside each of ours
 * lies a socket, named by the number of the pseudo-terminal, and the library that is preloaded into
 * programs asks there. One connection a question: the program may have any number of threads,
 * fork, close and duplicate as it likes, and nothing is kept between two of its calls.
 *
 * Both ends are processes of one user on one machine: numbers are in the host's order, and their
 * widths those that 32-bit programs have, too.
 */
#ifndef UW_TTY_TTY_H
#define UW_TTY_TTY_H

#include <stdint.h>

#define TTY_VERSION 1u

/* What lines and frames are said in: the bits of TIOCM_... and of c_cflag, which are the kernel's
 * and the same for all. */
enum tty_op {
    TTY_GET_LINES = 1,  /* value: TIOCM_ bits */
    TTY_SET_LINES = 2,  /* those of `mask` become as in `value`; DTR and RTS go out together */
    TTY_SET_BREAK = 3,  /* value: 0 or 1 */
    TTY_GET_FRAME = 4,  /* value: bits of TTY_FRAME in force */
    TTY_SET_FRAME = 5,  /* value: the same to be set, and what the pseudo-terminal says besides */
    TTY_DRAIN = 6,      /* answered when the device has taken all that was written */
    TTY_FLUSH = 7,      /* value: 0 input, 1 output, 2 both, as TCIFLUSH and its like */
    TTY_WAIT_LINES = 8, /* answered when an input of `mask` changes */
    TTY_COUNTS = 9,     /* counts: as in struct serial_icounter_struct */
    TTY_UNSENT = 10,    /* value: bytes that the device has not taken, behind the pseudo-terminal */
    TTY_GET_SERIAL = 11, /* value: bits of TTY_SERIAL; divisor */
    TTY_SET_SERIAL = 12  /* value: the same; mask: the divisor */
};

/* CSIZE, PARENB, PARODD and CMSPAR of c_cflag. */
#define TTY_FRAME 0x40000330u

/* Flags of struct serial_struct: what 38400 bits/s stand for (ASYNC_SPD_MASK), ASYNC_LOW_LATENCY.
 * One of the former has this divided by the divisor, as FTDI's driver in the kernel. */
#define TTY_SERIAL    0x3030u
#define TTY_BAUD_BASE 24000000u

/* Which pseudo-terminal is meant: other instances of devpts have the same numbers. */
struct tty_request {
    uint32_t version, op;
    uint64_t device, inode, number; /* st_dev, st_ino, st_rdev */
    uint32_t mask, value;
};

enum tty_verdict { TTY_DONE = 0, TTY_FAILED = 1, TTY_NOT_MINE = 2 };

enum tty_count {
    TTY_CTS,
    TTY_DSR,
    TTY_RNG,
    TTY_DCD,
    TTY_RX,
    TTY_TX,
    TTY_FRAMING,
    TTY_OVERRUN,
    TTY_PARITY,
    TTY_BRK,
    TTY_LOST,
    TTY_NUM_COUNTS
};

struct tty_reply {
    uint32_t version, verdict;
    int32_t error; /* errno, with FAILED */
    uint32_t value, divisor;
    uint32_t counts[TTY_NUM_COUNTS];
};

#endif
