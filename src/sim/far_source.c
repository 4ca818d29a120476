/*
 * far_source.c - somebody who talks without a pause: a running count of bytes, at the line's rate
 * or (pace=0) as fast as the host reads, while DTR is set
 *
 * Each byte says which it is (modulo 251, so that no power of two of lost ones goes unseen).
 */
#include <stdlib.h>

#include "sim/sim.h"
#include "sim/uart.h"

#define TICK_US  10000u  /* what a chip puts into one transfer while bytes keep coming */
#define LATE_US  200000u /* what was not said for so long is not said at all */
#define MODULUS  251u
#define SAID_MAX 63488u /* at once: whole packets of every chip, with status bytes or without */

struct source {
    struct sim_uart *uart;
    struct sim_timer timer;
    struct uw_usec said_until;
    unsigned next;
    uint8_t count[SAID_MAX + MODULUS]; /* from 0; from `next`, as many as are ever said at once */
};

static void
say(struct source *s, size_t size)
{
    while (size > 0) {
        size_t n = size < SAID_MAX ? size : SAID_MAX;
        const uint8_t *bytes = s->count + s->next;

        s->next = (unsigned)((s->next + n) % MODULUS);
        sim_uart_answer(s->uart, bytes, n);
        size -= n;
    }
}

static void
tick(struct sim_timer *timer, struct uw_usec now)
{
    struct source *s = UW_CONTAINER(timer, struct source, timer);
    struct uw_usec second = sim_format_time(&s->uart->other, 1000000);
    uint64_t due;

    if (now.us - s->said_until.us > LATE_US)
        s->said_until.us = now.us - LATE_US;
    due = second.us ? (now.us - s->said_until.us) * 1000000u / second.us : 0;
    if (sim_uart_takes(s->uart)) {
        say(s, (size_t)due);
        s->said_until.us += due * second.us / 1000000u;
    } else {
        s->said_until = now;
    }
    sim_set_timer(s->uart->device->sim, &s->timer, uw_usec_add(now, uw_usec(TICK_US)));
}

static void
outputs(struct sim_uart *u)
{
    struct source *s = (struct source *)u->own;
    struct sim_uart *uart = s->uart;

    sim_set_timer(uart->device->sim, &s->timer, uw_never());
    s->next = 0;
    if (!(u->outputs & SIM_DTR))
        return;
    if (!uart->paced) {
        sim_uart_serve(uart);
        return;
    }
    s->said_until = uart->device->sim->now;
    sim_set_timer(uart->device->sim, &s->timer, uw_usec_add(s->said_until, uw_usec(TICK_US)));
}

static void
wanted(struct sim_uart *u)
{
    if (!u->paced && u->outputs & SIM_DTR)
        say((struct source *)u->own, SAID_MAX);
}

static int
create(struct sim_uart *u)
{
    struct source *s = calloc(1, sizeof(*s));

    if (!s)
        return UW_ERROR_NO_MEMORY;
    s->uart = u;
    s->timer.fire = tick;
    for (size_t i = 0; i < sizeof(s->count); i++)
        s->count[i] = (uint8_t)(i % MODULUS);
    u->own = s;
    u->follows = 0;
    return 0;
}

static void
destroy(struct sim_uart *u)
{
    struct source *s = (struct source *)u->own;

    if (!s)
        return;
    sim_set_timer(u->device->sim, &s->timer, uw_never());
    free(s);
}

const struct sim_far sim_far_source = {
    .name = "source",
    .text = "somebody who sends a running count of bytes without a pause, while DTR is set",
    .paced = 1,
    .create = create,
    .destroy = destroy,
    .outputs = outputs,
    .wanted = wanted,
};
