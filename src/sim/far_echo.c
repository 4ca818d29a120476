/*
 * far_echo.c - a plug that connects what goes out with what comes in
 */
#include "sim/uart.h"

static void
echo_bytes(struct sim_uart *u, const uint8_t *bytes, size_t size)
{
    sim_uart_answer(u, bytes, size);
}

static void
echo_outputs(struct sim_uart *u)
{
    sim_uart_inputs(u, (u->outputs & SIM_DTR ? SIM_DSR | SIM_DCD : 0u) |
                           (u->outputs & SIM_RTS ? SIM_CTS : 0u));
}

static void
echo_broke(struct sim_uart *u, int on)
{
    static const uint8_t zero = 0;

    if (on)
        u->chip->received(u, &zero, 1, SIM_BREAK);
}

const struct sim_far sim_far_echo = {
    .name = "echo",
    .text = "a plug that connects TX with RX, DTR with DSR and DCD, RTS with CTS",
    .bytes = echo_bytes,
    .outputs = echo_outputs,
    .broke = echo_broke,
};
