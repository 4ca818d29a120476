/*
 * framer.h - collecting a fixed number of bytes from pieces of any size
 */
#ifndef UW_WIRE_FRAMER_H
#define UW_WIRE_FRAMER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct uw_framer {
    uint8_t *dst;
    size_t want, have;
};

/* Starts collecting `want` bytes into dst; NULL: they are thrown away. */
static inline void
uw_framer_start(struct uw_framer *f, void *dst, size_t want)
{
    f->dst = (uint8_t *)dst;
    f->want = want;
    f->have = 0;
}

/* Takes what it needs from *bytes and moves that on. 1 when complete. */
static inline int
uw_framer_take(struct uw_framer *f, const uint8_t **bytes, size_t *size)
{
    size_t n = f->want - f->have;

    if (n > *size)
        n = *size;
    if (n) {
        if (f->dst)
            memcpy(f->dst + f->have, *bytes, n);
        f->have += n;
        *bytes += n;
        *size -= n;
    }
    return f->have == f->want;
}

#endif
