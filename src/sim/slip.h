/*
 * slip.h - SLIP (RFC 1055): messages on a serial line, each between two bytes that mean its end
 */
#ifndef UW_SIM_SLIP_H
#define UW_SIM_SLIP_H

#include <stddef.h>
#include <stdint.h>

#define SIM_SLIP_MESSAGE    20000u /* what is longer is dropped */
#define SIM_SLIP_SIZE(size) (2 * (size) + 2)

struct sim_slip {
    uint8_t bytes[SIM_SLIP_MESSAGE];
    size_t size;
    int inside, escaped, whole;
};

void sim_slip_begin(struct sim_slip *slip);

/* 1 when this was the last byte of a message; it is there until the next call. */
int sim_slip_take(struct sim_slip *slip, uint8_t byte);

/* A message as it goes over the line, at most SIM_SLIP_SIZE(size). */
size_t sim_slip_make(const uint8_t *bytes, size_t size, uint8_t *out);

#endif
