/*
 * bridge.h - a serial port on one side, a face on the other: a pseudo-terminal, a TCP port, a
 * person's terminal
 *
 * One thread polls for all bridges. What comes from the port goes to the face as far as that takes
 * it; the port's own buffer holds the rest. While a port is being found again (a thread of its own
 * does that) its face stays open.
 */
#ifndef UW_CLI_BRIDGE_H
#define UW_CLI_BRIDGE_H

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#include "cli.h"

#define BRIDGE_BUFFER 4096u
#define BRIDGE_NAME   128u
#define BRIDGES_MAX   32u
#define FACE_POLLS    10u

struct bridge;

struct face {
    const char *name;
    /* Opens it as the option says. 0, or an exit code after a message. */
    int (*open)(struct bridge *bridge, const char *argument);
    void (*close)(struct bridge *bridge);
    /* Where programs find it, for a person. */
    void (*where)(const struct bridge *bridge, char *buf, size_t size);
    /* What to poll: fills in up to FACE_POLLS; returns how many. */
    unsigned (*polls)(struct bridge *bridge, struct pollfd *fds);
    /* They were polled. 0, or 1: the bridge is to end. */
    int (*ready)(struct bridge *bridge, const struct pollfd *fds, unsigned count);
    /* Does what it does by itself; returns after how many ms again, -1: not (may be NULL). */
    int (*work)(struct bridge *bridge);
    /* Bytes that it can take now, at most BRIDGE_BUFFER; 0: none. */
    size_t (*room)(struct bridge *bridge);
    /* Takes as many as `room` said. */
    void (*show)(struct bridge *bridge, const uint8_t *bytes, size_t size);
    /* A message is about to be written to standard error (may be NULL). */
    void (*aside)(struct bridge *bridge);
    /* A modem input or an error count changed (may be NULL). */
    void (*changed)(struct bridge *bridge, const struct uw_serial_counts *counts);
};

struct bridge {
    struct cli *cli;
    const struct face *face;
    void *own; /* the face's */
    struct uw_serial *port;
    char name[BRIDGE_NAME]; /* what messages call it */
    char label[64];         /* a short name that does not change: for files */
    int held;               /* by another program, which shares it */

    uint8_t pending[BRIDGE_BUFFER]; /* from the face, not yet taken by the port */
    size_t pending_size;
    int holds; /* none of it is to go now */

    pthread_t finder; /* looks for the device while `finding` */
    int finding;
    atomic_int found; /* the finder has ended */
    int found_result;
    struct uw_fault found_fault;
    struct uw_usec lost_at;

    int again, ended, code; /* again: what `work` returned */
};

/* From the face to the port; what does not fit is kept as far as there is room, and bridge_is_full
 * then. */
void bridge_send(struct bridge *bridge, const uint8_t *bytes, size_t size);
int bridge_is_full(const struct bridge *bridge);
size_t bridge_room(const struct bridge *bridge);

/* What the port has not taken yet is dropped. */
void bridge_give_up(struct bridge *bridge);

/* The port lives, and is not being looked for. */
int bridge_is_up(const struct bridge *bridge);

/* A failed call on the port: says so once; the loop sees to an end of the port by itself. */
void bridge_failed(struct bridge *bridge, const struct uw_fault *fault);

/* What messages say of it is what it now is. */
void bridge_name(struct bridge *bridge);

/* Runs until all have ended, the duration is over or Ctrl-C. Returns an exit code. */
int bridges_run(struct cli *cli, struct bridge *bridges, unsigned count);

/* Runs until all have ended or `stop` can be read from, or is closed at its other end. */
void bridges_serve(struct bridge *bridges, unsigned count, int stop);

extern const struct face face_tcp, face_rfc2217, face_pty, face_terminal;

#endif
