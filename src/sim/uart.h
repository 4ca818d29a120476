/*
 * uart.h - a port of a serial chip, the wire behind it, and who is at its other end
 *
 * A chip's registers make a rate and a format; the far end has its own. Bytes arrive only where the
 * two agree - a wrong divisor, mask or index of a driver is then seen as silence.
 *
 *     uart.c          ports: making and resetting them, what comes and goes at their endpoints
 *     uart_wire.c     the wire: whether the two ends agree, flow control, how long bytes take
 *     far_*.c         who is at its other end
 */
#ifndef UW_SIM_UART_H
#define UW_SIM_UART_H

#include "sim/device.h"

enum sim_uart_line {
    SIM_DTR = 1,
    SIM_RTS = 2,
    SIM_CTS = 4,
    SIM_DSR = 8,
    SIM_DCD = 16,
    SIM_RI = 32
};

enum sim_uart_error { SIM_FRAMING = 1, SIM_PARITY = 2, SIM_BREAK = 4, SIM_OVERRUN = 8 };

enum sim_uart_flow { SIM_FLOW_NONE, SIM_FLOW_RTS_CTS, SIM_FLOW_XON_XOFF };

struct sim_format {
    uint64_t rate;                        /* thousandths of a bit a second; 0: no clock */
    uint8_t data_bits, parity, stop_bits; /* parity 0 to 4: N O E M S; stop bits 0 to 2: 1 1.5 2 */
};

struct sim_uart;

/* Who is at the other end. */
struct sim_far {
    const char *name, *text;
    int paced;                            /* where no option says otherwise */
    int (*create)(struct sim_uart *uart); /* all may be NULL */
    void (*destroy)(struct sim_uart *uart);
    void (*bytes)(struct sim_uart *uart, const uint8_t *bytes, size_t size);
    void (*outputs)(struct sim_uart *uart); /* DTR or RTS moved */
    void (*wanted)(struct sim_uart *uart);  /* a read waits, and there is nothing to answer it */
    void (*broke)(struct sim_uart *uart, int on);
};

/* What a chip does with what happens at its ports. */
struct sim_uart_chip {
    /* Bytes came, with enum sim_uart_error for all of them. */
    void (*received)(struct sim_uart *uart, const uint8_t *bytes, size_t size, unsigned errors);
    void (*moved)(struct sim_uart *uart); /* an input did; NULL: it tells nobody */
};

struct sim_uart {
    struct sim_device *device;
    const struct sim_uart_chip *chip;
    unsigned port;         /* of the chip */
    uint8_t in, out, note; /* endpoint addresses; note 0: none */
    struct sim_fifo to_host, notes;
    int deaf; /* what is written is taken and goes nowhere: the chip is not enabled */

    const struct sim_far *far;
    void *own;                           /* the far end's */
    struct sim_format near, other, told; /* told: logged last */
    int follows;                         /* the far end takes any usual rate and any format */
    int any;                             /* there is no wire, and so no rate to disagree about */
    unsigned asked, outputs; /* by the host; as they are: with RTS/CTS the chip moves RTS */
    unsigned inputs;
    int breaking;

    enum sim_uart_flow flow;
    uint8_t xon, xoff;
    int stopped; /* by XOFF */

    int paced;             /* bytes take their time */
    struct sim_timer pace; /* until the wire is free again */
    struct uw_usec free_at;
    uint32_t sending, sent; /* of the request with this seqnum so much has gone out */
    int draining, quiet, asking;
    size_t lost; /* bytes from the wire since one was received */
};

/* For a model: its own keys, and what they are for. */
#define SIM_UART_KEYS "baud,format,far,pace"
#define SIM_UART_TEXT "far=, baud=, format= and pace= say what is at its other end"

/* What the models of serial chips have in common. */
#define SIM_UART_MODEL(id, chip)                                                                   \
    .name = #id, .text = "a " chip " serial chip; " SIM_UART_TEXT, .keys = SIM_UART_KEYS,          \
    .create = create_##id, .reset = reset, .control = control

/* What a chip can hold that the host has not read, where bytes take their time. */
#define SIM_UART_BUFFER 1024u

/* ---- uart.c ---- */

/* The next port of a device, as the device's options say, at these endpoints (note 0: none).
 * INVALID, NO_MEMORY. */
int sim_uart_create(struct sim_uart *uart, struct sim_device *device,
                    const struct sim_uart_chip *chip, uint8_t in, uint8_t out, uint8_t note);
/* All ports of a device: as after power on, with this rate, 8N1. */
void sim_uarts_reset(struct sim_device *device, unsigned baud);
/* Their end, and that of the device's `own`; sim_model.destroy. */
void sim_uarts_destroy(struct sim_device *device);

/* A URB at an endpoint of one of them; sim_model.transfer. */
void sim_uarts_transfer(struct sim_device *device, struct uw_request *request);
/* The port with this endpoint, or NULL. */
struct sim_uart *sim_uart_at(const struct sim_device *device, uint8_t endpoint);
/* Answers what waits at its endpoints, as far as there is something to answer with. */
void sim_uart_serve(struct sim_uart *uart);
/* What the chip has for the host, at its two IN endpoints. */
void sim_uart_give(struct sim_uart *uart, const uint8_t *bytes, size_t size);
void sim_uart_note(struct sim_uart *uart, const uint8_t *bytes, size_t size);
/* Drops what the host did not read yet. */
void sim_uart_purge(struct sim_uart *uart);

/* ---- uart_wire.c: what the chip does ---- */

/* Takes from what the host has written as much as may go out now. */
void sim_uart_drain(struct sim_uart *uart);
void sim_uart_outputs(struct sim_uart *uart, unsigned asked);
void sim_uart_break(struct sim_uart *uart, int on);
void sim_uart_flow(struct sim_uart *uart, enum sim_uart_flow flow, unsigned xon, unsigned xoff);

/* How long so many bytes take at a rate and format. */
struct uw_usec sim_format_time(const struct sim_format *format, size_t bytes);

/* ---- uart_wire.c: what the far end does ---- */

void sim_uart_answer(struct sim_uart *uart, const uint8_t *bytes, size_t size);
void sim_uart_inputs(struct sim_uart *uart, unsigned inputs);
/* Whether the chip lets it send. */
int sim_uart_takes(const struct sim_uart *uart);

#define SIM_FAR_X(name) extern const struct sim_far name;
#include "sim/fars.def"
#undef SIM_FAR_X

#endif
