/*
 * uart.h - the wire behind a serial chip, and who is at its other end
 *
 * A chip's registers make a rate and a format; the far end has its own. Bytes arrive only where the
 * two agree - a wrong divisor, mask or index of a driver is then seen as silence.
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

enum sim_uart_error { SIM_FRAMING = 1, SIM_PARITY = 2, SIM_BREAK = 4 };

struct sim_format {
    uint64_t rate;                        /* thousandths of a bit a second; 0: no clock */
    uint8_t data_bits, parity, stop_bits; /* parity 0 to 4: N O E M S; stop bits 0 to 2: 1 1.5 2 */
};

struct sim_uart;

/* Who is at the other end. */
struct sim_far {
    const char *name, *text;
    int (*create)(struct sim_uart *uart); /* all may be NULL */
    void (*destroy)(struct sim_uart *uart);
    void (*bytes)(struct sim_uart *uart, const uint8_t *bytes, size_t size);
    void (*outputs)(struct sim_uart *uart); /* DTR or RTS moved */
    void (*broke)(struct sim_uart *uart, int on);
};

struct sim_uart {
    struct sim_device *device;
    unsigned port; /* of the chip */
    const struct sim_far *far;
    void *own; /* the far end's */
    struct sim_format near, other;
    int follows; /* the far end takes any usual rate and any format */
    unsigned outputs, inputs;
    int breaking;
    /* The chip's side: what came (with enum sim_uart_error for all of it), or an input moved. */
    void (*received)(struct sim_uart *uart, const uint8_t *bytes, size_t size, unsigned errors);
    void (*moved)(struct sim_uart *uart);
};

#define SIM_UART_KEYS "baud,format,far"

/* Connects a chip's port as the device's options say. INVALID, NO_MEMORY. */
int sim_uart_create(struct sim_uart *uart, struct sim_device *device, unsigned port);
void sim_uart_destroy(struct sim_uart *uart);

/* What the chip does. */
void sim_uart_send(struct sim_uart *uart, const uint8_t *bytes, size_t size);
void sim_uart_outputs(struct sim_uart *uart, unsigned outputs);
void sim_uart_break(struct sim_uart *uart, int on);

/* What the far end does. */
void sim_uart_answer(struct sim_uart *uart, const uint8_t *bytes, size_t size);
void sim_uart_inputs(struct sim_uart *uart, unsigned inputs);

#define SIM_FAR_X(name) extern const struct sim_far name;
#include "sim/fars.def"
#undef SIM_FAR_X

#endif
