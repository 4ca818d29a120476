/*
 * port.h - an open port from inside
 *
 *     port.c     opening, closing
 *     settings.c what it is set to
 *     run.c      plans of control requests on their way
 *     pump.c     data both ways: URBs, buffers, what the chip tells
 *     lines.c    DTR and RTS
 *     break.c    break
 *     io.c       the calls that wait
 *     url.c      a port by URL
 *
 * Everything is guarded by the loop's lock. URBs complete into hooks that only take in what came
 * and plan the pump: it runs as a timer, so nothing is submitted from inside of a completion.
 */
#ifndef UW_SERIAL_PORT_H
#define UW_SERIAL_PORT_H

#include <usbwire/serial.h>

#include "base/list.h"
#include "client/import.h"
#include "client/loop.h"
#include "serial/driver.h"
#include "serial/ring.h"
#include "usb/device.h"

#define SERIAL_READS      24u /* open at once where the server allows it: 3 Mbaud over 0.3 s */
#define SERIAL_READ_SIZE  4096u
#define SERIAL_WRITES     4u
#define SERIAL_WRITE_SIZE 4096u
#define SERIAL_NOTE_SIZE  64u
#define SERIAL_OUTPUT     65536u

/* When the port may have a read open. */
enum serial_reading {
    SERIAL_READ_ALWAYS,
    SERIAL_READ_ASKED,    /* when the chip said that there is something */
    SERIAL_READ_WHEN_WAIT /* while somebody waits for data */
};

/* One of the port's own URBs with its buffer. */
struct serial_lane {
    struct uw_urb urb;
    struct uw_serial *port;
    size_t size;
    uint8_t *bytes;
};

/* A plan on its way. */
struct serial_step {
    struct uw_urb urb;
    struct serial_run *run;
    uint8_t optional;
    uint8_t data[SERIAL_DATA_MAX];
};

struct serial_run {
    struct uw_list link; /* in port->runs */
    struct uw_serial *port;
    unsigned left; /* steps that have not ended */
    unsigned waited : 1, asks : 1;
    unsigned renews : 1; /* the line, and what is written waits for that */
    unsigned closes : 1; /* nobody wants to wait long for it */
    unsigned reads_made; /* the port's as it began */
    int status;          /* of the first step that failed and may not */
    struct uw_fault fault;
    unsigned count;
    struct serial_step steps[];
};

struct uw_serial {
    struct uw_loop *loop;
    struct uw_device *device;
    struct uw_ending ending;   /* of its import */
    struct uw_setting setting; /* of it: the line may be forgotten with that */
    struct serial_chip chip;
    int claimed[2]; /* interface numbers, -1: none */

    struct serial_line line;
    unsigned outputs;       /* DTR and RTS as they are to be */
    unsigned outputs_known; /* which of them were ever set */
    unsigned pending;       /* which of them the chip was not told yet */
    int breaking;
    struct uw_usec break_until; /* instant; of one that is a byte */
    int holds;                  /* nothing that is to be written goes out meanwhile */
    unsigned resets;            /* of the device, by others: counted up */
    int renew;                  /* after one: the line is to be set anew */
    int hang_up;
    int read_ahead;
    unsigned poll_lines;

    int status; /* why the port ended */
    struct uw_fault fault;
    int late_status; /* of something nobody waited for; given once */
    struct uw_fault late_fault;
    unsigned stopping : 1;
    unsigned failures; /* reads that failed, without one that did not between */
    unsigned cancels;  /* counted up by uw_serial_cancel */

    struct serial_ring input, output;
    enum serial_reading reading;
    unsigned depth;   /* reads to have open */
    unsigned waiting; /* threads that wait for data */
    int answer_due;   /* to what was written: nothing was read since, or as much as was asked for */
    size_t asked_bytes;  /* the chip said so many wait, and no read was made since */
    unsigned reads_made; /* counted up */
    struct serial_lane reads[SERIAL_READS], writes[SERIAL_WRITES], note;
    size_t writing; /* bytes in writes */
    struct uw_usec write_timeout;
    struct uw_list runs;

    struct uw_timer pump, merge, ask;
    struct uw_serial_counts counts;
    unsigned changed : 1;
    int fd, fd_set;
};

/* ---- run.c ---- */

