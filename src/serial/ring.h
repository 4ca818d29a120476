/*
 * ring.h - bytes in, the same bytes out, in memory that never grows
 */
#ifndef UW_SERIAL_RING_H
#define UW_SERIAL_RING_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct serial_ring {
    uint8_t *bytes;
    size_t size, start, count;
};

static inline size_t
serial_ring_room(const struct serial_ring *r)
{
    return r->size - r->count;
}

/* Takes as much as there is room for; returns that. */
static inline size_t
serial_ring_put(struct serial_ring *r, const void *src, size_t n)
{
    size_t end = (r->start + r->count) % (r->size ? r->size : 1), first;

    if (n > serial_ring_room(r))
        n = serial_ring_room(r);
    if (n == 0)
        return 0;
    first = n < r->size - end ? n : r->size - end;
    memcpy(r->bytes + end, src, first);
    memcpy(r->bytes, (const uint8_t *)src + first, n - first);
    r->count += n;
    return n;
}

/* Gives up to n bytes; returns how many. */
static inline size_t
serial_ring_take(struct serial_ring *r, void *dst, size_t n)
{
    size_t first;

    if (n > r->count)
        n = r->count;
    if (n == 0)
        return 0;
    first = n < r->size - r->start ? n : r->size - r->start;
    memcpy(dst, r->bytes + r->start, first);
    memcpy((uint8_t *)dst + first, r->bytes, n - first);
    r->start = (r->start + n) % r->size;
    r->count -= n;
    return n;
}

#endif
