/*
 * wire.h - the few fields that the raw programs touch
 *
 * The raw limit is measured by programs that share no code with the library: this is all they know
 * of USB/IP (Linux Documentation/usb/usbip_protocol.rst).
 */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    HEADER_SIZE = 48,
    RECORD_SIZE = 312,
    CMD_SUBMIT = 1,
    CMD_UNLINK = 2,
    RET_SUBMIT = 3,
    RET_UNLINK = 4
};

/* Offsets in a header. */
enum { AT_COMMAND = 0, AT_SEQNUM = 4, AT_DEVID = 8, AT_DIRECTION = 12, AT_ENDPOINT = 16 };
enum { AT_FLAGS = 20, AT_STATUS = 20, AT_LENGTH = 24, AT_SETUP = 40 };

static inline void
put_be32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

static inline uint32_t
get_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

#endif