#define SERIAL_RUN_WAITED 1u /* serial_run_wait_locked and serial_run_free follow */
#define SERIAL_RUN_ASKS   2u /* what it brings is for driver->answer */
#define SERIAL_RUN_RENEWS 4u /* what the line is set to: nothing is written meanwhile */
#define SERIAL_RUN_CLOSES 8u /* given up soon */

/* Sends a plan; NULL, with a fault, when it could not be. */
struct serial_run *serial_run_start_locked(struct uw_serial *port, const struct serial_plan *plan,
                                           unsigned flags, struct uw_fault *fault);
/* Waits for its end; returns its status. Free it with serial_run_free. */
int serial_run_wait_locked(struct serial_run *run, struct uw_fault *fault);
void serial_run_free(struct serial_run *run);
/* The three at once. */
int serial_run_locked(struct uw_serial *port, const struct serial_plan *plan, unsigned flags,
                      struct uw_fault *fault);
/* Frees those that have ended and nobody waits for. */
void serial_runs_reap(struct uw_serial *port);

/* ---- pump.c ---- */

/* Reads and writes begin; everything has been allocated. */
int serial_pump_init(struct uw_serial *port, size_t input);
void serial_pump_start_locked(struct uw_serial *port);
/* Takes all URBs back and waits for them. */
void serial_pump_stop_locked(struct uw_serial *port);
void serial_pump_free(struct uw_serial *port);
/* Submits what has to be: at once, which a completion must not do, or soon. */
void serial_pump_locked(struct uw_serial *port);
void serial_pump_now(struct uw_serial *port);
/* When such a port of that device may be read, as far as its server is known by now. */
enum serial_reading serial_reading_locked(const struct serial_chip *chip, struct uw_device *device);
/* Drops input, what the engine keeps of it included, and starts reading again. */
void serial_pump_flush_input(struct uw_serial *port);
void serial_pump_flush_output(struct uw_serial *port);
/* Sends a zero byte, past what waits to be written; by writes[0]. */
void serial_pump_zero_locked(struct uw_serial *port, struct uw_usec timeout);
/* The port has ended: the first reason counts. */
void serial_end(struct uw_serial *port, int status, const struct uw_fault *fault);
/* Something failed that nobody waits for. */
void serial_note_failure(struct uw_serial *port, int status, const struct uw_fault *fault);
/* What the chip told may be new: `before` is what was known. */
void serial_note_inputs(struct uw_serial *port, const struct serial_inputs *before);
/* The descriptor shows what there is to see. */
void serial_update_fd(struct uw_serial *port);
/* What is there of enum uw_serial_event. */
unsigned serial_events(const struct uw_serial *port);

/* ---- lines.c ---- */

void serial_lines_init(struct uw_serial *port);
/* Which lines are put back when the chip has forgotten them. */
unsigned serial_lines_again(const struct uw_serial *port);
/* Sends a change that is being held; before any other use of the port. */
void serial_lines_settle(struct uw_serial *port);

/* ---- break.c ---- */

int serial_set_break_locked(struct uw_serial *port, int on, struct uw_fault *fault);

/* ---- settings.c ---- */

int serial_check_config(const struct uw_serial_config *config, struct uw_fault *fault);
struct serial_line serial_line_merge(const struct serial_line *from,
                                     const struct uw_serial_config *config);
/* Adds what brings a line from one state to another (NULL: not known); `chip` learns of it. */
int serial_plan_line(const struct uw_serial *port, struct serial_chip *chip,
                     const struct serial_line *from, const struct serial_line *to,
                     struct serial_plan *plan, struct uw_fault *fault);
/* Adds what brings a chip that knows nothing to where the port's is to be: its line, and the
 * outputs in `mask`. */
int serial_plan_anew(struct uw_serial *port, unsigned mask, struct serial_plan *plan,
                     struct uw_fault *fault);
/* Begins to do so, for a device that was reset by somebody else. */
void serial_renew_locked(struct uw_serial *port);
/* The lines that a config asks for. Returns which are to be sent. */
unsigned serial_take_lines(struct uw_serial *port, const struct uw_serial_config *config);

/* ---- port.c ---- */

/* 0, or why the port cannot be used: its end, or a failure that nobody was told of yet. */
int serial_check_locked(struct uw_serial *port, struct uw_fault *fault);
int serial_refuse(const struct uw_serial *port, int code, const char *tried, const char *came,
                  const char *advice, struct uw_fault *fault);

#endif
