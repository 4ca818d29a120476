/*
 * ring.c - finished blocks between who makes them and who takes them
 */
#include <assert.h>
#include <stdlib.h>

#include <usbwire/error.h>

#include "capture/ring.h"

int
uw_ring_init(struct uw_ring *ring, size_t size)
{
    *ring = (struct uw_ring){.size = size};
    ring->bytes = malloc(size);
    return ring->bytes ? 0 : UW_ERROR_NO_MEMORY;
}

void
uw_ring_free(struct uw_ring *ring)
{
    free(ring->bytes);
    ring->bytes = NULL;
}

uint8_t *
uw_ring_reserve(struct uw_ring *ring, size_t n)
{
    if (ring->wrapped)
        return n <= ring->tail - ring->head ? ring->bytes + ring->head : NULL;
    if (ring->head == ring->tail && !ring->taken)
        ring->head = ring->tail = 0;
    if (n <= ring->size - ring->head)
        return ring->bytes + ring->head;
    if (n > ring->tail)
        return NULL;
    ring->wrap = ring->head;
    ring->head = 0;
    ring->wrapped = 1;
    return ring->bytes;
}

void
uw_ring_commit(struct uw_ring *ring, size_t n)
{
    ring->head += n;
    assert(ring->head <= (ring->wrapped ? ring->tail : ring->size));
}

/* The reader has come to where the bytes start over. */
static void
follow_wrap(struct uw_ring *ring)
{
    if (ring->wrapped && ring->tail == ring->wrap) {
        ring->tail = 0;
        ring->wrapped = 0;
    }
}

size_t
uw_ring_peek(struct uw_ring *ring, const uint8_t **ret_bytes)
{
    follow_wrap(ring);
    ring->taken = (ring->wrapped ? ring->wrap : ring->head) - ring->tail;
    *ret_bytes = ring->bytes + ring->tail;
    return ring->taken;
}

void
uw_ring_give_back(struct uw_ring *ring, size_t n)
{
    assert(n <= ring->taken);
    ring->tail += n;
    ring->taken = 0;
    follow_wrap(ring);
}

size_t
uw_ring_used(const struct uw_ring *ring)
{
    return ring->wrapped ? ring->wrap - ring->tail + ring->head : ring->head - ring->tail;
}

void
uw_ring_clear(struct uw_ring *ring)
{
    ring->head = ring->tail = ring->wrap = ring->taken = 0;
    ring->wrapped = 0;
}
