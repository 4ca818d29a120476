/*
 * ttyside.h - beside a pseudo-terminal, the socket where preloaded programs ask for what it lacks
 *
 * See tty/tty.h. All of it runs in the bridge's thread, between two polls.
 */
#ifndef UW_CLI_TTYSIDE_H
#define UW_CLI_TTYSIDE_H

#include "bridge.h"
#include "tty/tty.h"

#define TTYSIDE_CALLS 6u /* at a time; more wait in line */
#define TTYSIDE_POLLS (TTYSIDE_CALLS + 1u)

struct ttyside_call {
    int fd; /* -1: none */
    int asked;
    struct tty_request request;
    struct uw_serial_counts before; /* of one that waits for lines */
};

struct ttyside {
    int listener; /* -1: there is none */
    char path[108];
    struct tty_request who; /* the pseudo-terminal */
    struct ttyside_call calls[TTYSIDE_CALLS];
    int lines_set, breaking, polling;
    uint32_t serial, divisor; /* as of TTY_SET_SERIAL */
    /* What the pseudo-terminal does for it. Takes what programs wrote: 1 when that was all. */
    int (*take_all)(struct bridge *bridge);
    /* The rate and what else is set there is to be looked at. */
    void (*follow)(struct bridge *bridge);
    /* That, and then a frame. */
    void (*set_frame)(struct bridge *bridge, unsigned c_cflag);
    unsigned (*frame)(struct bridge *bridge);
    /* Throws away what is underway, enum uw_serial_buffers or-ed. */
    int (*drop)(struct bridge *bridge, unsigned buffers, struct uw_fault *fault);
};

/* Begins to listen for an open slave. Without a socket it is a plain pseudo-terminal: 0, or -1 with
 * errno. */
int ttyside_open(struct ttyside *side, int slave);
void ttyside_close(struct ttyside *side);
/* Fills in up to TTYSIDE_POLLS. */
unsigned ttyside_polls(const struct ttyside *side, struct pollfd *fds);
void ttyside_ready(struct ttyside *side, struct bridge *bridge, const struct pollfd *fds,
                   unsigned count);
/* Sees to calls that wait; returns after how many ms again, -1: none does. */
int ttyside_work(struct ttyside *side, struct bridge *bridge);
/* What 38400 bits/s stand for. */
unsigned ttyside_rate(const struct ttyside *side);
/* Nobody has the pseudo-terminal open any more; `hang_up`: lines that were raised are dropped. */
void ttyside_left(struct ttyside *side, struct bridge *bridge, int hang_up);

#endif
